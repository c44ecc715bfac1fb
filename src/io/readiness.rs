//! `wait_readable`, `wait_writable`, `notify_closing`: readiness of any file descriptor.

use std::os::fd::RawFd;

use pyo3::exceptions::{PyOSError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;

use crate::core::poller::{Direction, WaitRefused};
use crate::core::{current, Runner};
use crate::interop::errors::{os_error, BusyResourceError, ClosedResourceError};
use crate::task::{park, receive, reschedule, AbortOutcome, Interruption, Plan, Resume, Task};
use crate::trap::{Awaitable, Leaf, NewAwaitable, Poll, Request};

struct WaitReady {
    target: Py<PyAny>,
    direction: Direction,
}

impl Leaf for WaitReady {
    fn poll(&mut self, py: Python<'_>, turn: u32) -> PyResult<Poll> {
        let task = current::task(py)?;
        if turn > 0 {
            return receive(&task).map(|_| Poll::Ready);
        }
        let fd = descriptor(self.target.bind(py))?;
        begin(&task, fd, self.direction)?;
        Ok(Poll::Trap(Request::Park))
    }

    fn trace(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(&self.target)
    }
}

/// Lets the running task wait for a descriptor; it then has to yield `Park`.
pub fn begin(task: &Bound<'_, Task>, fd: RawFd, direction: Direction) -> PyResult<()> {
    let py = task.py();
    let runner = task.get().runner.get();
    let waiter = task.clone().unbind();
    let mut woken = Vec::new();
    let result = runner.poller.with(py, |poller| {
        poller.as_mut().map(|poller| poller.wait(fd, direction, waiter, &mut woken))
    });
    wake_all(py, woken)?;
    match result {
        Some(Ok(())) => {}
        Some(Err((WaitRefused::Busy, task))) => {
            drop(task);
            return Err(BusyResourceError::new_err(
                "another task is already reading / writing this fd",
            ));
        }
        Some(Err((WaitRefused::Os(error), task))) => {
            drop(task);
            return Err(os_error(py, &error));
        }
        None => return Err(PyOSError::new_err("the run's poller is closed")),
    }
    #[allow(clippy::cast_sign_loss, reason = "undone in `stop_waiting`")]
    let place = (fd as u32 as u64) << 1 | u64::from(direction == Direction::Write);
    park(py, task.get(), Plan { abort: stop_waiting, place: None, key: place });
    Ok(())
}

fn stop_waiting(
    task: &Bound<'_, Task>,
    plan: &Plan,
    _why: &Interruption,
) -> PyResult<AbortOutcome> {
    let py = task.py();
    let direction = if plan.key & 1 == 1 { Direction::Write } else { Direction::Read };
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "takes apart what `begin` put together"
    )]
    let fd = (plan.key >> 1) as u32 as RawFd;
    let mut woken = Vec::new();
    let removed = task.get().runner.get().poller.with(py, |poller| {
        poller.as_mut().and_then(|poller| poller.withdraw(fd, direction, &mut woken))
    });
    drop(removed);
    wake_all(py, woken)?;
    Ok(AbortOutcome::Succeeded)
}

fn wake_all(py: Python<'_>, tasks: Vec<Py<Task>>) -> PyResult<()> {
    tasks.into_iter().try_for_each(|task| reschedule(task.bind(py), Resume::Nothing))
}

/// The descriptor of an int or of an object with `fileno()`.
pub fn descriptor(target: &Bound<'_, PyAny>) -> PyResult<RawFd> {
    if let Ok(fd) = target.extract::<RawFd>() {
        return Ok(fd);
    }
    match target.getattr_opt(intern!(target.py(), "fileno"))? {
        Some(fileno) => fileno.call0()?.extract(),
        None => Err(PyTypeError::new_err("argument must be an int, or have a fileno() method.")),
    }
}

/// Wait until a file descriptor can be read from.
///
/// Also returns if it is at its end or broken: then reading says so. A checkpoint.
///
/// Arguments:
///     fd: a descriptor, or an object with a ``fileno()`` method.
///
/// Raises:
///     BusyResourceError: if another task is waiting for the same.
///     ClosedResourceError: if somebody calls :func:`notify_closing` meanwhile.
#[pyfunction]
pub fn wait_readable(fd: Py<PyAny>) -> NewAwaitable {
    Awaitable::new("wait_readable", WaitReady { target: fd, direction: Direction::Read })
}

/// Wait until a file descriptor can be written to.
///
/// Otherwise like :func:`wait_readable`. A checkpoint.
#[pyfunction]
pub fn wait_writable(fd: Py<PyAny>) -> NewAwaitable {
    Awaitable::new("wait_writable", WaitReady { target: fd, direction: Direction::Write })
}

/// Announce that a file descriptor is about to be closed.
///
/// Tasks that wait for it are woken with ``ClosedResourceError``. Call this just before closing, with
/// no checkpoint in between.
///
/// Arguments:
///     fd: a descriptor, or an object with a ``fileno()`` method.
#[pyfunction]
pub fn notify_closing(fd: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = fd.py();
    let runner = current::runner(py)?;
    let fd = descriptor(fd)?;
    forget(py, runner.get(), fd)
}

/// Wakes everybody who waits for `fd` with `ClosedResourceError`.
pub fn forget(py: Python<'_>, runner: &Runner, fd: RawFd) -> PyResult<()> {
    let waiting = runner
        .poller
        .with(py, |poller| poller.as_mut().map(|poller| poller.forget(fd)).unwrap_or_default());
    waiting.into_iter().try_for_each(|task| {
        let error = ClosedResourceError::new_err("another task closed this fd");
        reschedule(task.bind(py), Resume::Error(error.into_value(py)))
    })
}
