//! `open_nursery` and the two ends of its `async with` block.

use pyo3::exceptions::{PyAssertionError, PyBaseException, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyBool;
use pyo3::{intern, Borrowed, PyTraverseError, PyVisit};
use thin_vec::ThinVec;

use super::Nursery;
use crate::cancel::{exit, CancelScope};
use crate::core::{current, Source};
use crate::interop::async_method::{ignoring, Answer, AsyncMethod, Direct};
use crate::interop::cell::{LoopCell, LoopRef, LoopValue};
use crate::interop::errors;
use crate::interop::fallible::raise;
use crate::interop::gc::{gc_fields, Trace};
use crate::interop::imports;
use crate::interop::pool::{self, pooled};
use crate::kernel::tripwires::tripwire;
use crate::kernel::Slab;
use crate::task::{park, receive, AbortOutcome, Interruption, Plan, Task};
use crate::trap::{Awaitable, Leaf, NewAwaitable, Poll, Request};

/// The asynchronous context manager that :func:`open_nursery` returns.
#[pyclass(frozen, weakref, module = "trio._core._run", name = "NurseryManager")]
pub struct NurseryManager {
    #[pyo3(get)]
    strict_exception_groups: bool,
    nursery: LoopRef<Nursery>,
}

gc_fields!(NurseryManager: nursery);
pooled!(NurseryManager);

impl NurseryManager {
    /// Prepares the class. Call before the first manager is made.
    pub fn prepare(py: Python<'_>) -> PyResult<()> {
        pool::install::<Self>(py);
        let enter: Direct = |manager, given| {
            ignoring::<0, Self, _>(manager, given, |manager| Ok(Self::__aenter__(manager)))
        };
        AsyncMethod::install::<Self>(py, &[("__aenter__", Some(enter)), ("__aexit__", Some(exit))])
    }

    /// The beginning of `__aexit__`.
    ///
    /// Ctrl-C waits from here on: the interpreter looks for signals between the call and the `await`,
    /// and an exception there would leave the nursery open.
    fn end(manager: &Bound<'_, Self>, incoming: Option<Py<PyBaseException>>) -> NewAwaitable {
        let py = manager.py();
        if let Some(nursery) = manager.get().nursery.get(py) {
            nursery.into_bound(py).get().leaving.set(py, true);
        }
        let leaf = Exit { manager: manager.clone().unbind(), incoming, waited: false };
        Awaitable::new("NurseryManager.__aexit__", leaf)
    }
}

#[pymethods]
impl NurseryManager {
    #[new]
    #[pyo3(signature = (strict_exception_groups = true))]
    fn new(strict_exception_groups: bool) -> Self {
        Self { strict_exception_groups, nursery: LoopRef::new(None) }
    }

    fn __aenter__(slf: &Bound<'_, Self>) -> NewAwaitable {
        Awaitable::new("NurseryManager.__aenter__", Enter { manager: slf.clone().unbind() })
    }

    fn __aexit__(
        slf: &Bound<'_, Self>,
        etype: Option<&Bound<'_, PyAny>>,
        exc: Option<Py<PyBaseException>>,
        tb: Option<&Bound<'_, PyAny>>,
    ) -> NewAwaitable {
        let _ = (etype, tb);
        Self::end(slf, exc)
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<()> {
        Err(raise::<PyRuntimeError>(
            py,
            "use 'async with open_nursery(...)', not 'with open_nursery(...)'",
        ))
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, py: Python<'_>, _args: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(raise::<PyAssertionError>(py, "Never called, but should be defined"))
    }

    #[getter]
    fn _nursery(&self, py: Python<'_>) -> Option<Py<Nursery>> {
        self.nursery.get(py)
    }

    #[getter]
    fn _scope(&self, py: Python<'_>) -> Option<Py<CancelScope>> {
        self.nursery.get(py).map(|nursery| nursery.get().cancel_scope.clone_ref(py))
    }

    fn __repr__(&self) -> String {
        let strict = if self.strict_exception_groups { "True" } else { "False" };
        format!("NurseryManager(strict_exception_groups={strict})")
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        self.release();
    }
}

/// The short cut to `__aexit__`.
fn exit<'py>(manager: &Bound<'py, PyAny>, given: &[Borrowed<'_, 'py, PyAny>]) -> Answer<'py> {
    let [_, error, _] = given else { return None };
    let error = if error.is_none() { None } else { Some(error.cast().ok()?.to_owned().unbind()) };
    ignoring::<3, NurseryManager, _>(manager, given, |manager| {
        Ok(NurseryManager::end(manager, error))
    })
}

