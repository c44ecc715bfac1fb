//! The object that a run is.

use std::sync::Arc;

use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};

use super::clock::Clock;
use super::entry_queue::EntryQueue;
use super::instruments::Instruments;
use super::poller::Poller;
use super::reason::Reason;
use crate::cancel::CancelScope;
use crate::interop::cell::{LoopCell, LoopRef, LoopValue};
use crate::interop::errors::raised_here;
use crate::interop::fallible;
use crate::interop::gc::{gc_fields, Trace};
use crate::interop::outcome::{to_object, Outcome};
use crate::kernel::{CancelTree, DeadlineHeap, IdleSet, RunQueue};
use crate::task::Task;

/// What happens when a deadline passes.
pub enum Due {
    /// The scope is cancelled.
    Scope(Py<CancelScope>),
    /// The task, which is in `sleep`, wakes up.
    Sleeper(Py<Task>),
}

impl Trace for Due {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Scope(scope) => visit.call(scope),
            Self::Sleeper(task) => visit.call(task),
        }
    }
}

/// What a change of the run's cancel tree has brought about.
pub type ScopeChange = crate::kernel::Change<Py<CancelScope>, Arc<Reason>>;

/// How a run was asked to behave; fixed when it starts.
pub struct Options {
    /// Do nurseries raise groups even for single errors?
    pub strict_exception_groups: bool,
    /// The namespace of `trio._core._run`, whose switches are read on every batch.
    pub namespace: Py<PyDict>,
    /// Is the run a guest of another loop?
    pub is_guest: bool,
    /// The context that system tasks run in copies of.
    pub system_context: Py<PyAny>,
}

/// One run: the parts listed in the module's essay, and who is who among its tasks.
#[pyclass(frozen, weakref, module = "trio._core._run", name = "Runner")]
pub struct Runner {
    /// Tasks that run in the next tick.
    pub queue: LoopCell<RunQueue<Py<Task>>>,
    /// Cancel scopes, with every living task as a leaf.
    pub scopes: LoopCell<CancelTree<Py<Task>, Py<CancelScope>, Arc<Reason>>>,
    /// Pending deadlines.
    pub deadlines: LoopCell<DeadlineHeap<Due>>,
    /// Tasks in `wait_all_tasks_blocked`.
    pub idle: LoopCell<IdleSet<Py<Task>>>,
    /// Readiness. `None` once the run has ended.
    pub poller: LoopCell<Option<Poller>>,
    /// Calls from outside.
    pub entry: Arc<EntryQueue>,
    /// Observers.
    pub instruments: Py<Instruments>,
    /// Time.
    pub clock: Clock,
    /// How the run was asked to behave.
    pub options: Options,
    /// The task whose step is under way.
    pub current: LoopRef<Task>,
    /// The root of the task tree.
    pub init_task: LoopRef<Task>,
    /// The task of the user's main function.
    pub main_task: LoopRef<Task>,
    /// How the main function ended.
    pub main_outcome: LoopCell<Option<Outcome>>,
    /// The nursery of system tasks.
    pub system_nursery: LoopRef<PyAny>,
    /// The task that works the entry queue off, while it waits for calls.
    pub entry_task: LoopRef<Task>,
    /// The run's `TrioToken`.
    pub token: LoopRef<PyAny>,
    /// The registry of async generators, a Python object.
    pub asyncgens: LoopRef<PyAny>,
    /// In a guest run: has the host been asked for a tick, so that nobody waits in the poller?
    pub guest_tick_scheduled: LoopValue<bool>,
    /// Values of `RunVar`s.
    pub locals: LoopRef<PyDict>,
    /// Was Ctrl-C pressed without anybody having got the exception yet?
    pub interrupt_pending: LoopValue<bool>,
    /// Seconds of calm after which a mock clock jumps.
    pub autojump_threshold: LoopValue<f64>,
    /// How many tasks have been spawned: numbers them for the deterministic schedule.
    pub spawned: LoopValue<u64>,
    /// How many tasks are alive.
    pub living: LoopValue<usize>,
}

gc_fields!(Runner: queue, scopes, deadlines, idle, poller, clock, current, init_task, main_task,
    main_outcome, system_nursery, entry_task, token, asyncgens, locals, instruments);

#[allow(non_snake_case, reason = "setters of private attributes")]
#[pymethods]
impl Runner {
    #[getter]
    fn clock(&self, py: Python<'_>) -> Py<PyAny> {
        self.clock.object(py)
    }

    #[getter]
    fn clock_autojump_threshold(&self, py: Python<'_>) -> f64 {
        self.autojump_threshold.get(py)
    }

