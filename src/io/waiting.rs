//! Sleeping until a descriptor is ready: how a task gets into the table of registrations, and out of it.
//!
//! Four things end such a sleep: an event, `notify_closing`, an interruption, and the discovery that
//! the number stands for another file by now. Whatever it is takes the task out of the table first, so
//! a task that is in it sleeps. Nothing is dropped or rescheduled while the table is open.

use std::io;
use std::os::fd::RawFd;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use rustix::io::Errno;

use crate::core::registrations::{Refused, Registrations};
use crate::core::Runner;
use crate::interop::errors::{os_error, BusyResourceError, ClosedResourceError};
use crate::interop::fallible::raise;
use crate::interop::transfer;
use crate::kernel::tripwires::tripwire;
use crate::kernel::Direction;
use crate::task::{park, reschedule, AbortOutcome, Interruption, Plan, Resume, Task};

/// How sure the task is that it has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// The kernel has said so, or will say at once if not.
    Told,
    /// From what is remembered; the kernel was not asked.
    Remembered,
}

/// Works with the run's table, then wakes whom that turned out.
#[inline]
pub fn with_table<T>(
    py: Python<'_>,
    runner: &Runner,
    work: impl FnOnce(&mut Registrations, &mut Vec<Py<Task>>) -> T,
) -> PyResult<T> {
    let mut woken = Vec::new();
    let done = runner
        .poller
        .with(py, |poller| poller.as_mut().map(|poller| work(&mut poller.table, &mut woken)));
    wake_all(py, woken)?;
    done.ok_or_else(|| raise::<PyOSError>(py, "the run's poller is closed"))
}

/// Lets the running task sleep, after it was (or was not) put into the table; it has to yield `Park`.
#[inline]
pub fn sleep(
    task: &Bound<'_, Task>,
    fd: RawFd,
    direction: Direction,
    belief: Belief,
    seated: Result<(), (Refused, Py<Task>)>,
) -> PyResult<()> {
    let py = task.py();
    if let Err((refused, task)) = seated {
        drop(task);
        return Err(refusal(py, fd, &refused));
    }
    let key = Key { fd, direction, belief }.pack();
    park(py, task.get(), Plan { abort: stop_waiting, place: None, key });
    Ok(())
}

#[cold]
fn refusal(py: Python<'_>, fd: RawFd, refused: &Refused) -> PyErr {
    match refused {
        Refused::Busy => {
            raise::<BusyResourceError>(py, "another task is already reading / writing this fd")
        }
        Refused::Os(errno) => kernel_error(py, fd, *errno),
    }
}

/// What the kernel said about watching a descriptor, as an exception.
#[cold]
pub fn kernel_error(py: Python<'_>, fd: RawFd, errno: Errno) -> PyErr {
    if fd < 0 {
        let text = format!("file descriptor cannot be a negative integer ({fd})");
        return raise::<PyValueError>(py, text);
    }
    os_error(py, &io::Error::from(errno))
}

/// Ends the sleep of a task that is interrupted.
///
/// If it went to sleep without asking the kernel, now is the time: a task that could have got on when
/// it called is not interrupted, but gets on.
fn stop_waiting(
    task: &Bound<'_, Task>,
    plan: &Plan,
    _why: &Interruption,
) -> PyResult<AbortOutcome> {
    let py = task.py();
    let Key { fd, direction, belief } = Key::unpack(plan.key);
    let left = with_table(py, task.get().runner.get(), |table, woken| {
        tripwire!(SocketAbandoned);
        table.withdraw(fd, direction, woken)
    })?;
    drop(left);
    if belief == Belief::Remembered && transfer::is_ready(fd, direction == Direction::Write) {
        reschedule(task, Resume::Nothing)?;
        return Ok(AbortOutcome::Failed);
    }
    Ok(AbortOutcome::Succeeded)
}

/// Wakes everybody who waits for `fd` with `ClosedResourceError`.
pub fn announce_closing(py: Python<'_>, runner: &Runner, fd: RawFd) -> PyResult<()> {
    let waiting = with_table(py, runner, |table, _| table.forget(fd))?;
    waiting.into_iter().try_for_each(|task| {
        let error = raise::<ClosedResourceError>(py, "another task closed this fd");
        reschedule(task.bind(py), Resume::Error(error.into_value(py)))
    })
}

fn wake_all(py: Python<'_>, tasks: Vec<Py<Task>>) -> PyResult<()> {
    tasks.into_iter().try_for_each(|task| reschedule(task.bind(py), Resume::Nothing))
}

/// Where a task sleeps, in a word that fits into its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    fd: RawFd,
    direction: Direction,
    belief: Belief,
}

impl Key {
    #[inline]
    fn pack(self) -> u64 {
        u64::from(self.fd.unsigned_abs()) << 2
            | u64::from(self.belief == Belief::Remembered) << 1
            | u64::from(self.direction == Direction::Write)
    }

    fn unpack(bits: u64) -> Self {
        Self {
            fd: RawFd::try_from(bits >> 2).unwrap_or(-1),
            direction: if bits & 1 == 1 { Direction::Write } else { Direction::Read },
            belief: if bits & 2 == 2 { Belief::Remembered } else { Belief::Told },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_as_they_went() {
        for fd in [0, 7, RawFd::MAX] {
            for direction in [Direction::Read, Direction::Write] {
                for belief in [Belief::Told, Belief::Remembered] {
                    let key = Key { fd, direction, belief };
                    assert_eq!(Key::unpack(key.pack()), key);
                }
            }
        }
    }
}
