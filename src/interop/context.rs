//! `contextvars`: the context in which a task runs.

use pyo3::ffi;
use pyo3::prelude::*;

/// Makes a context current until it is dropped.
pub struct EnteredContext<'py> {
    context: Bound<'py, PyAny>,
}

impl<'py> EnteredContext<'py> {
    /// Enters `context`. Fails if it is not a context or is already entered somewhere.
    #[inline]
    pub fn enter(context: Bound<'py, PyAny>) -> PyResult<Self> {
        // SAFETY: `context` is a live object; the call checks its type itself.
        if unsafe { ffi::PyContext_Enter(context.as_ptr()) } != 0 {
            return Err(PyErr::fetch(context.py()));
        }
        Ok(Self { context })
    }
}

impl Drop for EnteredContext<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `enter` succeeded on this object, and guards nest like the calls they surround.
        // An error indicator that is set (the coroutine raised) is not touched on success.
        if unsafe { ffi::PyContext_Exit(self.context.as_ptr()) } != 0 {
            PyErr::fetch(self.context.py())
                .write_unraisable(self.context.py(), Some(&self.context));
        }
    }
}

/// A copy of the current context.
#[inline]
pub fn copy_current(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: returns a new reference or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_CopyCurrent()) }
}
