//! Making objects where there may be no memory.
//!
//! PyO3's constructors of strings, dictionaries and lists panic when the interpreter has no memory for them, and
//! so do its exceptions with a text. That ends as `PanicException`; and since most exceptions are made only
//! when they reach Python, outside of everything that catches a panic, it may even end the process. What
//! is here fails with `MemoryError`, as in Python.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use pyo3::PyTypeInfo;

/// A string.
pub fn string<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyString>> {
    let size = ffi::Py_ssize_t::try_from(text.len())?;
    // SAFETY: pointer and length are those of a `str`; the result is a new string, or null with an
    // exception set.
    unsafe {
        let object = ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast(), size);
        Ok(Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked())
    }
}

/// An empty dictionary.
pub fn dict(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    // SAFETY: the result is a new dictionary, or null with an exception set.
    unsafe { Ok(Bound::from_owned_ptr_or_err(py, ffi::PyDict_New())?.cast_into_unchecked()) }
}

/// An empty list.
pub fn list(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    // SAFETY: the result is a new list, or null with an exception set.
    unsafe { Ok(Bound::from_owned_ptr_or_err(py, ffi::PyList_New(0))?.cast_into_unchecked()) }
}

/// A list of objects.
pub fn list_of<'py, T>(
    py: Python<'py>,
    items: impl IntoIterator<Item = T>,
) -> PyResult<Bound<'py, PyList>>
where
    T: IntoPyObject<'py>,
{
    let list = list(py)?;
    items.into_iter().try_for_each(|item| list.append(item))?;
    Ok(list)
}

/// The exception that made one of PyO3's constructors panic: it is still on its way when the panic is
/// caught. `None` if the panic has another reason.
pub fn behind_panic(py: Python<'_>) -> Option<PyErr> {
    PyErr::take(py)
}

/// An exception of the class `E` with a text, as a `raise` statement at this point would make it. Not to
/// be called while state is accessed: it is made at once.
///
/// PyO3's `new_err` would make it when it is first looked at, for which PyO3 detaches the thread and
/// attaches it again. While the interpreter is being finalised, that is not possible any more.
#[cold]
pub fn raise<E: PyTypeInfo>(py: Python<'_>, text: impl AsRef<str>) -> PyErr {
    set::<E>(py, text.as_ref());
    PyErr::fetch(py)
}

/// Makes an exception of the class `E` with a text the current one. `PanicException` cannot be fetched:
/// PyO3 goes on with the panic then.
#[cold]
pub fn set<E: PyTypeInfo>(py: Python<'_>, text: &str) {
    match string(py, text) {
        // SAFETY: a live exception class and a live string; the call sets the error indicator.
        Ok(text) => unsafe { ffi::PyErr_SetObject(py.get_type::<E>().as_ptr(), text.as_ptr()) },
        Err(error) => error.restore(py),
    }
}
