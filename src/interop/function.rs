//! What Python functions say about themselves, read from their fields.
//!
//! A new task needs to know of its function whether it is an `async def` function and what it is called.
//! Each attribute look-up costs as much as a good part of the spawn, so for plain functions, and methods
//! that are bound to an object, the fields are read. Everything else has attributes.

use std::ffi::{c_int, CStr};
use std::sync::OnceLock;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::Borrowed;

/// A flag of code objects: calling the function makes a coroutine and runs nothing.
const CO_COROUTINE: c_int = 0x80;

extern "C" {
    // Bound methods: public in every version, PyO3 has no bindings for them.
    static mut PyMethod_Type: ffi::PyTypeObject;
    fn PyMethod_Function(method: *mut ffi::PyObject) -> *mut ffi::PyObject;
}

/// The function behind a plain function or a bound method.
#[inline]
fn plain<'a, 'py>(callable: &'a Bound<'py, PyAny>) -> Option<Borrowed<'a, 'py, PyAny>> {
    let mut object = callable.as_ptr();
    // SAFETY: type checks on live objects. A method keeps its function alive and never changes it, and
    // the callable outlives the result.
    unsafe {
        if ffi::Py_TYPE(object) == &raw mut PyMethod_Type {
            object = PyMethod_Function(object);
        }
        let found = ffi::PyFunction_Check(object) != 0;
        found.then(|| Borrowed::from_ptr(callable.py(), object))
    }
}

/// The `__module__` and `__qualname__` of a plain function or bound method. `None` for other callables,
/// and where there is no module.
#[inline]
pub fn names<'py>(callable: &Bound<'py, PyAny>) -> Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let py = callable.py();
    let function = plain(callable)?.as_ptr().cast::<ffi::PyFunctionObject>();
    // SAFETY: the object is a function, whose fields are null or references to live objects; they are
    // turned into new references at once.
    let (module, qualname) = unsafe {
        (
            Bound::from_borrowed_ptr_or_opt(py, (*function).func_module)?,
            Bound::from_borrowed_ptr_or_opt(py, (*function).func_qualname)?,
        )
    };
    (!module.is_none()).then_some((module, qualname))
}

/// Is the plain function or bound method an `async def` function? `None` for other callables.
#[inline]
pub fn is_async(callable: &Bound<'_, PyAny>) -> Option<bool> {
    let function = plain(callable)?;
    let offset = flags_offset()?;
    // SAFETY: a function always has a code object, and `flags_offset` is where these keep their flags.
    let flags = unsafe {
        let code = (*function.as_ptr().cast::<ffi::PyFunctionObject>()).func_code;
        code.byte_add(offset).cast::<c_int>().read()
    };
    Some(flags & CO_COROUTINE != 0)
}

/// Where code objects keep `co_flags`. The layout changes between versions of CPython, but the type says
/// in its table of members where the attribute of that name is.
#[inline]
fn flags_offset() -> Option<usize> {
    static OFFSET: OnceLock<Option<usize>> = OnceLock::new();
    *OFFSET.get_or_init(|| {
        // SAFETY: the table of a type that is ready never changes; it ends with an entry without name.
        unsafe {
            let mut member = ffi::PyCode_Type.tp_members;
            while !member.is_null() && !(*member).name.is_null() {
                if CStr::from_ptr((*member).name) == c"co_flags"
                    && (*member).type_code == ffi::Py_T_INT
                {
                    return usize::try_from((*member).offset).ok();
                }
                member = member.add(1);
            }
        }
        None
    })
}
