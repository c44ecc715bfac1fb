//! `CapacityLimiter`: tokens that are lent to borrowers.
//!
//! A borrower is any hashable object, by default the task itself, and has at most one token. Who has
//! one is kept in a Python set, as only Python knows when two borrowers are equal; asking it may run
//! anybody's code and happens with no borrow open.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet};
use pyo3::{PyTraverseError, PyVisit};

use super::holding::{leave, Holdable};
use crate::core::current;
use crate::interop::cell::{LoopCell, LoopRef, LoopValue};
use crate::interop::errors::{bare, WouldBlock};
use crate::interop::fallible::{self, raise};
use crate::interop::gc::{gc_fields, Trace};
use crate::interop::imports;
use crate::interop::numbers::size_or_infinity;
use crate::kernel::WaitQueue;
use crate::task::{reschedule, Resume, Task};
use crate::trap::{
    check_caller, join, Attempt, Awaitable, Blocking, NewAwaitable, Operation, Place,
};

/// A task that waits for a token, and on whose behalf.
pub struct Applicant {
    task: Py<Task>,
    borrower: Py<PyAny>,
}

impl Trace for Applicant {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.task)?;
        visit.call(&self.borrower)
    }
}

/// A number of tokens that are lent out and given back, to limit how much happens at a time.
///
/// Unlike with a :class:`Semaphore` every token has a borrower, by default the task that asked, and
/// nobody can have two or give back what he does not have. Whoever waits is served in order.
///
/// Arguments:
///     total_tokens: how many tokens there are: an integer from 0 up, or ``math.inf``. It can be
///         changed later.
///
/// See "Synchronizing and communicating between tasks" in Trio's reference.
#[pyclass(frozen, dict, weakref, module = "trio", name = "CapacityLimiter")]
pub struct CapacityLimiter {
    /// As the user gave it.
    total: LoopRef<PyAny>,
    /// The same number, infinity being the largest.
    limit: LoopValue<usize>,
    borrowers: Py<PySet>,
    applicants: LoopCell<WaitQueue<Applicant>>,
}

gc_fields!(CapacityLimiter: total, borrowers, applicants);

impl Place for CapacityLimiter {
    type Waiter = Applicant;

    #[inline]
    fn waiters<'a>(limiter: &'a Bound<'_, Self>) -> &'a LoopCell<WaitQueue<Applicant>> {
        &limiter.get().applicants
    }
}

impl Holdable for CapacityLimiter {
    fn take(held: &Bound<'_, Self>) -> NewAwaitable {
        Self::acquire(held)
    }

    fn give_back(held: &Bound<'_, Self>) -> PyResult<()> {
        Self::release(held)
    }
}

#[pymethods]
impl CapacityLimiter {
    #[new]
    fn new(py: Python<'_>, total_tokens: &Bound<'_, PyAny>) -> PyResult<Self> {
        let limit = size_or_infinity(total_tokens, "total_tokens", "an int")?;
        Ok(Self {
            total: LoopRef::new(Some(total_tokens.clone().unbind())),
            limit: LoopValue::new(limit),
            borrowers: PySet::empty(py)?.unbind(),
            applicants: LoopCell::new(WaitQueue::default()),
        })
    }

    /// How many tokens there are, lent out or not.
    ///
    /// May be changed. Raising it serves tasks that wait; lowering it takes nothing away from those who
    /// have tokens, so that for a while there may be fewer than none available.
    #[getter]
    fn total_tokens(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.total.get(py)
    }

    #[setter]
    fn set_total_tokens(slf: &Bound<'_, Self>, total_tokens: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        let limit = size_or_infinity(total_tokens, "total_tokens", "an int")?;
        check_caller(slf)?;
        slf.get().limit.set(py, limit);
        slf.get().total.put(py, Some(total_tokens.clone().unbind()));
        Self::serve(slf)
    }

    /// How many tokens are lent out.
    #[getter]
    fn borrowed_tokens(&self, py: Python<'_>) -> usize {
        self.borrowers.bind(py).len()
    }

