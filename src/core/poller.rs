//! Readiness of file descriptors: an mio poller and the table of who waits for what.
//!
//! Descriptors given to `wait_readable` and `wait_writable` belong to the user, who may close and
//! reuse them at any time. mio is edge-triggered, so every wait arms its descriptor anew: a changed
//! registration reports readiness that is already there. Each registration has a generation, which
//! travels in the event's token; an event of an earlier registration of the same number is ignored.
//!
//! The table is touched by the loop's thread only. The poll itself may happen elsewhere (in guest mode
//! in a worker thread) because [`PollSet`] can be taken out; registering meanwhile is fine for epoll.
//!
//! Invariants: at most one reader and one writer per descriptor; a descriptor without waiters has no
//! entry.

use std::collections::HashMap;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::interop::gc::Trace;
use crate::task::Task;

const SIGNAL: Token = Token(usize::MAX);
const WAKEUP: Token = Token(usize::MAX - 1);
const EVENTS_PER_POLL: usize = 512;

/// The two directions in which a descriptor can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Read,
    Write,
}

/// The two ways to make a poll in progress return: an event counter for threads, which never has to
/// be read because its registration is edge-triggered, and a socket for signals, because
/// `signal.set_wakeup_fd` writes single bytes, which a counter refuses.
struct Ways {
    counter: Waker,
    signals: UnixStream,
}

impl Ways {
    fn wake(&self) {
        // Can only fail for want of kernel memory, and then there is nobody to tell.
        self.counter.wake().ok();
    }
}

/// Makes a poll in progress return. Empty once the run has ended, although tokens may keep this
/// object.
///
/// The mutex is taken with the interpreter lock held and never across a system call: a child that
/// was forked meanwhile finds it free.
pub struct Wakeup {
    ways: Mutex<Option<Arc<Ways>>>,
}

impl Wakeup {
    /// Wakes the poller.
    pub fn wake(&self) {
        if let Some(ways) = self.ways() {
            ways.wake();
        }
    }

    /// Wakes the poller without the interpreter lock: the loop's thread may start to run within this
    /// very call, and with the lock taken could only go back to sleep.
    pub fn wake_detached(&self, py: Python<'_>) {
        if let Some(ways) = self.ways() {
            py.detach(|| ways.wake());
        }
    }

    /// The descriptor that `signal.set_wakeup_fd` may write to; -1 once the run has ended.
    pub fn fd(&self) -> RawFd {
        self.ways.lock().as_ref().map_or(-1, |ways| ways.signals.as_raw_fd())
    }

    /// Closes both ways; a thread that is waking the poller right now closes them when it is done.
    pub fn close(&self) {
        let ways = self.ways.lock().take();
        drop(ways);
    }

    fn ways(&self) -> Option<Arc<Ways>> {
        self.ways.lock().clone()
    }
}

/// What a poll found; also the part of the poller that can leave for another thread.
pub struct PollSet {
    poll: Poll,
    events: Events,
}

impl PollSet {
    /// Waits for events, at most for `timeout`. A signal ends the wait early without events.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.events.clear();
                Ok(())
            }
            other => other,
        }
    }

    /// Did the last wait find nothing?
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

#[derive(Default)]
struct Waiters {
    generation: u32,
    armed: Option<Interest>,
    reader: Option<Py<Task>>,
    writer: Option<Py<Task>>,
}

impl Waiters {
    fn slot(&mut self, direction: Direction) -> &mut Option<Py<Task>> {
        match direction {
            Direction::Read => &mut self.reader,
            Direction::Write => &mut self.writer,
        }
    }

    fn wanted(&self) -> Option<Interest> {
        match (self.reader.is_some(), self.writer.is_some()) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        }
    }
}

/// Why a task could not begin to wait.
pub enum WaitRefused {
    /// Another task waits for the same direction.
    Busy,
    /// The descriptor cannot be polled.
    Os(io::Error),
}

/// The poller and its table.
pub struct Poller {
    set: Option<Box<PollSet>>,
    registry: Registry,
    receiver: UnixStream,
    table: HashMap<RawFd, Waiters>,
    generation: u32,
}

