//! Native awaitables: coroutine objects whose body is a [`Leaf`].
//!
//! What Trio's functions return when they are not `async def`: an object that can be awaited once,
//! behaves like a coroutine where users can tell (`send`, `throw`, `close`, a warning if it is never
//! awaited), and is resumed by the interpreter through its iterator slot.
//!
//! States: new, suspended, running, done. While the leaf runs it may call Python freely: the state, not
//! its cell, keeps others out.

use pyo3::exceptions::{PyGeneratorExit, PyRuntimeError, PyRuntimeWarning, PyStopIteration};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use pyo3::{intern, PyTraverseError, PyVisit};
use smallbox::space::S4;
use smallbox::{smallbox, SmallBox};

use super::{Request, Trap};
use crate::interop::cell::{LoopCell, LoopValue};
use crate::interop::coroutine::return_value;
use crate::interop::errors::{bare, with_exception_aside};
use crate::interop::fallible::raise;
use crate::interop::pool::{self, pooled};
use crate::interop::slots::{self, Next, Resumable};

/// What came of polling a leaf.
#[must_use]
pub enum Poll {
    /// Yield a trap; the next poll comes when the task runs again.
    Trap(Request),
    /// Done, with `None`.
    Ready,
    /// Done, with a value.
    Value(Py<PyAny>),
}

/// One native asynchronous operation.
pub trait Leaf: Send + Sync {
    /// Goes on with the operation; `turn` counts the polls so far.
    fn poll(&mut self, py: Python<'_>, turn: u32) -> PyResult<Poll>;

    /// Something is thrown in where the operation is suspended. Unless a leaf has obligations, it
    /// just ends with the error.
    fn throw(&mut self, py: Python<'_>, error: PyErr) -> PyResult<Poll> {
        let _ = py;
        Err(error)
    }

    /// Shows the collector what the leaf holds.
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let _ = visit;
        Ok(())
    }
}

/// How far an awaitable has come: the number of polls, or one of these.
type Phase = u32;
/// The leaf runs, and is nobody else's business.
const RUNNING: Phase = Phase::MAX;
/// It has ended.
const DONE: Phase = Phase::MAX - 1;
/// There is nothing to do, and that as often as one likes.
const IDLE: Phase = Phase::MAX - 2;
/// It answers without going on, see [`Awaitable::standing_still`].
const STANDING_STILL: Phase = Phase::MAX - 3;

/// The coroutine object around a leaf.
#[pyclass(frozen, weakref, module = "trio", name = "coroutine")]
pub struct Awaitable {
    leaf: LoopCell<Option<SmallBox<dyn Leaf, S4>>>,
    phase: LoopValue<Phase>,
    name: &'static str,
}

impl Awaitable {
    /// An awaitable of the function `name` that runs `leaf` when it is awaited.
    #[inline]
    #[allow(clippy::new_ret_no_self, reason = "Python objects are made where they are handed over")]
    pub fn new(name: &'static str, leaf: impl Leaf + 'static) -> NewAwaitable {
        let leaf: SmallBox<dyn Leaf, S4> = smallbox!(leaf);
        let leaf = LoopCell::new(Some(leaf));
        let awaitable = Self { leaf, phase: LoopValue::new(0), name };
        NewAwaitable { awaitable, is_plain: false }
    }

    /// The same for a leaf that never holds Python objects, and so is no business of the garbage
    /// collector.
    #[inline]
    pub fn plain(name: &'static str, leaf: impl Leaf + 'static) -> NewAwaitable {
        NewAwaitable { is_plain: true, ..Self::new(name, leaf) }
    }

    /// For operations that are over when the function returns: always the same object.
    #[inline]
    pub fn done(py: Python<'_>) -> PyResult<Py<Self>> {
        static DONE: PyOnceLock<Py<Awaitable>> = PyOnceLock::new();
        let phase = LoopValue::new(IDLE);
        let idle = || Py::new(py, Self { leaf: LoopCell::new(None), phase, name: "done" });
        Ok(DONE.get_or_try_init(py, idle)?.clone_ref(py))
    }

