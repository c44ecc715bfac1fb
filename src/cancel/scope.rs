//! The cancel scope as users hold it.
//!
//! States: unbound (a deadline may be absolute or relative), active (it has a node in the tree, and an
//! entry in the deadline heap if its deadline is finite and it is not cancelled), exited. Cancelled or
//! not is independent of that and never taken back.
//!
//! Invariant: `pending` is `Some` exactly while the scope is active, not cancelled, and its deadline
//! is finite.

use std::sync::Arc;

use pyo3::exceptions::{PyBaseException, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBool;
use pyo3::{PyTraverseError, PyVisit};

use super::{deliver, exit};
use crate::core::{current, Due, Reason, Runner, ScopeChange, Source};
use crate::interop::cell::LoopCell;
use crate::interop::fallible::raise;
use crate::interop::gc::{gc_fields, Trace};
use crate::interop::numbers::Truth;
use crate::interop::pool::{self, pooled};
use crate::kernel::tripwires::tripwire;
use crate::kernel::{DeadlineKey, NodeId};
use crate::task::Task;

/// The changing part of a scope.
pub(super) struct State {
    pub deadline: f64,
    pub relative_deadline: f64,
    pub shield: bool,
    pub entered: bool,
    pub cancelled: bool,
    pub caught: bool,
    pub node: Option<NodeId>,
    pub pending: Option<DeadlineKey>,
    pub runner: Option<Py<Runner>>,
    pub reason: Option<Arc<Reason>>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            deadline: f64::INFINITY,
            relative_deadline: f64::INFINITY,
            shield: false,
            entered: false,
            cancelled: false,
            caught: false,
            node: None,
            pending: None,
            runner: None,
            reason: None,
        }
    }
}

impl Trace for State {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.runner.trace(visit)
    }
}

/// A block of code that can be cancelled as a whole.
///
/// Use it as a context manager, once. When it is cancelled, by :meth:`cancel` or by its deadline, every
/// checkpoint in the block (and in tasks whose nurseries were opened in it) raises ``Cancelled`` until
/// the block ends; the scope then swallows the exception.
///
/// Arguments:
///     deadline: when to cancel, in seconds on the run's clock.
///     relative_deadline: the same in seconds from entering the block.
///     shield: protect the block from cancellation of scopes around it?
///
/// Raises:
///     ValueError: if both deadlines are given, one is not a number, or the relative one is negative.
///
/// See "Cancellation and timeouts" in Trio's manual.
#[pyclass(frozen, weakref, module = "trio", name = "CancelScope")]
pub struct CancelScope {
    pub(super) state: LoopCell<State>,
}

gc_fields!(CancelScope: state);
pooled!(CancelScope, hollow: is_retired);

