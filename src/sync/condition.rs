//! `Condition`: waiting until another task has changed what a lock protects.
//!
//! A task that waits has left the lock and stands in the condition's own queue. Notifying it does not
//! wake it: it moves to the end of the lock's queue, and wakes when the lock is handed to it. If its
//! wait is interrupted it still takes the lock, however long that takes, before it raises: the block
//! around the wait owns the lock whatever happens.

use pyo3::exceptions::{PyBaseException, PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::holding::{leave, Holdable};
use super::lock::{Lock, LockImpl};
use crate::core::current;
use crate::interop::cell::LoopCell;
use crate::interop::errors::raised_again;
use crate::interop::fallible::raise;
use crate::interop::gc::{gc_fields, Trace};
use crate::interop::imports;
use crate::interop::numbers::Count;
use crate::kernel::WaitQueue;
use crate::task::{receive, Task};
use crate::trap::{
    join, join_for_good, transfer, Awaitable, Leaf, NewAwaitable, Place, Poll, Request,
};

/// A classic condition variable: sleep until what a lock protects has changed.
///
/// Use it like the lock, ``async with condition:``; inside, :meth:`wait` lets go of the lock until
/// another task calls :meth:`notify`.
///
/// Arguments:
///     lock: the :class:`Lock` to use; by default a new one.
///
/// See "Synchronizing and communicating between tasks" in Trio's reference.
#[pyclass(frozen, dict, weakref, module = "trio", name = "Condition")]
pub struct Condition {
    lock: Py<LockImpl>,
    waiters: LoopCell<WaitQueue<Py<Task>>>,
}

gc_fields!(Condition: lock, waiters);

impl Place for Condition {
    type Waiter = Py<Task>;

    #[inline]
    fn waiters<'a>(condition: &'a Bound<'_, Self>) -> &'a LoopCell<WaitQueue<Py<Task>>> {
        &condition.get().waiters
    }
}

impl Holdable for Condition {
    fn take(held: &Bound<'_, Self>) -> NewAwaitable {
        Self::acquire(held)
    }

    fn give_back(held: &Bound<'_, Self>) -> PyResult<()> {
        Self::release(held)
    }
}

#[pymethods]
impl Condition {
    #[new]
    #[pyo3(signature = (lock = None))]
    fn new(py: Python<'_>, lock: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let lock = match lock {
            None => Bound::new(py, Lock::new(py)?)?,
            Some(given) => match given.cast::<Lock>() {
                Ok(lock) => lock.clone(),
                Err(_) => return Err(raise::<PyTypeError>(py, "lock must be a trio.Lock")),
            },
        };
        let lock = lock.into_super().unbind();
        Ok(Self { lock, waiters: LoopCell::new(WaitQueue::default()) })
    }

    /// Does anybody have the lock?
    fn locked(&self, py: Python<'_>) -> bool {
        self.lock.get().locked(py)
    }

    /// Take the lock if it is free; see :meth:`Lock.acquire_nowait`.
    fn acquire_nowait(&self, py: Python<'_>) -> PyResult<()> {
        LockImpl::acquire_nowait(self.lock.bind(py))
    }

    /// Take the lock, waiting for it if needed; see :meth:`Lock.acquire`.
    fn acquire(slf: &Bound<'_, Self>) -> NewAwaitable {
        LockImpl::acquire(slf.get().lock.bind(slf.py()))
    }

    /// Release the lock; see :meth:`Lock.release`.
    fn release(slf: &Bound<'_, Self>) -> PyResult<()> {
        LockImpl::release(slf.get().lock.bind(slf.py()))
    }

    /// Let go of the lock, sleep until notified, and take the lock again.
    ///
    /// A checkpoint. The task has the lock again in any case, also if the wait is cancelled; that
    /// last part cannot be interrupted.
    ///
    /// Raises:
    ///     RuntimeError: if this task does not have the lock.
    fn wait(slf: &Bound<'_, Self>) -> NewAwaitable {
        let leaf = Wait { condition: slf.clone().unbind(), stage: Stage::Holding };
        Awaitable::new("Condition.wait", leaf)
    }

    /// Let tasks that wait go on as soon as they can have the lock, longest waiting first.
    ///
    /// Arguments:
    ///     n: how many at most.
    ///
    /// Raises:
    ///     RuntimeError: if this task does not have the lock.
    #[pyo3(signature = (n = Count::of(1)), text_signature = "($self, n=1)")]
    fn notify(slf: &Bound<'_, Self>, n: Count) -> PyResult<()> {
        let py = slf.py();
        let lock = slf.get().lock.get();
        if !lock.is_owned_by(&current::task(py)?) {
            return Err(raise::<PyRuntimeError>(py, "must hold the lock to notify"));
        }
        for _ in 0..n.get()? {
            if !transfer(slf, lock.lot(py)) {
                break;
            }
        }
        Ok(())
    }

    /// Let all tasks that wait go on as soon as they can have the lock; see :meth:`notify`.
    fn notify_all(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::notify(slf, Count::of(usize::MAX))
    }

    /// The condition's state: an object with the attributes ``tasks_waiting`` (for a notification) and
    /// ``lock_statistics``.
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let waiting = self.waiters.with(py, |queue| queue.len());
        imports::condition_statistics(py)?.call1((waiting, self.lock.get().statistics(py)?))
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

    #[getter]
    fn _lock(&self, py: Python<'_>) -> Py<LockImpl> {
        self.lock.clone_ref(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        Trace::release(self);
    }
}

/// How far a `wait` has come.
enum Stage {
    /// It has not begun.
    Holding,
    /// The task is in the condition's queue or, after a notification, in the lock's.
    Asleep,
    /// It was interrupted with this error and is in the lock's queue.
    TakingBack(Py<PyBaseException>),
    /// It was interrupted with this error, has got the lock, and gives way to others once.
    Interrupted(Py<PyBaseException>),
}

struct Wait {
    condition: Py<Condition>,
    stage: Stage,
}

impl Leaf for Wait {
    fn poll(&mut self, py: Python<'_>, _turn: u32) -> PyResult<Poll> {
        let task = current::task(py)?;
        match std::mem::replace(&mut self.stage, Stage::Asleep) {
            Stage::Holding => {
                let condition = self.condition.bind(py);
                let lock = condition.get().lock.bind(py);
                if !lock.get().is_owned_by(&task) {
                    return Err(raise::<PyRuntimeError>(py, "must hold the lock to wait"));
                }
                LockImpl::hand_over(lock, &task)?;
                join(condition, &task, task.clone().unbind());
                Ok(Poll::Trap(Request::Park))
            }
            Stage::Asleep => match receive(&task) {
                Ok(_) => Ok(Poll::Ready),
                Err(error) => self.take_back(&task, error),
            },
            Stage::TakingBack(error) => match receive(&task) {
                Ok(_) => Err(raised_again(py, error)),
                Err(broken) => Err(self.lock().explain(py, broken)),
            },
            Stage::Interrupted(error) => Err(raised_again(py, error)),
        }
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.condition)?;
        match &self.stage {
            Stage::TakingBack(error) | Stage::Interrupted(error) => visit.call(error),
            Stage::Holding | Stage::Asleep => Ok(()),
        }
    }
}

impl Wait {
    fn lock(&self) -> &LockImpl {
        self.condition.get().lock.get()
    }

    /// Takes the lock, come what may, to raise `error` then.
    fn take_back(&mut self, task: &Bound<'_, Task>, error: PyErr) -> PyResult<Poll> {
        let py = task.py();
        let lock = self.condition.get().lock.bind(py);
        task.get().count_cancel_point(py);
        if LockImpl::try_take(lock, task)? {
            self.stage = Stage::Interrupted(error.into_value(py));
            return Ok(Poll::Trap(Request::Checkpoint));
        }
        let lot = lock.get().lot(py);
        lot.get().check_whole(py).map_err(|broken| lock.get().explain(py, broken))?;
        join_for_good(lot, task, task.clone().unbind());
        self.stage = Stage::TakingBack(error.into_value(py));
        Ok(Poll::Trap(Request::Park))
    }
}
