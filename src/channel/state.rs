//! What the handles of a channel share.

use std::collections::VecDeque;

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::core::current;
use crate::interop::cell::{LoopCell, LoopValue};
use crate::interop::errors::{bare, BrokenResourceError, ClosedResourceError, EndOfChannel};
use crate::interop::gc::{gc_fields, Trace};
use crate::interop::imports;
use crate::interop::numbers::size_or_infinity;
use crate::kernel::tripwires::tripwire;
use crate::kernel::WaitQueue;
use crate::task::{reschedule, Resume, Task};

/// One side of the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Send,
    Receive,
}

/// A task that waits.
pub struct Waiter {
    pub task: Py<Task>,
    /// What it wants to send.
    pub value: Option<Py<PyAny>>,
    /// The number of the handle that it waits through.
    pub handle: u64,
}

impl Trace for Waiter {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.task)?;
        visit.call(&self.value)
    }
}

/// Those who are on one side of the channel.
struct Party {
    waiters: LoopCell<WaitQueue<Waiter>>,
    /// How many handles are open.
    open: LoopValue<usize>,
}

gc_fields!(Party: waiters);

impl Party {
    fn nobody() -> Self {
        Self { waiters: LoopCell::new(WaitQueue::default()), open: LoopValue::new(0) }
    }
}

/// The buffer of a memory channel, and the tasks that wait at it. For introspection only.
#[pyclass(frozen, weakref, generic, module = "trio._channel", name = "MemoryChannelState")]
pub struct State {
    /// As the user gave it.
    #[pyo3(get)]
    max_buffer_size: Py<PyAny>,
    /// The same number, infinity being the largest.
    room: usize,
    buffer: LoopCell<VecDeque<Py<PyAny>>>,
    peak: LoopValue<usize>,
    senders: Party,
    receivers: Party,
    handles_made: LoopValue<u64>,
}

gc_fields!(State: max_buffer_size, buffer, senders, receivers);

#[pymethods]
impl State {
    #[new]
    pub fn new(max_buffer_size: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self {
            room: size_or_infinity(max_buffer_size, "max_buffer_size", "an integer")?,
            max_buffer_size: max_buffer_size.clone().unbind(),
            buffer: LoopCell::new(VecDeque::new()),
            peak: LoopValue::new(0),
            senders: Party::nobody(),
            receivers: Party::nobody(),
            handles_made: LoopValue::new(0),
        })
    }

    /// What is in the buffer: a new deque.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let values: Vec<_> =
            self.buffer.with(py, |buffer| buffer.iter().map(|value| value.clone_ref(py)).collect());
        imports::deque(py)?.call1((values,))
    }

    #[getter]
    fn open_send_channels(&self, py: Python<'_>) -> usize {
        self.senders.open.get(py)
    }

    #[getter]
    fn open_receive_channels(&self, py: Python<'_>) -> usize {
        self.receivers.open.get(py)
    }

    #[getter]
    fn peak_buffer_used(&self, py: Python<'_>) -> usize {
        self.peak.get(py)
    }

    /// The channel's state as a ``MemoryChannelStatistics``.
    pub fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        imports::memory_channel_statistics(py)?.call1((
            self.buffer.with(py, |buffer| buffer.len()),
            &self.max_buffer_size,
            self.senders.open.get(py),
            self.receivers.open.get(py),
            self.senders.waiters.with(py, |queue| queue.len()),
            self.receivers.waiters.with(py, |queue| queue.len()),
            self.peak.get(py),
        ))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        self.release();
    }
}

impl State {
    fn party(&self, side: Side) -> &Party {
        match side {
            Side::Send => &self.senders,
            Side::Receive => &self.receivers,
        }
    }

    /// Where those wait who are on `side`.
    #[inline]
    pub fn waiters(&self, side: Side) -> &LoopCell<WaitQueue<Waiter>> {
        &self.party(side).waiters
    }

