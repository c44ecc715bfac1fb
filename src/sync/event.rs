//! `Event`: a flag that goes up once, and those who wait for it.

use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::core::current;
use crate::interop::async_method::{ignoring, AsyncMethod, Direct};
use crate::interop::cell::{LoopCell, LoopValue};
use crate::interop::fallible::raise;
use crate::interop::gc::{gc_fields, Trace};
use crate::interop::imports;
use crate::interop::pool::{self, pooled};
use crate::interop::slots::{self, Constructible};
use crate::kernel::WaitQueue;
use crate::task::{receive, Task};
use crate::trap::{
    check_caller, join, poll_checkpoint, wake_all, Awaitable, Leaf, NewAwaitable, Place, Poll,
    Request,
};

/// Something that happens once and that tasks can wait for.
///
/// It starts unset; :meth:`set` sets it for good and wakes everybody who waits. For something that
/// happens again, make a new event.
///
/// See "Broadcasting an event with Event" in Trio's reference.
#[pyclass(frozen, weakref, module = "trio", name = "Event")]
pub struct Event {
    flag: LoopValue<bool>,
    /// Empty once the flag is up.
    waiters: LoopCell<WaitQueue<Py<Task>>>,
}

gc_fields!(Event: waiters);
pooled!(Event);

impl Place for Event {
    type Waiter = Py<Task>;

    #[inline]
    fn waiters<'a>(event: &'a Bound<'_, Self>) -> &'a LoopCell<WaitQueue<Py<Task>>> {
        &event.get().waiters
    }
}

#[pymethods]
impl Event {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Bound<'_, Self>> {
        Self::construct(py)
    }

    /// Has the event happened?
    fn is_set(&self, py: Python<'_>) -> bool {
        self.flag.get(py)
    }

    /// Let the event have happened, and wake everybody who waits for it.
    fn set(slf: &Bound<'_, Self>) -> PyResult<()> {
        slf.get().flag.set(slf.py(), true);
        check_caller(slf)?;
        wake_all(slf)
    }

    /// Wait until the event has happened. A checkpoint, also if it has happened already.
    fn wait(slf: &Bound<'_, Self>) -> NewAwaitable {
        Awaitable::new("Event.wait", Wait::New(slf.clone().unbind()))
    }

    /// How many tasks wait, as an object with the attribute ``tasks_waiting``.
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let waiting = self.waiters.with(py, |queue| queue.len());
        imports::event_statistics(py)?.call1((waiting,))
    }

    fn __bool__(&self, py: Python<'_>) -> PyResult<bool> {
        Err(raise::<PyNotImplementedError>(
            py,
            "Trio events cannot be treated as bools; consider using `event.is_set()` instead.",
        ))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        self.release();
    }
}

impl Constructible for Event {
    #[inline]
    fn construct(py: Python<'_>) -> PyResult<Bound<'_, Self>> {
        let waiters = LoopCell::new(WaitQueue::default());
        pool::make(py, Self { flag: LoopValue::new(false), waiters })
    }
}

impl Event {
    /// Prepares the class. Call before the first event is made.
    pub fn prepare(py: Python<'_>) -> PyResult<()> {
        pool::install::<Self>(py);
        slots::install_constructor::<Self>(py);
        let wait: Direct =
            |event, given| ignoring::<0, Self, _>(event, given, |e| Ok(Self::wait(e)));
        AsyncMethod::install::<Self>(py, &[("wait", Some(wait))])
    }
}

/// The course of `wait`.
enum Wait {
    New(Py<Event>),
    /// The event had happened: it is a checkpoint only.
    GivesWay,
    /// This task is in the event's queue.
    Asleep(Py<Task>),
}

impl Leaf for Wait {
    #[inline]
    fn poll(&mut self, py: Python<'_>, turn: u32) -> PyResult<Poll> {
        match std::mem::replace(self, Self::GivesWay) {
            Self::New(event) => {
                let event = event.into_bound(py);
                if event.get().flag.get(py) {
                    return poll_checkpoint(py, turn);
                }
                let task = current::task(py)?;
                join(&event, &task, task.clone().unbind());
                *self = Self::Asleep(task.unbind());
                Ok(Poll::Trap(Request::Park))
            }
            Self::GivesWay => poll_checkpoint(py, turn),
            Self::Asleep(task) => receive(&task.into_bound(py)).map(|_| Poll::Ready),
        }
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::New(event) => visit.call(event),
            Self::GivesWay => Ok(()),
            Self::Asleep(task) => visit.call(task),
        }
    }
}
