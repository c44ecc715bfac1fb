//! Native methods that tools recognise as asynchronous, and that are quick to call.
//!
//! The counterpart of [`super::async_function`] for methods. What PyO3 makes of a method, a descriptor
//! of CPython's own kind, has no room for the marks in which `inspect.iscoroutinefunction` believes, and
//! each time it is looked up for `async with` a new bound method is allocated. An [`AsyncMethod`] takes
//! the descriptor's place in the class. It carries the marks; bound to an object it becomes a
//! [`BoundAsyncMethod`] out of a pool; and a call that has just the expected arguments goes straight to
//! the body. All other calls, and all questions about the method, are passed on to the descriptor.

use std::ffi::c_ulong;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};
use pyo3::{ffi, intern, Borrowed, IntoPyObjectExt, PyClass, PyTraverseError, PyTypeInfo, PyVisit};

use super::cell::discard;
use super::coroutine_marks::{asyncio_mark, inspect_mark};
use super::fallible::raise;
use super::gc::{gc_fields, Trace};
use super::pool::{self, pooled};
use super::slots::{call_through_field, called_by_c};

/// What a short cut makes of a receiver and positional arguments; `None` if they are not what it expects.
pub type Answer<'py> = Option<PyResult<Bound<'py, PyAny>>>;

/// The short cut to a method's body.
pub type Direct =
    for<'a, 'py> fn(&'a Bound<'py, PyAny>, &'a [Borrowed<'a, 'py, PyAny>]) -> Answer<'py>;

/// For methods with `COUNT` arguments that do not matter.
#[inline]
pub fn ignoring<'py, const COUNT: usize, T: PyTypeInfo, R: IntoPyObject<'py>>(
    receiver: &Bound<'py, PyAny>,
    arguments: &[Borrowed<'_, 'py, PyAny>],
    body: impl FnOnce(&Bound<'py, T>) -> PyResult<R>,
) -> Answer<'py> {
    let receiver = receiver.cast::<T>().ok().filter(|_| arguments.len() == COUNT)?;
    Some(body(receiver).and_then(|result| result.into_bound_py_any(receiver.py())))
}

/// For methods with one argument.
#[inline]
pub fn with_one<'py, T: PyTypeInfo, R: IntoPyObject<'py>>(
    receiver: &Bound<'py, PyAny>,
    arguments: &[Borrowed<'_, 'py, PyAny>],
    body: impl FnOnce(&Bound<'py, T>, Py<PyAny>) -> R,
) -> Answer<'py> {
    let receiver = receiver.cast::<T>().ok()?;
    let [argument] = arguments else { return None };
    Some(body(receiver, Bound::clone(argument).unbind()).into_bound_py_any(receiver.py()))
}

/// What a class has under the name of a native method that returns an awaitable.
#[pyclass(frozen, weakref, module = "trio._native", name = "async_method")]
pub struct AsyncMethod {
    /// Where the interpreter looks for how to call the object. Never changes.
    vectorcall: ffi::vectorcallfunc,
    /// The descriptor that PyO3 has made.
    descriptor: Py<PyAny>,
    /// How to call it.
    target: ffi::vectorcallfunc,
    direct: Option<Direct>,
}

gc_fields!(AsyncMethod: descriptor);

#[pymethods]
impl AsyncMethod {
    #[getter]
    fn _is_coroutine_marker<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        inspect_mark(py)
    }

    #[getter]
    fn _is_coroutine<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        asyncio_mark(py)
    }

    #[getter]
    fn __wrapped__(&self, py: Python<'_>) -> Py<PyAny> {
        self.descriptor.clone_ref(py)
    }

    #[getter]
    fn _doc<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.descriptor.bind(py).getattr(intern!(py, "__doc__"))
    }

    #[getter]
    fn _module<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let class = self.descriptor.bind(py).getattr(intern!(py, "__objclass__"))?;
        class.getattr(intern!(py, "__module__"))
    }

    fn __getattr__<'py>(&self, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        self.descriptor.bind(name.py()).getattr(name)
    }

    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        instance: Option<Bound<'py, PyAny>>,
        _owner: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match instance {
            None => Ok(slf.clone().into_any()),
            Some(instance) => BoundAsyncMethod::make(slf, instance),
        }
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.descriptor.bind(args.py()).call(args, kwargs)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let name = self.descriptor.bind(py).getattr(intern!(py, "__qualname__"))?;
        Ok(format!("<async method {name}>"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }
}

impl AsyncMethod {
    /// Puts wrappers into the places of methods of the class `T`.
    pub fn install<T: PyClass>(py: Python<'_>, methods: &[(&str, Option<Direct>)]) -> PyResult<()> {
        let class = py.get_type::<T>();
        for (name, direct) in methods {
            Self::replace(&class, name, *direct)?;
        }
        Ok(())
    }

