//! Which run the current thread is in.
//!
//! Python code sees a `threading.local`, `GLOBAL_RUN_CONTEXT`, whose attribute `runner` is the run
//! of this thread, and some programs swap the content of its `__dict__` to nest runs on one thread.
//! The dictionary is therefore the only truth. A thread-local of ours remembers where this thread's
//! dictionary is, so that a look-up costs one hash probe.

use std::cell::RefCell;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

thread_local! {
    static NAMESPACE: RefCell<Option<Py<PyDict>>> = const { RefCell::new(None) };
}

/// Remembers the `__dict__` that `GLOBAL_RUN_CONTEXT` has in this thread, and returns it.
pub fn attach<'py>(local: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let py = local.py();
    let namespace = local.getattr(intern!(py, "__dict__"))?.cast_into::<PyDict>()?;
    let old = NAMESPACE.with(|slot| slot.replace(Some(namespace.clone().unbind())));
    drop(old);
    Ok(namespace)
}

/// The object under `name` in this thread's run context.
#[inline]
pub fn lookup<'py>(py: Python<'py>, name: &Bound<'py, PyString>) -> Option<Bound<'py, PyAny>> {
    NAMESPACE.with(|slot| {
        let slot = slot.borrow();
        let namespace = slot.as_ref()?.bind(py);
        // SAFETY: dictionary and key are alive; the borrowed result is turned into a new reference
        // at once. The key is a `str`, so the probe runs no Python code.
        unsafe {
            Bound::from_borrowed_ptr_or_opt(
                py,
                pyo3::ffi::PyDict_GetItemWithError(namespace.as_ptr(), name.as_ptr()),
            )
        }
    })
}
