//! What the two kinds of handles have in common: they stand for one side of a channel until closed.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::state::{Side, State, Waiter};
use crate::interop::async_method::AsyncMethod;
use crate::interop::cell::{LoopCell, LoopValue};
use crate::interop::errors::{bare, ClosedResourceError};
use crate::interop::gc::{gc_fields, Trace};
use crate::kernel::WaitQueue;
use crate::task::Task;
use crate::trap::{join, poll_checkpoint, Awaitable, Immediate, Leaf, NewAwaitable, Place, Poll};

/// A handle on a memory channel.
#[pyclass(frozen, subclass, dict, weakref, module = "trio._channel", name = "MemoryChannelHandle")]
pub struct Handle {
    side: Side,
    state: Py<State>,
    number: u64,
    closed: LoopValue<bool>,
    /// How many tasks wait through this handle, or have waited and not yet run again.
    in_use: LoopValue<usize>,
}

gc_fields!(Handle: state);

impl Place for Handle {
    type Waiter = Waiter;

    #[inline]
    fn waiters<'a>(handle: &'a Bound<'_, Self>) -> &'a LoopCell<WaitQueue<Waiter>> {
        let this = handle.get();
        this.state.get().waiters(this.side)
    }
}

#[pymethods]
impl Handle {
    /// Close this handle; other handles on the channel stay open.
    ///
    /// Tasks that wait through it get :exc:`ClosedResourceError`. When all senders are closed,
    /// receivers get what is left in the buffer and then :exc:`EndOfChannel`; when all receivers are
    /// closed, what is in the buffer is lost and senders get :exc:`BrokenResourceError`. Closing twice
    /// is allowed.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.closed.get(py) {
            return Ok(());
        }
        let channel = self.state.get();
        channel.check_caller(py, Side::Send)?;
        channel.check_caller(py, Side::Receive)?;
        self.closed.set(py, true);
        let in_use = self.in_use.get(py) > 0;
        channel.handle_closed(py, self.side, self.number, in_use)
    }

    /// Close this handle as :meth:`close` does. A checkpoint; the handle is closed even if that raises.
    fn aclose(slf: Py<Self>) -> NewAwaitable {
        let name = match slf.get().side {
            Side::Send => "MemorySendChannel.aclose",
            Side::Receive => "MemoryReceiveChannel.aclose",
        };
        Awaitable::new(name, Close { handle: slf })
    }

    /// The state of the channel as a :class:`MemoryChannelStatistics`.
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.state.get().statistics(py)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: &Bound<'_, PyAny>,
        exc_value: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let _ = (exc_type, exc_value, traceback);
        self.close(py)
    }

    fn __aenter__(slf: Py<Self>) -> NewAwaitable {
        let give = |slf: &Bound<'_, Self>| Ok(Poll::Value(slf.clone().into_any().unbind()));
        Awaitable::new("AsyncResource.__aenter__", Immediate::new(slf, give))
    }

    fn __aexit__(
        slf: Py<Self>,
        exc_type: &Bound<'_, PyAny>,
        exc_value: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> NewAwaitable {
        let _ = (exc_type, exc_value, traceback);
        Self::aclose(slf)
    }

    #[getter]
    fn _state(&self, py: Python<'_>) -> Py<State> {
        self.state.clone_ref(py)
    }

    #[getter]
    fn _closed(&self, py: Python<'_>) -> bool {
        self.closed.get(py)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        let (own, state) = (slf.as_ptr() as usize, slf.get().state.as_ptr() as usize);
        let kind = match slf.get().side {
            Side::Send => "send",
            Side::Receive => "receive",
        };
        format!("<{kind} channel at {own:#x}, using buffer at {state:#x}>")
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        self.release();
    }
}

impl Handle {
    /// Prepares the class. Call before the first handle is made.
    pub fn prepare(py: Python<'_>) -> PyResult<()> {
        let methods = [("aclose", None), ("__aenter__", None), ("__aexit__", None)];
        AsyncMethod::install::<Self>(py, &methods)
    }

    /// A new handle for one side of the channel.
    pub fn open(state: &Bound<'_, State>, side: Side) -> Self {
        Self {
            side,
            number: state.get().handle_opened(state.py(), side),
            state: state.clone().unbind(),
            closed: LoopValue::new(false),
            in_use: LoopValue::new(0),
        }
    }

    /// The channel, for an operation through this handle.
    ///
    /// # Errors
    /// `ClosedResourceError` if the handle is closed.
    #[inline]
    pub fn channel<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, State>> {
        if self.closed.get(py) {
            Err(bare::<ClosedResourceError>(py))
        } else {
            Ok(self.state.bind(py))
        }
    }

    /// Lets the running task wait through this handle.
    #[inline]
    pub fn wait(handle: &Bound<'_, Self>, task: &Bound<'_, Task>, value: Option<Py<PyAny>>) {
        let py = task.py();
        let this = handle.get();
        this.in_use.set(py, this.in_use.get(py) + 1);
        join(handle, task, Waiter { task: task.clone().unbind(), value, handle: this.number });
    }

    /// A task that has waited runs again.
    #[inline]
    pub fn waited(&self, py: Python<'_>) {
        self.in_use.set(py, self.in_use.get(py) - 1);
    }
}

/// The course of `aclose`: it closes, and then is a checkpoint.
struct Close {
    handle: Py<Handle>,
}

impl Leaf for Close {
    fn poll(&mut self, py: Python<'_>, turn: u32) -> PyResult<Poll> {
        if turn == 0 {
            self.handle.get().close(py)?;
        }
        poll_checkpoint(py, turn)
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.handle)
    }
}