#[pymethods]
impl CancelScope {
    #[new]
    #[pyo3(
        signature = (*, relative_deadline = f64::INFINITY, deadline = f64::INFINITY, shield = Truth(false)),
        text_signature = "(*, relative_deadline=1e999, deadline=1e999, shield=False)"
    )]
    fn py_new(
        py: Python<'_>,
        relative_deadline: f64,
        deadline: f64,
        shield: Truth,
    ) -> PyResult<Self> {
        if deadline.is_nan() {
            return Err(raise::<PyValueError>(py, "deadline must not be NaN"));
        }
        if relative_deadline.is_nan() {
            return Err(raise::<PyValueError>(py, "relative deadline must not be NaN"));
        }
        if relative_deadline < 0.0 {
            return Err(raise::<PyValueError>(py, "timeout must be non-negative"));
        }
        if relative_deadline != f64::INFINITY && deadline != f64::INFINITY {
            return Err(raise::<PyValueError>(
                py,
                "Cannot specify both a deadline and a relative deadline",
            ));
        }
        Ok(Self::build(deadline, relative_deadline, shield.0))
    }

    fn __enter__(slf: &Bound<'_, Self>) -> PyResult<Py<Self>> {
        let task = current::task(slf.py())?;
        Self::enter(slf, &task)?;
        Ok(slf.clone().unbind())
    }

    #[pyo3(signature = (etype, exc, tb))]
    fn __exit__(
        slf: &Bound<'_, Self>,
        etype: Option<&Bound<'_, PyAny>>,
        exc: Option<Bound<'_, PyBaseException>>,
        tb: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let _ = (etype, tb);
        let incoming = exc.clone();
        match exit::leave(slf, exc)? {
            None => Ok(true),
            Some(rest) if incoming.is_some_and(|incoming| incoming.is(&rest)) => Ok(false),
            Some(rest) => Err(PyErr::from_value(rest.into_any())),
        }
    }

    /// Cancel the block.
    ///
    /// Tasks inside that are waiting are woken with ``Cancelled``; the others get it at their next
    /// checkpoint. Cancelling again does nothing. A scope can be cancelled before it is entered.
    ///
    /// Arguments:
    ///     reason: text that explains why; it shows in the exception.
    #[pyo3(signature = (reason = None))]
    fn cancel(slf: &Bound<'_, Self>, reason: Option<Py<PyAny>>) -> PyResult<()> {
        if slf.get().state.with(slf.py(), |state| state.cancelled) {
            return Ok(());
        }
        let label = current::task_or_none(slf.py()).map(|task| Task::label(&task));
        Self::cancel_because(slf, Reason::detailed(Source::Explicit, reason, label))
    }

    /// Cancels because the run is ending.
    fn _cancel_for_shutdown(slf: &Bound<'_, Self>, reason: Py<PyAny>) -> PyResult<()> {
        let label = current::task_or_none(slf.py()).map(|task| Task::label(&task));
        Self::cancel_because(slf, Reason::detailed(Source::Shutdown, Some(reason), label))
    }

    /// Has the scope been cancelled, or has its deadline passed?
    #[getter]
    fn cancel_called(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let py = slf.py();
        let (cancelled, open, deadline) = slf.get().state.with(py, |state| {
            (state.cancelled, state.node.is_some() || !state.entered, state.deadline)
        });
        if !cancelled
            && open
            && deadline != f64::INFINITY
            && current::runner(py)?.get().now(py)? >= deadline
        {
            Self::cancel_because(slf, Reason::plain(Source::Deadline))?;
            return Ok(true);
        }
        Ok(cancelled)
    }

    /// Did the scope swallow a ``Cancelled`` exception at its end?
    #[getter]
    fn cancelled_caught(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.caught)
    }

    #[setter]
    fn set_cancelled_caught(&self, py: Python<'_>, caught: bool) {
        self.state.with(py, |state| state.caught = caught);
    }

    /// When the scope is cancelled, in seconds on the run's clock; ``math.inf`` for never.
    #[getter]
    fn deadline(&self, py: Python<'_>) -> PyResult<f64> {
        let (is_relative, deadline) =
            self.state.with(py, |state| (state.is_relative(), state.deadline));
        if is_relative == Some(true) {
            return Err(raise::<PyRuntimeError>(
                py,
                "Unentered relative cancel scope does not have an absolute deadline.",
            ));
        }
        Ok(deadline)
    }

    #[setter]
    fn set_deadline(slf: &Bound<'_, Self>, deadline: f64) -> PyResult<()> {
        let py = slf.py();
        if deadline.is_nan() {
            return Err(raise::<PyValueError>(py, "deadline must not be NaN"));
        }
        slf.get().deadline(py)?;
        slf.get().state.with(py, |state| state.deadline = deadline);
        Self::refresh_registration(slf)
    }

    /// Seconds until the scope is cancelled, counted from entry (before it) or from now (after it).
    #[getter]
    fn relative_deadline(&self, py: Python<'_>) -> PyResult<f64> {
        let (entered, relative) = self.check_relative(py)?;
        if entered {
            let deadline = self.state.with(py, |state| state.deadline);
            return Ok(deadline - current::runner(py)?.get().now(py)?);
        }
        Ok(relative)
    }

    #[setter]
    fn set_relative_deadline(slf: &Bound<'_, Self>, seconds: f64) -> PyResult<()> {
        let py = slf.py();
        if seconds.is_nan() {
            return Err(raise::<PyValueError>(py, "relative deadline must not be NaN"));
        }
        if seconds < 0.0 {
            return Err(raise::<PyValueError>(py, "relative deadline must be non-negative"));
        }
        let (entered, _) = slf.get().check_relative(py)?;
        if entered {
            let deadline = current::runner(py)?.get().now(py)? + seconds;
            slf.get().state.with(py, |state| state.deadline = deadline);
            return Self::refresh_registration(slf);
        }
        slf.get().state.with(py, |state| state.relative_deadline = seconds);
        Ok(())
    }

    /// Does the deadline count from entry? ``None`` once the block has been entered.
    #[getter]
    fn is_relative(&self, py: Python<'_>) -> Option<bool> {
        self.state.with(py, |state| state.is_relative())
    }

    /// Is the block protected from cancellation of the scopes around it?
    #[getter]
    fn shield(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.shield)
    }

    #[setter]
    fn set_shield(&self, py: Python<'_>, shield: &Bound<'_, PyAny>) -> PyResult<()> {
        let Ok(shield) = shield.cast::<PyBool>() else {
            return Err(raise::<PyTypeError>(py, "shield must be a bool"));
        };
        let shield = shield.is_true();
        let active = self.state.with(py, |state| {
            state.shield = shield;
            state.node.zip(state.runner.as_ref().map(|runner| runner.clone_ref(py)))
        });
        let Some((node, runner)) = active else { return Ok(()) };
        let exposed = !shield
            && runner
                .get()
                .scopes
                .with(py, |tree| tree.parent(node).is_some_and(|outer| tree.is_effective(outer)));
        Self::expire_below(py, runner.get(), node, exposed)?;
        let mut change = ScopeChange::default();
        runner.get().scopes.with(py, |tree| tree.set_shield(node, shield, &mut change));
        deliver(py, runner.get(), change)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        let py = slf.py();
        let (text, deadline) = slf.get().state.with(py, |state| {
            let text = match (state.node, state.entered) {
                (Some(_), _) => "active",
                (None, true) => "exited",
                (None, false) => "unbound",
            };
            let deadline = match (state.cancelled, state.deadline) {
                (true, ..) => Some(f64::NAN),
                (false, f64::INFINITY) => None,
                (false, deadline) => Some(deadline),
            };
            (text, deadline)
        });
        let details = match deadline {
            None => String::new(),
            Some(deadline) if deadline.is_nan() => ", cancelled".to_owned(),
            Some(deadline) => {
                let now = current::runner_or_none(py).and_then(|run| run.get().now(py).ok());
                now.map_or_else(String::new, |now| format!(", {}", describe(deadline - now)))
            }
        };
        format!("<trio.CancelScope at {:#x}, {text}{details}>", slf.as_ptr() as usize)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        self.release();
    }
}

