//! Nurseries: where tasks live.
//!
//! A nursery belongs to the task that opened it, its *parent*, and ends when everybody in it has
//! ended: the parent's own block (the *nested child*), the child tasks, and starts that have not been
//! completed. An exception from any of them cancels the rest; all exceptions leave together.
//!
//! States: open; finishing (the parent is in `__aexit__`, and parked there while others are left);
//! closed (nobody is left, nothing can be added).
//!
//! | file | holds |
//! |---|---|
//! | `manager` | `open_nursery` and the two ends of its `async with` |
//! | `children` | spawning into a nursery, children finishing, moving from one nursery to another |

mod children;
mod manager;

use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};

use crate::cancel::CancelScope;
use crate::core::current;
use crate::interop::async_method::AsyncMethod;
use crate::interop::cell::{LoopCell, LoopValue};
use crate::interop::errors::no_public_constructor;
use crate::interop::fallible;
use crate::interop::gc::{gc_fields, Trace};
use crate::interop::imports;
use crate::interop::metaclass::adopt;
use crate::interop::pool::{self, pooled};
use crate::kernel::{NodeId, Slab};
use crate::task::Task;

pub use children::{spawn_into, SpawnOptions};
pub use manager::{open_nursery, NurseryManager};

/// A place for child tasks; made by ``async with trio.open_nursery()``.
///
/// Attributes:
///     cancel_scope: the :class:`CancelScope` around the nursery's block and all its tasks.
///
/// See "Tasks let you do multiple things at once" in Trio's manual.
#[pyclass(frozen, weakref, dict, module = "trio", name = "Nursery")]
pub struct Nursery {
    parent: Py<Task>,
    #[pyo3(get)]
    cancel_scope: Py<CancelScope>,
    /// The node of `cancel_scope`, in which children begin.
    node: NodeId,
    strict: bool,
    children: LoopCell<Slab<Py<Task>>>,
    pending_excs: LoopCell<Vec<Py<PyBaseException>>>,
    pending_starts: LoopValue<usize>,
    nested_finished: LoopValue<bool>,
    parent_waits: LoopValue<bool>,
    closed: LoopValue<bool>,
    /// Was `__aexit__` called, but not yet awaited?
    leaving: LoopValue<bool>,
}

gc_fields!(Nursery: parent, cancel_scope, children, pending_excs);
pooled!(Nursery);

#[allow(non_snake_case, reason = "setters of private attributes")]
#[pymethods]
impl Nursery {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn refuse(
        py: Python<'_>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        Err(no_public_constructor(py, "trio.Nursery"))
    }

    /// The tasks that are in the nursery now, as a frozenset.
    #[getter]
    fn child_tasks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFrozenSet>> {
        PyFrozenSet::new(py, self.tasks(py))
    }

    /// The task that opened the nursery.
    #[getter]
    fn parent_task(&self, py: Python<'_>) -> Py<Task> {
        self.parent.clone_ref(py)
    }

    /// Run an async function in a new task.
    ///
    /// Returns at once; the task runs for the first time in one of the next turns of the loop. If it
    /// raises, the nursery is cancelled and the exception leaves the nursery's block.
    ///
    /// Arguments:
    ///     async_fn: the function; called now with ``args``, so wrong arguments raise here.
    ///     name: what to call the task, for debuggers and messages; a string or an object to be named
    ///         after. By default it is named after ``async_fn``.
    ///
    /// Raises:
    ///     RuntimeError: if the nursery is closed.
    #[pyo3(signature = (async_fn, *args, name = None))]
    fn start_soon(
        slf: &Bound<'_, Self>,
        async_fn: &Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
        name: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let runner = current::runner_attribute(slf.py())?;
        let options = SpawnOptions { name, ..SpawnOptions::default() };
        spawn_into(&runner, slf, async_fn, args, options)?;
        Ok(())
    }

    /// Run an async function in a new task and wait until it has got ready.
    ///
    /// The function is called with ``args`` and a keyword argument ``task_status``, and calls
    /// ``task_status.started(value)`` when it is ready; ``start`` then returns ``value`` and the task
    /// goes on in the nursery. If it raises before, the exception comes out of ``start``. A
    /// checkpoint.
    ///
    /// Raises:
    ///     RuntimeError: if the nursery is closed, or the function returns without calling
    ///         ``started``.
    #[pyo3(signature = (async_fn, *args, name = None))]
    fn start<'py>(
        slf: &Bound<'py, Self>,
        async_fn: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        name: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        imports::nursery_start(slf.py())?.call1((slf, async_fn, args, name))
    }

    #[getter]
    fn _closed(&self, py: Python<'_>) -> bool {
        self.closed.get(py)
    }

    /// Is the block over, while the wait for its end has not begun? Then Ctrl-C must not come between.
    #[getter]
    fn _leaving(&self, py: Python<'_>) -> bool {
        self.leaving.get(py)
    }

    #[getter]
    fn _children<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFrozenSet>> {
        self.child_tasks(py)
    }

    #[getter]
    fn _pending_starts(&self, py: Python<'_>) -> usize {
        self.pending_starts.get(py)
    }

    #[setter]
    fn set__pending_starts(&self, py: Python<'_>, count: usize) {
        self.pending_starts.set(py, count);
    }

    /// Will tasks in here get ``Cancelled`` at their next checkpoint?
    #[getter]
    fn _is_cancelled(&self, py: Python<'_>) -> bool {
        self.parent.get().runner.get().scopes.with(py, |tree| tree.is_effective(self.node))
    }

    /// Spawns a task that will move to the nursery ``eventual`` when it has started.
    fn _spawn_starting(
        slf: &Bound<'_, Self>,
        eventual: Py<PyAny>,
        async_fn: &Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
        task_status: &Bound<'_, PyAny>,
        name: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let runner = current::runner_attribute(py)?;
        let kwargs = fallible::dict(py)?;
        kwargs.set_item(pyo3::intern!(py, "task_status"), task_status)?;
        let options = SpawnOptions {
            name,
            kwargs: Some(&kwargs),
            eventual: Some(eventual),
            ..SpawnOptions::default()
        };
        spawn_into(&runner, slf, async_fn, args, options)?;
        Ok(())
    }

    /// Moves all tasks, and what they have open, to the nursery ``target``.
    fn _move_tasks_to(slf: &Bound<'_, Self>, target: &Bound<'_, Self>) -> PyResult<()> {
        Self::migrate(slf, target)
    }

    /// Closes the nursery if nobody is left in it.
    fn _check_nursery_finished(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::check_finished(slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        self.release();
    }
}

/// Makes `metaclass` the class of [`Nursery`].
#[pyfunction]
pub fn set_nursery_metaclass(metaclass: &Bound<'_, PyType>) -> PyResult<()> {
    adopt(&metaclass.py().get_type::<Nursery>(), metaclass)
}

impl Nursery {
    /// Prepares the class. Call before the first nursery is made.
    pub fn prepare(py: Python<'_>) -> PyResult<()> {
        pool::install::<Self>(py);
        AsyncMethod::install::<Self>(py, &[("start", None)])
    }

    fn tasks(&self, py: Python<'_>) -> Vec<Py<Task>> {
        self.children.with(py, |all| all.iter().map(|task| task.clone_ref(py)).collect())
    }

    /// Refuses new tasks from now on, whoever is still inside.
    pub fn abandon(&self, py: Python<'_>) {
        self.closed.set(py, true);
    }

    /// The scope around the nursery.
    pub fn scope<'py>(&self, py: Python<'py>) -> Bound<'py, CancelScope> {
        self.cancel_scope.bind(py).clone()
    }
}
