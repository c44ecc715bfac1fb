//! Native functions that tools recognise as asynchronous.
//!
//! `inspect.iscoroutinefunction` believes in an attribute, as `asyncio`'s does, and built-in functions
//! have no room for one. Who asks are, among others, `unittest.mock.patch`, to find out what to put in a
//! function's place. So the public module-level functions that return awaitables are wrapped into
//! objects that pass calls on, through the vectorcall protocol, and carry the marks. They are made once,
//! with the module, and never change.

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{intern, Borrowed, PyTraverseError, PyVisit};

use super::cell::LoopCell;
use super::coroutine_marks::{asyncio_mark, inspect_mark};
use super::fallible::raise;
use super::gc::{gc_fields, Trace};
use super::slots::{call_through_field, called_by_c};

/// A native function that returns an awaitable.
#[pyclass(frozen, dict, weakref, module = "trio._native", name = "async_function")]
pub struct AsyncFunction {
    /// Where the interpreter looks for how to call the object. Never changes.
    vectorcall: ffi::vectorcallfunc,
    /// The built-in function.
    function: Py<PyAny>,
    /// How to call it.
    target: ffi::vectorcallfunc,
    /// What it does if it is called without arguments.
    direct: Option<Direct>,
    /// Its `__module__` and `__qualname__`, once somebody has asked for them.
    names: LoopCell<Option<Names>>,
}

type Names = (Py<PyAny>, Py<PyAny>);

/// The body of a function without arguments, for callers who need no checks of arguments.
pub type Direct = for<'py> fn(Python<'py>) -> PyResult<Bound<'py, PyAny>>;

#[pymethods]
impl AsyncFunction {
    #[getter]
    fn _is_coroutine_marker<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        inspect_mark(py)
    }

    #[getter]
    fn _is_coroutine<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        asyncio_mark(py)
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.function.bind(args.py()).call(args, kwargs)
    }

    /// As an attribute of a class it stays what it is, like a built-in function.
    fn __get__(slf: Py<Self>, _instance: Py<PyAny>, _owner: Option<Py<PyAny>>) -> Py<Self> {
        slf
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let name = slf.getattr(intern!(slf.py(), "__qualname__"))?;
        Ok(format!("<function {} at {:#x}>", name.str()?, slf.as_ptr() as usize))
    }

    /// Pickled by name, like any function.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.getattr(intern!(slf.py(), "__qualname__"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }
}

gc_fields!(AsyncFunction: function, names);

impl AsyncFunction {
    /// Wraps the function that `module` has under `name`; `direct` is a short cut to its body, if it has
    /// no arguments.
    pub fn replace(
        module: &Bound<'_, PyModule>,
        name: &str,
        direct: Option<Direct>,
    ) -> PyResult<()> {
        let py = module.py();
        let function = module.getattr(name)?;
        // SAFETY: the argument is alive.
        let target = unsafe { ffi::PyVectorcall_Function(function.as_ptr()) }
            .ok_or_else(|| raise::<PyTypeError>(py, "only built-in functions can be wrapped"))?;
        let this = Self {
            vectorcall: call,
            function: function.clone().unbind(),
            target,
            direct,
            names: LoopCell::new(None),
        };
        let object = Bound::new(py, this)?;
        call_through_field(&object, &object.get().vectorcall, 0);
        for attribute in ["__name__", "__qualname__", "__module__", "__doc__"] {
            object.setattr(attribute, function.getattr(attribute)?)?;
        }
        object.setattr("__wrapped__", function)?;
        module.setattr(name, object)
    }

    /// The `__module__` and `__qualname__`, which do not change once the function is in use.
    pub fn names<'py>(
        function: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let py = function.py();
        let copy = |(module, qualname): &Names| (module.clone_ref(py), qualname.clone_ref(py));
        let known = function.get().names.with(py, |names| names.as_ref().map(copy));
        if let Some((module, qualname)) = known {
            return Ok((module.into_bound(py), qualname.into_bound(py)));
        }
        let module = function.getattr(intern!(py, "__module__"))?;
        let qualname = function.getattr(intern!(py, "__qualname__"))?;
        let names = (module.clone().unbind(), qualname.clone().unbind());
        drop(function.get().names.replace(py, Some(names)));
        Ok((module, qualname))
    }
}

/// Passes a call on to the built-in function, or straight to its body.
unsafe extern "C" fn call(
    object: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter finds this function only in objects of the class, and calls it with the
    // interpreter lock held; the arguments are handed on as they came.
    unsafe {
        let py = Python::assume_attached();
        let object = Borrowed::from_ptr(py, object).cast_unchecked::<AsyncFunction>();
        let this = object.get();
        match this.direct {
            Some(direct) if ffi::PyVectorcall_NARGS(count) == 0 && names.is_null() => {
                called_by_c(py, || direct(py).map(Bound::into_ptr))
            }
            _ => (this.target)(this.function.as_ptr(), arguments, count, names),
        }
    }
}
