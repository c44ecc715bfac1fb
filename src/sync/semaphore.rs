//! `Semaphore`: a counter that waits instead of going below zero.
//!
//! Invariant: while tasks wait, the counter is zero; a release then goes to the first of them.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyInt;
use pyo3::{PyTraverseError, PyVisit};

use super::holding::{leave, Holdable};
use crate::interop::cell::{LoopCell, LoopValue};
use crate::interop::errors::{bare, WouldBlock};
use crate::interop::fallible::raise;
use crate::interop::gc::{gc_fields, Trace};
use crate::interop::imports;
use crate::kernel::WaitQueue;
use crate::task::Task;
use crate::trap::{
    check_caller, join, wake, Attempt, Awaitable, Blocking, NewAwaitable, Operation, Place,
};

/// A counter that tasks take down and put up again, and that waits rather than go below zero.
///
/// ``async with semaphore:`` takes it down by one for the time of the block. To limit how many tasks do
/// something at a time, :class:`CapacityLimiter` is usually the better choice.
///
/// Arguments:
///     initial_value: where the counter starts, from 0 up.
///     max_value: a limit above which :meth:`release` refuses to go; by default there is none.
///
/// See "Synchronizing and communicating between tasks" in Trio's reference.
#[pyclass(frozen, dict, weakref, module = "trio", name = "Semaphore")]
pub struct Semaphore {
    value: LoopValue<usize>,
    max_value: Option<usize>,
    waiters: LoopCell<WaitQueue<Py<Task>>>,
}

gc_fields!(Semaphore: waiters);

impl Place for Semaphore {
    type Waiter = Py<Task>;

    #[inline]
    fn waiters<'a>(semaphore: &'a Bound<'_, Self>) -> &'a LoopCell<WaitQueue<Py<Task>>> {
        &semaphore.get().waiters
    }
}

impl Holdable for Semaphore {
    fn take(held: &Bound<'_, Self>) -> NewAwaitable {
        Self::acquire(held)
    }

    fn give_back(held: &Bound<'_, Self>) -> PyResult<()> {
        Self::release(held)
    }
}

#[pymethods]
impl Semaphore {
    #[new]
    #[pyo3(signature = (initial_value, *, max_value = None))]
    fn new(
        initial_value: &Bound<'_, PyAny>,
        max_value: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let py = initial_value.py();
        let Ok(initial) = initial_value.cast::<PyInt>() else {
            return Err(raise::<PyTypeError>(py, "initial_value must be an int"));
        };
        if initial.lt(0)? {
            return Err(raise::<PyValueError>(py, "initial value must be >= 0"));
        }
        let mut limit = None;
        if let Some(max_value) = max_value {
            let Ok(max_value) = max_value.cast::<PyInt>() else {
                return Err(raise::<PyTypeError>(py, "max_value must be None or an int"));
            };
            if max_value.lt(initial)? {
                return Err(raise::<PyValueError>(py, "max_values must be >= initial_value"));
            }
            limit = Some(max_value.extract()?);
        }
        Ok(Self {
            value: LoopValue::new(initial.extract()?),
            max_value: limit,
            waiters: LoopCell::new(WaitQueue::default()),
        })
    }

    /// Where the counter is.
    #[getter]
    fn value(&self, py: Python<'_>) -> usize {
        self.value.get(py)
    }

    /// The highest value that the counter may have, or ``None``.
    #[getter]
    fn max_value(&self) -> Option<usize> {
        self.max_value
    }

    /// Take the counter down by one if it is above zero.
    ///
    /// Raises:
    ///     WouldBlock: if it is zero.
    fn acquire_nowait(&self, py: Python<'_>) -> PyResult<()> {
        if self.try_take(py) {
            Ok(())
        } else {
            Err(bare::<WouldBlock>(py))
        }
    }

    /// Take the counter down by one, waiting while it is zero. A checkpoint.
    fn acquire(slf: &Bound<'_, Self>) -> NewAwaitable {
        let operation = Acquire { semaphore: slf.clone().unbind() };
        Awaitable::new("Semaphore.acquire", Blocking::new(operation))
    }

    /// Put the counter up by one, or let the task that has waited longest go on.
    ///
    /// Raises:
    ///     ValueError: if the counter is at its limit.
    fn release(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        check_caller(slf)?;
        if wake(slf)?.is_some() {
            return Ok(());
        }
        let value = this.value.get(py);
        if this.max_value == Some(value) {
            return Err(raise::<PyValueError>(py, "semaphore released too many times"));
        }
        this.value.set(py, value.saturating_add(1));
        Ok(())
    }

    /// How many tasks wait, as an object with the attribute ``tasks_waiting``.
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let waiting = self.waiters.with(py, |queue| queue.len());
        imports::parking_lot_statistics(py)?.call1((waiting,))
    }

    fn __aenter__(slf: &Bound<'_, Self>) -> NewAwaitable {
        Self::acquire(slf)
    }

    fn __aexit__(
        slf: &Bound<'_, Self>,
        exc_type: &Bound<'_, PyAny>,
        exc_value: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<Py<Awaitable>> {
        let _ = (exc_type, exc_value, traceback);
        leave(slf)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        let value = slf.get().value(slf.py());
        let limit = slf.get().max_value.map_or(String::new(), |max| format!(", max_value={max}"));
        format!("<trio.Semaphore({value}{limit}) at {:#x}>", slf.as_ptr() as usize)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        Trace::release(self);
    }
}

impl Semaphore {
    #[inline]
    fn try_take(&self, py: Python<'_>) -> bool {
        let value = self.value.get(py);
        if value > 0 {
            self.value.set(py, value - 1);
        }
        value > 0
    }
}

struct Acquire {
    semaphore: Py<Semaphore>,
}

impl Operation for Acquire {
    #[inline]
    fn attempt(&mut self, task: &Bound<'_, Task>) -> PyResult<Attempt> {
        let semaphore = self.semaphore.bind(task.py());
        if semaphore.get().try_take(task.py()) {
            return Ok(Attempt::Done(None));
        }
        join(semaphore, task, task.clone().unbind());
        Ok(Attempt::Waits)
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.semaphore)
    }
}
