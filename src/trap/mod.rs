//! Traps: how code that runs in a task talks to the loop.
//!
//! Everything that waits is, at the bottom of its `await` chain, a [`Leaf`] inside an [`Awaitable`].
//! A leaf does its work when it is polled and then either is done or yields a [`Trap`]:
//!
//! - `Checkpoint`: run me again in the next tick;
//! - `Park`: I have announced a plan for my abort; run me when somebody reschedules me;
//! - `Detach`: my coroutine leaves the loop for good.
//!
//! A trap takes effect when the *loop* sees it, not when it is yielded: Python code between the two
//! may swallow it (someone steps a coroutine by hand), and then nothing must have happened.

mod awaitable;
mod checkpoints;
mod operation;
mod place;
mod wait;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::{PyTraverseError, PyVisit};

use crate::interop::gc::{gc_fields, Trace};

pub use awaitable::{Awaitable, Leaf, NewAwaitable, Poll};
pub use checkpoints::{
    cancel_shielded_checkpoint, checkpoint, checkpoint_if_cancelled, poll_checkpoint, Entry,
};
pub use operation::{Attempt, Blocking, Immediate, Operation};
pub use place::{check_caller, join, join_for_good, transfer, wake, wake_all, Place};
pub use wait::{announce_abort, wait_for_reschedule};

/// What is asked of the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Run the task again in the next tick.
    Checkpoint,
    /// Let it sleep; it has announced a plan.
    Park,
    /// Finish the task, but leave its coroutine alone.
    Detach,
}

/// The message that carries a request to the loop.
#[pyclass(frozen, module = "trio._core._traps", name = "Trap")]
pub struct Trap {
    /// What is asked.
    pub request: Request,
    /// For `Detach`: the outcome that the task ends with.
    pub outcome: Option<Py<PyAny>>,
}

gc_fields!(Trap: outcome);

#[pymethods]
impl Trap {
    /// The message with which a task parks itself after announcing its abort function.
    #[staticmethod]
    fn park(py: Python<'_>) -> PyResult<Py<Self>> {
        Self::shared(py, Request::Park)
    }

    /// The message with which a task ends while its coroutine goes on elsewhere.
    #[staticmethod]
    fn detach(outcome: Py<PyAny>) -> Self {
        Self { request: Request::Detach, outcome: Some(outcome) }
    }

    fn __repr__(&self) -> String {
        format!("<trio trap: {:?}>", self.request)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }
}

impl Trap {
    /// Makes the messages that are shared: when one is needed, the task may stand in a queue already, and
    /// it would be too late to fail.
    pub fn prepare(py: Python<'_>) -> PyResult<()> {
        Self::shared(py, Request::Checkpoint)?;
        Self::shared(py, Request::Park)?;
        Ok(())
    }

    /// The message for a request that needs no data; always the same object.
    #[inline]
    fn shared(py: Python<'_>, request: Request) -> PyResult<Py<Self>> {
        static CHECKPOINT: PyOnceLock<Py<Trap>> = PyOnceLock::new();
        static PARK: PyOnceLock<Py<Trap>> = PyOnceLock::new();
        let slot = if request == Request::Checkpoint { &CHECKPOINT } else { &PARK };
        let trap = slot.get_or_try_init(py, || Py::new(py, Self { request, outcome: None }))?;
        Ok(trap.clone_ref(py))
    }
}
