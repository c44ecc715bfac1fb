//! Tasks entering, leaving, and changing nurseries.

use pyo3::exceptions::{PyBaseException, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::Nursery;
use crate::cancel::{deliver, CancelScope};
use crate::core::{Reason, Runner, ScopeChange, Source, TaskLabel};
use crate::interop::fallible::{self, raise};
use crate::kernel::tripwires::tripwire;
use crate::kernel::SlabKey;
use crate::task::{reschedule, spawn, Birth, Resume, Task};

/// What can be said about a new task besides its function.
#[derive(Default)]
pub struct SpawnOptions<'a, 'py> {
    pub name: Option<&'a Bound<'py, PyAny>>,
    pub kwargs: Option<&'a Bound<'py, PyDict>>,
    /// The nursery that the task will move to when it has started.
    pub eventual: Option<Py<PyAny>>,
    /// Is it a system task: protected from Ctrl-C?
    pub protected: bool,
    /// The context to run in, instead of a copy of the current one.
    pub context: Option<Bound<'py, PyAny>>,
}

/// Runs `function` in a new task of `nursery`.
pub fn spawn_into<'py>(
    runner: &Bound<'py, Runner>,
    nursery: &Bound<'py, Nursery>,
    function: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    options: SpawnOptions<'_, 'py>,
) -> PyResult<Bound<'py, Task>> {
    let py = nursery.py();
    let this = nursery.get();
    // One that a crashed run has left behind is of no use to another run.
    if this.closed.get(py) || !this.parent.get().runner.is(runner) {
        return Err(raise::<PyRuntimeError>(py, "Nursery is closed to new arrivals"));
    }
    let birth = Birth {
        function,
        args,
        kwargs: options.kwargs,
        name: options.name,
        scope: this.node,
        nursery: Some(nursery.clone().into_any().unbind()),
        protected: options.protected,
        context: options.context,
    };
    let task = spawn(runner, birth)?;
    if options.eventual.is_some() {
        task.get().eventual_nursery.put(py, options.eventual);
    }
    Nursery::adopt(nursery, &task);
    Task::launch(&task)?;
    Ok(task)
}

impl Nursery {
    /// Puts a task into the list of children.
    fn adopt(nursery: &Bound<'_, Self>, task: &Bound<'_, Task>) {
        let py = nursery.py();
        let child = task.clone().unbind();
        let slot = nursery.get().children.with(py, |all| all.insert(child));
        task.get().nursery_slot.set(py, slot.to_bits());
    }

    /// A child task has ended, with `error` if it raised.
    pub fn child_finished(
        nursery: &Bound<'_, Self>,
        task: &Bound<'_, Task>,
        error: Option<Py<PyBaseException>>,
    ) -> PyResult<()> {
        let py = nursery.py();
        let slot = SlabKey::from_bits(task.get().nursery_slot.get(py));
        let removed = nursery.get().children.with(py, |all| all.remove(slot));
        tripwire!(ChildGone);
        // In a nursery that was abandoned by its parent, nobody is left to raise it.
        if let Some(error) = error.filter(|_| !nursery.get().closed.get(py)) {
            let label = Task::label(task);
            Self::add_exception(nursery, error, Some("child task"), Source::Nursery, Some(label))?;
        }
        drop(removed);
        Self::check_finished(nursery)
    }

    /// Collects an exception and cancels everybody in the nursery; `what` names what raised it.
    pub(super) fn add_exception(
        nursery: &Bound<'_, Self>,
        error: Py<PyBaseException>,
        what: Option<&str>,
        source: Source,
        culprit: Option<TaskLabel>,
    ) -> PyResult<()> {
        let py = nursery.py();
        let scope = nursery.get().cancel_scope.bind(py);
        let kept = error.clone_ref(py);
        nursery.get().pending_excs.with(py, |all| all.push(kept));
        if scope.get().is_cancelled(py) {
            return Ok(());
        }
        let text = match what {
            Some(what) => {
                let text = format!("{what} raised exception {}", error.bind(py).repr()?);
                Some(fallible::string(py, &text)?.into_any().unbind())
            }
            None => None,
        };
        let reason = Reason::detailed(source, text, culprit);
        CancelScope::cancel_because(scope, reason)
    }

    /// Closes the nursery if nobody is left, and wakes the parent if it waits for that.
    pub(super) fn check_finished(nursery: &Bound<'_, Self>) -> PyResult<()> {
        let py = nursery.py();
        let this = nursery.get();
        let finished = this.nested_finished.get(py)
            && this.pending_starts.get(py) == 0
            && this.children.with(py, |all| all.is_empty());
        if !finished {
            return Ok(());
        }
        this.closed.set(py, true);
        if this.parent_waits.get(py) {
            this.parent_waits.set(py, false);
            return reschedule(this.parent.bind(py), Resume::Nothing);
        }
        Ok(())
    }

    /// Moves all tasks, with everything that they have open, to `target`.
    pub(super) fn migrate(nursery: &Bound<'_, Self>, target: &Bound<'_, Self>) -> PyResult<()> {
        let py = nursery.py();
        let this = nursery.get();
        let tasks = this.children.with(py, std::mem::take);
        for task in tasks.iter() {
            let task = task.bind(py);
            let home = target.clone().into_any().unbind();
            let old = task.get().parent_nursery.replace(py, Some(home));
            let eventual = task.get().eventual_nursery.take(py);
            Self::adopt(target, task);
            drop((old, eventual));
        }
        drop(tasks);
        let runner = this.parent.get().runner.get();
        let stays = this.parent.get().node.get(py);
        let mut change = ScopeChange::default();
        runner.scopes.with(py, |tree| {
            tree.move_children(this.node, target.get().node, stays, &mut change);
        });
        deliver(py, runner, change)?;
        Self::check_finished(nursery)
    }
}
