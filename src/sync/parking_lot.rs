//! `ParkingLot`: a queue of sleeping tasks and nothing else.
//!
//! A lot is whole or broken. It breaks when a task that was registered as its breaker ends, or when
//! somebody says so; then all who sleep there wake up with an error, and nobody can park any more.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyList;
use pyo3::{PyTraverseError, PyVisit};

use crate::core::current;
use crate::interop::cell::{LoopCell, LoopRef};
use crate::interop::errors::BrokenResourceError;
use crate::interop::fallible::{self, raise};
use crate::interop::gc::{gc_fields, Trace};
use crate::interop::imports;
use crate::interop::numbers::Count;
use crate::kernel::WaitQueue;
use crate::task::{receive, reschedule, Resume, Task};
use crate::trap::{
    check_caller, join, transfer, wake, Awaitable, Leaf, NewAwaitable, Place, Poll, Request,
};

/// A first-in, first-out queue of sleeping tasks: the raw material of synchronisation primitives.
///
/// Tasks :meth:`park` and somebody else unparks them; what that means is up to the primitive that is
/// built on it. The lot is as long as its queue, and true while somebody sleeps in it.
///
/// Attributes:
///     broken_by: a list of the tasks that broke the lot; empty while it works. See
///         :meth:`break_lot`.
///
/// See "Wait queue abstraction" in Trio's low-level reference.
#[pyclass(frozen, weakref, module = "trio.lowlevel", name = "ParkingLot")]
pub struct ParkingLot {
    sleepers: LoopCell<WaitQueue<Py<Task>>>,
    /// Made when somebody looks at it, or when it gets its first member.
    broken_by: LoopRef<PyList>,
}

gc_fields!(ParkingLot: sleepers, broken_by);

impl Place for ParkingLot {
    type Waiter = Py<Task>;

    #[inline]
    fn waiters<'a>(lot: &'a Bound<'_, Self>) -> &'a LoopCell<WaitQueue<Py<Task>>> {
        &lot.get().sleepers
    }
}

#[pymethods]
impl ParkingLot {
    #[new]
    pub fn new() -> Self {
        Self { sleepers: LoopCell::new(WaitQueue::default()), broken_by: LoopRef::new(None) }
    }

    /// Sleep until somebody unparks this task. A checkpoint.
    ///
    /// Raises:
    ///     BrokenResourceError: if the lot is broken, now or while the task sleeps.
    fn park(slf: &Bound<'_, Self>) -> NewAwaitable {
        Awaitable::new("ParkingLot.park", Park { lot: slf.clone().unbind() })
    }

