//! `sleep` and friends: a deadline that wakes the task instead of cancelling a scope.
//!
//! As far as anybody can tell, a sleep is a scope with a deadline around a wait that never ends. If a
//! scope around the sleep is cancelled by the time the task runs again, the sleep therefore ends with
//! `Cancelled` although its own deadline has passed, too; and the deadline is the reason, because it
//! came first.

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::core::{current, Due, Reason, Source};
use crate::interop::errors::{raised_here, Cancelled};
use crate::interop::fallible::raise;
use crate::kernel::tripwires::tripwire;
use crate::kernel::DeadlineKey;
use crate::task::{park, pending_cancellation, receive, AbortOutcome, Interruption, Plan, Task};
use crate::trap::{poll_checkpoint, Awaitable, Leaf, NewAwaitable, Poll, Request};

#[derive(Clone, Copy)]
enum Until {
    Seconds(f64),
    Deadline(f64),
    /// The deadline had passed when the sleep began.
    Past,
}

struct Sleep {
    until: Until,
}

impl Leaf for Sleep {
    fn poll(&mut self, py: Python<'_>, turn: u32) -> PyResult<Poll> {
        if turn > 0 {
            return match self.until {
                Until::Seconds(0.0) => poll_checkpoint(py, turn),
                // Ctrl-C is delivered as at any checkpoint, and received in the turn after.
                Until::Past if turn == 1 && current::task(py)?.get().is_interrupted(py) => {
                    poll_checkpoint(py, turn)
                }
                _ => wake_up(&current::task(py)?),
            };
        }
        let task = current::task(py)?;
        let now = || task.get().runner.get().now(py);
        let deadline = match self.until {
            Until::Seconds(0.0) | Until::Past => return poll_checkpoint(py, turn),
            Until::Seconds(seconds) if seconds < 0.0 => {
                return Err(raise::<PyValueError>(py, "`seconds` must be non-negative"));
            }
            Until::Seconds(seconds) => now()? + seconds,
            Until::Deadline(deadline) => {
                if deadline != f64::INFINITY && now()? >= deadline {
                    self.until = Until::Past;
                    return poll_checkpoint(py, turn);
                }
                deadline
            }
        };
        if deadline.is_nan() {
            return Err(raise::<PyValueError>(py, "deadline must not be NaN"));
        }
        go_to_sleep(&task, deadline)
    }
}

/// The end of a sleep, by its deadline or by an interruption.
fn wake_up(task: &Bound<'_, Task>) -> PyResult<Poll> {
    let py = task.py();
    if receive(task)?.is_some() {
        return Err(raise::<PyRuntimeError>(py, "Should never have been rescheduled!"));
    }
    pending_cancellation(task).map_or(Ok(Poll::Ready), |error| Err(overslept(py, error)))
}

/// The error for a task that is cancelled when its sleep's deadline has passed, which is then the reason.
fn overslept(py: Python<'_>, error: PyErr) -> PyErr {
    if error.is_instance_of::<Cancelled>(py) {
        return raised_here(py, Reason::plain(Source::Deadline).to_error(py));
    }
    error
}

fn go_to_sleep(task: &Bound<'_, Task>, deadline: f64) -> PyResult<Poll> {
    let py = task.py();
    let mut plan = Plan::nothing_to_undo();
    if deadline != f64::INFINITY {
        let runner = task.get().runner.get();
        let sleeper = Due::Sleeper(task.clone().unbind());
        let (key, is_nearest) = runner.deadlines.with(py, |heap| {
            let is_nearest = heap.next().is_none_or(|next| deadline < next);
            let key = heap.insert(deadline, sleeper);
            tripwire!(SleepBegun);
            (key, is_nearest)
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
