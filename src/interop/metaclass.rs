//! The class of a class.

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::fallible::raise;

/// Makes `metaclass`, written in Python, the class of `class`, which has no metaclass yet.
///
/// Classes are created by PyO3, which knows no metaclasses.
pub fn adopt(class: &Bound<'_, PyType>, metaclass: &Bound<'_, PyType>) -> PyResult<()> {
    let py = class.py();
    let plain = py.get_type::<PyType>();
    let (class, metaclass) = (class.as_type_ptr(), metaclass.clone().into_any());
    let new = metaclass.as_ptr().cast::<ffi::PyTypeObject>();
    // SAFETY: all three are alive; the fields read are set once, when a type is made ready.
    let fits = unsafe {
        let plain = plain.as_type_ptr();
        (*class).ob_base.ob_base.ob_type == plain
            && ffi::PyType_IsSubtype(new, plain) != 0
            && (*new).tp_basicsize == (*plain).tp_basicsize
            && (*new).tp_itemsize == (*plain).tp_itemsize
    };
    if !fits {
        return Err(raise::<PyTypeError>(py, "the metaclass does not fit the class"));
    }
    // SAFETY: objects of both metaclasses have the same layout, as just checked. The class takes over
    // the reference to the new one; it holds none to the old one, which is a static type. Whatever the
    // interpreter has cached about the class is dropped.
    unsafe {
        (*class).ob_base.ob_base.ob_type = metaclass.into_ptr().cast();
        ffi::PyType_Modified(class);
    }
    Ok(())
}
