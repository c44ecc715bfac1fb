//! Tasks: coroutines with a place in the tree, a context, and a mailbox.
//!
//! A task is always in one of these states:
//!
//! | state | `scheduled` | `plan` | leaves it by |
//! |---|---|---|---|
//! | runnable | true | none | its step in the next tick |
//! | running | false | none, or announced by a leaf about to yield | yielding a trap, or finishing |
//! | parked | false | armed | [`reschedule`], from whatever it waits for or from an abort |
//! | stuck | false | none | [`reschedule`] (its abort function has said no) |
//! | detached, finished | false | none | never |
//!
//! What a task is resumed *with* does not travel through `send`: the interpreter is fastest when `None`
//! is sent. It waits in the `inbox`, and the native awaitable that parked the task takes it out.
//!
//! Who may touch what: the step writes `scheduled`; leaves write `plan` and read `inbox`; everything
//! else goes through the verbs of this module.

mod body;
mod schedule;
mod spawn;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use pyo3::{intern, PyTraverseError, PyVisit};
use thin_vec::ThinVec;

use crate::core::{Runner, TaskLabel, TaskName};
use crate::interop::cell::{LoopCell, LoopRef, LoopValue};
use crate::interop::context;
use crate::interop::errors::no_public_constructor;
use crate::interop::fallible;
use crate::interop::gc::{gc_fields, Trace};
use crate::interop::pool::{self, pooled};
use crate::kernel::NodeId;

pub use body::go_on;
pub use schedule::{
    deliver_pending, park, pending_cancellation, receive, reschedule, AbortOutcome, Interruption,
    Plan, Resume,
};
pub use spawn::{spawn, Birth};

/// A task: one `async` call chain that the run loop steps.
///
/// For introspection; the run loop is the only one that makes and steps tasks.
///
/// Attributes:
///     coro: the task's coroutine object.
///     context: the task's :class:`contextvars.Context`.
///     name: text that describes it, usually module and name of its function.
///     custom_sleep_data: free for use by whoever parks the task; ``None`` again when it wakes up.
#[pyclass(frozen, weakref, module = "trio.lowlevel", name = "Task")]
pub struct Task {
    /// The run that the task belongs to.
    pub runner: Py<Runner>,
    /// The coroutine to resume, or the native awaitable. Greenlet bridges replace it while the task runs.
    pub coroutine: LoopRef<PyAny>,
    /// The context in which it is resumed.
    context: LoopRef<PyAny>,
    name: LoopCell<Option<TaskName>>,
    /// Spawning number: orders batches under the deterministic schedule.
    pub number: u64,
    /// What the task will find when it is resumed.
    pub inbox: LoopCell<Resume>,
    /// How to end its sleep early, and what it would have to be told.
    pub plan: LoopCell<Option<Plan>>,
    /// Has the loop seen the task yield, so that `plan` may be used?
    pub armed: LoopValue<bool>,
    /// Is the task in the run queue?
    pub scheduled: LoopValue<bool>,
    /// Must the next step throw the inbox into the coroutine instead of resuming it?
    pub throws: LoopValue<bool>,
    /// The task's leaf in the tree of cancel scopes, while it is alive.
    pub node: LoopValue<Option<NodeId>>,
    /// The nursery it is in. Stays when the task has finished.
    pub parent_nursery: LoopRef<PyAny>,
    /// The nursery it will move to when it calls `started`.
    pub eventual_nursery: LoopRef<PyAny>,
    /// Its slot in the list of children of `parent_nursery`.
    pub nursery_slot: LoopValue<u64>,
    /// The nurseries it has open, outermost first.
    pub child_nurseries: LoopCell<ThinVec<Py<PyAny>>>,
    /// Is the code of this task protected from Ctrl-C unless it says otherwise?
    pub protected: bool,
    /// The parking lots that break when the task ends.
    pub breaks: LoopCell<ThinVec<Py<PyAny>>>,
    /// Its place in the list of tasks that have ever had such a lot; `u64::MAX` if it never had.
    pub breaker_slot: LoopValue<u64>,
    /// Set by whoever parks the task, cleared when it wakes up.
    pub sleep_data: LoopRef<PyAny>,
    /// Is the coroutine a native awaitable that the collector need not look at?
    has_plain_body: LoopValue<bool>,
    /// Is the context hidden from the collector? It is while the run keeps the task alive.
    hides_context: LoopValue<bool>,
    /// Counters behind `trio.testing.assert_checkpoints`.
    pub schedule_points: LoopValue<u64>,
    pub cancel_points: LoopValue<u64>,
}

