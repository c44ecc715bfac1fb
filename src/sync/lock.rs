//! `Lock` and `StrictFIFOLock`: one owner at a time.
//!
//! A lock is free, or it has an owner, and then others may wait in its parking lot. Releasing hands it
//! to the first of them. While a task owns the lock it is a breaker of the lot: if it ends without
//! releasing, nobody can get the lock any more, and everybody who tries is told.
//!
//! Invariant: the owner is registered as breaker of the lot, once.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::breakers::{add_breaker, not_registered, remove_breaker};
use super::holding::{leave, Holdable};
use super::parking_lot::ParkingLot;
use crate::core::current;
use crate::interop::cell::LoopRef;
use crate::interop::errors::{bare, set_context, BrokenResourceError, WouldBlock};
use crate::interop::fallible::raise;
use crate::interop::gc::{gc_fields, Trace};
use crate::interop::imports;
use crate::kernel::tripwires::tripwire;
use crate::task::Task;
use crate::trap::{join, wake, Attempt, Awaitable, Blocking, NewAwaitable, Operation};

/// What the two kinds of locks have in common, which is all.
#[pyclass(frozen, subclass, dict, weakref, module = "trio._sync", name = "_LockImpl")]
pub struct LockImpl {
    owner: LoopRef<Task>,
    lot: Py<ParkingLot>,
}

gc_fields!(LockImpl: owner, lot);

#[pymethods]
impl LockImpl {
    /// Does anybody have the lock?
    pub fn locked(&self, py: Python<'_>) -> bool {
        self.owner.is_some(py)
    }

    /// Take the lock if it is free.
    ///
    /// Raises:
    ///     WouldBlock: if another task has it.
    ///     RuntimeError: if this task has it already.
    pub fn acquire_nowait(slf: &Bound<'_, Self>) -> PyResult<()> {
        if Self::try_take(slf, &current::task(slf.py())?)? {
            Ok(())
        } else {
            Err(bare::<WouldBlock>(slf.py()))
        }
    }

    /// Take the lock, waiting for it if another task has it. A checkpoint.
    ///
    /// Raises:
    ///     BrokenResourceError: if the owner ends without releasing the lock.
    ///     RuntimeError: if this task has it already.
    pub fn acquire(slf: &Bound<'_, Self>) -> NewAwaitable {
        Awaitable::new("Lock.acquire", Blocking::new(Acquire { lock: slf.clone().unbind() }))
    }

    /// Give the lock to the task that has waited longest, or free it.
    ///
    /// Raises:
    ///     RuntimeError: if the lock belongs to another task or to nobody.
    pub fn release(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::hand_over(slf, &current::task(slf.py())?)
    }

    /// The lock's state: an object with the attributes ``locked``, ``owner`` (a task or ``None``) and
    /// ``tasks_waiting``.
    pub fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let owner = self.owner.get(py);
        let fields = (owner.is_some(), owner, self.lot.get().len(py));
        imports::lock_statistics(py)?.call1(fields)
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
    fn _lot(&self, py: Python<'_>) -> Py<ParkingLot> {
        self.lot.clone_ref(py)
    }

    #[getter]
    fn _owner(&self, py: Python<'_>) -> Option<Py<Task>> {
        self.owner.get(py)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let py = slf.py();
        let class = slf.get_type().name()?;
        let address = slf.as_ptr() as usize;
        Ok(if slf.get().locked(py) {
            let waiters = slf.get().lot.get().len(py);
            format!("<locked {class} object at {address:#x} with {waiters} waiters>")
        } else {
            format!("<unlocked {class} object at {address:#x}>")
        })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        Trace::release(self);
    }
}

impl Holdable for LockImpl {
    fn take(lock: &Bound<'_, Self>) -> NewAwaitable {
        Self::acquire(lock)
    }

    fn give_back(lock: &Bound<'_, Self>) -> PyResult<()> {
        Self::release(lock)
    }
}

impl LockImpl {
    fn build(py: Python<'_>) -> PyResult<Self> {
        Ok(Self { owner: LoopRef::new(None), lot: Py::new(py, ParkingLot::new())? })
    }