/// Open a nursery: a block that does not end before all the tasks started in it have ended.
///
/// Use as ``async with trio.open_nursery() as nursery``. Leaving the block lets other tasks run even
/// if nothing is left to wait for, but is not itself a point at which cancellation is raised.
///
/// Arguments:
///     strict_exception_groups: if false, a single exception leaves the block without a group
///         around it. Deprecated; by default what :func:`run` was told.
///
/// Raises:
///     ExceptionGroup: with everything that the block and the tasks raised.
#[pyfunction]
#[pyo3(signature = (strict_exception_groups = None))]
pub fn open_nursery<'py>(
    py: Python<'py>,
    strict_exception_groups: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, NurseryManager>> {
    let strict = match strict_exception_groups {
        None => current::runner_attribute(py)?.get().options.strict_exception_groups,
        Some(given) => {
            let strict = given.is_truthy()?;
            if !strict {
                imports::warn_loose_groups(py)?.call1((intern!(py, "open_nursery("), 2))?;
            }
            strict
        }
    };
    pool::make(py, NurseryManager::new(strict))
}

struct Enter {
    manager: Py<NurseryManager>,
}

impl Leaf for Enter {
    fn poll(&mut self, py: Python<'_>, _turn: u32) -> PyResult<Poll> {
        let task = current::task(py)?;
        let scope = CancelScope::make(py, f64::INFINITY, f64::INFINITY, false)?;
        CancelScope::enter(&scope, &task)?;
        let Some(node) = scope.get().node(py) else {
            return Err(raise::<PyRuntimeError>(
                py,
                "the nursery's scope was closed while it opened",
            ));
        };
        let manager = self.manager.get();
        tripwire!(NurseryOpened);
        let made = pool::make(
            py,
            Nursery {
                parent: task.clone().unbind(),
                cancel_scope: scope.clone().unbind(),
                node,
                strict: manager.strict_exception_groups,
                children: LoopCell::new(Slab::default()),
                pending_excs: LoopCell::new(Vec::new()),
                pending_starts: LoopValue::new(0),
                nested_finished: LoopValue::new(false),
                parent_waits: LoopValue::new(false),
                closed: LoopValue::new(false),
                leaving: LoopValue::new(false),
            },
        );
        let nursery = match made {
            Ok(nursery) => nursery.unbind(),
            // There will be no end of the block that could leave it.
            Err(error) => return Err(exit::leave(&scope, None).err().unwrap_or(error)),
        };
        let listed = nursery.clone_ref(py).into_any();
        task.get().child_nurseries.with(py, |open| open.push(listed));
        manager.nursery.put(py, Some(nursery.clone_ref(py)));
        Ok(Poll::Value(nursery.into_any()))
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.manager)
    }
}

struct Exit {
    manager: Py<NurseryManager>,
    incoming: Option<Py<PyBaseException>>,
    waited: bool,
}

impl Leaf for Exit {
    fn poll(&mut self, py: Python<'_>, turn: u32) -> PyResult<Poll> {
        let nursery = self.nursery(py)?;
        if turn == 0 {
            return self.begin(&nursery);
        }
        if self.waited {
            let task = current::task(py)?;
            if let Err(error) = receive(&task) {
                Self::blame_block(&nursery, error.into_value(py))?;
            }
        }
        self.finish(&nursery)
    }

    fn throw(&mut self, py: Python<'_>, error: PyErr) -> PyResult<Poll> {
        let nursery = self.nursery(py)?;
        nursery.get().parent_waits.set(py, false);
        Self::blame_block(&nursery, error.into_value(py))?;
        self.finish(&nursery)
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.manager)?;
        visit.call(&self.incoming)
    }
}

impl Exit {
    fn nursery<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Nursery>> {
        match self.manager.get().nursery.get(py) {
            Some(nursery) => Ok(nursery.into_bound(py)),
            None => Err(raise::<PyRuntimeError>(py, "the nursery has not been opened")),
        }
    }

    fn blame_block(nursery: &Bound<'_, Nursery>, error: Py<PyBaseException>) -> PyResult<()> {
        let label = Task::label(nursery.get().parent.bind(nursery.py()));
        let what = Some("Code block inside nursery contextmanager");
        Nursery::add_exception(nursery, error, what, Source::Nursery, Some(label))
    }

