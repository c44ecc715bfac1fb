//! The run and the task that are running in this thread.

use pyo3::exceptions::{PyAttributeError, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;

use super::Runner;
use crate::interop::fallible::raise;
use crate::interop::run_context;
use crate::task::Task;

/// The run of this thread, if there is one.
#[inline]
pub fn runner_or_none(py: Python<'_>) -> Option<Bound<'_, Runner>> {
    run_context::lookup(py, intern!(py, "runner"))?.cast_into_exact().ok()
}

/// The run of this thread.
#[inline]
pub fn runner(py: Python<'_>) -> PyResult<Bound<'_, Runner>> {
    runner_or_none(py).ok_or_else(|| outside(py))
}

/// The task whose step is under way in this thread, if there is one.
#[inline]
pub fn task_or_none(py: Python<'_>) -> Option<Bound<'_, Task>> {
    runner_or_none(py)?.get().current.get(py).map(|task| task.into_bound(py))
}

/// The task whose step is under way in this thread.
#[inline]
pub fn task(py: Python<'_>) -> PyResult<Bound<'_, Task>> {
    task_or_none(py).ok_or_else(|| outside(py))
}

/// The run of this thread, for functions that miss it as an attribute of the run context.
pub fn runner_attribute(py: Python<'_>) -> PyResult<Bound<'_, Runner>> {
    runner_or_none(py).ok_or_else(|| {
        raise::<PyAttributeError>(py, "'RunContext' object has no attribute 'runner'")
    })
}

/// The error for a call from outside of a run, as if raised `from None`.
#[cold]
fn outside(py: Python<'_>) -> PyErr {
    let error = raise::<PyRuntimeError>(py, "must be called from async context");
    error.set_cause(py, None);
    error
}