// The first two are each in a place of memory of its own, and there are often very many tasks.
gc_fields!(
    Task: coroutine unless has_plain_body, context unless hides_context, runner, name, inbox, plan,
    parent_nursery, eventual_nursery, child_nurseries, breaks, sleep_data,
);

impl Drop for Task {
    fn drop(&mut self) {
        if let (true, Some(context)) = (*self.hides_context.get_mut(), self.context.get_mut()) {
            context::show(context);
        }
    }
}

pooled!(Task);

#[pymethods]
impl Task {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn refuse(
        py: Python<'_>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        Err(no_public_constructor(py, "trio.lowlevel.Task"))
    }

    #[getter]
    fn coro<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        body::coroutine(slf)
    }

    #[setter]
    fn set_coro(&self, py: Python<'_>, coroutine: Py<PyAny>) {
        self.replace_body(py, coroutine);
    }

    #[getter]
    #[inline]
    pub fn context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.context.get(py)
    }

    #[setter]
    fn set_context(&self, py: Python<'_>, context: Py<PyAny>) {
        self.show_context(py);
        self.context.put(py, Some(context));
    }

    #[getter]
    fn name<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        let taken = self.name.with(py, |name| name.as_ref().map(|name| name.clone_ref(py)));
        match taken {
            Some(name) => name.to_text(py),
            None => fallible::string(py, "?"),
        }
    }

    #[setter]
    fn set_name(&self, py: Python<'_>, name: Bound<'_, PyString>) {
        drop(self.name.replace(py, Some(TaskName::given(name))));
    }

    /// The nursery that this task runs in; ``None`` for the root task.
    #[getter]
    fn parent_nursery(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.parent_nursery.get(py)
    }

    /// The nursery that this task will be in once it calls ``task_status.started``; else ``None``.
    #[getter]
    fn eventual_parent_nursery(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.eventual_nursery.get(py)
    }

    /// The nurseries that this task has open, outermost first.
    #[getter]
    fn child_nurseries<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        fallible::list_of(py, self.open_nurseries(py))
    }

    #[getter]
    fn _child_nurseries<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        fallible::list_of(py, self.open_nurseries(py))
    }

    #[getter]
    fn custom_sleep_data(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.sleep_data.get(py)
    }

    #[setter]
    fn set_custom_sleep_data(&self, py: Python<'_>, data: Option<Py<PyAny>>) {
        self.sleep_data.put(py, data);
    }

    #[getter]
    fn _runner(&self, py: Python<'_>) -> Py<Runner> {
        self.runner.clone_ref(py)
    }

    #[getter]
    fn _counter(&self) -> u64 {
        self.number
    }

    #[getter]
    fn _ki_protected(&self) -> bool {
        self.protected
    }

    #[getter]
    fn _schedule_points(&self, py: Python<'_>) -> u64 {
        self.schedule_points.get(py)
    }

    #[getter]
    fn _cancel_points(&self, py: Python<'_>) -> u64 {
        self.cancel_points.get(py)
    }

    #[getter]
    fn _cancel_status(slf: Py<Self>) -> CancelStatus {
        CancelStatus { task: slf }
    }

    /// Iterates over the frames of everything that this task awaits, outermost first.
    ///
    /// Yields pairs of a frame and the line number it is at, as :func:`traceback.walk_stack` does, for
    /// :meth:`traceback.StackSummary.extract`. A finished task has none.
    fn iter_await_frames<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let coroutine = body::coroutine(slf)?;
        crate::interop::imports::await_frames(py)?.call1((coroutine,))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        Self::label(slf).to_text(slf.py())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        self.release();
    }
}

