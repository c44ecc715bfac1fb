//! The clock as users see it, and scopes with a deadline.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::cancel::CancelScope;
use crate::core::current;
use crate::interop::fallible::raise;
use crate::interop::numbers::Truth;

/// The current time of the run, in seconds.
///
/// Only differences mean something; the zero point is arbitrary and differs from run to run.
///
/// Raises:
///     RuntimeError: outside of a run.
#[pyfunction]
pub fn current_time(py: Python<'_>) -> PyResult<f64> {
    current::runner(py)?.get().now(py)
}

/// The clock of the current run: what was passed to :func:`trio.run`, or else the system's.
///
/// Raises:
///     RuntimeError: outside of a run.
#[pyfunction]
pub fn current_clock(py: Python<'_>) -> PyResult<Py<PyAny>> {
    Ok(current::runner(py)?.get().clock.object(py))
}

/// The time at which the current task will be cancelled, as things stand.
///
/// Takes all enclosing cancel scopes into account, up to the first shield. ``-inf`` if the task is
/// cancelled already, ``inf`` if nothing limits it.
#[pyfunction]
pub fn current_effective_deadline(py: Python<'_>) -> PyResult<f64> {
    let task = current::task(py)?;
    let Some(leaf) = task.get().node.get(py) else { return Ok(f64::INFINITY) };
    let runner = task.get().runner.get();
    let scopes: Option<Vec<Py<CancelScope>>> = runner.scopes.with(py, |tree| {
        if tree.is_effective(leaf) {
            return None;
        }
        let visible = tree.visible_scopes(leaf);
        Some(visible.iter().filter_map(|id| Some(tree.owner(*id)?.clone_ref(py))).collect())
    });
    Ok(scopes.map_or(f64::NEG_INFINITY, |scopes| {
        let deadlines = scopes.iter().map(|scope| scope.get().current_deadline(py));
        deadlines.fold(f64::INFINITY, f64::min)
    }))
}

/// A cancel scope that is cancelled at a given time.
///
/// Arguments:
///     deadline: the time, in seconds on the clock of :func:`current_time`.
///     shield: the scope's initial shield.
///
/// Raises:
///     ValueError: if ``deadline`` is not a number.
#[pyfunction]
#[pyo3(signature = (deadline, *, shield = Truth(false)), text_signature = "(deadline, *, shield=False)")]
pub fn move_on_at(
    py: Python<'_>,
    deadline: f64,
    shield: Truth,
) -> PyResult<Bound<'_, CancelScope>> {
    if deadline.is_nan() {
        return Err(raise::<PyValueError>(py, "deadline must not be NaN"));
    }
    CancelScope::make(py, deadline, f64::INFINITY, shield.0)
}

/// A cancel scope that is cancelled a number of seconds after it is entered.
///
/// Arguments:
///     seconds: how long the block may take.
///     shield: the scope's initial shield.
///
/// Raises:
///     ValueError: if ``seconds`` is negative or not a number.
#[pyfunction]
#[pyo3(signature = (seconds, *, shield = Truth(false)), text_signature = "(seconds, *, shield=False)")]
pub fn move_on_after(
    py: Python<'_>,
    seconds: f64,
    shield: Truth,
) -> PyResult<Bound<'_, CancelScope>> {
    if seconds < 0.0 {
        return Err(raise::<PyValueError>(py, "`seconds` must be non-negative"));
    }
    if seconds.is_nan() {
        return Err(raise::<PyValueError>(py, "`seconds` must not be NaN"));
    }
    CancelScope::make(py, f64::INFINITY, seconds, shield.0)
}