    /// The block has ended: wait for the others, or at least let other tasks run.
    fn begin(&mut self, nursery: &Bound<'_, Nursery>) -> PyResult<Poll> {
        let py = nursery.py();
        let this = nursery.get();
        this.leaving.set(py, false);
        if let Some(error) = &self.incoming {
            Self::blame_block(nursery, error.clone_ref(py))?;
        }
        this.nested_finished.set(py, true);
        tripwire!(NurseryLeft);
        Nursery::check_finished(nursery)?;
        if this.closed.get(py) {
            return Ok(Poll::Trap(Request::Checkpoint));
        }
        this.parent_waits.set(py, true);
        self.waited = true;
        let place = Some(nursery.clone().into_any().unbind());
        park(py, this.parent.get(), Plan { abort: note_interruption, place, key: 0 });
        Ok(Poll::Trap(Request::Park))
    }

    /// Everybody has ended: put the exceptions together and close the scope.
    fn finish(&mut self, nursery: &Bound<'_, Nursery>) -> PyResult<Poll> {
        let py = nursery.py();
        let this = nursery.get();
        let innermost = this.parent.get().child_nurseries.with(py, ThinVec::pop);
        if !innermost.is_some_and(|innermost| innermost.is(nursery)) {
            return Err(raise::<PyAssertionError>(py, "Nursery misnesting detected!"));
        }
        // Without memory for a group that error leaves instead; the scope is closed all the same.
        let combined = combine(py, this.pending_excs.take(py), this.strict)
            .unwrap_or_else(|error| Some(error.into_value(py).into_bound(py)));
        tripwire!(NurseryEnded);
        let rest = exit::leave(this.cancel_scope.bind(py), combined)?;
        let incoming = self.incoming.take();
        match rest {
            None if incoming.is_none() => Ok(Poll::Ready),
            None => Ok(Poll::Value(PyBool::new(py, true).to_owned().into_any().unbind())),
            Some(rest) if incoming.is_some_and(|incoming| incoming.is(&rest)) => {
                Ok(Poll::Value(PyBool::new(py, false).to_owned().into_any().unbind()))
            }
            Some(rest) => Err(raised_in_python(py, &rest)?),
        }
    }
}

/// The error with a traceback entry for the end of the block. pytest, for one, hides entries of some
/// functions, and needs one that it may show.
fn raised_in_python(py: Python<'_>, error: &Bound<'_, PyBaseException>) -> PyResult<PyErr> {
    let context = errors::get_context(error);
    let raised = match imports::leave_nursery(py)?.call1((error,)) {
        Ok(_) => PyErr::from_value(error.clone().into_any()),
        Err(raised) => raised,
    };
    errors::set_context(py, &raised, context.as_ref());
    Ok(raised)
}

/// While the parent waits for its children, cancellation reaches them through the tree and is no
/// business of its own; Ctrl-C has to be kept.
fn note_interruption(
    task: &Bound<'_, Task>,
    plan: &Plan,
    why: &Interruption,
) -> PyResult<AbortOutcome> {
    let py = task.py();
    if let (Interruption::Keyboard, Some(place)) = (why, &plan.place) {
        task.get().runner.get().interrupt_pending.set(py, false);
        let nursery = place.bind(py).cast::<Nursery>()?;
        let error = why.to_error(py).into_value(py);
        let label = Task::label(task);
        Nursery::add_exception(nursery, error, None, Source::KeyboardInterrupt, Some(label))?;
    }
    Ok(AbortOutcome::Failed)
}

/// One exception for all that have been collected.
fn combine(
    py: Python<'_>,
    mut pending: Vec<Py<PyBaseException>>,
    strict: bool,
) -> PyResult<Option<Bound<'_, PyBaseException>>> {
    if pending.is_empty() {
        return Ok(None);
    }
    if !strict && pending.len() == 1 {
        return Ok(pending.pop().map(|error| error.into_bound(py)));
    }
    let group = errors::group(py, "Exceptions from Trio nursery", pending)?;
    if !strict {
        group.call_method1(intern!(py, "add_note"), (exit::LOOSE_GROUP_NOTE,))?;
    }
    // As if raised `from None`: what the parent was handling has nothing to do with it.
    let error = PyErr::from_value(group.into_any());
    error.set_cause(py, None);
    Ok(Some(error.into_value(py).into_bound(py)))
}
