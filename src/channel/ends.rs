//! The two ends of a memory channel: values go in at one and come out at the other.

use pyo3::exceptions::PyStopAsyncIteration;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::handle::Handle;
use super::state::{Side, State};
use crate::interop::async_method::{ignoring, with_one, AsyncMethod, Direct};
use crate::interop::errors::{bare, no_public_constructor, EndOfChannel, WouldBlock};
use crate::task::Task;
use crate::trap::{Attempt, Awaitable, Blocking, NewAwaitable, Operation};

/// The sending end of a memory channel; made by :class:`open_memory_channel`.
///
/// Any number of tasks may send through it at once. It is closed by :meth:`close`, :meth:`aclose`, or
/// the end of a ``with`` or ``async with`` block. See "Using channels to pass values between tasks" in
/// Trio's reference.
#[pyclass(extends = Handle, frozen, generic, module = "trio", name = "MemorySendChannel")]
pub struct MemorySendChannel;

#[pymethods]
impl MemorySendChannel {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn refuse(
        py: Python<'_>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        Err(no_public_constructor(py, "trio.MemorySendChannel"))
    }

    /// Send a value if that is possible at once: if a task waits for it, or the buffer has room.
    ///
    /// Raises:
    ///     WouldBlock: if it is not.
    ///     BrokenResourceError: if all receivers are closed.
    ///     ClosedResourceError: if this handle is closed.
    fn send_nowait(slf: &Bound<'_, Self>, value: Py<PyAny>) -> PyResult<()> {
        let py = slf.py();
        let channel = slf.as_super().get().channel(py)?.get();
        channel.check_caller(py, Side::Receive)?;
        match channel.put(py, value)? {
            None => Ok(()),
            Some(rejected) => {
                drop(rejected);
                Err(bare::<WouldBlock>(py))
            }
        }
    }

    /// Send a value, waiting for room in the buffer or for a task that takes it. A checkpoint.
    ///
    /// If it raises, nothing was sent.
    ///
    /// Raises:
    ///     BrokenResourceError: if all receivers are closed, now or while the task waits.
    ///     ClosedResourceError: if this handle is closed, now or while the task waits.
    fn send(slf: &Bound<'_, Self>, value: Py<PyAny>) -> NewAwaitable {
        let handle = slf.as_super().clone().unbind();
        let operation = Send { handle, value: Some(value) };
        Awaitable::new("MemorySendChannel.send", Blocking::new(operation))
    }

    /// Another handle on the same channel. There are no more senders when all of them are closed.
    ///
    /// Raises:
    ///     ClosedResourceError: if this handle is closed.
    fn clone<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        Self::open(slf.as_super().get().channel(slf.py())?)
    }
}

impl MemorySendChannel {
    /// Prepares the class. Call before the first handle is made.
    pub fn prepare(py: Python<'_>) -> PyResult<()> {
        let send: Direct = |handle, given| with_one::<Self, _>(handle, given, Self::send);
        AsyncMethod::install::<Self>(py, &[("send", Some(send))])
    }

    /// A new handle for sending.
    pub fn open<'py>(state: &Bound<'py, State>) -> PyResult<Bound<'py, Self>> {
        let handle = Handle::open(state, Side::Send);
        Bound::new(state.py(), PyClassInitializer::from(handle).add_subclass(Self))
    }
}

struct Send {
    handle: Py<Handle>,
    /// Until it is sent.
    value: Option<Py<PyAny>>,
}

impl Operation for Send {
    #[inline]
    fn attempt(&mut self, task: &Bound<'_, Task>) -> PyResult<Attempt> {
        let py = task.py();
        let handle = self.handle.bind(py);
        let channel = handle.get().channel(py)?;
        let Some(value) = self.value.take() else { return Ok(Attempt::Done(None)) };
        let rejected = channel.get().put(py, value)?;
        if rejected.is_none() {
            return Ok(Attempt::Done(None));
        }
        Handle::wait(handle, task, rejected);
        Ok(Attempt::Waits)
    }

    fn woken(
        &mut self,
        task: &Bound<'_, Task>,
        message: PyResult<Option<Py<PyAny>>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        self.handle.get().waited(task.py());
        message
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.handle)?;
        visit.call(&self.value)
    }
}

