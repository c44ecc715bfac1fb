//! One step: resume a task's coroutine in its context, and act on what comes out.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::finish::finish;
use crate::core::instruments::Hook;
use crate::core::Runner;
use crate::interop::context::EnteredContext;
use crate::interop::coroutine::{throw, Resumed};
use crate::interop::errors::raised_again;
use crate::interop::fallible::raise;
use crate::kernel::tripwires::tripwire;
use crate::task::{deliver_pending, go_on, reschedule, Resume, Task};
use crate::trap::{Request, Trap};

/// Runs one step of a task that was taken from the run queue.
///
/// # Errors
/// Only if the loop itself cannot go on; what the task raises is the task's outcome. If that is a panic
/// of native code, which is an exception meanwhile, PyO3 lets it go on as a panic.
pub fn step(runner: &Bound<'_, Runner>, task: &Bound<'_, Task>) -> PyResult<()> {
    let py = runner.py();
    let run = runner.get();
    let instruments = run.instruments.get();
    let _current = Current::set(run, task);
    if instruments.watch(py, Hook::BeforeTaskStep) {
        instruments.notify(py, Hook::BeforeTaskStep, &PyTuple::new(py, [task])?);
    }
    let resumed = resume_task(task)?;
    match resumed {
        Resumed::Yielded(message) => match message.cast_into_exact::<Trap>() {
            Ok(trap) => obey(task, &trap)?,
            Err(error) => refuse(task, error.into_inner())?,
        },
        Resumed::Returned(value) => finish(runner, task, Ok(value))?,
        Resumed::Raised(error) => finish(runner, task, Err(error))?,
    }
    if instruments.watch(py, Hook::AfterTaskStep) {
        instruments.notify(py, Hook::AfterTaskStep, &PyTuple::new(py, [task])?);
    }
    Ok(())
}

#[inline]
fn resume_task<'py>(task: &Bound<'py, Task>) -> PyResult<Resumed<'py>> {
    let py = task.py();
    let this = task.get();
    this.schedule_points.set(py, this.schedule_points.get(py) + 1);
    this.scheduled.set(py, false);
    let (Some(coroutine), Some(context)) = (this.coroutine.get(py), this.context(py)) else {
        return Ok(Resumed::Returned(py.None().into_bound(py)));
    };
    let coroutine = coroutine.into_bound(py);
    let _entered = EnteredContext::enter(context.into_bound(py))?;
    tripwire!(TaskStepped);
    if this.throws.get(py) {
        this.throws.set(py, false);
        if let Resume::Error(error) = this.inbox.take(py) {
            return Ok(throw(&coroutine, raised_again(py, error)));
        }
    }
    Ok(go_on(&coroutine))
}

/// Marks a task as the one whose step is under way, until dropped.
struct Current<'a, 'py> {
    run: &'a Runner,
    py: Python<'py>,
}

impl<'a, 'py> Current<'a, 'py> {
    #[inline]
    fn set(run: &'a Runner, task: &Bound<'py, Task>) -> Self {
        run.current.put(task.py(), Some(task.clone().unbind()));
        Self { run, py: task.py() }
    }
}

impl Drop for Current<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        self.run.current.put(self.py, None);
    }
}

/// Does what a trap asks for.
#[inline]
fn obey(task: &Bound<'_, Task>, trap: &Bound<'_, Trap>) -> PyResult<()> {
    let py = task.py();
    tripwire!(TrapObeyed);
    match trap.get().request {
        Request::Checkpoint => reschedule(task, Resume::Nothing),
        Request::Park => {
            task.get().count_cancel_point(py);
            task.get().armed.set(py, true);
            if task.get().has_pending_interruption(py) {
                deliver_pending(task)?;
            }
            Ok(())
        }
        Request::Detach => {
            let runner = task.get().runner.bind(py);
            let outcome = trap.get().outcome.as_ref().map(|outcome| outcome.bind(py));
            let unwrapped = match outcome {
                Some(outcome) => outcome.call_method0(pyo3::intern!(py, "unwrap")),
                None => Ok(py.None().into_bound(py)),
            };
            finish(runner, task, unwrapped)
        }
    }
}

/// The task has yielded something that the loop does not know: tell it.
#[cold]
fn refuse(task: &Bound<'_, Task>, message: Bound<'_, PyAny>) -> PyResult<()> {
    let py = task.py();
    let shown = message.repr()?;
    let text = format!(
        "trio.run received unrecognized yield message {shown}. Are you trying to use a library \
         written for some other framework like asyncio? That won't work without some kind of \
         compatibility shim."
    );
    let error = raise::<PyTypeError>(py, text);
    drop(message);
    task.get().throws.set(py, true);
    reschedule(task, Resume::Error(error.into_value(py)))
}
