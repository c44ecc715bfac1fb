//! Names of tasks: usually never asked for, so put together only on demand.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{PyTraverseError, PyVisit};

use crate::interop::async_function::AsyncFunction;
use crate::interop::fallible;
use crate::interop::function;
use crate::interop::gc::Trace;

/// What a task is called.
pub enum TaskName {
    /// The text itself.
    Given(Py<PyString>),
    /// Module and qualified name of its function.
    Function(Py<PyAny>, Py<PyAny>),
}

impl TaskName {
    /// A name that was given as text.
    pub fn given(text: Bound<'_, PyString>) -> Self {
        Self::Given(text.unbind())
    }

    /// The name for a task that runs `function`, or is to be named after the object `name`.
    pub fn derive(function: &Bound<'_, PyAny>, name: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        if let Some(text) = name.and_then(|name| name.cast::<PyString>().ok()) {
            return Ok(Self::given(text.clone()));
        }
        let mut source = name.unwrap_or(function).clone();
        if let Some((module, qualname)) = function::names(&source) {
            return Ok(Self::Function(module.unbind(), qualname.unbind()));
        }
        if let Ok(native) = source.cast_exact::<AsyncFunction>() {
            let (module, qualname) = AsyncFunction::names(native)?;
            return Ok(Self::Function(module.unbind(), qualname.unbind()));
        }
        let py = source.py();
        let mut qualname = source.getattr_opt(intern!(py, "__qualname__"))?;
        if qualname.is_none() {
            let partial = py.import(intern!(py, "functools"))?.getattr(intern!(py, "partial"))?;
            while source.is_instance(&partial)? {
                source = source.getattr(intern!(py, "func"))?;
            }
            qualname = source.getattr_opt(intern!(py, "__qualname__"))?;
        }
        let Some(qualname) = qualname else {
            return Ok(Self::Given(source.repr()?.unbind()));
        };
        let module = match source.getattr_opt(intern!(py, "__module__"))? {
            // A method that is implemented natively does not know its module; its object's class does.
            Some(module) if module.is_none() => source
                .getattr_opt(intern!(py, "__self__"))?
                .map_or(Ok(module), |owner| owner.get_type().getattr(intern!(py, "__module__")))?,
            Some(module) => module,
            None => return Ok(Self::Given(source.repr()?.unbind())),
        };
        Ok(Self::Function(module.unbind(), qualname.unbind()))
    }

    /// The name as text.
    pub fn to_text<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        match self {
            Self::Given(text) => Ok(text.bind(py).clone()),
            Self::Function(module, qualname) => {
                let text = format!("{}.{}", module.bind(py).str()?, qualname.bind(py).str()?);
                fallible::string(py, &text)
            }
        }
    }

    /// Another reference to the same name.
    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Given(text) => Self::Given(text.clone_ref(py)),
            Self::Function(module, qualname) => {
                Self::Function(module.clone_ref(py), qualname.clone_ref(py))
            }
        }
    }
}

/// Names a task in messages, without keeping it alive.
pub struct TaskLabel {
    pub name: TaskName,
    pub address: usize,
}

impl TaskLabel {
    /// The text that `repr` of the task gives.
    pub fn to_text(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<Task {} at {:#x}>", self.name.to_text(py)?.repr()?, self.address))
    }
}

impl Trace for TaskName {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Given(_) => Ok(()),
            Self::Function(module, qualname) => {
                visit.call(module)?;
                visit.call(qualname)
            }
        }
    }
}
