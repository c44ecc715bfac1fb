//! Exceptions: the classes that Trio defines, and plumbing that PyO3 leaves out.
//!
//! The classes live here, and not in Python code, so that there is one copy of each per process
//! whatever is done to `sys.modules`, and so that raising one needs no look-up.

use pyo3::exceptions::{PyBaseException, PyException, PyOSError, PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use pyo3::{create_exception, ffi, intern, PyTraverseError, PyVisit};

use super::cell::LoopRef;
use super::fallible::{self, raise};
use super::gc::{gc_fields, Trace};
use super::imports;

create_exception!(trio, TrioInternalError, PyException, "Raised by :func:`run` when the loop itself fails.\n\nEither this library has a bug or low-level code broke its rules: a system task or an\nentry-queue callback raised, an abort function misbehaved, a clock failed. The original problem is the\n``__cause__``. Programs should not try to go on after it.");
create_exception!(
    trio,
    RunFinishedError,
    PyRuntimeError,
    "Raised by :meth:`trio.lowlevel.TrioToken.run_sync_soon` and friends once the run has ended."
);
create_exception!(
    trio,
    WouldBlock,
    PyException,
    "Raised by the ``*_nowait`` functions when they could not finish without waiting."
);
create_exception!(trio, BusyResourceError, PyException, "Raised when a task uses a resource that another task is using already.\n\nFor example two tasks that read from one socket at the same time.");
create_exception!(trio, ClosedResourceError, PyException, "Raised when a resource is used after *you* closed it.\n\nIf the other side closed or broke it, :exc:`BrokenResourceError` is raised instead.");
create_exception!(trio, BrokenResourceError, PyException, "Raised when a resource stopped working through causes beyond this program.\n\nFor example because the peer vanished; ``__cause__`` may say more.");
create_exception!(
    trio,
    EndOfChannel,
    PyException,
    "Raised by ``receive`` when every sender has closed and nothing is left to receive."
);

/// Thrown into a task whose work is no longer wanted.
///
/// A cancel scope that was cancelled makes every checkpoint inside it raise this, and swallows it at
/// its end. It may be caught for clean-up, but has to be raised again. It cannot be made by hand: to
/// leave a block early, cancel the scope around it.
///
/// Attributes:
///     source: what started it: ``"KeyboardInterrupt"``, ``"deadline"``, ``"explicit"``,
///         ``"nursery"``, ``"shutdown"`` or ``"unknown"``.
///     source_task: ``repr`` of the task that cancelled, if there was one.
///     reason: the text given to :meth:`CancelScope.cancel`, or one that Trio made up.
#[pyclass(extends = PyBaseException, frozen, weakref, module = "trio", name = "Cancelled")]
pub struct Cancelled {
    #[pyo3(get)]
    source: Py<PyString>,
    source_task: LoopRef<PyAny>,
    reason: LoopRef<PyAny>,
}

gc_fields!(Cancelled: source_task, reason);

#[pymethods]
impl Cancelled {
    #[getter]
    fn source_task(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.source_task.get(py)
    }

    #[getter]
    fn reason(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.reason.get(py)
    }

    /// What others put there; at first the three attributes.
    #[getter]
    fn args<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let kept = Self::inherited_args(py)?.call_method1(intern!(py, "__get__"), (slf,))?;
        if kept.is_truthy()? {
            return Ok(kept);
        }
        Ok(slf.get().fields(py)?.into_any())
    }

    #[setter]
    fn set_args(slf: &Bound<'_, Self>, args: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        Self::inherited_args(py)?.call_method1(intern!(py, "__set__"), (slf, args))?;
        Ok(())
    }

    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn refuse(
        py: Python<'_>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Err(no_public_constructor(py, "trio.Cancelled"))
    }

    #[staticmethod]
    #[pyo3(signature = (source = None, source_task = None, reason = None))]
    fn _create(
        py: Python<'_>,
        source: Option<Bound<'_, PyString>>,
        source_task: Option<Py<PyAny>>,
        reason: Option<Py<PyAny>>,
    ) -> PyResult<Py<Self>> {
        let source = source.unwrap_or_else(|| intern!(py, "unknown").clone());
        Self::make(py, source.unbind(), source_task, reason)
    }

    fn __str__(&self, py: Python<'_>) -> PyResult<String> {
        let mut text = format!("cancelled due to {}", self.source.bind(py));
        if let Some(reason) = self.reason.get(py) {
            text = format!("{text} with reason {}", reason.bind(py).repr()?);
        }
        if let Some(task) = self.source_task.get(py) {
            text = format!("{text} from task {}", task.bind(py).str()?);
        }
        Ok(text)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = |value: Option<Py<PyAny>>| match value {
            Some(value) => Ok::<_, PyErr>(value.bind(py).repr()?.to_string()),
            None => Ok("None".to_owned()),
        };
        Ok(format!(
            "Cancelled(source={}, source_task={}, reason={})",
            self.source.bind(py).repr()?,
            shown(self.source_task.get(py))?,
            shown(self.reason.get(py))?
        ))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let fields = slf.get().fields(py)?;
        let create = slf.get_type().getattr(intern!(py, "_create"))?;
        Ok((create, fields).into_pyobject(py)?.into_any())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        self.release();
    }
}

