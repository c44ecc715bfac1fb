//! `contextvars`: the context in which a task runs.
//!
//! The garbage collector looks at a copied context each time that a generation grows old, and every task
//! has one. While the task is alive its run refers to it, so the context cannot be garbage: it is not
//! tracked until the task has ended or the run is taken apart, whichever comes first. What it refers to
//! looks to the collector as if it was referred to from outside, which is the truth.

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

/// Hides a context that [`copy_current`] has made from the collector. It has to be [shown](show) before
/// its last reference goes, as its deallocation expects.
#[inline]
pub fn hide(copy: &Bound<'_, PyAny>) {
    // SAFETY: a live object of a class that the collector knows.
    unsafe { ffi::PyObject_GC_UnTrack(copy.as_ptr().cast()) };
}

/// Has the collector look at a hidden context from now on.
#[inline]
pub fn show(context: &Py<PyAny>) {
    // SAFETY: the object is alive, its content is valid, and references to Python objects are only used with
    // the interpreter lock held. It is of a class that the collector knows: only such ones get hidden.
    unsafe {
        if ffi::PyObject_GC_IsTracked(context.as_ptr()) == 0 {
            ffi::PyObject_GC_Track(context.as_ptr().cast());
        }
    }
}

/// A copy of the current context.
#[inline]
pub fn copy_current(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: returns a new reference or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_CopyCurrent()) }
}
