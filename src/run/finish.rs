//! The end of a task: its outcome reaches its nursery, or the run.

use pyo3::exceptions::{PyBaseException, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::cancel::{deliver, CancelScope, MISNESTING_ADVICE};
use crate::core::instruments::Hook;
use crate::core::{Reason, Runner, ScopeChange, Source};
use crate::interop::cell::discard;
use crate::interop::errors::{set_context, TrioInternalError};
use crate::interop::fallible::{self, raise};
use crate::kernel::tripwires::tripwire;
use crate::nursery::Nursery;
use crate::sync::task_exited;
use crate::task::Task;

type Ending<'py> = PyResult<Bound<'py, PyAny>>;

/// Books a task out and hands its outcome to whoever cares.
pub fn finish<'py>(
    runner: &Bound<'py, Runner>,
    task: &Bound<'py, Task>,
    outcome: Ending<'py>,
) -> PyResult<()> {
    let py = runner.py();
    let run = runner.get();
    task_exited(py, task)?;
    let outcome = check_nesting(run, task, outcome)?;
    let mut change = ScopeChange::default();
    if let Some(leaf) = task.get().node.get(py) {
        task.get().show_context(py);
        task.get().node.set(py, None);
        let removed = run.scopes.with(py, |tree| tree.remove_task(leaf, &mut change));
        discard(py, removed);
    }
    deliver(py, run, change)?;
    tripwire!(TaskFinished);
    run.living.set(py, run.living.get(py) - 1);
    let nursery = task.get().parent_nursery.get(py).map(|nursery| nursery.into_bound(py));
    match nursery {
        None => finish_root(run, py, outcome)?,
        Some(nursery) => {
            let error = if task.get().is_main(py) {
                let outcome = outcome.map(Bound::unbind).map_err(|error| error.into_value(py));
                let kept = run.main_outcome.replace(py, Some(outcome));
                drop(kept);
                None
            } else {
                outcome.err().map(|error| error.into_value(py))
            };
            Nursery::child_finished(nursery.cast()?, task, error)?;
        }
    }
    let instruments = run.instruments.get();
    if instruments.watch(py, Hook::TaskExited) {
        instruments.notify(py, Hook::TaskExited, &PyTuple::new(py, [task])?);
    }
    Ok(())
}

fn finish_root<'py>(run: &Runner, py: Python<'py>, outcome: Ending<'py>) -> PyResult<()> {
    outcome?;
    if run.living.get(py) > 0 {
        return Err(raise::<TrioInternalError>(
            py,
            "tasks are left although the root task has ended",
        ));
    }
    Ok(())
}

/// Replaces the outcome of a task that has left a nursery open, or whose surroundings were closed
/// before it ended, by an error that says so.
fn check_nesting<'py>(
    run: &Runner,
    task: &Bound<'py, Task>,
    outcome: Ending<'py>,
) -> PyResult<Ending<'py>> {
    let py = task.py();
    let open = task.get().open_nurseries(py);
    let what = if open.is_empty() {
        let Some(leaf) = task.get().node.get(py) else { return Ok(outcome) };
        let orphaned = run.scopes.with(py, |tree| {
            tree.parent(leaf)
                .is_some_and(|scope| tree.is_abandoned(scope) && tree.parent(scope).is_none())
        });
        if !orphaned {
            return Ok(outcome);
        }
        format!("Cancel scope stack corrupted: Cancel scope surrounding {}", task.repr()?)
    } else {
        for nursery in open {
            abandon(task, nursery.bind(py).cast()?)?;
        }
        format!("Nursery stack corrupted: Nursery surrounding {}", task.repr()?)
    };
    let text = format!("{what} was closed before the task exited\n{MISNESTING_ADVICE}");
    let error = raise::<PyRuntimeError>(py, text);
    let context: Option<Bound<'_, PyBaseException>> =
        outcome.err().map(|error| error.into_value(py).into_bound(py));
    set_context(py, &error, context.as_ref());
    Ok(Err(error))
}

/// The task that opened the nursery is gone: end what is in it.
fn abandon(task: &Bound<'_, Task>, nursery: &Bound<'_, Nursery>) -> PyResult<()> {
    let py = task.py();
    nursery.get().abandon(py);
    let text =
        "Parent Task exited prematurely, abandoning this nursery without exiting it properly.";
    let text = fallible::string(py, text)?.into_any().unbind();
    let reason = Reason::detailed(Source::Nursery, Some(text), Some(Task::label(task)));
    CancelScope::cancel_because(&nursery.get().scope(py), reason)
}