    /// How many tokens are left; below zero if the total was lowered meanwhile.
    #[getter]
    fn available_tokens<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.total.get(py).into_pyobject(py)?.sub(self.borrowed_tokens(py))
    }

    /// Borrow a token for the current task if one is left; see :meth:`acquire_on_behalf_of_nowait`.
    fn acquire_nowait(slf: &Bound<'_, Self>) -> PyResult<()> {
        let task = current::task(slf.py())?;
        Self::acquire_on_behalf_of_nowait(slf, &task)
    }

    /// Borrow a token for somebody if one is left.
    ///
    /// Arguments:
    ///     borrower: any hashable object; it has to be named again to give the token back.
    ///
    /// Raises:
    ///     WouldBlock: if no token is left, or others wait for it.
    ///     RuntimeError: if the borrower has a token already.
    fn acquire_on_behalf_of_nowait(
        slf: &Bound<'_, Self>,
        borrower: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if slf.get().lend(borrower)? {
            Ok(())
        } else {
            Err(bare::<WouldBlock>(slf.py()))
        }
    }

    /// Borrow a token for the current task, waiting for one if needed. A checkpoint.
    ///
    /// Raises:
    ///     RuntimeError: if the task has a token already.
    fn acquire(slf: &Bound<'_, Self>) -> NewAwaitable {
        let operation = Acquire { limiter: slf.clone().unbind(), borrower: None };
        Awaitable::new("CapacityLimiter.acquire", Blocking::new(operation))
    }

    /// Borrow a token for somebody, waiting for one if needed. A checkpoint.
    ///
    /// Arguments:
    ///     borrower: any hashable object; it has to be named again to give the token back.
    ///
    /// Raises:
    ///     RuntimeError: if the borrower has a token already.
    fn acquire_on_behalf_of(slf: Py<Self>, borrower: Py<PyAny>) -> NewAwaitable {
        let operation = Acquire { limiter: slf, borrower: Some(borrower) };
        Awaitable::new("CapacityLimiter.acquire_on_behalf_of", Blocking::new(operation))
    }

    /// Give back the token of the current task; see :meth:`release_on_behalf_of`.
    fn release(slf: &Bound<'_, Self>) -> PyResult<()> {
        let task = current::task(slf.py())?;
        Self::release_on_behalf_of(slf, &task)
    }

    /// Give back somebody's token. It goes to whoever has waited longest.
    ///
    /// Raises:
    ///     RuntimeError: if the borrower has no token.
    fn release_on_behalf_of(slf: &Bound<'_, Self>, borrower: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        check_caller(slf)?;
        if !slf.get().borrowers.bind(py).discard(borrower)? {
            return Err(raise::<PyRuntimeError>(
                py,
                "this borrower isn't holding any of this CapacityLimiter's tokens",
            ));
        }
        Self::serve(slf)
    }

    /// The limiter's state: an object with the attributes ``borrowed_tokens``, ``total_tokens``,
    /// ``borrowers`` (a list, in no particular order) and ``tasks_waiting``.
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let borrowers = fallible::list_of(py, self.borrowers.bind(py).iter())?;
        let waiting = self.applicants.with(py, |queue| queue.len());
        let fields = (borrowers.len(), self.total.get(py), borrowers, waiting);
        imports::capacity_limiter_statistics(py)?.call1(fields)
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

    /// A new dictionary: for every task that waits, on whose behalf.
    #[getter]
    fn _pending_borrowers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let waiting: Vec<_> = self.applicants.with(py, |queue| {
            let both = |one: &Applicant| (one.task.clone_ref(py), one.borrower.clone_ref(py));
            queue.iter().map(both).collect()
        });
        let by_task = fallible::dict(py)?;
        for (task, borrower) in waiting {
            by_task.set_item(task, borrower)?;
        }
        Ok(by_task)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let py = slf.py();
        let address = slf.as_ptr() as usize;
        let borrowed = slf.get().borrowed_tokens(py);
        let total = slf.get().total.get(py).into_pyobject(py)?.str()?;
        let waiting = slf.get().applicants.with(py, |queue| queue.len());
        Ok(format!(
            "<trio.CapacityLimiter at {address:#x}, {borrowed}/{total} with {waiting} waiting>"
        ))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        Trace::release(self);
    }
}

impl CapacityLimiter {
    /// Lends a token; false if none is left.
    fn lend(&self, borrower: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = borrower.py();
        let borrowers = self.borrowers.bind(py);
        if borrowers.contains(borrower)? {
            return Err(raise::<PyRuntimeError>(
                py,
                "this borrower is already holding one of this CapacityLimiter's tokens",
            ));
        }
        let is_free = borrowers.len() < self.limit.get(py)
            && self.applicants.with(py, |queue| queue.is_empty());
        if is_free {
            borrowers.add(borrower)?;
        }
        Ok(is_free)
    }

    /// Lends what is left to those who wait.
    fn serve(limiter: &Bound<'_, Self>) -> PyResult<()> {
        let py = limiter.py();
        let this = limiter.get();
        let borrowers = this.borrowers.bind(py);
        for _ in borrowers.len()..this.limit.get(py) {
            let first = this.applicants.with(py, WaitQueue::pop_front);
            let Some(Applicant { task, borrower }) = first else { break };
            let message = match borrowers.add(&borrower) {
                Ok(()) => Resume::Nothing,
                Err(error) => Resume::Error(error.into_value(py)),
            };
            reschedule(task.bind(py), message)?;
        }
        Ok(())
    }
}

/// The course of `acquire` and `acquire_on_behalf_of`.
struct Acquire {
    limiter: Py<CapacityLimiter>,
    /// `None` for the task itself.
    borrower: Option<Py<PyAny>>,
}

impl Operation for Acquire {
    fn attempt(&mut self, task: &Bound<'_, Task>) -> PyResult<Attempt> {
        let py = task.py();
        let limiter = self.limiter.bind(py);
        let borrower = match self.borrower.take() {
            Some(borrower) => borrower.into_bound(py),
            None => task.clone().into_any(),
        };
        if limiter.get().lend(&borrower)? {
            return Ok(Attempt::Done(None));
        }
        let applicant = Applicant { task: task.clone().unbind(), borrower: borrower.unbind() };
        join(limiter, task, applicant);
        Ok(Attempt::Waits)
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.limiter)?;
        visit.call(&self.borrower)
    }
}