    fn replace(class: &Bound<'_, PyType>, name: &str, direct: Option<Direct>) -> PyResult<()> {
        let py = class.py();
        let descriptor = class.getattr(name)?;
        if descriptor.is_exact_instance_of::<Self>() {
            return Ok(()); // the module is made once more
        }
        // SAFETY: the argument is alive.
        let target = unsafe { ffi::PyVectorcall_Function(descriptor.as_ptr()) }
            .ok_or_else(|| raise::<PyTypeError>(py, "only native methods can be wrapped"))?;
        let this = Self { vectorcall: call, descriptor: descriptor.unbind(), target, direct };
        let object = Bound::new(class.py(), this)?;
        class.setattr(name, object)
    }

    #[inline]
    fn run<'py>(
        &self,
        receiver: &Bound<'py, PyAny>,
        arguments: &[Borrowed<'_, 'py, PyAny>],
    ) -> Answer<'py> {
        self.direct.and_then(|direct| direct(receiver, arguments))
    }
}

/// Teaches the interpreter how methods are bound and called. Call before the first one is made; calling
/// it again, for another module object, does nothing.
pub fn prepare(py: Python<'_>) -> PyResult<()> {
    static PREPARED: PyOnceLock<()> = PyOnceLock::new();
    PREPARED.get_or_try_init(py, || prepare_classes(py)).copied()
}

fn prepare_classes(py: Python<'_>) -> PyResult<()> {
    pool::install::<BoundAsyncMethod>(py);
    let sample = BoundAsyncMethod { vectorcall: call_bound, method: None, instance: None };
    let sample = Bound::new(py, sample)?;
    make_callable(&sample, &sample.get().vectorcall, 0)?;
    let sample =
        AsyncMethod { vectorcall: call, descriptor: py.None(), target: call, direct: None };
    let sample = Bound::new(py, sample)?;
    // SAFETY: nobody else uses the class yet, and `bind` fulfils the contract of the slot.
    unsafe { (*sample.get_type().as_type_ptr()).tp_descr_get = Some(bind) };
    // The interpreter skips the binding of a method that is only called, if its class has the first of
    // these flags and, so that it stays that way, the second.
    #[cfg(Py_3_10)]
    let flags = ffi::Py_TPFLAGS_METHOD_DESCRIPTOR | ffi::Py_TPFLAGS_IMMUTABLETYPE;
    #[cfg(not(Py_3_10))]
    let flags = ffi::Py_TPFLAGS_METHOD_DESCRIPTOR;
    make_callable(&sample, &sample.get().vectorcall, flags)
}

/// Has a class's objects called through their field, and each say for itself what it is.
fn make_callable<T: PyClass>(
    sample: &Bound<'_, T>,
    field: &ffi::vectorcallfunc,
    flags: c_ulong,
) -> PyResult<()> {
    let class = sample.as_any().get_type();
    for (name, getter) in [("__doc__", "_doc"), ("__module__", "_module")] {
        class.setattr(name, class.getattr(getter)?)?;
    }
    call_through_field(sample, field, flags);
    Ok(())
}

/// `tp_descr_get`.
unsafe extern "C" fn bind(
    method: *mut ffi::PyObject,
    instance: *mut ffi::PyObject,
    _owner: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: slots are called with the interpreter lock held, on an object of the slot's type; the
    // instance is null or alive.
    let (py, method, instance) = unsafe {
        let py = Python::assume_attached();
        let method = Borrowed::from_ptr(py, method).cast_unchecked::<AsyncMethod>();
        (py, method, Bound::from_borrowed_ptr_or_opt(py, instance))
    };
    called_by_c(py, || match instance {
        None => Ok(method.to_owned().into_ptr()),
        Some(instance) => BoundAsyncMethod::make(&method, instance).map(Bound::into_ptr),
    })
}

/// Calls a method that is not bound: the receiver is the first argument.
unsafe extern "C" fn call(
    object: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter finds this function only in objects of the class, and calls it with the
    // interpreter lock held; the arguments are alive during the call and are handed on as they came.
    unsafe {
        let py = Python::assume_attached();
        let method = Borrowed::from_ptr(py, object).cast_unchecked::<AsyncMethod>();
        let this = method.get();
        called_by_c(py, || {
            let given = positional(py, &arguments, count, names).and_then(<[_]>::split_first);
            match given.and_then(|(receiver, rest)| this.run(receiver, rest)) {
                Some(answer) => answer.map(Bound::into_ptr),
                None => Ok((this.target)(this.descriptor.as_ptr(), arguments, count, names)),
            }
        })
    }
}