impl Cancelled {
    /// The arguments of `_create`.
    fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        (&self.source, self.source_task.get(py), self.reason.get(py)).into_pyobject(py)
    }

    /// The descriptor of every exception's `args`.
    fn inherited_args(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        py.get_type::<PyBaseException>().getattr(intern!(py, "args"))
    }

    /// A new instance, ready to be raised.
    pub fn make(
        py: Python<'_>,
        source: Py<PyString>,
        source_task: Option<Py<PyAny>>,
        reason: Option<Py<PyAny>>,
    ) -> PyResult<Py<Self>> {
        let (source_task, reason) = (LoopRef::new(source_task), LoopRef::new(reason));
        Py::new(py, Self { source, source_task, reason })
    }
}

/// The error for calling a class that only the library instantiates.
pub fn no_public_constructor(py: Python<'_>, class: &str) -> PyErr {
    raise::<PyTypeError>(py, format!("{class} has no public constructor"))
}

/// An exception without arguments, as a `raise` statement at this point would make it. Built at once:
/// cheaper than one that is built when it is looked at.
pub fn bare<E: pyo3::PyTypeInfo>(py: Python<'_>) -> PyErr {
    let class = py.get_type::<E>();
    // SAFETY: a live exception class; the call sets the error indicator, which `fetch` takes away again.
    unsafe { ffi::PyErr_SetNone(class.as_ptr()) };
    PyErr::fetch(py)
}

/// An exception that was kept, to be raised again.
pub fn raised_again(py: Python<'_>, error: Py<PyBaseException>) -> PyErr {
    PyErr::from_value(error.into_bound(py).into_any())
}

/// `TrioInternalError` caused by `cause`.
pub fn internal_error(py: Python<'_>, cause: PyErr) -> PyErr {
    if cause.is_instance_of::<TrioInternalError>(py) {
        return cause;
    }
    let error = raise::<TrioInternalError>(py, "internal error in Trio - please file a bug!");
    set_context(py, &error, Some(cause.value(py)));
    error.set_cause(py, Some(cause));
    error
}

/// Sets `__context__`.
pub fn set_context(py: Python<'_>, error: &PyErr, context: Option<&Bound<'_, PyBaseException>>) {
    let pointer = context.map_or(std::ptr::null_mut(), |context| context.clone().into_ptr());
    // SAFETY: the first argument is an exception instance; the second, null or an owned reference
    // to an exception, is stolen by the call.
    unsafe { ffi::PyException_SetContext(error.value(py).as_ptr(), pointer) };
}