impl Task {
    /// Prepares the class. Call before the first task is made.
    pub fn prepare(py: Python<'_>) {
        pool::install::<Self>(py);
    }

    /// What the task's `repr` shows, without keeping the task alive.
    pub fn label(task: &Bound<'_, Self>) -> TaskLabel {
        let py = task.py();
        let name = task.get().name.with(py, |name| name.as_ref().map(|name| name.clone_ref(py)));
        let name = name.unwrap_or_else(|| TaskName::given(intern!(py, "?").clone()));
        TaskLabel { name, address: task.as_ptr() as usize }
    }

    /// The nurseries that the task has open, outermost first.
    pub fn open_nurseries(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.child_nurseries
            .with(py, |open| open.iter().map(|nursery| nursery.clone_ref(py)).collect())
    }

    /// Will the task's next checkpoint raise `Cancelled`?
    #[inline]
    pub fn is_cancelled(&self, py: Python<'_>) -> bool {
        self.node
            .get(py)
            .is_some_and(|node| self.runner.get().scopes.with(py, |tree| tree.is_effective(node)))
    }

    /// Is Ctrl-C waiting to be delivered, and is this the task that gets it?
    #[inline]
    pub fn is_interrupted(&self, py: Python<'_>) -> bool {
        let runner = self.runner.get();
        runner.interrupt_pending.get(py) && self.is_main(py)
    }

    /// Is this the task of the run's main function?
    pub fn is_main(&self, py: Python<'_>) -> bool {
        self.runner.get().main_task.holds(py, self)
    }

    /// Has the coroutine and the context fetched into the processor's caches.
    #[inline]
    pub fn prefetch_coroutine(&self, py: Python<'_>) {
        self.coroutine.prefetch(py);
        self.context.prefetch(py);
    }

    /// Gives the task another coroutine to run.
    pub fn replace_body(&self, py: Python<'_>, coroutine: Py<PyAny>) {
        self.has_plain_body.set(py, false);
        self.coroutine.put(py, Some(coroutine));
    }

    /// Has the collector look at the context: the run will not keep the task alive any longer.
    #[inline]
    pub fn show_context(&self, py: Python<'_>) {
        if self.hides_context.get(py) {
            self.hides_context.set(py, false);
            if let Some(context) = self.context.get(py) {
                context::show(&context);
                context.drop_ref(py);
            }
        }
    }

    /// Does something wait to be delivered at the next checkpoint?
    #[inline]
    pub fn has_pending_interruption(&self, py: Python<'_>) -> bool {
        self.is_cancelled(py) || self.is_interrupted(py)
    }

    /// Counts a point at which the task could have been cancelled.
    #[inline]
    pub fn count_cancel_point(&self, py: Python<'_>) {
        self.cancel_points.set(py, self.cancel_points.get(py) + 1);
    }
}

/// A task's cancellation state as other libraries look at it.
#[pyclass(frozen, module = "trio._core._run", name = "CancelStatus")]
pub struct CancelStatus {
    task: Py<Task>,
}

#[pymethods]
impl CancelStatus {
    /// Will the task's next checkpoint raise ``Cancelled``?
    #[getter]
    fn effectively_cancelled(&self, py: Python<'_>) -> bool {
        self.task.get().is_cancelled(py)
    }

    /// The innermost scope around the task, while it is alive.
    #[getter]
    fn _scope(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let task = self.task.get();
        let leaf = task.node.get(py)?;
        task.runner.get().scopes.with(py, |tree| {
            let scope = tree.owner(tree.parent(leaf)?)?;
            Some(scope.clone_ref(py).into_any())
        })
    }
}
