//! What native classes say about themselves, as classes of Python code do.
//!
//! CPython makes them under their dotted name, and shows that in its messages: "'trio.Lock' object has no
//! attribute ..". A class that is written in Python goes by its bare name there; and one that must not be
//! subclassed has the mark of `typing.final`.

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// Gives the classes of a module their bare names, and those that cannot be subclassed the mark.
///
/// # Errors
/// `MemoryError`.
pub fn settle(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    for value in module.dict().values() {
        let Ok(class) = value.cast::<PyType>() else { continue };
        class.setattr(intern!(py, "__name__"), class.name()?)?;
        let flags: std::ffi::c_ulong = class.getattr(intern!(py, "__flags__"))?.extract()?;
        if flags & ffi::Py_TPFLAGS_BASETYPE == 0 {
            class.setattr(intern!(py, "__final__"), true)?;
        }
    }
    Ok(())
}
