//! Operations that may have to wait: the course that all of them take.
//!
//! 1. If something is pending for the task, that is raised, and nothing has happened.
//! 2. The operation is attempted. If it succeeds, other tasks get a turn; cancellation no longer
//!    matters.
//! 3. If it fails, so does the whole.
//! 4. If it has to wait, it has put the task into a queue; whoever wakes the task has by then done the
//!    operation for it, or says why it failed.
//!
//! Either way the operation is a checkpoint, and either it has happened or it raises.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::{Entry, Leaf, Poll, Request};
use crate::core::current;
use crate::kernel::tripwires::tripwire;
use crate::task::{receive, Task};

/// What came of attempting an operation.
#[must_use]
pub enum Attempt {
    /// It is done, with this result (`None` standing for Python's).
    Done(Option<Py<PyAny>>),
    /// It has to wait: the task is in a queue.
    Waits,
}

/// Something that is done at once, or later by somebody else.
pub trait Operation: Send + Sync {
    /// Does it, or joins a queue.
    fn attempt(&mut self, task: &Bound<'_, Task>) -> PyResult<Attempt>;

    /// The wait is over: `message` is what the task was woken with.
    #[inline]
    fn woken(
        &mut self,
        task: &Bound<'_, Task>,
        message: PyResult<Option<Py<PyAny>>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let _ = task;
        message
    }

    /// Shows the collector what the operation holds.
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError>;
}

enum Stage {
    Entering(Entry),
    GivingWay(Option<Py<PyAny>>),
    /// This task is in a queue.
    Waiting(Py<Task>),
}

/// An [`Operation`] on its course.
pub struct Blocking<O> {
    stage: Stage,
    operation: O,
}

impl<O: Operation> Blocking<O> {
    /// An operation that has not begun.
    #[inline]
    pub fn new(operation: O) -> Self {
        Self { stage: Stage::Entering(Entry::default()), operation }
    }
}

impl<O: Operation> Leaf for Blocking<O> {
    #[inline]
    fn poll(&mut self, py: Python<'_>, _turn: u32) -> PyResult<Poll> {
        match &mut self.stage {
            Stage::Entering(entry) => {
                let task = current::task(py)?;
                if let Some(poll) = entry.poll(&task)? {
                    return Ok(poll);
                }
                tripwire!(OperationTried);
                match self.operation.attempt(&task)? {
                    Attempt::Done(result) => {
                        self.stage = Stage::GivingWay(result);
                        Ok(Poll::Trap(Request::Checkpoint))
                    }
                    Attempt::Waits => {
                        self.stage = Stage::Waiting(task.unbind());
                        Ok(Poll::Trap(Request::Park))
                    }
                }
            }
            Stage::GivingWay(result) => Ok(hand_out(py, result.take())),
            Stage::Waiting(task) => {
                let task = task.bind(py);
                let message = receive(task);
                Ok(hand_out(py, self.operation.woken(task, message)?))
            }
        }
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.stage {
            Stage::Entering(_) => {}
            Stage::GivingWay(result) => visit.call(result)?,
            Stage::Waiting(task) => visit.call(task)?,
        }
        self.operation.trace(visit)
    }
}

/// The end of an operation; `None` costs less than other values.
#[inline]
fn hand_out(py: Python<'_>, result: Option<Py<PyAny>>) -> Poll {
    match result {
        Some(value) if !value.is_none(py) => Poll::Value(value),
        _ => Poll::Ready,
    }
}

/// Something that an object does as soon as it is awaited, without giving way to other tasks.
pub struct Immediate<T> {
    object: Py<T>,
    act: fn(&Bound<'_, T>) -> PyResult<Poll>,
}

impl<T> Immediate<T> {
    /// Will call `act` with `object`.
    #[inline]
    pub fn new(object: Py<T>, act: fn(&Bound<'_, T>) -> PyResult<Poll>) -> Self {
        Self { object, act }
    }
}

impl<T> Leaf for Immediate<T> {
    #[inline]
    fn poll(&mut self, py: Python<'_>, _turn: u32) -> PyResult<Poll> {
        (self.act)(self.object.bind(py))
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)
    }
}
