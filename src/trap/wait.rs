//! Sleeping with an abort function that is written in Python.

use pyo3::prelude::*;

use super::{Awaitable, Leaf, NewAwaitable, Poll, Request};
use crate::core::current;
use crate::interop::errors::TrioInternalError;
use crate::interop::fallible::raise;
use crate::interop::imports;
use crate::task::{park, receive, AbortOutcome, Interruption, Plan, Task};

/// The callable that an abort function gets: raises whatever interrupts the sleep.
#[pyclass(frozen, module = "trio._core._traps", name = "raise_cancel")]
struct RaiseCancel {
    why: Interruption,
}

#[pymethods]
impl RaiseCancel {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        if matches!(self.why, Interruption::Keyboard) {
            if let Some(runner) = current::runner_or_none(py) {
                runner.get().interrupt_pending.set(py, false);
            }
        }
        Err(self.why.to_error(py))
    }
}

fn call_python(task: &Bound<'_, Task>, plan: &Plan, why: &Interruption) -> PyResult<AbortOutcome> {
    let py = task.py();
    let Some(function) = &plan.place else { return Ok(AbortOutcome::Succeeded) };
    let raise_cancel = Bound::new(py, RaiseCancel { why: why.clone() })?;
    let answer = function.bind(py).call1((raise_cancel,))?;
    let members = imports::abort_members(py)?;
    if answer.is(&members.get_item(0)?) {
        Ok(AbortOutcome::Succeeded)
    } else if answer.is(&members.get_item(1)?) {
        Ok(AbortOutcome::Failed)
    } else {
        Err(raise::<TrioInternalError>(py, "abort function must return Abort enum"))
    }
}

struct WaitForReschedule {
    abort: Option<Py<PyAny>>,
}

impl Leaf for WaitForReschedule {
    fn poll(&mut self, py: Python<'_>, turn: u32) -> PyResult<Poll> {
        let task = current::task(py)?;
        if turn > 0 {
            return Ok(receive(&task)?.map_or(Poll::Ready, Poll::Value));
        }
        let plan = Plan { abort: call_python, place: self.abort.take(), key: 0 };
        park(py, task.get(), plan);
        Ok(Poll::Trap(Request::Park))
    }

    fn trace(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(&self.abort)
    }
}

/// The native half of `wait_task_rescheduled`.
#[pyfunction]
pub fn wait_for_reschedule(abort_func: Py<PyAny>) -> NewAwaitable {
    Awaitable::new("wait_task_rescheduled", WaitForReschedule { abort: Some(abort_func) })
}

/// Announces the abort function of the running task, which then has to yield `Trap.park()` itself.
#[pyfunction]
pub fn announce_abort(py: Python<'_>, abort_func: Py<PyAny>) -> PyResult<()> {
    let task = current::task(py)?;
    park(py, task.get(), Plan { abort: call_python, place: Some(abort_func), key: 0 });
    Ok(())
}