    /// Prepares the class. Call before the first awaitable is made.
    pub fn prepare(py: Python<'_>) {
        pool::install::<Self>(py);
        slots::install::<Self>(py);
    }

    /// Has the leaf been dropped already?
    #[inline]
    fn is_over(&mut self, py: Python<'_>) -> bool {
        self.phase.get(py) == DONE
    }

    /// Polls the leaf, or throws `error` into it.
    #[inline]
    fn advance(&self, py: Python<'_>, error: Option<PyErr>) -> PyResult<Poll> {
        let turn = self.phase.get(py);
        if turn >= STANDING_STILL {
            return Self::refuse(py, turn, error);
        }
        self.phase.set(py, RUNNING);
        // The phase keeps everybody else away from the leaf, so its cell may be open while it runs.
        let result = self.leaf.with(py, |leaf| match (leaf, error) {
            (None, _) => Self::refuse(py, DONE, None),
            (Some(leaf), None) => leaf.poll(py, turn),
            (Some(_), Some(error)) if turn == 0 => Err(error),
            (Some(leaf), Some(error)) => leaf.throw(py, error),
        });
        if let Ok(Poll::Trap(_)) = &result {
            self.phase.set(py, turn + 1);
        } else {
            let leaf = self.leaf.take(py);
            self.phase.set(py, DONE);
            drop(leaf);
        }
        result
    }

    #[cold]
    fn refuse(py: Python<'_>, phase: Phase, error: Option<PyErr>) -> PyResult<Poll> {
        match (phase, error) {
            (IDLE, error) => error.map_or(Ok(Poll::Ready), Err),
            (STANDING_STILL, error) => error.map_or(Ok(Poll::Trap(Request::Park)), Err),
            (RUNNING, _) => Err(raise::<PyRuntimeError>(py, "coroutine is being awaited already")),
            _ => Err(raise::<PyRuntimeError>(py, "cannot reuse already awaited coroutine")),
        }
    }

    /// Does something with a coroutine around this awaitable, which yields or raises meanwhile as if it
    /// had been suspended before, but stays as it is.
    pub fn standing_still<R>(&self, py: Python<'_>, what: impl FnOnce() -> R) -> R {
        let phase = self.phase.get(py);
        self.phase.set(py, STANDING_STILL);
        let result = what();
        self.phase.set(py, phase);
        result
    }

    /// The result of a poll in terms of the iterator protocol.
    #[inline]
    fn hand_over(py: Python<'_>, poll: Poll) -> PyResult<Option<Py<Trap>>> {
        match poll {
            Poll::Trap(request) => Trap::shared(py, request).map(Some),
            Poll::Ready => Ok(None),
            Poll::Value(value) => Err(return_value(py, value)),
        }
    }
}

pooled!(Awaitable, hollow: is_over);

/// An awaitable on its way to Python, where it becomes an object from the pool.
#[must_use]
pub struct NewAwaitable {
    awaitable: Awaitable,
    is_plain: bool,
}

impl<'py> IntoPyObject<'py> for NewAwaitable {
    type Target = Awaitable;
    type Output = Bound<'py, Awaitable>;
    type Error = PyErr;

    #[inline]
    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        if self.is_plain {
            pool::make_untracked(py, self.awaitable)
        } else {
            pool::make(py, self.awaitable)
        }
    }
}

impl Resumable for Awaitable {
    #[inline]
    fn resume(&self, py: Python<'_>) -> PyResult<Next> {
        Ok(match self.advance(py, None)? {
            Poll::Trap(request) => Next::Yield(Trap::shared(py, request)?.into_any()),
            Poll::Ready => Next::Return(None),
            Poll::Value(value) => Next::Return(Some(value)),
        })
    }
}

