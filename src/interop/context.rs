//! `contextvars`: the context in which a task runs.
//!
//! The garbage collector looks at a copied context each time that a generation grows old, and every task
//! has one. While the task is alive its run refers to it, so the context cannot be garbage: it is not
//! tracked until the task has ended or the run is taken apart, whichever comes first. What it refers to
//! looks to the collector as if it was referred to from outside, which is the truth.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::gc::Trace;

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

/// The context of a task.
pub struct TaskContext {
    object: Py<PyAny>,
    hidden: bool,
}

impl TaskContext {
    /// One that somebody else knows, too.
    pub fn given(object: Bound<'_, PyAny>) -> Self {
        Self { object: object.unbind(), hidden: false }
    }

    /// A copy that nobody has seen yet, hidden from the collector until [`TaskContext::show`].
    pub fn hidden(copy: Bound<'_, PyAny>) -> Self {
        // SAFETY: a live object of a class that the collector knows. It will be tracked again before the
        // last reference goes, as its deallocation expects.
        unsafe { ffi::PyObject_GC_UnTrack(copy.as_ptr().cast()) };
        Self { object: copy.unbind(), hidden: true }
    }

    /// The context itself.
    #[inline]
    pub fn object(&self) -> &Py<PyAny> {
        &self.object
    }

    /// Has the collector look at the context from now on.
    pub fn show(&mut self) {
        if std::mem::take(&mut self.hidden) {
            // SAFETY: the object is alive, and its content is valid. Cells are used, and objects die, with
            // the interpreter lock held.
            unsafe {
                if ffi::PyObject_GC_IsTracked(self.object.as_ptr()) == 0 {
                    ffi::PyObject_GC_Track(self.object.as_ptr().cast());
                }
            }
        }
    }
}

impl Drop for TaskContext {
    #[inline]
    fn drop(&mut self) {
        self.show();
    }
}

impl Trace for TaskContext {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)
    }
}

/// A copy of the current context.
#[inline]
pub fn copy_current(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: returns a new reference or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_CopyCurrent()) }
}