/// The arguments of a vectorcall, if none of them is a keyword argument.
///
/// # Safety
/// `arguments` points at as many live objects as `count` says.
#[inline]
unsafe fn positional<'a, 'py>(
    _py: Python<'py>,
    arguments: &'a *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> Option<&'a [Borrowed<'a, 'py, PyAny>]> {
    if !names.is_null() {
        return None;
    }
    // SAFETY: without its flag the count is that of the positional arguments, and without names there
    // are no others. A `Borrowed` is a pointer to a live object. No arguments may come as null.
    unsafe {
        match usize::try_from(ffi::PyVectorcall_NARGS(count)) {
            Ok(count @ 1..) => Some(std::slice::from_raw_parts(arguments.cast(), count)),
            _ => Some(&[]),
        }
    }
}

/// An [`AsyncMethod`] of a certain object.
#[pyclass(frozen, weakref, module = "trio._native", name = "bound_async_method")]
pub struct BoundAsyncMethod {
    /// Where the interpreter looks for how to call the object. Never changes.
    vectorcall: ffi::vectorcallfunc,
    /// The method and the object; both are there until the bound method dies.
    method: Option<Py<AsyncMethod>>,
    instance: Option<Py<PyAny>>,
}

gc_fields!(BoundAsyncMethod: method, instance);
pooled!(BoundAsyncMethod, hollow: let_go);

#[pymethods]
impl BoundAsyncMethod {
    #[getter]
    fn _is_coroutine_marker<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        inspect_mark(py)
    }

    #[getter]
    fn _is_coroutine<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        asyncio_mark(py)
    }

    /// The bound method that CPython makes of the descriptor.
    #[getter]
    fn __wrapped__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let method = self.method(py)?;
        let descriptor = method.get().descriptor.bind(py);
        descriptor.call_method1(intern!(py, "__get__"), (&self.instance,))
    }

    #[getter]
    fn _doc<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.method(py)?.getattr(intern!(py, "__doc__"))
    }

    #[getter]
    fn _module<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.method(py)?.getattr(intern!(py, "__module__"))
    }

    fn __getattr__<'py>(&self, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        self.__wrapped__(name.py())?.getattr(name)
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.__wrapped__(args.py())?.call(args, kwargs)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast_exact::<Self>().is_ok_and(|other| {
            let other = other.get();
            same(self.method.as_ref(), other.method.as_ref())
                && same(self.instance.as_ref(), other.instance.as_ref())
        })
    }

    fn __hash__(&self) -> usize {
        let address =
            |object: Option<*mut ffi::PyObject>| object.map_or(0, |object| object as usize);
        address(self.instance.as_ref().map(Py::as_ptr)).rotate_right(4)
            ^ address(self.method.as_ref().map(Py::as_ptr))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let name = self.method(py)?.getattr(intern!(py, "__qualname__"))?;
        let instance = match &self.instance {
            Some(instance) => instance.bind(py).repr()?.to_string(),
            None => "None".to_owned(),
        };
        Ok(format!("<bound async method {name} of {instance}>"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }
}

fn same<T>(one: Option<&Py<T>>, other: Option<&Py<T>>) -> bool {
    one.map(Py::as_ptr) == other.map(Py::as_ptr)
}

impl BoundAsyncMethod {
    #[inline]
    fn make<'py>(
        method: &Bound<'py, AsyncMethod>,
        instance: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let bound = Self {
            vectorcall: call_bound,
            method: Some(method.clone().unbind()),
            instance: Some(instance.unbind()),
        };
        Ok(pool::make(method.py(), bound)?.into_any())
    }

    fn method<'a, 'py>(&'a self, py: Python<'py>) -> PyResult<&'a Bound<'py, AsyncMethod>> {
        let method = self.method.as_ref().map(|method| method.bind(py));
        method.ok_or_else(|| raise::<PyTypeError>(py, "the method is bound to nothing"))
    }

    /// Drops the references of a dead object.
    #[inline]
    fn let_go(&mut self, py: Python<'_>) -> bool {
        discard(py, self.method.take());
        discard(py, self.instance.take());
        true
    }
}

/// Calls a bound method.
unsafe extern "C" fn call_bound(
    object: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter finds this function only in objects of the class, and calls it with the
    // interpreter lock held; the arguments are alive during the call and are handed on as they came.
    unsafe {
        let py = Python::assume_attached();
        let bound = Borrowed::from_ptr(py, object).cast_unchecked::<BoundAsyncMethod>();
        let this = bound.get();
        called_by_c(py, || {
            let method = this.method(py)?;
            let receiver = this.instance.as_ref().map(|instance| instance.bind(py));
            let given = receiver.zip(positional(py, &arguments, count, names));
            let answer = given.and_then(|(receiver, given)| method.get().run(receiver, given));
            if let Some(answer) = answer {
                return answer.map(Bound::into_ptr);
            }
            let general = this.__wrapped__(py)?;
            Ok(ffi::PyObject_Vectorcall(general.as_ptr(), arguments, count, names))
        })
    }
}