/// Reads `__context__`.
pub fn get_context<'py>(
    error: &Bound<'py, PyBaseException>,
) -> Option<Bound<'py, PyBaseException>> {
    // SAFETY: the argument is an exception instance; the result is a new reference or null.
    let context = unsafe {
        Bound::from_owned_ptr_or_opt(error.py(), ffi::PyException_GetContext(error.as_ptr()))
    };
    context.and_then(|context| context.cast_into().ok())
}

/// Is the exception a group?
pub fn is_group(error: &Bound<'_, PyBaseException>) -> PyResult<bool> {
    error.is_instance(imports::base_exception_group(error.py())?)
}

/// Builds `BaseExceptionGroup(message, errors)`.
pub fn group<'py>(
    py: Python<'py>,
    message: &str,
    errors: Vec<Py<PyBaseException>>,
) -> PyResult<Bound<'py, PyBaseException>> {
    let members = fallible::list_of(py, errors)?;
    let group = imports::base_exception_group(py)?.call1((message, members))?;
    Ok(group.cast_into()?)
}

/// Gives `error` the `__context__` that a `raise` statement at this point would give it.
pub fn raised_here(py: Python<'_>, error: PyErr) -> PyErr {
    let value = error.into_value(py);
    // SAFETY: an exception class and its instance, both alive; the call sets the error indicator,
    // which `fetch` takes away again.
    unsafe { ffi::PyErr_SetObject(value.bind(py).get_type().as_ptr(), value.as_ptr()) };
    PyErr::fetch(py)
}

/// The `OSError` (of the right subclass) for a failed system call.
pub fn os_error(py: Python<'_>, error: &std::io::Error) -> PyErr {
    let Some(number) = error.raw_os_error() else {
        return raise::<PyOSError>(py, error.to_string());
    };
    let make = || {
        let text =
            py.import(intern!(py, "os"))?.call_method1(intern!(py, "strerror"), (number,))?;
        py.get_type::<PyOSError>().call1((number, text))
    };
    make().map_or_else(|error| error, |error| raised_here(py, PyErr::from_value(error)))
}

/// Does what a destructor has to do. It may run while an exception is on its way, because whatever
/// raised lets go of things: that exception is put aside meanwhile, and not lost.
pub fn with_exception_aside<T>(py: Python<'_>, work: impl FnOnce() -> T) -> T {
    let _aside = Aside::take(py);
    work()
}

#[cfg(Py_3_12)]
struct Aside(*mut ffi::PyObject);

#[cfg(Py_3_12)]
impl Aside {
    fn take(_py: Python<'_>) -> Self {
        // SAFETY: the token proves that the interpreter lock is held. The result is null, or a
        // reference that is ours until it is given back.
        Self(unsafe { ffi::PyErr_GetRaisedException() })
    }
}

#[cfg(Py_3_12)]
impl Drop for Aside {
    fn drop(&mut self) {
        // SAFETY: made and dropped within one call that has the token. The reference is given back;
        // null means that there is no exception.
        unsafe { ffi::PyErr_SetRaisedException(self.0) };
    }
}

#[cfg(not(Py_3_12))]
struct Aside([*mut ffi::PyObject; 3]);

#[cfg(not(Py_3_12))]
impl Aside {
    fn take(_py: Python<'_>) -> Self {
        let [mut kind, mut value, mut traceback] = [std::ptr::null_mut(); 3];
        // SAFETY: the token proves that the interpreter lock is held. Each is null afterwards, or a
        // reference that is ours until it is given back.
        unsafe { ffi::PyErr_Fetch(&raw mut kind, &raw mut value, &raw mut traceback) };
        Self([kind, value, traceback])
    }
}

#[cfg(not(Py_3_12))]
impl Drop for Aside {
    fn drop(&mut self) {
        let [kind, value, traceback] = self.0;
        // SAFETY: made and dropped within one call that has the token. The references are given back.
        unsafe { ffi::PyErr_Restore(kind, value, traceback) };
    }
}
