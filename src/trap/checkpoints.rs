//! Checkpoints: the points at which other tasks get a turn and cancellation arrives.

use pyo3::prelude::*;

use super::{Awaitable, Leaf, NewAwaitable, Poll, Request};
use crate::core::current;
use crate::kernel::tripwires::tripwire;
use crate::task::{park, receive, Plan, Task};

struct CancelShieldedCheckpoint;

impl Leaf for CancelShieldedCheckpoint {
    #[inline]
    fn poll(&mut self, _py: Python<'_>, turn: u32) -> PyResult<Poll> {
        Ok(if turn == 0 { Poll::Trap(Request::Checkpoint) } else { Poll::Ready })
    }
}

struct Checkpoint;

impl Leaf for Checkpoint {
    #[inline]
    fn poll(&mut self, py: Python<'_>, turn: u32) -> PyResult<Poll> {
        poll_checkpoint(py, turn)
    }
}

/// A whole checkpoint: yields first, then raises what is pending.
#[inline]
pub fn poll_checkpoint(py: Python<'_>, turn: u32) -> PyResult<Poll> {
    tripwire!(CheckpointPolled);
    match turn {
        0 => Ok(Poll::Trap(Request::Checkpoint)),
        1 => {
            let task = current::task(py)?;
            task.get().count_cancel_point(py);
            Ok(raise_pending(&task))
        }
        _ => receive(&current::task(py)?).map(|_| Poll::Ready),
    }
}

struct CheckpointIfCancelled;

impl Leaf for CheckpointIfCancelled {
    fn poll(&mut self, py: Python<'_>, turn: u32) -> PyResult<Poll> {
        if turn == 0 {
            let task = current::task(py)?;
            if !task.get().has_pending_interruption(py) {
                task.get().count_cancel_point(py);
                return Ok(Poll::Ready);
            }
        }
        // Something is pending: from here on this is an ordinary checkpoint.
        poll_checkpoint(py, turn)
    }
}

/// If something is pending for the task, parks it so that the loop delivers it at once; the next poll
/// then has to [`receive`].
#[inline]
pub fn raise_pending(task: &Bound<'_, Task>) -> Poll {
    let py = task.py();
    if task.get().has_pending_interruption(py) {
        park(py, task.get(), Plan::nothing_to_undo());
        Poll::Trap(Request::Park)
    } else {
        Poll::Ready
    }
}

/// How an operation that is a checkpoint begins: where something is pending, it raises that before
/// it has any effect; else it goes on at once, and has to yield at its end if it did not wait.
#[derive(Default)]
pub struct Entry {
    turns: u32,
    passed: bool,
}

impl Entry {
    /// Call at the beginning of every poll until it returns `None`: then the operation may begin.
    #[inline]
    pub fn poll(&mut self, task: &Bound<'_, Task>) -> PyResult<Option<Poll>> {
        if self.passed {
            return Ok(None);
        }
        let py = task.py();
        if self.turns == 0 && !task.get().has_pending_interruption(py) {
            task.get().count_cancel_point(py);
            self.passed = true;
            return Ok(None);
        }
        let poll = poll_checkpoint(py, self.turns)?;
        self.turns += 1;
        if matches!(poll, Poll::Trap(_)) {
            return Ok(Some(poll));
        }
        // What was pending is gone, so the task has been scheduled and may begin after all.
        self.passed = true;
        Ok(None)
    }
}

/// Let other tasks run, and see whether this one was cancelled.
///
/// A checkpoint that does nothing else: use it to make sure that a long computation, or a function
/// that sometimes has nothing to wait for, gives way.
///
/// Raises:
///     Cancelled: if the task was cancelled. The other tasks have had their turn then, too.
#[pyfunction]
pub fn checkpoint() -> NewAwaitable {
    Awaitable::plain("checkpoint", Checkpoint)
}

/// See whether this task was cancelled, without letting others run if it was not.
///
/// Together with :func:`cancel_shielded_checkpoint` this makes a whole checkpoint, for operations
/// that must not be cancelled once they had an effect.
///
/// Raises:
///     Cancelled: if the task was cancelled.
#[pyfunction]
pub fn checkpoint_if_cancelled() -> NewAwaitable {
    Awaitable::plain("checkpoint_if_cancelled", CheckpointIfCancelled)
}

/// Let other tasks run, without looking for cancellation.
///
/// The other half of :func:`checkpoint_if_cancelled`.
#[pyfunction]
pub fn cancel_shielded_checkpoint() -> NewAwaitable {
    Awaitable::plain("cancel_shielded_checkpoint", CancelShieldedCheckpoint)
}
