//! Working off the entry queue, on behalf of the system task that does nothing else.

use pyo3::prelude::*;

use crate::core::entry_queue::Call;
use crate::core::{current, Runner};
use crate::interop::{imports, panics};
use crate::kernel::tripwires::tripwire;
use crate::task::{park, receive, reschedule, AbortOutcome, Interruption, Plan, Resume, Task};
use crate::trap::{Awaitable, Leaf, NewAwaitable, Poll, Request};

struct WaitForEntryCalls;

impl Leaf for WaitForEntryCalls {
    fn poll(&mut self, py: Python<'_>, turn: u32) -> PyResult<Poll> {
        let task = current::task(py)?;
        if turn > 0 {
            return receive(&task).map(|_| Poll::Ready);
        }
        let waiter = Some(task.clone().unbind());
        task.get().runner.get().entry_task.put(py, waiter);
        park(py, task.get(), Plan { abort: stop_waiting, place: None, key: 0 });
        Ok(Poll::Trap(Request::Park))
    }
}

fn stop_waiting(
    task: &Bound<'_, Task>,
    _plan: &Plan,
    _why: &Interruption,
) -> PyResult<AbortOutcome> {
    task.get().runner.get().entry_task.put(task.py(), None);
    Ok(AbortOutcome::Succeeded)
}

/// Waits until something is in the entry queue.
#[pyfunction]
pub fn wait_for_entry_calls() -> NewAwaitable {
    Awaitable::new("wait_for_entry_calls", WaitForEntryCalls)
}

/// Makes the entry queue's task runnable if it waits and there is work for it.
///
/// # Errors
/// `TrioInternalError` if a thread panicked while it put a call into the queue.
#[inline]
pub fn wake_entry_task(py: Python<'_>, runner: &Runner) -> PyResult<()> {
    if !runner.entry.is_pending() {
        return Ok(());
    }
    if let Some(panic) = runner.entry.take_panic() {
        return Err(panics::to_error(py, &panic));
    }
    tripwire!(CallsNoticed);
    match runner.entry_task.take(py) {
        Some(task) => reschedule(task.bind(py), Resume::Nothing),
        None => Ok(()),
    }
}

/// Calls what is in the entry queue now, first the plain calls, then the idempotent ones, and tells
/// whether more has come meanwhile. With ``close``, refuses calls from then on.
#[pyfunction]
#[pyo3(signature = (*, close = false))]
pub fn run_entry_calls(py: Python<'_>, close: bool) -> PyResult<bool> {
    let runner = current::runner(py)?;
    let queue = &runner.get().entry;
    if close {
        queue.close();
    }
    queue.acknowledge();
    tripwire!(CallsWorkedOff);
    let plain = queue.plain_len();
    for _ in 0..plain {
        let Some(call) = queue.pop() else { break };
        run_one(py, call)?;
    }
    for call in queue.take_idempotent(py)? {
        run_one(py, call)?;
    }
    Ok(queue.len(py) > 0)
}

fn run_one(py: Python<'_>, call: Call) -> PyResult<()> {
    if let Err(error) = call.function.bind(py).call1(call.args.bind(py)) {
        imports::crash_run(py)?.call1((error.into_value(py),))?;
    }
    Ok(())
}
