//! Readiness of any file descriptor: the native halves of `wait_readable`, `wait_writable` and
//! `notify_closing`.

use std::os::fd::RawFd;

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;

use super::waiting::{announce_closing, sleep, with_table, Belief};
use crate::core::current;
use crate::interop::fallible::raise;
use crate::kernel::Direction;
use crate::task::receive;
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
        let waiter = task.clone().unbind();
        let seated = with_table(py, task.get().runner.get(), |table, woken| {
            table.wait(fd, self.direction, waiter, woken)
        })?;
        sleep(&task, fd, self.direction, Belief::Told, seated)?;
        Ok(Poll::Trap(Request::Park))
    }

    fn trace(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(&self.target)
    }
}

/// The descriptor of an int or of an object with `fileno()`.
fn descriptor(target: &Bound<'_, PyAny>) -> PyResult<RawFd> {
    if let Ok(fd) = target.extract::<RawFd>() {
        return Ok(fd);
    }
    let py = target.py();
    match target.getattr_opt(intern!(py, "fileno"))? {
        Some(fileno) => fileno.call0()?.extract(),
        None => {
            Err(raise::<PyTypeError>(py, "argument must be an int, or have a fileno() method."))
        }
    }
}

/// Waits until a descriptor, or what an object's ``fileno()`` says, can be read from.
#[pyfunction]
pub fn wait_readable(fd: Py<PyAny>) -> NewAwaitable {
    Awaitable::new("wait_readable", WaitReady { target: fd, direction: Direction::Read })
}

/// Waits until it can be written to.
#[pyfunction]
pub fn wait_writable(fd: Py<PyAny>) -> NewAwaitable {
    Awaitable::new("wait_writable", WaitReady { target: fd, direction: Direction::Write })
}

/// Announce that a file descriptor is about to be closed.
///
/// Whoever waits for it to be readable or writable is woken with :exc:`trio.ClosedResourceError`. Call
/// this before closing, not after: by then the number may belong to something else. Not a checkpoint.
///
/// Arguments:
///     fd: the number, or an object with a ``fileno()`` method.
///
/// Raises:
///     RuntimeError: outside of a run.
#[pyfunction]
pub fn notify_closing(fd: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = fd.py();
    let runner = current::runner(py)?;
    announce_closing(py, runner.get(), descriptor(fd)?)
}
