//! Resuming coroutines, and answering for awaitables.

use pyo3::exceptions::PyStopIteration;
use pyo3::ffi;
use pyo3::prelude::*;

use super::async_function::AsyncFunction;

/// What a coroutine did when it was resumed.
pub enum Resumed {
    /// It awaits something and handed this object up.
    Yielded(Py<PyAny>),
    /// It finished with this value.
    Returned(Py<PyAny>),
    /// It raised.
    Raised(PyErr),
}

/// Stops a thread for ever if it is unwound through this.
///
/// A daemon thread that asks for the interpreter lock after the interpreter has begun to shut down is
/// ended by CPython up to 3.13 with `pthread_exit`, which unwinds through our frames without the lock.
/// What they would clean up is going away as a whole; touching it would be a data race.
struct HangIfUnwound;

impl Drop for HangIfUnwound {
    fn drop(&mut self) {
        loop {
            std::thread::park();
        }
    }
}

/// Resumes `coroutine` by sending it `None`.
///
/// `None` is what reaches a native awaitable through `tp_iternext`; any other value would be
/// delivered by a method look-up. Results therefore travel through the task, not through `send`.
#[cfg(Py_3_10)]
#[inline]
pub fn resume(coroutine: &Bound<'_, PyAny>) -> Resumed {
    let py = coroutine.py();
    let mut result = std::ptr::null_mut();
    let hang = HangIfUnwound;
    // SAFETY: both objects are alive for the call and `result` is a valid place for the outcome.
    let status = unsafe { ffi::PyIter_Send(coroutine.as_ptr(), ffi::Py_None(), &raw mut result) };
    std::mem::forget(hang);
    // SAFETY: `result` is a new reference that is ours, or null where the status is an error.
    let result = unsafe { Bound::from_owned_ptr_or_opt(py, result) };
    match (status, result) {
        (ffi::PySendResult::PYGEN_NEXT, Some(message)) => Resumed::Yielded(message.unbind()),
        (ffi::PySendResult::PYGEN_RETURN, Some(value)) => Resumed::Returned(value.unbind()),
        _ => Resumed::Raised(PyErr::fetch(py)),
    }
}

#[cfg(not(Py_3_10))]
extern "C" {
    // What the interpreter itself resumes generators with; private, and in every build of 3.9.
    fn _PyGen_Send(generator: *mut ffi::PyObject, value: *mut ffi::PyObject) -> *mut ffi::PyObject;
    fn _PyGen_FetchStopIterationValue(value: *mut *mut ffi::PyObject) -> std::ffi::c_int;
}

/// Resumes `coroutine` by sending it `None` (3.9 has no `PyIter_Send`).
#[cfg(not(Py_3_10))]
pub fn resume(coroutine: &Bound<'_, PyAny>) -> Resumed {
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
        return Resumed::Yielded(message.unbind());
    }
    let mut value = std::ptr::null_mut();
    // SAFETY: `value` is a valid place. On success, which takes a `StopIteration` away, it holds a new
    // reference; on failure the exception stays where it is and `value` is null.
    let value = unsafe {
        _PyGen_FetchStopIterationValue(&raw mut value);
        Bound::from_owned_ptr_or_opt(py, value)
    };
    value.map_or_else(
        || Resumed::Raised(PyErr::fetch(py)),
        |value| Resumed::Returned(value.unbind()),
    )
}

/// Throws `error` into `coroutine` at the point where it is suspended.
pub fn throw(coroutine: &Bound<'_, PyAny>, error: PyErr) -> Resumed {
    let py = coroutine.py();
    let hang = HangIfUnwound;
    let result = coroutine.call_method1(pyo3::intern!(py, "throw"), (error.into_value(py),));
    std::mem::forget(hang);
    sort_out(py, result)
}

fn sort_out(py: Python<'_>, result: PyResult<Bound<'_, PyAny>>) -> Resumed {
    match result {
        Ok(value) => Resumed::Yielded(value.unbind()),
        Err(error) if error.is_instance_of::<PyStopIteration>(py) => {
            match error.value(py).getattr(pyo3::intern!(py, "value")) {
                Ok(value) => Resumed::Returned(value.unbind()),
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

/// Is calling `function` known to run no Python code: is it an `async def` function, a method that is
/// one, or native?
pub fn only_makes_a_coroutine(function: &Bound<'_, PyAny>) -> PyResult<bool> {
    const CO_COROUTINE: u32 = 0x80;
    let py = function.py();
    // SAFETY: a type check on a live object.
    let is_native = unsafe { ffi::PyCFunction_CheckExact(function.as_ptr()) } != 0;
    if is_native || function.is_exact_instance_of::<AsyncFunction>() {
        return Ok(true);
    }
    // SAFETY: as above.
    if unsafe { ffi::PyFunction_Check(function.as_ptr()) } == 0 {
        return match function.getattr_opt(pyo3::intern!(py, "__func__"))? {
            Some(inner) if !inner.is(function) => only_makes_a_coroutine(&inner),
            _ => Ok(false),
        };
    }
    let code = function.getattr(pyo3::intern!(py, "__code__"))?;
    let flags: u32 = code.getattr(pyo3::intern!(py, "co_flags"))?.extract()?;
    Ok(flags & CO_COROUTINE != 0)
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