fn describe(seconds: f64) -> String {
    let direction = if seconds >= 0.0 { "from now" } else { "ago" };
    format!("deadline is {:.2} seconds {direction}", seconds.abs())
}

impl State {
    fn is_relative(&self) -> Option<bool> {
        (!self.entered).then_some(self.relative_deadline != f64::INFINITY)
    }
}

impl CancelScope {
    /// Has a dead scope nothing left that refers to Python objects?
    #[inline]
    fn is_retired(&mut self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.runner.is_none() && state.reason.is_none())
    }

    /// Prepares the class. Call before the first scope is made.
    pub fn prepare(py: Python<'_>) {
        pool::install::<Self>(py);
    }

    /// A new scope object. The deadlines have been validated.
    #[inline]
    pub fn make(
        py: Python<'_>,
        deadline: f64,
        relative_deadline: f64,
        shield: bool,
    ) -> PyResult<Bound<'_, Self>> {
        pool::make(py, Self::build(deadline, relative_deadline, shield))
    }

    /// A scope that has not been entered. The deadlines have been validated.
    fn build(deadline: f64, relative_deadline: f64, shield: bool) -> Self {
        let state = State { deadline, relative_deadline, shield, ..State::default() };
        Self { state: LoopCell::new(state) }
    }

    fn check_relative(&self, py: Python<'_>) -> PyResult<(bool, f64)> {
        let (entered, deadline, relative) =
            self.state.with(py, |state| (state.entered, state.deadline, state.relative_deadline));
        if !entered && deadline != f64::INFINITY {
            return Err(raise::<PyRuntimeError>(
                py,
                "Unentered non-relative cancel scope does not have a relative deadline",
            ));
        }
        Ok((entered, relative))
    }

    /// Begins the block in `task`.
    pub fn enter(slf: &Bound<'_, Self>, task: &Bound<'_, Task>) -> PyResult<()> {
        let py = slf.py();
        let scope = slf.get();
        let runner = &task.get().runner;
        let run = runner.get();
        let (reused, relative, absolute, shield, reason) = scope.state.with(py, |state| {
            let reused = std::mem::replace(&mut state.entered, true);
            let reason = state.reason.clone();
            (reused, state.relative_deadline, state.deadline, state.shield, reason)
        });
        if reused {
            return Err(raise::<PyRuntimeError>(
                py,
                "Each CancelScope may only be used for a single 'with' block",
            ));
        }
        let Some(leaf) = task.get().node.get(py) else {
            return Err(raise::<PyRuntimeError>(py, "the task has finished"));
        };
        let timed = relative != f64::INFINITY || absolute != f64::INFINITY;
        let now = if timed { run.now(py)? } else { 0.0 };
        let deadline = if relative == f64::INFINITY { absolute } else { now + relative };
        let due = timed && now >= deadline;
        let reason = reason.or_else(|| due.then(|| Reason::plain(Source::Deadline)));
        let mut change = ScopeChange::default();
        let owner = slf.clone().unbind();
        let node = run.scopes.with(py, |tree| tree.enter(leaf, shield, owner, &mut change));
        tripwire!(ScopeEntered);
        let mut pending = None;
        if timed && reason.is_none() {
            let entry = Due::Scope(slf.clone().unbind());
            let (key, is_nearest) = run.deadlines.with(py, |heap| {
                let is_nearest = heap.next().is_none_or(|next| deadline < next);
                (heap.insert(deadline, entry), is_nearest)
            });
            pending = Some(key);
            if is_nearest {
                run.nudge_host(py);
            }
        }
        let owner = runner.clone_ref(py);
        scope.state.with(py, |state| {
            state.deadline = deadline;
            state.node = Some(node);
            state.pending = pending;
            state.runner = Some(owner);
            state.cancelled = reason.is_some();
            state.reason.clone_from(&reason);
        });
        if let Some(reason) = reason {
            run.scopes.with(py, |tree| tree.cancel_at_entry(node, reason, &mut change));
        }
        deliver(py, run, change)
    }

    /// The scope's node has left the tree: takes it out of the deadline heap, and cuts it off from the
    /// run.
    pub(super) fn retire(&self, py: Python<'_>) {
        let (pending, runner) = self.state.with(py, |state| {
            state.node = None;
            (state.pending.take(), state.runner.take())
        });
        let Some(runner) = runner else { return };
        if let Some(key) = pending {
            let due = runner.get().deadlines.with(py, |heap| heap.remove(key));
            if let Some(Due::Scope(scope)) = due {
                scope.drop_ref(py);
            }
        }
        runner.drop_ref(py);
    }

    /// Cancels the scope; the first reason is kept.
    pub fn cancel_because(slf: &Bound<'_, Self>, reason: Arc<Reason>) -> PyResult<()> {
        let py = slf.py();
        let (fresh, active) = slf.get().state.with(py, |state| {
            let fresh = !std::mem::replace(&mut state.cancelled, true);
            if fresh && state.reason.is_none() {
                state.reason = Some(reason.clone());
            }
            (fresh, state.node.zip(state.runner.as_ref().map(|runner| runner.clone_ref(py))))
        });
        let Some((node, runner)) = active.filter(|_| fresh) else { return Ok(()) };
        Self::refresh_registration(slf)?;
        Self::expire_below(py, runner.get(), node, true)?;
        let mut change = ScopeChange::default();
        runner.get().scopes.with(py, |tree| {
            tree.cancel(node, reason, &mut change);
            tripwire!(ScopeCancelled);
        });
        deliver(py, runner.get(), change)
    }

    /// A change at the node `top` is about to reach the scopes inside. Those whose deadline has passed,
    /// although the loop has not come to it yet, are cancelled by that deadline first.
    fn expire_below(py: Python<'_>, run: &Runner, top: NodeId, reached: bool) -> PyResult<()> {
        let Some(next) = run.deadlines.with(py, |heap| heap.next()) else { return Ok(()) };
        let now = run.now(py)?;
        if next > now {
            return Ok(());
        }
        let expired: Vec<Py<Self>> = run.scopes.with(py, |tree| {
            let is_due = |owner: &Py<Self>| {
                owner.get().state.with(py, |state| state.pending.is_some() && state.deadline <= now)
            };
            let found = tree.expire_below(top, reached, is_due, || Reason::plain(Source::Deadline));
            found.iter().filter_map(|id| tree.owner(*id)).map(|owner| owner.clone_ref(py)).collect()
        });
        for scope in expired {
            scope.get().state.with(py, |state| {
                state.cancelled = true;
                state.reason.get_or_insert_with(|| Reason::plain(Source::Deadline));
            });
            Self::refresh_registration(scope.bind(py))?;
        }
        Ok(())
    }

    /// Was the scope cancelled? (Does not look at the clock.)
    pub fn is_cancelled(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.cancelled)
    }

    /// Is it active in this run? A run that has crashed leaves scopes behind, whose blocks end when their
    /// coroutines are collected, which may be amid the next run.
    pub fn belongs_to(&self, py: Python<'_>, runner: &Py<Runner>) -> bool {
        self.state.with(py, |state| state.runner.as_ref().is_some_and(|owner| owner.is(runner)))
    }

    /// The scope's node in the tree, while it is active.
    pub fn node(&self, py: Python<'_>) -> Option<NodeId> {
        self.state.with(py, |state| state.node)
    }

    /// The scope's deadline on the run's clock, for [`crate::time`]'s effective deadline.
    pub fn current_deadline(&self, py: Python<'_>) -> f64 {
        self.state.with(py, |state| state.deadline)
    }

    /// Makes the entry in the deadline heap agree with the scope's state.
    pub(super) fn refresh_registration(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (runner, wanted, old) = slf.get().state.with(py, |state| {
            let wanted =
                state.node.is_some() && !state.cancelled && state.deadline != f64::INFINITY;
            let runner = state.runner.as_ref().map(|runner| runner.clone_ref(py));
            (runner, wanted.then_some(state.deadline), state.pending.take())
        });
        let Some(runner) = runner else { return Ok(()) };
        let run = runner.get();
        let entry = wanted.map(|deadline| (deadline, Due::Scope(slf.clone().unbind())));
        let (removed, added, nearest_changed) = run.deadlines.with(py, |heap| {
            let before = heap.next();
            let removed = old.and_then(|key| heap.remove(key));
            let added = entry.map(|(deadline, due)| heap.insert(deadline, due));
            (removed, added, heap.next() != before)
        });
        slf.get().state.with(py, |state| state.pending = added);
        drop(removed);
        if nearest_changed {
            run.nudge_host(py);
        }
        Ok(())
    }

    /// The heap has taken the scope's entry out because it is due.
    pub fn expire(slf: &Bound<'_, Self>) -> PyResult<()> {
        slf.get().state.with(slf.py(), |state| state.pending = None);
        Self::cancel_because(slf, Reason::plain(Source::Deadline))
    }
}