#[pymethods]
impl Awaitable {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<Trap>>> {
        let poll = self.advance(py, None)?;
        Self::hand_over(py, poll)
    }

    /// Resumes the operation. The value is ignored.
    fn send(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Py<Trap>> {
        let _ = value;
        let poll = self.advance(py, None)?;
        Self::hand_over(py, poll)?.ok_or_else(|| PyStopIteration::new_err(()))
    }

    /// Raises an exception where the operation is suspended.
    #[pyo3(signature = (typ, val = None, tb = None, /))]
    fn throw(
        &self,
        py: Python<'_>,
        typ: Bound<'_, PyAny>,
        val: Option<Bound<'_, PyAny>>,
        tb: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<Trap>> {
        let exception = match typ.cast_into::<PyType>() {
            Ok(class) => match val {
                Some(value) if value.is_instance(&class)? => value,
                Some(value) => class.call1((value,))?,
                None => class.call0()?,
            },
            Err(error) => error.into_inner(),
        };
        if let Some(traceback) = tb {
            exception.setattr(intern!(py, "__traceback__"), traceback)?;
        }
        let poll = self.advance(py, Some(PyErr::from_value(exception)))?;
        Self::hand_over(py, poll)?.ok_or_else(|| PyStopIteration::new_err(()))
    }

    /// Ends the operation where it is suspended.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.phase.get(py) {
            DONE | IDLE | STANDING_STILL => return Ok(()),
            0 => {
                self.phase.set(py, DONE);
                drop(self.leaf.take(py));
                return Ok(());
            }
            _ => {}
        }
        match self.advance(py, Some(bare::<PyGeneratorExit>(py))) {
            Ok(Poll::Trap(_)) => {
                Err(raise::<PyRuntimeError>(py, "coroutine ignored GeneratorExit"))
            }
            Ok(_) => Ok(()),
            Err(error)
                if error.is_instance_of::<PyGeneratorExit>(py)
                    || error.is_instance_of::<PyStopIteration>(py) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    #[getter]
    fn __name__(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    #[getter]
    fn __qualname__(&self) -> &'static str {
        self.name
    }

    #[getter]
    fn cr_frame(&self) -> Option<Py<PyAny>> {
        None
    }

    #[getter]
    fn cr_await(&self) -> Option<Py<PyAny>> {
        None
    }

    #[getter]
    fn cr_code(&self) -> Option<Py<PyAny>> {
        None
    }

    #[getter]
    fn cr_running(&self, py: Python<'_>) -> bool {
        self.phase.get(py) == RUNNING
    }

    #[getter]
    fn cr_suspended(&self, py: Python<'_>) -> bool {
        (1..STANDING_STILL).contains(&self.phase.get(py))
    }

    #[getter]
    fn cr_origin(&self) -> Option<Py<PyAny>> {
        None
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        format!("<coroutine object {} at {:#x}>", slf.get().name, slf.as_ptr() as usize)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let visited = self.leaf.inspect(visit, |leaf| match leaf {
            Some(leaf) => leaf.trace(visit),
            None => Ok(()),
        });
        visited.unwrap_or(Ok(()))
    }

    fn __clear__(&self) {
        drop(self.leaf.take_unused());
    }
}

impl Drop for Awaitable {
    #[inline]
    fn drop(&mut self) {
        if *self.phase.get_mut() == 0 && self.leaf.take_unused().flatten().is_some() {
            warn_never_awaited(self.name);
        }
    }
}

#[cold]
fn warn_never_awaited(name: &str) {
    // An interpreter that shuts down is not told any more.
    Python::try_attach(|py| {
        let text = format!("coroutine '{name}' was never awaited\0");
        let Ok(text) = std::ffi::CString::from_vec_with_nul(text.into_bytes()) else { return };
        with_exception_aside(py, || {
            if let Err(error) = PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &text, 1) {
                error.write_unraisable(py, None);
            }
        });
    });
}