    /// Where those stand who wait for the lock.
    pub fn lot<'py>(&self, py: Python<'py>) -> &Bound<'py, ParkingLot> {
        self.lot.bind(py)
    }

    /// Does the lock belong to `task`?
    #[inline]
    pub fn is_owned_by(&self, task: &Bound<'_, Task>) -> bool {
        self.owner.holds(task.py(), task.get())
    }

    /// Takes the lock if it is free; false if another task has it.
    #[inline]
    pub fn try_take(lock: &Bound<'_, Self>, task: &Bound<'_, Task>) -> PyResult<bool> {
        let this = lock.get();
        let py = task.py();
        if this.is_owned_by(task) {
            return Err(raise::<PyRuntimeError>(py, "attempt to re-acquire an already held Lock"));
        }
        if this.owner.is_some(py) {
            return Ok(false);
        }
        this.owner.put(py, Some(task.clone().unbind()));
        add_breaker(task, this.lot(py));
        Ok(true)
    }

    /// Releases the lock for `task`: the next one in the queue has it from now on.
    #[inline]
    pub fn hand_over(lock: &Bound<'_, Self>, task: &Bound<'_, Task>) -> PyResult<()> {
        let py = task.py();
        let this = lock.get();
        if !this.is_owned_by(task) {
            return Err(raise::<PyRuntimeError>(py, "can't release a Lock you don't own"));
        }
        let lot = this.lot(py);
        if !remove_breaker(task, lot) {
            return Err(not_registered(py));
        }
        let next = wake(lot)?;
        if let Some(next) = &next {
            add_breaker(next, lot);
        }
        this.owner.put(py, next.map(Bound::unbind));
        Ok(())
    }

    /// Replaces the lot's complaint by one about the lock.
    pub fn explain(&self, py: Python<'_>, error: PyErr) -> PyErr {
        if !error.is_instance_of::<BrokenResourceError>(py) {
            return error;
        }
        let owner = match self.owner.get(py) {
            Some(owner) => owner.bind(py).str().map(|text| text.to_string()),
            None => Ok("None".to_owned()),
        };
        let text = match owner {
            Ok(owner) => format!("Owner of this lock exited without releasing: {owner}"),
            Err(error) => return error,
        };
        let explained = raise::<BrokenResourceError>(py, text);
        set_context(py, &explained, Some(error.value(py)));
        explained.set_cause(py, None);
        explained
    }
}

/// The course of `acquire`.
struct Acquire {
    lock: Py<LockImpl>,
}

impl Operation for Acquire {
    #[inline]
    fn attempt(&mut self, task: &Bound<'_, Task>) -> PyResult<Attempt> {
        let py = task.py();
        let lock = self.lock.bind(py);
        tripwire!(LockTried);
        if LockImpl::try_take(lock, task)? {
            return Ok(Attempt::Done(None));
        }
        let lot = lock.get().lot(py);
        lot.get().check_whole(py).map_err(|error| lock.get().explain(py, error))?;
        join(lot, task, task.clone().unbind());
        Ok(Attempt::Waits)
    }

    fn woken(
        &mut self,
        task: &Bound<'_, Task>,
        message: PyResult<Option<Py<PyAny>>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        message.map_err(|error| self.lock.get().explain(task.py(), error))
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.lock)
    }
}

/// A lock for tasks: whoever has it keeps others out.
///
/// Use it as ``async with lock:``. It belongs to the task that acquired it and can neither be acquired
/// twice by one task nor released by another. If its owner ends without releasing it, those who want
/// it get :exc:`BrokenResourceError`. Tasks get it in the order in which they asked.
///
/// See "Synchronizing and communicating between tasks" in Trio's reference.
#[pyclass(extends = LockImpl, frozen, module = "trio", name = "Lock")]
pub struct Lock;

#[pymethods]
impl Lock {
    #[new]
    pub fn new(py: Python<'_>) -> PyResult<PyClassInitializer<Self>> {
        Ok(PyClassInitializer::from(LockImpl::build(py)?).add_subclass(Self))
    }
}

/// A :class:`Lock` that promises to be fair: tasks get it strictly in the order in which they asked.
///
/// :class:`Lock` happens to do the same but reserves the right to change; this class is for programs
/// that need it, for instance because the order in which a connection is written to matters.
#[pyclass(extends = LockImpl, frozen, module = "trio", name = "StrictFIFOLock")]
pub struct StrictFIFOLock;

#[pymethods]
impl StrictFIFOLock {
    #[new]
    fn new(py: Python<'_>) -> PyResult<PyClassInitializer<Self>> {
        Ok(PyClassInitializer::from(LockImpl::build(py)?).add_subclass(Self))
    }
}
