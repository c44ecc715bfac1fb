//! `wait_all_tasks_blocked`: running once nobody else wants to.

use pyo3::prelude::*;

use crate::core::current;
use crate::kernel::IdleKey;
use crate::task::{park, receive, AbortOutcome, Interruption, Plan, Task};
use crate::trap::{Awaitable, Leaf, NewAwaitable, Poll, Request};

struct WaitAllTasksBlocked {
    cushion: f64,
}

impl Leaf for WaitAllTasksBlocked {
    fn poll(&mut self, py: Python<'_>, turn: u32) -> PyResult<Poll> {
        let task = current::task(py)?;
        if turn > 0 {
            return receive(&task).map(|_| Poll::Ready);
        }
        let waiter = task.clone().unbind();
        let key = task.get().runner.get().idle.with(py, |idle| idle.insert(self.cushion, waiter));
        park(py, task.get(), Plan { abort: stop_waiting, place: None, key: key.0 });
        Ok(Poll::Trap(Request::Park))
    }
}

fn stop_waiting(
    task: &Bound<'_, Task>,
    plan: &Plan,
    _why: &Interruption,
) -> PyResult<AbortOutcome> {
    let key = IdleKey(plan.key);
    let removed = task.get().runner.get().idle.with(task.py(), |idle| idle.remove(key));
    drop(removed);
    Ok(AbortOutcome::Succeeded)
}

/// Wait until no other task can run.
///
/// For tests: returns when every other task is blocked, and has been for a while. Tasks that wait in
/// this function themselves do not count. A checkpoint.
///
/// Arguments:
///     cushion: for how many seconds everybody has to have been blocked. Of several callers those with
///         the lowest cushion go first.
#[pyfunction]
#[pyo3(signature = (cushion = 0.0))]
pub fn wait_all_tasks_blocked(cushion: f64) -> NewAwaitable {
    Awaitable::new("wait_all_tasks_blocked", WaitAllTasksBlocked { cushion })
}