    /// Fails if tasks wait on `side` but the caller is outside of any run, and cannot wake them.
    #[inline]
    pub fn check_caller(&self, py: Python<'_>, side: Side) -> PyResult<()> {
        if self.waiters(side).with(py, |queue| !queue.is_empty()) {
            current::runner(py)?;
        }
        Ok(())
    }

    /// Counts a new handle, and returns its number.
    pub fn handle_opened(&self, py: Python<'_>, side: Side) -> u64 {
        let open = &self.party(side).open;
        open.set(py, open.get(py) + 1);
        let number = self.handles_made.get(py);
        self.handles_made.set(py, number + 1);
        number
    }

    /// A handle has been closed. If it was `in_use`, tasks may wait through it: they fail. If it was
    /// the last one of its side, the other side fails, and what nobody can receive is lost.
    pub fn handle_closed(
        &self,
        py: Python<'_>,
        side: Side,
        handle: u64,
        in_use: bool,
    ) -> PyResult<()> {
        let party = self.party(side);
        let open = party.open.get(py) - 1;
        party.open.set(py, open);
        let mut result = Ok(());
        if in_use {
            let mine = |waiter: &Waiter| waiter.handle == handle;
            let waiters = party.waiters.with(py, |queue| queue.drain_where(mine));
            result = fail_all(py, waiters, bare::<ClosedResourceError>);
        }
        if open > 0 {
            return result;
        }
        match side {
            Side::Send => {
                let waiters = self.receivers.waiters.with(py, WaitQueue::drain);
                result.and(fail_all(py, waiters, bare::<EndOfChannel>))
            }
            Side::Receive => {
                let waiters = self.senders.waiters.with(py, WaitQueue::drain);
                drop(self.buffer.take(py));
                result.and(fail_all(py, waiters, bare::<BrokenResourceError>))
            }
        }
    }

    /// Gives the value to a receiver or puts it into the buffer. Hands it back if neither is possible.
    #[inline]
    pub fn put(&self, py: Python<'_>, value: Py<PyAny>) -> PyResult<Option<Py<PyAny>>> {
        if self.receivers.open.get(py) == 0 {
            return Err(bare::<BrokenResourceError>(py));
        }
        if let Some(receiver) = self.receivers.waiters.with(py, WaitQueue::pop_front) {
            reschedule(receiver.task.bind(py), Resume::Value(value))?;
            return Ok(None);
        }
        let left = self.buffer.with(py, |buffer| {
            if buffer.len() >= self.room {
                return Err(value);
            }
            buffer.push_back(value);
            tripwire!(ItemSent);
            Ok(buffer.len())
        });
        match left {
            Ok(used) => {
                self.peak.set(py, self.peak.get(py).max(used));
                Ok(None)
            }
            Err(value) => Ok(Some(value)),
        }
    }

    /// Takes the next value, and lets the first sender that waits put his into the buffer. `None` if
    /// there is nothing yet.
    #[inline]
    pub fn take(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let value = match self.senders.waiters.with(py, WaitQueue::pop_front) {
            None => self.buffer.with(py, VecDeque::pop_front),
            Some(sender) => {
                let next = self.buffer.with(py, |buffer| {
                    tripwire!(ItemTaken);
                    buffer.extend(sender.value);
                    buffer.pop_front()
                });
                reschedule(sender.task.bind(py), Resume::Nothing)?;
                next
            }
        };
        if value.is_none() && self.senders.open.get(py) == 0 {
            return Err(bare::<EndOfChannel>(py));
        }
        Ok(value)
    }
}

/// Wakes tasks with an exception each. If waking one fails, the others are woken all the same.
fn fail_all(py: Python<'_>, waiters: Vec<Waiter>, error: fn(Python<'_>) -> PyErr) -> PyResult<()> {
    let mut result = Ok(());
    for waiter in waiters {
        let message = Resume::Error(error(py).into_value(py));
        result = result.and(reschedule(waiter.task.bind(py), message));
    }
    result
}
