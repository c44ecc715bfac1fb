//! Why something was cancelled.

use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use super::TaskLabel;
use crate::interop::errors::Cancelled;
use crate::interop::fallible;

/// What set a cancellation off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A deadline passed.
    Deadline,
    /// Somebody called `CancelScope.cancel`.
    Explicit,
    /// Ctrl-C.
    KeyboardInterrupt,
    /// A nursery cancelled its tasks because one of them failed.
    Nursery,
    /// The run is ending.
    Shutdown,
    /// Scopes were closed in the wrong order, or nobody knows.
    Unknown,
}

impl Source {
    fn name(self, py: Python<'_>) -> &Bound<'_, PyString> {
        match self {
            Self::Deadline => intern!(py, "deadline"),
            Self::Explicit => intern!(py, "explicit"),
            Self::KeyboardInterrupt => intern!(py, "KeyboardInterrupt"),
            Self::Nursery => intern!(py, "nursery"),
            Self::Shutdown => intern!(py, "shutdown"),
            Self::Unknown => intern!(py, "unknown"),
        }
    }
}

/// A source with what is known about it; becomes the attributes of [`Cancelled`].
pub struct Reason {
    source: Source,
    text: Option<Py<PyAny>>,
    task: Option<TaskLabel>,
    /// The label as text, made when the first exception needs it.
    task_text: PyOnceLock<Py<PyString>>,
}

impl Reason {
    /// A reason without details.
    pub fn plain(source: Source) -> Arc<Self> {
        Arc::new(Self { source, text: None, task: None, task_text: PyOnceLock::new() })
    }

    /// The reason for cancelling what scopes leave behind that were closed in the wrong order.
    pub fn misnesting(py: Python<'_>) -> Arc<Self> {
        let text = intern!(py, "misnesting").clone().into_any().unbind();
        Arc::new(Self {
            source: Source::Unknown,
            text: Some(text),
            task: None,
            task_text: PyOnceLock::new(),
        })
    }

    /// A reason with a text and the task behind it.
    pub fn detailed(source: Source, text: Option<Py<PyAny>>, task: Option<TaskLabel>) -> Arc<Self> {
        Arc::new(Self { source, text, task, task_text: PyOnceLock::new() })
    }

    /// The exception to raise for this reason.
    pub fn to_error(&self, py: Python<'_>) -> PyErr {
        self.make_exception(py).map_or_else(
            |error| error,
            |exception| PyErr::from_value(exception.into_bound(py).into_any()),
        )
    }

    fn make_exception(&self, py: Python<'_>) -> PyResult<Py<Cancelled>> {
        let task = match &self.task {
            Some(label) => {
                let text = self.task_text.get_or_try_init(py, || {
                    Ok::<_, PyErr>(fallible::string(py, &label.to_text(py)?)?.unbind())
                })?;
                Some(text.clone_ref(py).into_any())
            }
            None => None,
        };
        let text = self.text.as_ref().map(|text| text.clone_ref(py));
        Cancelled::make(py, self.source.name(py).clone().unbind(), task, text)
    }
}
