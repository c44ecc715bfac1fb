//! Objects with a `__dict__`, on Python 3.11.
//!
//! There, and only there, the base class makes the dictionary of a new object at once, *after* the
//! collector has got to know the object and before PyO3 has put the content in. Making a dictionary
//! can start the collector, which would then traverse an object without content.
//!
//! The dictionary comes from the interpreter's list of spare ones if there is one, and then nothing is
//! allocated. So the classes concerned get an allocation function that leaves a spare one behind.
//! (3.10 and 3.13 make the dictionary when it is needed, and from 3.12 on the collector waits until the
//! next bytecode.)

#[cfg(all(Py_3_11, not(Py_3_12)))]
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// Prepares those classes in `module` whose objects have a dictionary.
pub fn prepare_all(module: &Bound<'_, PyModule>) {
    for (_, value) in module.dict() {
        if let Ok(class) = value.cast_into::<PyType>() {
            prepare(&class);
        }
    }
}

/// Prepares a class, if its objects have a dictionary. Call before the first object is made.
#[cfg(all(Py_3_11, not(Py_3_12)))]
pub fn prepare(class: &Bound<'_, PyType>) {
    let class = class.as_type_ptr();
    // SAFETY: the class is alive. One of ours allocates its objects in the general way, which
    // `allocate` wraps; nobody makes an object meanwhile.
    unsafe {
        if (*class).tp_dictoffset > 0 {
            (*class).tp_alloc = Some(allocate);
        }
    }
}

/// Prepares a class: nothing to do for this version of Python.
#[cfg(not(all(Py_3_11, not(Py_3_12))))]
pub fn prepare(_class: &Bound<'_, PyType>) {}

/// `tp_alloc`: an object, with a dictionary to spare.
#[cfg(all(Py_3_11, not(Py_3_12)))]
unsafe extern "C" fn allocate(
    class: *mut ffi::PyTypeObject,
    items: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: the arguments are handed on as they came. The object is ours until we return it, and the
    // collector is switched off while the dictionary is made. (To hide the object from it will not do: a
    // debug build of the interpreter visits an object when it is shown again.) The dictionary comes
    // second, because the collector, which may run at each allocation, throws spare ones away.
    unsafe {
        let object = ffi::PyType_GenericAlloc(class, items);
        if !object.is_null() {
            let was_enabled = ffi::PyGC_Disable() != 0;
            let spare = ffi::PyDict_New();
            if was_enabled {
                ffi::PyGC_Enable();
            }
            if spare.is_null() {
                // The base class would have no memory for one either, and would deallocate the object,
                // content and all.
                ffi::PyObject_GC_UnTrack(object.cast());
                if let Some(free) = (*class).tp_free {
                    free(object.cast());
                }
                ffi::Py_DECREF(class.cast());
                return std::ptr::null_mut();
            }
            ffi::Py_DECREF(spare);
        }
        object
    }
}
