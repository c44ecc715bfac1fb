//! The time of a run: a monotonic clock in native code, or whatever object the user supplied.

use std::time::Instant;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{PyTraverseError, PyVisit};

use crate::interop::fallible::raise;
use crate::interop::gc::Trace;

/// The default clock: ``time.perf_counter()`` plus a random offset.
///
/// The offset keeps programs from mistaking a run's time for any other clock's.
#[pyclass(frozen, weakref, module = "trio._core._run", name = "SystemClock")]
pub struct SystemClock {
    started: Instant,
    base: f64,
    #[pyo3(get)]
    offset: f64,
}

#[pymethods]
impl SystemClock {
    #[new]
    fn new(py: Python<'_>, offset: f64) -> PyResult<Self> {
        let counter: f64 =
            py.import(intern!(py, "time"))?.call_method0(intern!(py, "perf_counter"))?.extract()?;
        Ok(Self { started: Instant::now(), base: offset + counter, offset })
    }

    fn start_clock(&self) {}

    /// Seconds on this clock.
    #[inline]
    pub fn current_time(&self) -> f64 {
        self.base + self.started.elapsed().as_secs_f64()
    }

    /// Seconds from now until ``deadline``.
    fn deadline_to_sleep_time(&self, deadline: f64) -> f64 {
        deadline - self.current_time()
    }

    fn __repr__(&self) -> String {
        format!("SystemClock(offset={:?})", self.offset)
    }
}

/// How a run tells the time.
pub enum Clock {
    System(Py<SystemClock>),
    Custom(Py<PyAny>),
}

impl Clock {
    /// Wraps a clock object.
    pub fn new(object: Bound<'_, PyAny>) -> Self {
        match object.cast_into_exact::<SystemClock>() {
            Ok(clock) => Self::System(clock.unbind()),
            Err(error) => Self::Custom(error.into_inner().unbind()),
        }
    }

    /// The clock object, as `trio.lowlevel.current_clock` shows it.
    pub fn object(&self, py: Python<'_>) -> Py<PyAny> {
        match self {
            Self::System(clock) => clock.clone_ref(py).into_any(),
            Self::Custom(clock) => clock.clone_ref(py),
        }
    }

    /// Does the program say what time it is, as tests do?
    pub fn is_custom(&self) -> bool {
        matches!(self, Self::Custom(_))
    }

    /// Now, in seconds. Runs Python code for a custom clock.
    #[inline]
    pub fn now(&self, py: Python<'_>) -> PyResult<f64> {
        match self {
            Self::System(clock) => Ok(clock.get().current_time()),
            Self::Custom(clock) => {
                let clock = clock.bind(py);
                let method = intern!(py, "current_time");
                number(clock, method, &clock.call_method0(method)?)
            }
        }
    }

    /// How many real seconds the poller may sleep until `deadline`. Runs Python code for a custom
    /// clock.
    pub fn sleep_time(&self, py: Python<'_>, deadline: f64) -> PyResult<f64> {
        match self {
            Self::System(clock) => Ok(deadline - clock.get().current_time()),
            Self::Custom(clock) => {
                let clock = clock.bind(py);
                let method = intern!(py, "deadline_to_sleep_time");
                let seconds = number(clock, method, &clock.call_method1(method, (deadline,))?)?;
                if seconds.is_nan() {
                    let text = format!("{method} of {} returned NaN", clock.repr()?);
                    return Err(raise::<PyValueError>(py, text));
                }
                Ok(seconds)
            }
        }
    }
}

/// What a method of the program's clock has returned, if it is a number.
fn number(
    clock: &Bound<'_, PyAny>,
    method: &Bound<'_, PyString>,
    returned: &Bound<'_, PyAny>,
) -> PyResult<f64> {
    returned.extract().or_else(|_| {
        let (clock, kind) = (clock.repr()?, returned.get_type().name()?);
        let text = format!("{method} of {clock} must return a number, not {kind}");
        Err(raise::<PyTypeError>(method.py(), text))
    })
}

impl Trace for Clock {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::System(_) => Ok(()),
            Self::Custom(clock) => visit.call(clock),
        }
    }
}