/// The receiving end of a memory channel; made by :class:`open_memory_channel`.
///
/// ``async for value in channel`` receives until all senders are closed. Any number of tasks may
/// receive through it at once; each value goes to one of them. It is closed by :meth:`close`,
/// :meth:`aclose`, or the end of a ``with`` or ``async with`` block. See "Using channels to pass values
/// between tasks" in Trio's reference.
#[pyclass(extends = Handle, frozen, generic, module = "trio", name = "MemoryReceiveChannel")]
pub struct MemoryReceiveChannel;

#[pymethods]
impl MemoryReceiveChannel {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn refuse(
        py: Python<'_>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        Err(no_public_constructor(py, "trio.MemoryReceiveChannel"))
    }

    /// Receive the next value if there is one.
    ///
    /// Raises:
    ///     WouldBlock: if there is none yet.
    ///     EndOfChannel: if there will be none, because all senders are closed.
    ///     ClosedResourceError: if this handle is closed.
    fn receive_nowait(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let channel = slf.as_super().get().channel(py)?.get();
        channel.check_caller(py, Side::Send)?;
        channel.take(py)?.ok_or_else(|| bare::<WouldBlock>(py))
    }

    /// Receive the next value, waiting for it if needed. A checkpoint.
    ///
    /// If it raises, no value was taken.
    ///
    /// Raises:
    ///     EndOfChannel: if there will be none, because all senders are closed.
    ///     ClosedResourceError: if this handle is closed, now or while the task waits.
    fn receive(slf: &Bound<'_, Self>) -> NewAwaitable {
        let handle = slf.as_super().clone().unbind();
        let operation = Receive { handle, in_loop: false };
        Awaitable::new("MemoryReceiveChannel.receive", Blocking::new(operation))
    }

    /// Another handle on the same channel. There are no more receivers when all of them are closed.
    ///
    /// Raises:
    ///     ClosedResourceError: if this handle is closed.
    fn clone<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        Self::open(slf.as_super().get().channel(slf.py())?)
    }

    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__(slf: &Bound<'_, Self>) -> NewAwaitable {
        let handle = slf.as_super().clone().unbind();
        let operation = Receive { handle, in_loop: true };
        Awaitable::new("ReceiveChannel.__anext__", Blocking::new(operation))
    }
}

impl MemoryReceiveChannel {
    /// Prepares the class. Call before the first handle is made.
    pub fn prepare(py: Python<'_>) -> PyResult<()> {
        let receive: Direct =
            |handle, given| ignoring::<0, Self, _>(handle, given, |h| Ok(Self::receive(h)));
        AsyncMethod::install::<Self>(py, &[("receive", Some(receive))])
    }

    /// A new handle for receiving.
    pub fn open<'py>(state: &Bound<'py, State>) -> PyResult<Bound<'py, Self>> {
        let handle = Handle::open(state, Side::Receive);
        Bound::new(state.py(), PyClassInitializer::from(handle).add_subclass(Self))
    }
}

struct Receive {
    handle: Py<Handle>,
    /// Is it a step of `async for`, whose end is told by another exception?
    in_loop: bool,
}

impl Receive {
    fn translate(&self, py: Python<'_>, error: PyErr) -> PyErr {
        if self.in_loop && error.is_instance_of::<EndOfChannel>(py) {
            bare::<PyStopAsyncIteration>(py)
        } else {
            error
        }
    }
}

impl Operation for Receive {
    #[inline]
    fn attempt(&mut self, task: &Bound<'_, Task>) -> PyResult<Attempt> {
        let py = task.py();
        let handle = self.handle.bind(py);
        let channel = handle.get().channel(py)?;
        let taken = channel.get().take(py).map_err(|error| self.translate(py, error))?;
        if taken.is_some() {
            return Ok(Attempt::Done(taken));
        }
        Handle::wait(handle, task, None);
        Ok(Attempt::Waits)
    }

    fn woken(
        &mut self,
        task: &Bound<'_, Task>,
        message: PyResult<Option<Py<PyAny>>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let py = task.py();
        self.handle.get().waited(py);
        message.map_err(|error| self.translate(py, error))
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.handle)
    }
}