    #[setter]
    fn set_clock_autojump_threshold(&self, py: Python<'_>, seconds: f64) {
        self.autojump_threshold.set(py, seconds);
        self.nudge_host(py);
    }

    #[getter]
    fn instruments(&self, py: Python<'_>) -> Py<Instruments> {
        self.instruments.clone_ref(py)
    }

    #[getter]
    fn is_guest(&self) -> bool {
        self.options.is_guest
    }

    #[getter]
    fn system_context(&self, py: Python<'_>) -> Py<PyAny> {
        self.options.system_context.clone_ref(py)
    }

    #[getter]
    fn ki_pending(&self, py: Python<'_>) -> bool {
        self.interrupt_pending.get(py)
    }

    #[getter]
    fn init_task(&self, py: Python<'_>) -> Option<Py<Task>> {
        self.init_task.get(py)
    }

    #[getter]
    fn main_task(&self, py: Python<'_>) -> Option<Py<Task>> {
        self.main_task.get(py)
    }

    #[setter]
    fn set_main_task(&self, py: Python<'_>, task: Option<Py<Task>>) {
        self.main_task.put(py, task);
    }

    /// How the main function ended: an outcome object.
    #[getter]
    fn main_task_outcome(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let copy = |outcome: &Outcome| match outcome {
            Ok(value) => Ok(value.clone_ref(py)),
            Err(error) => Err(error.clone_ref(py)),
        };
        let outcome = self.main_outcome.with(py, |outcome| outcome.as_ref().map(copy));
        outcome.map(|outcome| to_object(py, outcome)).transpose()
    }

    /// The exception that the main function ended with, if it did.
    #[getter]
    fn _main_error(&self, py: Python<'_>) -> Option<Py<PyBaseException>> {
        self.main_outcome.with(py, |outcome| match outcome {
            Some(Err(error)) => Some(error.clone_ref(py)),
            _ => None,
        })
    }

    #[setter]
    fn set__main_error(&self, py: Python<'_>, error: Py<PyBaseException>) {
        drop(self.main_outcome.replace(py, Some(Err(error))));
    }

    /// Returns or raises, once, what the main function did.
    fn _take_main_result(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.main_outcome
            .take(py)
            .transpose()
            .map_err(|error| raised_here(py, PyErr::from_value(error.into_bound(py).into_any())))
    }

    #[getter]
    fn system_nursery(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.system_nursery.get(py)
    }

    #[setter]
    fn set_system_nursery(&self, py: Python<'_>, nursery: Option<Py<PyAny>>) {
        self.system_nursery.put(py, nursery);
    }

    #[getter]
    fn trio_token(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.token.get(py)
    }

    #[getter]
    fn asyncgens(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.asyncgens.get(py)
    }

    #[setter]
    fn set_asyncgens(&self, py: Python<'_>, registry: Option<Py<PyAny>>) {
        self.asyncgens.put(py, registry);
    }

    /// The descriptor that wakes the poller when a byte is written to it.
    #[getter]
    fn _wakeup_fd(&self) -> i32 {
        self.entry.wakeup_fd()
    }

    /// The task whose step is under way.
    #[getter]
    fn _current_task(&self, py: Python<'_>) -> Option<Py<Task>> {
        self.current.get(py)
    }

    #[setter]
    fn set__current_task(&self, py: Python<'_>, task: Option<Py<Task>>) {
        self.current.put(py, task);
    }

    /// The dictionary that holds the values of run variables.
    #[getter]
    fn _locals(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        if let Some(values) = self.locals.get(py) {
            return Ok(values);
        }
        let values = fallible::dict(py)?.unbind();
        self.locals.put(py, Some(values.clone_ref(py)));
        Ok(values)
    }

    /// All living tasks.
    #[getter]
    fn tasks(&self, py: Python<'_>) -> Vec<Py<Task>> {
        self.scopes.with(py, |tree| tree.tasks().map(|task| task.clone_ref(py)).collect())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        self.release();
    }
}

impl Runner {
    /// Host code of a guest run has made something runnable, or brought a deadline nearer: ends the
    /// wait in the poller, so that the host is asked for a tick.
    pub fn nudge_host(&self, py: Python<'_>) {
        if self.options.is_guest && !self.guest_tick_scheduled.get(py) {
            self.guest_tick_scheduled.set(py, true);
            self.entry.wake();
        }
    }

    /// The current time of the run, in seconds.
    pub fn now(&self, py: Python<'_>) -> PyResult<f64> {
        self.clock.now(py)
    }
}
