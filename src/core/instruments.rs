//! Observers of the run: objects with hooks that the loop calls.
//!
//! An instrument is registered only for the hooks that it overrides. A mask of the hooks in use makes
//! an unobserved event cost one test. A hook that raises removes its instrument and is logged; it
//! never harms the run. Instruments may come and go at any time, also from inside a hook: a
//! notification goes to those that were registered when it began and still are.

use pyo3::exceptions::PyKeyError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{PyTraverseError, PyVisit};

use crate::interop::cell::{LoopCell, LoopValue};
use crate::interop::fallible;
use crate::interop::gc::Trace;
use crate::interop::imports;

/// The events that can be observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    BeforeRun,
    AfterRun,
    TaskSpawned,
    TaskScheduled,
    BeforeTaskStep,
    AfterTaskStep,
    TaskExited,
    BeforeIoWait,
    AfterIoWait,
}

const HOOKS: [(Hook, &str); 9] = [
    (Hook::BeforeRun, "before_run"),
    (Hook::AfterRun, "after_run"),
    (Hook::TaskSpawned, "task_spawned"),
    (Hook::TaskScheduled, "task_scheduled"),
    (Hook::BeforeTaskStep, "before_task_step"),
    (Hook::AfterTaskStep, "after_task_step"),
    (Hook::TaskExited, "task_exited"),
    (Hook::BeforeIoWait, "before_io_wait"),
    (Hook::AfterIoWait, "after_io_wait"),
];

impl Hook {
    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

struct Registration {
    instrument: Py<PyAny>,
    methods: Vec<(Hook, Py<PyAny>)>,
}

impl Trace for Registration {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.instrument)?;
        self.methods.iter().try_for_each(|(_, method)| visit.call(method))
    }
}

/// The instruments of one run, in the order in which they were added.
#[pyclass(frozen, module = "trio._core._instrumentation", name = "Instruments")]
#[derive(Default)]
pub struct Instruments {
    registrations: LoopCell<Vec<Registration>>,
    in_use: LoopValue<u16>,
}

impl Default for LoopValue<u16> {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Default for LoopCell<Vec<Registration>> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

#[pymethods]
impl Instruments {
    /// Is some instrument registered for the hook of this name?
    fn __contains__(&self, py: Python<'_>, hook: &str) -> bool {
        let mask = self.in_use.get(py);
        HOOKS.iter().any(|(candidate, name)| *name == hook && mask & candidate.bit() != 0)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.registrations.trace(visit)
    }

    fn __clear__(&self) {
        self.registrations.release();
    }
}

impl Instruments {
    /// Is anybody interested in `hook`?
    #[inline]
    pub fn watch(&self, py: Python<'_>, hook: Hook) -> bool {
        self.in_use.get(py) & hook.bit() != 0
    }

    /// Does anybody look at when the loop polls?
    #[inline]
    pub fn watch_io(&self, py: Python<'_>) -> bool {
        self.in_use.get(py) & (Hook::BeforeIoWait.bit() | Hook::AfterIoWait.bit()) != 0
    }

    /// Registers an instrument; does nothing if it is registered already.
    pub fn add(&self, instrument: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = instrument.py();
        if self.position(instrument).is_some() {
            return Ok(());
        }
        let base = py.import(intern!(py, "trio._abc"))?.getattr(intern!(py, "Instrument"))?;
        let mut methods = Vec::new();
        for (hook, name) in HOOKS {
            let Some(method) = instrument.getattr_opt(name)? else { continue };
            let inherited = method
                .getattr_opt(intern!(py, "__func__"))?
                .is_some_and(|function| base.getattr(name).is_ok_and(|stub| function.is(&stub)));
            if !inherited {
                methods.push((hook, method.unbind()));
            }
        }
        let registration = Registration { instrument: instrument.clone().unbind(), methods };
        self.registrations.with(py, |all| all.push(registration));
        self.refresh(py);
        Ok(())
    }

    /// Unregisters an instrument.
    pub fn remove(&self, instrument: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = instrument.py();
        let Some(at) = self.position(instrument) else {
            return Err(PyKeyError::new_err(instrument.clone().unbind()));
        };
        let removed = self.registrations.with(py, |all| all.remove(at));
        self.refresh(py);
        drop(removed);
        Ok(())
    }

    /// Calls `hook` of every instrument that has it.
    pub fn notify<'py>(&self, py: Python<'py>, hook: Hook, args: &Bound<'py, PyTuple>) {
        let listeners: Vec<(Py<PyAny>, Py<PyAny>)> = self.registrations.with(py, |all| {
            all.iter()
                .flat_map(|registration| {
                    let methods = registration.methods.iter().filter(|(bound, _)| *bound == hook);
                    methods.map(|(_, method)| {
                        (registration.instrument.clone_ref(py), method.clone_ref(py))
                    })
                })
                .collect()
        });
        for (instrument, method) in listeners {
            let instrument = instrument.bind(py);
            if self.position(instrument).is_none() {
                continue;
            }
            if let Err(error) = method.bind(py).call1(args) {
                self.remove(instrument).ok();
                if let Err(error) = log_failure(py, hook, instrument, error) {
                    error.write_unraisable(py, Some(instrument));
                }
            }
        }
    }

    fn position(&self, instrument: &Bound<'_, PyAny>) -> Option<usize> {
        let same = |registration: &Registration| registration.instrument.is(instrument);
        self.registrations.with(instrument.py(), |all| all.iter().position(same))
    }

    fn refresh(&self, py: Python<'_>) {
        let mask = self.registrations.with(py, |all| {
            let hooks = all.iter().flat_map(|registration| &registration.methods);
            hooks.fold(0, |mask, (hook, _)| mask | hook.bit())
        });
        self.in_use.set(py, mask);
    }
}

fn log_failure(
    py: Python<'_>,
    hook: Hook,
    instrument: &Bound<'_, PyAny>,
    error: PyErr,
) -> PyResult<()> {
    let name = HOOKS[hook as usize].1;
    let logger = imports::get_logger(py)?.call1((intern!(py, "trio.abc.Instrument"),))?;
    let options = fallible::dict(py)?;
    options.set_item(intern!(py, "exc_info"), error.into_value(py))?;
    let text = intern!(
        py,
        "Exception raised when calling %r on instrument %r. Instrument has been disabled."
    );
    logger.call_method(intern!(py, "error"), (text, name, instrument), Some(&options))?;
    Ok(())
}