    /// Wake the tasks that have slept longest.
    ///
    /// Arguments:
    ///     count: how many at most; ``math.inf`` for all.
    ///
    /// Returns:
    ///     A list of the tasks that were woken, in the order in which they had come.
    #[pyo3(signature = (*, count = Count::of(1)), text_signature = "($self, *, count=1)")]
    fn unpark<'py>(slf: &Bound<'py, Self>, count: Count) -> PyResult<Bound<'py, PyList>> {
        check_caller(slf)?;
        let woken = fallible::list(slf.py())?;
        for _ in 0..count.get()? {
            match wake(slf)? {
                Some(task) => woken.append(task)?,
                None => break,
            }
        }
        Ok(woken)
    }

    /// Wake everybody; returns the list of those who were woken.
    fn unpark_all<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        Self::unpark(slf, Count::of(slf.get().len(slf.py())))
    }

    /// Move the tasks that have slept longest to the end of another lot, without waking them.
    ///
    /// Arguments:
    ///     new_lot: the :class:`ParkingLot` to move them to.
    ///     count: how many at most; ``math.inf`` for all.
    #[pyo3(signature = (new_lot, *, count = Count::of(1)), text_signature = "($self, new_lot, *, count=1)")]
    fn repark(slf: &Bound<'_, Self>, new_lot: &Bound<'_, PyAny>, count: Count) -> PyResult<()> {
        let py = slf.py();
        let Ok(new_lot) = new_lot.cast::<Self>() else {
            return Err(raise::<PyTypeError>(py, "new_lot must be a ParkingLot"));
        };
        for _ in 0..count.get()?.min(slf.get().len(py)) {
            transfer(slf, new_lot);
        }
        Ok(())
    }

    /// Move everybody to the end of another lot, without waking them.
    fn repark_all(slf: &Bound<'_, Self>, new_lot: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::repark(slf, new_lot, Count::of(usize::MAX))
    }

    /// Break the lot: wake everybody with :exc:`trio.BrokenResourceError`, and let nobody park again.
    ///
    /// It is no error to break a lot twice; the second task is noted, too.
    ///
    /// Arguments:
    ///     task: who is to blame; by default the current task. Goes into :attr:`broken_by`.
    #[pyo3(signature = (task = None))]
    fn break_lot(slf: &Bound<'_, Self>, task: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let culprit = match task {
            Some(task) => task.clone(),
            None => current::task(slf.py())?.into_any(),
        };
        Self::break_because_of(slf, &culprit)
    }

    #[getter]
    fn broken_by(slf: &Bound<'_, Self>) -> PyResult<Py<PyList>> {
        let py = slf.py();
        if let Some(list) = slf.get().broken_by.get(py) {
            return Ok(list);
        }
        let list = fallible::list(py)?.unbind();
        slf.get().broken_by.put(py, Some(list.clone_ref(py)));
        Ok(list)
    }

    #[setter]
    fn set_broken_by(&self, py: Python<'_>, tasks: Py<PyList>) {
        self.broken_by.put(py, Some(tasks));
    }

    /// How many tasks sleep here, as an object with the attribute ``tasks_waiting``.
    fn statistics<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        imports::parking_lot_statistics(slf.py())?.call1((slf.len()?,))
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.sleepers.with(py, |queue| queue.len())
    }

    fn __bool__(&self, py: Python<'_>) -> bool {
        !self.is_empty(py)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let py = slf.py();
        let by_task = fallible::dict(py)?;
        for task in slf.get().tasks(py) {
            by_task.set_item(task, py.None())?;
        }
        let parked = imports::ordered_dict(py)?.call1((by_task,))?.repr()?;
        let broken_by = Self::broken_by(slf)?.bind(py).repr()?;
        Ok(format!("ParkingLot(_parked={parked}, broken_by={broken_by})"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        self.release();
    }
}

impl ParkingLot {
    /// Does nobody sleep here?
    #[inline]
    pub fn is_empty(&self, py: Python<'_>) -> bool {
        self.sleepers.with(py, |queue| queue.is_empty())
    }

    /// How many sleep here.
    pub fn len(&self, py: Python<'_>) -> usize {
        self.sleepers.with(py, |queue| queue.len())
    }

    fn tasks(&self, py: Python<'_>) -> Vec<Py<Task>> {
        self.sleepers.with(py, |queue| queue.iter().map(|task| task.clone_ref(py)).collect())
    }

    /// Fails if the lot is broken.
    #[inline]
    pub fn check_whole(&self, py: Python<'_>) -> PyResult<()> {
        match self.broken_by.get(py) {
            Some(culprits) if !culprits.bind(py).is_empty() => {
                let culprits = culprits.bind(py).repr()?;
                let text = format!("Attempted to park in parking lot broken by {culprits}");
                Err(raise::<BrokenResourceError>(py, text))
            }
            _ => Ok(()),
        }
    }

    /// Breaks the lot and blames `task`.
    pub fn break_because_of(lot: &Bound<'_, Self>, task: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = lot.py();
        check_caller(lot)?;
        Self::broken_by(lot)?.bind(py).append(task)?;
        let sleepers = lot.get().sleepers.with(py, WaitQueue::drain);
        if sleepers.is_empty() {
            return Ok(());
        }
        let text = format!("Parking lot broken by {}", task.str()?);
        let mut result = Ok(());
        for sleeper in sleepers {
            let error = raise::<BrokenResourceError>(py, text.clone()).into_value(py);
            result = result.and(reschedule(sleeper.bind(py), Resume::Error(error)));
        }
        result
    }
}

struct Park {
    lot: Py<ParkingLot>,
}

impl Leaf for Park {
    fn poll(&mut self, py: Python<'_>, turn: u32) -> PyResult<Poll> {
        let task = current::task(py)?;
        if turn > 0 {
            return receive(&task).map(|_| Poll::Ready);
        }
        let lot = self.lot.bind(py);
        lot.get().check_whole(py)?;
        join(lot, &task, task.clone().unbind());
        Ok(Poll::Trap(Request::Park))
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.lot)
    }
}