impl Poller {
    /// Opens the poller and the ways to wake it.
    pub fn open() -> io::Result<(Self, Arc<Wakeup>)> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let (receiver, signals) = UnixStream::pair()?;
        receiver.set_nonblocking(true)?;
        signals.set_nonblocking(true)?;
        registry.register(&mut SourceFd(&receiver.as_raw_fd()), SIGNAL, Interest::READABLE)?;
        let counter = Waker::new(&registry, WAKEUP)?;
        let ways = Arc::new(Ways { counter, signals });
        let set = Some(Box::new(PollSet { poll, events: Events::with_capacity(EVENTS_PER_POLL) }));
        let poller = Self { set, registry, receiver, table: HashMap::new(), generation: 0 };
        Ok((poller, Arc::new(Wakeup { ways: Mutex::new(Some(ways)) })))
    }

    /// Takes the poll set out, to wait with it while the table stays usable.
    pub fn take_set(&mut self) -> Option<Box<PollSet>> {
        self.set.take()
    }

    /// Gives the poll set back and reads its events: tasks that are due are appended to `woken`.
    pub fn put_set(&mut self, set: Box<PollSet>, woken: &mut Vec<Py<Task>>) {
        for event in &set.events {
            match event.token() {
                WAKEUP => continue,
                SIGNAL => {
                    self.drain_signals();
                    continue;
                }
                _ => {}
            }
            let (fd, generation) = unpack(event.token());
            let failed = event.is_error();
            let readable = event.is_readable() || event.is_read_closed() || failed;
            let writable = event.is_writable() || event.is_write_closed() || failed;
            let Some(waiters) = self.table.get_mut(&fd) else { continue };
            if waiters.generation != generation {
                continue;
            }
            if readable {
                woken.extend(waiters.reader.take());
            }
            if writable {
                woken.extend(waiters.writer.take());
            }
            self.settle(fd, woken);
        }
        self.set = Some(set);
    }

    /// Lets `task` wait for `fd`, or gives it back with the reason why it cannot.
    pub fn wait(
        &mut self,
        fd: RawFd,
        direction: Direction,
        task: Py<Task>,
        woken: &mut Vec<Py<Task>>,
    ) -> Result<(), (WaitRefused, Py<Task>)> {
        if !self.table.contains_key(&fd) {
            self.generation = self.generation.wrapping_add(1);
            let fresh = Waiters { generation: self.generation, ..Waiters::default() };
            self.table.insert(fd, fresh);
        }
        let Some(waiters) = self.table.get_mut(&fd) else { unreachable!("just inserted") };
        let slot = waiters.slot(direction);
        if slot.is_some() {
            return Err((WaitRefused::Busy, task));
        }
        *slot = Some(task);
        match self.arm(fd) {
            Ok(()) => Ok(()),
            Err(error) => {
                match self.table.get_mut(&fd).and_then(|waiters| waiters.slot(direction).take()) {
                    Some(task) => {
                        self.settle(fd, woken);
                        Err((WaitRefused::Os(error), task))
                    }
                    None => Ok(()),
                }
            }
        }
    }

    /// Ends a wait before anything happened; hands the waiting task out. Other waiters of the
    /// descriptor that cannot be kept are appended to `woken`.
    pub fn withdraw(
        &mut self,
        fd: RawFd,
        direction: Direction,
        woken: &mut Vec<Py<Task>>,
    ) -> Option<Py<Task>> {
        let task = self.table.get_mut(&fd)?.slot(direction).take();
        self.settle(fd, woken);
        task
    }

    /// Takes everybody who waits for `fd`, which is about to be closed.
    pub fn forget(&mut self, fd: RawFd) -> Vec<Py<Task>> {
        let Some(waiters) = self.table.remove(&fd) else { return Vec::new() };
        // The descriptor may be closed already: then the kernel has forgotten it by itself.
        self.registry.deregister(&mut SourceFd(&fd)).ok();
        waiters.reader.into_iter().chain(waiters.writer).collect()
    }

    /// How many tasks wait to read, and to write.
    pub fn waiting(&self) -> (usize, usize) {
        let readers = self.table.values().filter(|waiters| waiters.reader.is_some()).count();
        let writers = self.table.values().filter(|waiters| waiters.writer.is_some()).count();
        (readers, writers)
    }

    /// Arms the descriptor for its remaining waiters, or drops the entry. If the kernel refuses, the
    /// remaining waiters are woken to find the error out for themselves.
    fn settle(&mut self, fd: RawFd, woken: &mut Vec<Py<Task>>) {
        let Some(waiters) = self.table.get(&fd) else { return };
        if waiters.wanted().is_none() {
            self.table.remove(&fd);
            // See `forget`: an error means that the kernel dropped the closed descriptor before us.
            self.registry.deregister(&mut SourceFd(&fd)).ok();
        } else if self.arm(fd).is_err() {
            woken.extend(self.forget(fd));
        }
    }

    /// Tells the kernel what is wanted of `fd` now.
    fn arm(&mut self, fd: RawFd) -> io::Result<()> {
        let Some(waiters) = self.table.get_mut(&fd) else { return Ok(()) };
        let Some(wanted) = waiters.wanted() else { return Ok(()) };
        let token = pack(fd, waiters.generation);
        let mut source = SourceFd(&fd);
        let result = if waiters.armed.is_some() {
            // The number may belong to a new file by now, which the kernel does not know yet.
            self.registry
                .reregister(&mut source, token, wanted)
                .or_else(|_| self.registry.register(&mut source, token, wanted))
        } else {
            // The same open file may be registered still through a duplicate of the number.
            self.registry
                .register(&mut source, token, wanted)
                .or_else(|_| self.registry.reregister(&mut source, token, wanted))
        };
        waiters.armed = result.is_ok().then_some(wanted);
        result
    }

    fn drain_signals(&mut self) {
        let mut buffer = [0; 256];
        loop {
            match self.receiver.read(&mut buffer) {
                Ok(count) if count == buffer.len() => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return,
            }
        }
    }
}

fn pack(fd: RawFd, generation: u32) -> Token {
    Token((generation as usize) << 32 | fd.unsigned_abs() as usize)
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "takes apart what `pack` put together"
)]
fn unpack(token: Token) -> (RawFd, u32) {
    (token.0 as u32 as RawFd, (token.0 >> 32) as u32)
}

impl Trace for Poller {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.table.values().try_for_each(|waiters| {
            waiters.reader.trace(visit)?;
            waiters.writer.trace(visit)
        })
    }
}
