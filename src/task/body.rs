//! What a task runs: a coroutine, or a native awaitable all by itself.
//!
//! `nursery.start_soon(trio.sleep, 1)` needs no Python frame: the loop resumes the awaitable that the
//! function has returned. Programs and tools that ask for `Task.coro` expect a coroutine object, however,
//! with a frame and in the right state. It is made when somebody asks: it awaits the awaitable, which
//! answers the first resume without doing anything, and then is where it would have been.

use pyo3::intern;
use pyo3::prelude::*;

use super::Task;
use crate::interop::coroutine::{resume, throw, Resumed};
use crate::interop::errors::Cancelled;
use crate::interop::imports;
use crate::trap::Awaitable;

/// The task's coroutine object, for others than the loop.
pub fn coroutine<'py>(task: &Bound<'py, Task>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = task.py();
    let this = task.get();
    let Some(body) = this.coroutine.get(py) else { return Ok(None) };
    let awaitable = match body.into_bound(py).cast_into_exact::<Awaitable>() {
        Ok(awaitable) => awaitable,
        Err(error) => return Ok(Some(error.into_inner())),
    };
    let coroutine = around(&awaitable)?;
    if this.schedule_points.get(py) > 0 {
        if this.node.get(py).is_some() {
            drop(suspend(&awaitable, &coroutine));
        } else {
            coroutine.call_method0(intern!(py, "close"))?;
        }
    }
    this.replace_body(py, coroutine.clone().unbind());
    Ok(Some(coroutine))
}

/// A new coroutine that awaits the awaitable and has its name.
fn around<'py>(awaitable: &Bound<'py, Awaitable>) -> PyResult<Bound<'py, PyAny>> {
    imports::await_native(awaitable.py())?.call1((awaitable,))
}

/// Has a new coroutine wait in its awaitable.
fn suspend<'py>(awaitable: &Bound<'py, Awaitable>, coroutine: &Bound<'py, PyAny>) -> Resumed<'py> {
    awaitable.get().standing_still(awaitable.py(), || resume(coroutine))
}

/// Resumes what a task runs.
#[inline]
pub fn go_on<'py>(body: &Bound<'py, PyAny>) -> Resumed<'py> {
    match resume(body) {
        Resumed::Raised(error) if body.is_exact_instance_of::<Awaitable>() => {
            raised_in_a_frame(body, error)
        }
        other => other,
    }
}

/// An error gets an entry in its traceback, so that people see which function it comes from. Nobody looks
/// at that of `Cancelled`, and there can be very many at once.
#[cold]
fn raised_in_a_frame<'py>(body: &Bound<'py, PyAny>, error: PyErr) -> Resumed<'py> {
    let py = body.py();
    let Ok(awaitable) = body.cast_exact::<Awaitable>() else { return Resumed::Raised(error) };
    if error.is_instance_of::<Cancelled>(py) {
        return Resumed::Raised(error);
    }
    match around(awaitable) {
        Ok(coroutine) => awaitable.get().standing_still(py, || {
            drop(resume(&coroutine));
            throw(&coroutine, error)
        }),
        Err(other) => Resumed::Raised(other),
    }
}
