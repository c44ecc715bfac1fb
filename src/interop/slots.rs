//! Slots of hot classes, filled by hand.
//!
//! The interpreter resumes a native awaitable through `tp_iternext`, twice for every `await`. PyO3's
//! generated function for that slot is general; this one knows that the class is frozen and final,
//! and hands a result over without building intermediate error objects. The method `__next__` that
//! Python code can look up is PyO3's.
//!
//! A call of a class goes through the metaclass, an argument tuple, `__new__` and its checks. For a class
//! that is called without arguments there is a short cut, which the interpreter finds in `tp_vectorcall`.

use std::ffi::c_ulong;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::null_mut;

use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::types::PyTuple;
use pyo3::{intern, Borrowed, PyClass};

use super::fallible;
use super::panics;

/// What an iterator does next.
pub enum Next {
    /// It yields an object.
    Yield(Py<PyAny>),
    /// It ends; an awaiting coroutine continues with this value, or with `None`.
    Return(Option<Py<PyAny>>),
}

/// A final, frozen class that is its own iterator.
pub trait Resumable: PyClass<Frozen = True> + Sync {
    /// Goes on until the next object, the end, or an exception.
    fn resume(&self, py: Python<'_>) -> PyResult<Next>;
}

/// Fills the slots of `T` that an `await` uses.
pub fn install<T: Resumable>(py: Python<'_>) {
    // SAFETY: the type object is alive for ever, nobody else uses it yet, and the functions fulfil the
    // contracts of their slots for objects that are exactly of this (final) type.
    unsafe {
        let class = T::type_object_raw(py);
        (*class).tp_iternext = Some(iternext::<T>);
        (*class).tp_iter = Some(ffi::PyObject_SelfIter);
        if let Some(methods) = (*class).tp_as_async.as_mut() {
            methods.am_await = Some(ffi::PyObject_SelfIter);
        }
    }
}

/// Has the interpreter call the objects of a class through a function pointer that each of them holds;
/// `sample` is one of them, with its pointer. The class gets `flags` in addition. Doing it again changes
/// nothing.
pub fn call_through_field<T: PyClass>(
    sample: &Bound<'_, T>,
    field: &ffi::vectorcallfunc,
    flags: c_ulong,
) {
    let offset = (&raw const *field) as isize - sample.as_ptr() as isize;
    let class = T::type_object_raw(sample.py());
    // SAFETY: the class lives for ever, every object of it holds a function pointer at this distance from
    // its start, and the class is final.
    unsafe {
        (*class).tp_vectorcall_offset = offset;
        (*class).tp_flags |= ffi::Py_TPFLAGS_HAVE_VECTORCALL | flags;
    }
}

/// A final class whose objects are made by calling it without arguments.
pub trait Constructible: PyClass {
    /// A new object.
    fn construct(py: Python<'_>) -> PyResult<Bound<'_, Self>>;
}

/// Has calls of the class `T` go straight to its constructor.
pub fn install_constructor<T: Constructible>(py: Python<'_>) {
    // SAFETY: the type object is alive for ever, nobody else uses it yet, and the function does what a
    // call of the class does.
    unsafe { (*T::type_object_raw(py)).tp_vectorcall = Some(construct::<T>) };
}

/// `tp_vectorcall`: a call of the class.
unsafe extern "C" fn construct<T: Constructible>(
    class: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: slots are called with the interpreter lock held, on a live object.
    let (py, class) = unsafe {
        let py = Python::assume_attached();
        (py, Borrowed::from_ptr(py, class))
    };
    // SAFETY: only a flag is taken off the count.
    let positional = unsafe { ffi::PyVectorcall_NARGS(count) };
    called_by_c(py, || {
        if positional == 0 && names.is_null() {
            return T::construct(py).map(Bound::into_ptr);
        }
        // `__new__` knows what to say.
        let new = class.getattr(intern!(py, "__new__"))?;
        let mut given = vec![class.as_ptr()];
        // SAFETY: there are as many arguments as the count and the tuple of names, if there is one, say;
        // they are alive for the call, which gets the class in addition.
        unsafe {
            let named = if names.is_null() { 0 } else { ffi::PyTuple_Size(names) };
            let total = usize::try_from(positional + named).unwrap_or(0);
            given.extend_from_slice(std::slice::from_raw_parts(arguments, total));
            let count = given.len() - usize::try_from(named).unwrap_or(0);
            Ok(ffi::PyObject_Vectorcall(new.as_ptr(), given.as_ptr(), count, names))
        }
    })
}

/// `tp_iternext`.
unsafe extern "C" fn iternext<T: Resumable>(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: slots are called with the interpreter lock held, on an object of the slot's type.
    let (py, object) = unsafe {
        let py = Python::assume_attached();
        (py, Borrowed::from_ptr(py, object).cast_unchecked::<T>())
    };
    called_by_c(py, || {
        Ok(match object.get().resume(py)? {
            Next::Yield(message) => message.into_ptr(),
            Next::Return(None) => null_mut(),
            Next::Return(Some(value)) => {
                stop_with(py, value);
                null_mut()
            }
        })
    })
}

/// Runs the body of a function that the interpreter calls directly: an error becomes the current
/// exception, and so does a panic, which must not unwind into the interpreter. Making an exception can
/// panic in turn, if there is no memory for it.
#[inline]
pub(super) fn called_by_c(
    py: Python<'_>,
    body: impl FnOnce() -> PyResult<*mut ffi::PyObject>,
) -> *mut ffi::PyObject {
    let body = || {
        body().unwrap_or_else(|error| {
            error.restore(py);
            null_mut()
        })
    };
    let text = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => return result,
        Err(panic) => panics::text_of(&*panic),
    };
    panics::note(text.clone());
    let tell = || match fallible::behind_panic(py) {
        Some(error) => error.restore(py),
        None => fallible::set::<PanicException>(py, &text),
    };
    if catch_unwind(AssertUnwindSafe(tell)).is_err() {
        // SAFETY: the token proves that the interpreter lock is held; the exception exists already.
        unsafe { ffi::PyErr_NoMemory() };
    }
    null_mut()
}

/// Sets `StopIteration(value)` as the current exception, with no context.
///
/// Only the attribute `value` is filled, which is what `await` looks at; `args` stays empty.
fn stop_with(py: Python<'_>, value: Py<PyAny>) {
    let empty = PyTuple::empty(py);
    // SAFETY: the class's own constructor makes an instance of the exception from an empty tuple. The
    // instance is ours alone while its field, null or an owned reference, is replaced.
    let stop = unsafe {
        let class = ffi::PyExc_StopIteration.cast::<ffi::PyTypeObject>();
        let Some(new) = (*class).tp_new else { return };
        let stop = new(class, empty.as_ptr(), null_mut());
        if stop.is_null() {
            return;
        }
        let field = &raw mut (*stop.cast::<ffi::PyStopIterationObject>()).value;
        ffi::Py_XDECREF(std::ptr::replace(field, value.into_ptr()));
        stop
    };
    #[cfg(Py_3_12)]
    // SAFETY: the call takes over the reference to an exception instance.
    unsafe {
        ffi::PyErr_SetRaisedException(stop);
    }
    #[cfg(not(Py_3_12))]
    // SAFETY: the reference to the new instance is ours to give away.
    PyErr::from_value(unsafe { Bound::from_owned_ptr(py, stop) }).restore(py);
}
