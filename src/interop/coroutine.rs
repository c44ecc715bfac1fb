//! Resuming coroutines, and answering for awaitables.

use pyo3::exceptions::PyStopIteration;
use pyo3::ffi;
use pyo3::prelude::*;

use super::async_function::AsyncFunction;
use super::function;

/// What a coroutine did when it was resumed.
pub enum Resumed<'py> {
    /// It awaits something and handed this object up.
    Yielded(Bound<'py, PyAny>),
    /// It finished with this value.
    Returned(Bound<'py, PyAny>),
    /// It raised.
    Raised(PyErr),
}

/// Stops a thread for ever if it is unwound through this.
///
/// A daemon thread that asks for the interpreter lock after the interpreter has begun to shut down is
/// ended by CPython up to 3.13 with `pthread_exit`, which unwinds through our frames without the lock.
/// What they would clean up is going away as a whole; touching it would be a data race.
///
/// A panic that comes back out of Python code may pass: it holds the lock.
///
/// The call that is unwound must be declared as one that may be (`C-unwind`): the unwinder would give
/// up otherwise, and abort the process.
struct HangIfUnwound;

impl Drop for HangIfUnwound {
    fn drop(&mut self) {
        while !std::thread::panicking() {
            std::thread::park();
        }
    }
}

#[cfg(Py_3_10)]
extern "C-unwind" {
    // As in PyO3, which says that it does not unwind.
    fn PyIter_Send(
        iterator: *mut ffi::PyObject,
        value: *mut ffi::PyObject,
        result: *mut *mut ffi::PyObject,
    ) -> ffi::PySendResult;
}

/// Resumes `coroutine` by sending it `None`.
///
/// `None` is what reaches a native awaitable through `tp_iternext`; any other value would be
/// delivered by a method look-up. Results therefore travel through the task, not through `send`.
#[cfg(Py_3_10)]
#[inline]
pub fn resume<'py>(coroutine: &Bound<'py, PyAny>) -> Resumed<'py> {
    let py = coroutine.py();
    let mut result = std::ptr::null_mut();
    let hang = HangIfUnwound;
    // SAFETY: both objects are alive for the call and `result` is a valid place for the outcome.
    let status = unsafe { PyIter_Send(coroutine.as_ptr(), ffi::Py_None(), &raw mut result) };
    std::mem::forget(hang);
    // SAFETY: `result` is a new reference that is ours, or null where the status is an error.
    let result = unsafe { Bound::from_owned_ptr_or_opt(py, result) };
    match (status, result) {
        (ffi::PySendResult::PYGEN_NEXT, Some(message)) => Resumed::Yielded(message),
        (ffi::PySendResult::PYGEN_RETURN, Some(value)) => Resumed::Returned(value),
        _ => Resumed::Raised(PyErr::fetch(py)),
    }
}

#[cfg(not(Py_3_10))]
extern "C-unwind" {
    // What the interpreter itself resumes generators with; private, and in every build of 3.9.
    fn _PyGen_Send(generator: *mut ffi::PyObject, value: *mut ffi::PyObject) -> *mut ffi::PyObject;
    fn _PyGen_FetchStopIterationValue(value: *mut *mut ffi::PyObject) -> std::ffi::c_int;
}

/// Resumes `coroutine` by sending it `None` (3.9 has no `PyIter_Send`).
#[cfg(not(Py_3_10))]
pub fn resume<'py>(coroutine: &Bound<'py, PyAny>) -> Resumed<'py> {
    let py = coroutine.py();
    let hang = HangIfUnwound;
    if !is_native_coroutine(coroutine) {
        let result = coroutine.call_method1(pyo3::intern!(py, "send"), (py.None(),));
        std::mem::forget(hang);
        return sort_out(py, result);
    }
    // SAFETY: the object is exactly a coroutine, which is a generator to these functions.
    let message = unsafe {
        Bound::from_owned_ptr_or_opt(py, _PyGen_Send(coroutine.as_ptr(), ffi::Py_None()))
    };
    std::mem::forget(hang);
    if let Some(message) = message {
        return Resumed::Yielded(message);
    }
    let mut value = std::ptr::null_mut();
    // SAFETY: `value` is a valid place. On success, which takes a `StopIteration` away, it holds a new
    // reference; on failure the exception stays where it is and `value` is null.
    let value = unsafe {
        _PyGen_FetchStopIterationValue(&raw mut value);
        Bound::from_owned_ptr_or_opt(py, value)
    };
    value.map_or_else(|| Resumed::Raised(PyErr::fetch(py)), Resumed::Returned)
}

/// Throws `error` into `coroutine` at the point where it is suspended.
pub fn throw<'py>(coroutine: &Bound<'py, PyAny>, error: PyErr) -> Resumed<'py> {
    let py = coroutine.py();
    let hang = HangIfUnwound;
    let result = coroutine.call_method1(pyo3::intern!(py, "throw"), (error.into_value(py),));
    std::mem::forget(hang);
    sort_out(py, result)
}

fn sort_out<'py>(py: Python<'py>, result: PyResult<Bound<'py, PyAny>>) -> Resumed<'py> {
    match result {
        Ok(value) => Resumed::Yielded(value),
        Err(error) if error.is_instance_of::<PyStopIteration>(py) => {
            match error.value(py).getattr(pyo3::intern!(py, "value")) {
                Ok(value) => Resumed::Returned(value),
                Err(error) => Resumed::Raised(error),
            }
        }
        Err(error) => Resumed::Raised(error),
    }
}

/// Is `object` a coroutine made by an `async def` function?
#[inline]
pub fn is_native_coroutine(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: a type check on a live object.
    unsafe { ffi::PyCoro_CheckExact(object.as_ptr()) != 0 }
}

/// Is calling `callable` known to run no Python code: is it an `async def` function, a method that is
/// one, or native?
pub fn only_makes_a_coroutine(callable: &Bound<'_, PyAny>) -> PyResult<bool> {
    if let Some(is_async) = function::is_async(callable) {
        return Ok(is_async);
    }
    // SAFETY: a type check on a live object.
    let is_native = unsafe { ffi::PyCFunction_CheckExact(callable.as_ptr()) } != 0;
    if is_native || callable.is_exact_instance_of::<AsyncFunction>() {
        return Ok(true);
    }
    match callable.getattr_opt(pyo3::intern!(callable.py(), "__func__"))? {
        Some(inner) if !inner.is(callable) => only_makes_a_coroutine(&inner),
        _ => Ok(false),
    }
}

/// The exception that makes an awaiting coroutine continue with `value`.
///
/// The instance is built here, so that neither a tuple nor an exception as `value` is unpacked on
/// the way.
pub fn return_value(py: Python<'_>, value: Py<PyAny>) -> PyErr {
    match py.get_type::<PyStopIteration>().call1((value,)) {
        Ok(stop) => PyErr::from_value(stop),
        Err(error) => error,
    }
}
