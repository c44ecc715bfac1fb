//! `TrioToken`: a handle on a run that other threads may use.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::core::current;
use crate::core::entry_queue::{Call, EntryQueue};
use crate::interop::errors::no_public_constructor;

/// A handle on a call to :func:`trio.run`, for use from other threads and signal handlers.
///
/// Get it with :func:`trio.lowlevel.current_trio_token`; there is one per run.
#[pyclass(frozen, weakref, module = "trio.lowlevel", name = "TrioToken")]
pub struct TrioToken {
    queue: Arc<EntryQueue>,
}

impl TrioToken {
    /// The token of the run that owns `queue`.
    pub fn new(queue: Arc<EntryQueue>) -> Self {
        Self { queue }
    }
}

#[pymethods]
impl TrioToken {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn refuse(
        py: Python<'_>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        Err(no_public_constructor(py, "trio.lowlevel.TrioToken"))
    }

    /// Have a function called in the run's thread.
    ///
    /// May be called from any thread, from signal handlers and from ``__del__``. Calls run in the order
    /// in which they were queued, between the steps of tasks, protected from Ctrl-C. If one raises,
    /// the run ends with ``TrioInternalError``.
    ///
    /// Arguments:
    ///     sync_fn: the function; it is called with ``args``.
    ///     idempotent: skip the call if an equal one (same function and arguments) is queued already.
    ///         Such calls form a queue of their own.
    ///
    /// Raises:
    ///     RunFinishedError: if the run has ended.
    #[pyo3(signature = (sync_fn, *args, idempotent = false))]
    fn run_sync_soon(
        &self,
        py: Python<'_>,
        sync_fn: Py<PyAny>,
        args: Py<PyTuple>,
        idempotent: bool,
    ) -> PyResult<()> {
        let call = Call { function: sync_fn, args };
        if idempotent {
            self.queue.push_idempotent(py, call)
        } else {
            self.queue.push(py, call)
        }
    }

    /// Wakes the run's poller without queueing a call.
    fn _wake(&self) {
        self.queue.wake();
    }
}

/// The token of the current run.
///
/// Raises:
///     RuntimeError: outside of a run.
#[pyfunction]
pub fn current_trio_token(py: Python<'_>) -> PyResult<Py<PyAny>> {
    let runner = current::runner(py)?;
    let run = runner.get();
    if let Some(token) = run.token.get(py) {
        return Ok(token);
    }
    let token = Py::new(py, TrioToken::new(run.entry.clone()))?.into_any();
    run.token.put(py, Some(token.clone_ref(py)));
    Ok(token)
}
