//! `sleep` and friends: a deadline that wakes the task instead of cancelling a scope.
//!
//! As far as anybody can tell, a sleep is a scope with a deadline around a wait that never ends. If a
//! scope around the sleep is cancelled by the time the task runs again, the sleep therefore ends with
//! `Cancelled` although its own deadline has passed, too.

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::core::{current, Due};
use crate::kernel::DeadlineKey;
use crate::task::{park, pending_cancellation, receive, AbortOutcome, Interruption, Plan, Task};
use crate::trap::{poll_checkpoint, Awaitable, Leaf, NewAwaitable, Poll, Request};

enum Until {
    Seconds(f64),
    Deadline(f64),
}

struct Sleep {
    until: Until,
}

impl Leaf for Sleep {
    fn poll(&mut self, py: Python<'_>, turn: u32) -> PyResult<Poll> {
        let deadline = match self.until {
            Until::Seconds(0.0) => return poll_checkpoint(py, turn),
            Until::Seconds(seconds) if turn == 0 && seconds < 0.0 => {
                return Err(PyValueError::new_err("`seconds` must be non-negative"));
            }
            Until::Seconds(seconds) if turn == 0 => current::runner(py)?.get().now(py)? + seconds,
            Until::Deadline(deadline) => deadline,
            Until::Seconds(_) => 0.0,
        };
        if turn == 0 {
            if deadline.is_nan() {
                return Err(PyValueError::new_err("deadline must not be NaN"));
            }
            return go_to_sleep(&current::task(py)?, deadline);
        }
        let task = current::task(py)?;
        if receive(&task)?.is_some() {
            return Err(PyRuntimeError::new_err("Should never have been rescheduled!"));
        }
        pending_cancellation(&task).map_or(Ok(Poll::Ready), Err)
    }
}

fn go_to_sleep(task: &Bound<'_, Task>, deadline: f64) -> PyResult<Poll> {
    let py = task.py();
    let mut plan = Plan::nothing_to_undo();
    if deadline != f64::INFINITY {
        let runner = task.get().runner.get();
        let sleeper = Due::Sleeper(task.clone().unbind());
        let (key, is_nearest) = runner.deadlines.with(py, |heap| {
            let is_nearest = heap.next().is_none_or(|next| deadline < next);
            (heap.insert(deadline, sleeper), is_nearest)
        });
        plan = Plan { abort: stop_sleeping, place: None, key: key.to_bits() };
        if is_nearest {
            runner.nudge_host(py);
        }
    }
    park(py, task.get(), plan);
    Ok(Poll::Trap(Request::Park))
}

fn stop_sleeping(
    task: &Bound<'_, Task>,
    plan: &Plan,
    _why: &Interruption,
) -> PyResult<AbortOutcome> {
    let py = task.py();
    let key = DeadlineKey::from_bits(plan.key);
    let removed = task.get().runner.get().deadlines.with(py, |heap| heap.remove(key));
    drop(removed);
    Ok(AbortOutcome::Succeeded)
}

/// Wait for a number of seconds.
///
/// A checkpoint, also for zero seconds.
///
/// Arguments:
///     seconds: how long; zero gives other tasks one turn.
///
/// Raises:
///     ValueError: if ``seconds`` is negative or not a number.
#[pyfunction]
pub fn sleep(seconds: f64) -> NewAwaitable {
    Awaitable::plain("sleep", Sleep { until: Until::Seconds(seconds) })
}

/// Wait until the run's clock shows a certain time.
///
/// A checkpoint, also if that time has passed.
///
/// Arguments:
///     deadline: the time, in seconds on the clock of :func:`current_time`.
///
/// Raises:
///     ValueError: if ``deadline`` is not a number.
#[pyfunction]
pub fn sleep_until(deadline: f64) -> NewAwaitable {
    Awaitable::plain("sleep_until", Sleep { until: Until::Deadline(deadline) })
}

/// Wait until cancelled. A checkpoint.
#[pyfunction]
pub fn sleep_forever() -> NewAwaitable {
    Awaitable::plain("sleep_forever", Sleep { until: Until::Deadline(f64::INFINITY) })
}
