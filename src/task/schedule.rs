//! The verbs that change whether a task runs: park, reschedule, abort.

use std::sync::Arc;

use pyo3::exceptions::{PyAssertionError, PyBaseException, PyKeyboardInterrupt};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{PyTraverseError, PyVisit};

use super::Task;
use crate::core::instruments::Hook;
use crate::core::Reason;
use crate::interop::cell::discard;
use crate::interop::errors::{raised_again, raised_here};
use crate::interop::fallible::raise;
use crate::interop::gc::Trace;
use crate::interop::imports;
use crate::kernel::tripwires::tripwire;

/// What a task is resumed with.
#[derive(Default)]
pub enum Resume {
    /// Nothing in particular: `None`.
    #[default]
    Nothing,
    /// A value.
    Value(Py<PyAny>),
    /// An exception.
    Error(Py<PyBaseException>),
    /// An `outcome` object that somebody handed to `trio.lowlevel.reschedule`.
    Outcome(Py<PyAny>),
    /// Its sleep was aborted.
    Interrupted(Interruption),
}

impl Trace for Resume {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Nothing | Self::Interrupted(_) => Ok(()),
            Self::Value(value) | Self::Outcome(value) => visit.call(value),
            Self::Error(error) => visit.call(error),
        }
    }
}

/// Why a sleep is to be aborted.
#[derive(Clone)]
pub enum Interruption {
    /// A cancel scope around the task was cancelled.
    Cancelled(Option<Arc<Reason>>),
    /// Ctrl-C, for the main task.
    Keyboard,
}

impl Interruption {
    /// The exception that tells the task.
    pub fn to_error(&self, py: Python<'_>) -> PyErr {
        match self {
            Self::Cancelled(Some(reason)) => reason.to_error(py),
            Self::Cancelled(None) => Reason::plain(crate::core::Source::Unknown).to_error(py),
            // Raised in Python, so that the traceback says that it was delivered by the run.
            Self::Keyboard => imports::raise_interrupt(py)
                .and_then(|raise| raise.call0())
                .map_or_else(|error| error, |_| PyKeyboardInterrupt::new_err(())),
        }
    }
}

/// Did aborting work?
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbortOutcome {
    /// The operation is off: wake the task with the interruption.
    Succeeded,
    /// It cannot be stopped now; whoever promised to will wake the task.
    Failed,
}

/// How a parked task's sleep can be ended early.
///
/// `abort` is called at most once per sleep, with no borrow open. `place` and `key` say where the
/// task waits, for `abort` to take it out of there.
pub struct Plan {
    pub abort: fn(&Bound<'_, Task>, &Plan, &Interruption) -> PyResult<AbortOutcome>,
    pub place: Option<Py<PyAny>>,
    pub key: u64,
}

impl Plan {
    /// A plan for a sleep that can simply be ended, with nothing to undo.
    pub fn nothing_to_undo() -> Self {
        Self { abort: |_, _, _| Ok(AbortOutcome::Succeeded), place: None, key: 0 }
    }
}

impl Trace for Plan {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.place.trace(visit)
    }
}

/// Announces that the running task is about to yield and to sleep until it is rescheduled. Takes
/// effect when the loop sees the yield ([`deliver_pending`]).
#[inline]
pub fn park(py: Python<'_>, task: &Task, plan: Plan) {
    let old = task.plan.replace(py, Some(plan));
    drop(old);
}

/// Makes a parked task runnable.
///
/// # Errors
/// `AssertionError` if it is runnable already: two parties think that they own its sleep.
#[inline]
pub fn reschedule(task: &Bound<'_, Task>, resume: Resume) -> PyResult<()> {
    let py = task.py();
    let this = task.get();
    if this.scheduled.get(py) {
        drop(resume);
        return Err(raise::<PyAssertionError>(py, "the task has been rescheduled already"));
    }
    this.scheduled.set(py, true);
    this.armed.set(py, false);
    let plan = this.plan.take(py);
    let inbox = this.inbox.replace(py, resume);
    let data = this.sleep_data.take(py);
    let queued = enqueue(task);
    discard(py, plan.and_then(|plan| plan.place));
    discard(py, data);
    drop(inbox);
    queued
}

/// Puts a task that is marked as scheduled into the run queue and tells who wants to know.
#[inline]
pub(super) fn enqueue(task: &Bound<'_, Task>) -> PyResult<()> {
    let py = task.py();
    let runner = task.get().runner.get();
    let was_idle = runner.queue.with(py, |queue| {
        let was_idle = queue.is_empty();
        tripwire!(TaskQueued);
        queue.push(task.clone().unbind());
        was_idle
    });
    let instruments = runner.instruments.get();
    if instruments.watch(py, Hook::TaskScheduled) {
        instruments.notify(py, Hook::TaskScheduled, &PyTuple::new(py, [task])?);
    }
    if was_idle && runner.options.is_guest {
        runner.nudge_host(py);
    }
    Ok(())
}

/// Aborts the sleep of a parked task, if it is parked and has not been asked before.
pub fn attempt_abort(task: &Bound<'_, Task>, why: Interruption) -> PyResult<()> {
    let py = task.py();
    let this = task.get();
    if !this.armed.get(py) {
        return Ok(());
    }
    this.armed.set(py, false);
    let Some(plan) = this.plan.take(py) else { return Ok(()) };
    tripwire!(SleepAborted);
    match (plan.abort)(task, &plan, &why)? {
        AbortOutcome::Succeeded => {
            if matches!(why, Interruption::Keyboard) {
                this.runner.get().interrupt_pending.set(py, false);
            }
            reschedule(task, Resume::Interrupted(why))
        }
        AbortOutcome::Failed => Ok(()),
    }
}

/// Interrupts the sleep of a task that has something pending: Ctrl-C first, then cancellation.
pub fn deliver_pending(task: &Bound<'_, Task>) -> PyResult<()> {
    let py = task.py();
    let this = task.get();
    if this.is_interrupted(py) {
        attempt_abort(task, Interruption::Keyboard)?;
    }
    if !this.armed.get(py) {
        return Ok(());
    }
    match cancellation(task) {
        Some(why) => attempt_abort(task, why),
        None => Ok(()),
    }
}

/// The `Cancelled` that a checkpoint of the running task would raise now.
pub fn pending_cancellation(task: &Bound<'_, Task>) -> Option<PyErr> {
    let py = task.py();
    cancellation(task).map(|why| raised_here(py, why.to_error(py)))
}

#[inline]
fn cancellation(task: &Bound<'_, Task>) -> Option<Interruption> {
    let node = task.get().node.get(task.py())?;
    task.get().runner.get().scopes.with(task.py(), |tree| {
        tree.is_effective(node).then(|| Interruption::Cancelled(tree.reason(node).cloned()))
    })
}

/// Takes what the running task was resumed with, for the awaitable that parked it: a value (`None`
/// standing for Python's), or the exception to raise.
#[inline]
pub fn receive(task: &Bound<'_, Task>) -> PyResult<Option<Py<PyAny>>> {
    let py = task.py();
    match task.get().inbox.take(py) {
        Resume::Nothing => Ok(None),
        Resume::Value(value) => Ok(Some(value)),
        Resume::Error(error) => Err(raised_here(py, raised_again(py, error))),
        Resume::Outcome(outcome) => {
            Ok(Some(outcome.bind(py).call_method0(pyo3::intern!(py, "unwrap"))?.unbind()))
        }
        Resume::Interrupted(why) => Err(raised_here(py, why.to_error(py))),
    }
}
