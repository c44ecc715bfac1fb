//! The course of an operation on a socket: try, sleep, try again.
//!
//! ```text
//! something pending? --> raise it
//!    | no
//!  ready, as far as we know? --yes--> try --+-- done, or failed --> give way --> return, or raise
//!    | no                                   |
//!    +------------------------> sleep <-----+ would block
//!                                 |  ^
//!                          woken  v  | would block
//!                                try --> done, or failed: return, or raise at once
//! ```
//!
//! Either way it is one checkpoint: a schedule point, and a cancel point before anything has moved.
//! Cancellation strikes at the beginning or during a sleep, never after an attempt had an effect.
//!
//! Readiness is remembered between operations ([`crate::kernel::Readiness`]), and the first attempt is
//! left out if it would be in vain. Being wrong in one direction costs an attempt. Being wrong in the
//! other would be a sleep without end; that it cannot happen is explained where the memory changes: in
//! `sleep` below and where a transfer falls short.

use std::os::fd::RawFd;

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::socket::{Kind, OwnedSocket};
use super::waiting::{self, kernel_error, with_table, Belief};
use crate::core::current;
use crate::interop::errors::raised_here;
use crate::kernel::tripwires::tripwire;
use crate::kernel::Direction;
use crate::task::{receive, Task};
use crate::trap::{Awaitable, Entry, Leaf, NewAwaitable, Poll, Request};

/// What came of an attempt.
#[must_use]
pub enum Tried {
    /// It is done, with this result (`None` standing for Python's).
    Done(Option<Py<PyAny>>),
    /// It would have to wait.
    Blocks,
}

/// What is to be done with a socket.
pub trait Errand: Send + Sync {
    /// What it waits for.
    fn direction(&self) -> Direction;

    /// Is it certain that an attempt would do nothing but be told to wait if the socket is not
    /// ready? No, if it would complain about an argument.
    fn is_sound(&self, port: &Port<'_, '_>) -> bool;

    /// Tries to get on with it, without blocking.
    fn attempt(&mut self, port: &Port<'_, '_>) -> PyResult<Tried>;

    /// Shows the collector what the errand holds.
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError>;

    /// The awaitable that runs the errand on a socket.
    fn on(self, name: &'static str, socket: Py<OwnedSocket>) -> NewAwaitable
    where
        Self: Sized + 'static,
    {
        let stage = Stage::Entering(Entry::default());
        Awaitable::new(name, Exchange { socket, errand: self, stage })
    }
}

/// A socket at the moment of an attempt.
pub struct Port<'a, 'py> {
    /// The socket.
    pub socket: &'a Bound<'py, OwnedSocket>,
    /// The standard library's socket in it.
    pub inner: Bound<'py, PyAny>,
    /// Its descriptor; -1 if it is closed.
    pub fd: RawFd,
    /// What sort of socket it is.
    pub kind: Kind,
    task: &'a Bound<'py, Task>,
}

impl<'a, 'py> Port<'a, 'py> {
    #[inline]
    fn of(socket: &'a Bound<'py, OwnedSocket>, task: &'a Bound<'py, Task>) -> PyResult<Self> {
        let inner = socket.get().inner(task.py())?;
        let (fd, kind) = socket.get().look_at(&inner)?;
        Ok(Self { socket, inner, fd, kind, task })
    }

    /// A transfer has moved something, but less than it could have. Where that proves that nothing
    /// more can be moved now, the next attempt waits for the event that says otherwise.
    ///
    /// False if another attempt is worth while.
    #[inline]
    pub fn fell_short(&self, direction: Direction) -> bool {
        if !self.kind.shortness_tells {
            return false;
        }
        let runner = self.task.get().runner.get();
        let moved =
            self.socket.get().with_readiness(self.task.py(), runner, self.fd, |readiness| {
                readiness.fall_short(direction);
                !readiness.is_ready(direction)
            });
        moved.unwrap_or(false)
    }

    /// Is an attempt worth while? If another task sleeps for the same, it is: either there is
    /// something for both, or the attempt to sleep, too, has to be refused.
    #[inline]
    fn is_promising(&self, direction: Direction) -> bool {
        let py = self.task.py();
        let generation = self.socket.get().generation.get(py);
        self.task.get().runner.get().poller.with(py, |poller| {
            let Some(poller) = poller else { return true };
            match poller.table.readiness(self.fd, generation) {
                Some(readiness) if !readiness.is_ready(direction) => {
                    poller.table.is_awaited(self.fd, direction)
                }
                _ => true,
            }
        })
    }

    /// Puts the task to sleep until the socket is ready; it has to yield `Park`.
    ///
    /// That it will be woken rests on the order: the attempt was told to wait; then the kernel is
    /// told to report, which includes what has changed since. A registration that exists has been
    /// reporting all the time, so it has an event for whatever came after the attempt, unless the
    /// socket is of a kind that does not always tell; then it is asked to report again.
    fn sleep(&self, direction: Direction, belief: Belief) -> PyResult<()> {
        let py = self.task.py();
        let fd = self.fd;
        let known = self.socket.get().generation.get(py);
        let waiter = self.task.clone().unbind();
        let seated = with_table(py, self.task.get().runner.get(), |table, woken| {
            let mut generation = known;
            tripwire!(SocketAwaited);
            if table.readiness(fd, known).is_none() {
                generation = table.own(fd, woken)?;
            } else if belief == Belief::Told && !self.kind.edges_tell {
                table.refresh(fd, woken)?;
            }
            if belief == Belief::Told && self.kind.edges_tell {
                if let Some(readiness) = table.readiness(fd, generation) {
                    readiness.exhaust(direction);
                }
            }
            Ok((generation, table.wait_owned(fd, direction, waiter)))
        })?;
        let (generation, seated) = seated.map_err(|errno| kernel_error(py, fd, errno))?;
        self.socket.get().generation.set(py, generation);
        waiting::sleep(self.task, fd, direction, belief, seated)
    }
}

enum Stage {
    Entering(Entry),
    GivingWay(PyResult<Option<Py<PyAny>>>),
    Asleep,
}

/// An errand on its course.
struct Exchange<E> {
    socket: Py<OwnedSocket>,
    errand: E,
    stage: Stage,
}

impl<E: Errand> Exchange<E> {
    #[inline]
    fn begin(&mut self, task: &Bound<'_, Task>) -> PyResult<Poll> {
        let socket = self.socket.bind(task.py());
        let port = match Port::of(socket, task) {
            Ok(port) => port,
            Err(error) => return Ok(self.give_way(Err(error))),
        };
        let direction = self.errand.direction();
        let mut belief = Belief::Remembered;
        if port.is_promising(direction) || !self.errand.is_sound(&port) {
            tripwire!(SocketTried);
            match self.errand.attempt(&port) {
                Ok(Tried::Blocks) => belief = Belief::Told,
                Ok(Tried::Done(result)) => return Ok(self.give_way(Ok(result))),
                Err(error) => return Ok(self.give_way(Err(error))),
            }
        }
        Self::fall_asleep(port, direction, belief)?;
        self.stage = Stage::Asleep;
        Ok(Poll::Trap(Request::Park))
    }

    #[inline]
    fn fall_asleep(port: Port<'_, '_>, direction: Direction, belief: Belief) -> PyResult<()> {
        if port.kind.plain {
            return port.sleep(direction, belief);
        }
        // Code in Python has made the attempt, and may have exchanged the inner socket.
        Port::of(port.socket, port.task)?.sleep(direction, belief)
    }

    #[inline]
    fn give_way(&mut self, result: PyResult<Option<Py<PyAny>>>) -> Poll {
        self.stage = Stage::GivingWay(result);
        Poll::Trap(Request::Checkpoint)
    }

    #[inline]
    fn go_on(&mut self, task: &Bound<'_, Task>) -> PyResult<Poll> {
        receive(task)?;
        let port = Port::of(self.socket.bind(task.py()), task)?;
        match self.errand.attempt(&port) {
            Ok(Tried::Done(result)) => Ok(hand_out(result)),
            Ok(Tried::Blocks) => {
                Self::fall_asleep(port, self.errand.direction(), Belief::Told)?;
                Ok(Poll::Trap(Request::Park))
            }
            Err(error) => Err(raised_here(task.py(), error)),
        }
    }
}

impl<E: Errand> Leaf for Exchange<E> {
    fn poll(&mut self, py: Python<'_>, _turn: u32) -> PyResult<Poll> {
        match &mut self.stage {
            Stage::Entering(entry) => {
                let task = current::task(py)?;
                match entry.poll(&task)? {
                    Some(poll) => Ok(poll),
                    None => self.begin(&task),
                }
            }
            Stage::GivingWay(result) => match std::mem::replace(result, Ok(None)) {
                Ok(result) => Ok(hand_out(result)),
                Err(error) => Err(raised_here(py, error)),
            },
            Stage::Asleep => self.go_on(&current::task(py)?),
        }
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.socket)?;
        if let Stage::GivingWay(Ok(Some(result))) = &self.stage {
            visit.call(result)?;
        }
        self.errand.trace(visit)
    }
}

#[inline]
fn hand_out(result: Option<Py<PyAny>>) -> Poll {
    result.map_or(Poll::Ready, Poll::Value)
}
