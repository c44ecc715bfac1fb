//! Breakers: tasks whose end breaks parking lots.
//!
//! Every task lists the lots that it breaks (`Task::breaks`), so that taking a lock costs a push and a
//! task's end a look at a vector. Python sees all of it as one mapping, `GLOBAL_PARKING_LOT_BREAKER`,
//! which is put together whenever somebody looks: from the tasks in `KEEPERS`, which have had a lot at
//! some time and are still alive.
//!
//! Invariant: a task is in `KEEPERS`, under `Task::breaker_slot`, from its first lot to its end, or to
//! that of its run.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::parking_lot::ParkingLot;
use crate::interop::cell::LoopCell;
use crate::interop::errors::BrokenResourceError;
use crate::interop::fallible::{self, raise};
use crate::kernel::{Slab, SlabKey};
use crate::task::Task;

static KEEPERS: LoopCell<Option<Slab<Py<Task>>>> = LoopCell::new(None);

const NOT_A_KEEPER: u64 = u64::MAX;

/// Lets the end of `task` break `lot`.
#[inline]
pub fn add_breaker(task: &Bound<'_, Task>, lot: &Bound<'_, ParkingLot>) {
    let py = task.py();
    let lot = lot.clone().into_any().unbind();
    task.get().breaks.with(py, |lots| lots.push(lot));
    if task.get().breaker_slot.get(py) == NOT_A_KEEPER {
        remember(task);
    }
}

#[cold]
fn remember(task: &Bound<'_, Task>) {
    let keeper = task.clone().unbind();
    let slot = KEEPERS.with(task.py(), |tasks| tasks.get_or_insert_default().insert(keeper));
    task.get().breaker_slot.set(task.py(), slot.to_bits());
}

/// Takes one registration back; false if there was none.
#[inline]
pub fn remove_breaker(task: &Bound<'_, Task>, lot: &Bound<'_, ParkingLot>) -> bool {
    let py = task.py();
    let removed = task.get().breaks.with(py, |lots| {
        let at = lots.iter().rposition(|listed| listed.is(lot))?;
        Some(lots.remove(at))
    });
    removed.is_some()
}

/// Tells the primitives that a task has ended: what it had to look after breaks.
#[inline]
pub fn task_exited(py: Python<'_>, task: &Bound<'_, Task>) -> PyResult<()> {
    if task.get().breaker_slot.get(py) == NOT_A_KEEPER {
        return Ok(());
    }
    break_lots_of(task)
}

/// Does no longer keep a task alive, which will never come to its end.
pub fn forget_keeper(py: Python<'_>, task: &Task) {
    let slot = SlabKey::from_bits(task.breaker_slot.get(py));
    task.breaker_slot.set(py, NOT_A_KEEPER);
    let listed = KEEPERS.with(py, |tasks| tasks.as_mut().and_then(|tasks| tasks.remove(slot)));
    drop(listed);
}

fn break_lots_of(task: &Bound<'_, Task>) -> PyResult<()> {
    let py = task.py();
    forget_keeper(py, task.get());
    for lot in task.get().breaks.take(py) {
        ParkingLot::break_because_of(lot.bind(py).cast()?, task)?;
    }
    Ok(())
}

/// Let the end of a task break a parking lot.
///
/// Whoever sleeps in the lot by then gets :exc:`trio.BrokenResourceError`, and nobody can park there
/// afterwards; see :meth:`ParkingLot.break_lot`. For primitives that would wait forever if a certain
/// task went away, like a lock for its owner. A task may be registered several times.
///
/// Raises:
///     BrokenResourceError: if the task has ended already.
#[pyfunction]
pub fn add_parking_lot_breaker(
    task: &Bound<'_, Task>,
    lot: &Bound<'_, ParkingLot>,
) -> PyResult<()> {
    let py = task.py();
    if task.get().node.get(py).is_none() {
        let text = "Attempted to add already exited task as lot breaker.";
        return Err(raise::<BrokenResourceError>(py, text));
    }
    add_breaker(task, lot);
    Ok(())
}

/// Take back what :func:`add_parking_lot_breaker` did, once.
///
/// Raises:
///     RuntimeError: if the task is not registered for the lot.
#[pyfunction]
pub fn remove_parking_lot_breaker(task: &Bound<'_, PyAny>, lot: &Bound<'_, PyAny>) -> PyResult<()> {
    if let (Ok(task), Ok(lot)) = (task.cast::<Task>(), lot.cast::<ParkingLot>()) {
        if remove_breaker(task, lot) {
            return Ok(());
        }
    }
    Err(not_registered(task.py()))
}

/// The error for a registration that is not there.
pub fn not_registered(py: Python<'_>) -> PyErr {
    let text = "Attempted to remove task as breaker for a lot it is not registered for";
    let error = raise::<PyRuntimeError>(py, text);
    error.set_cause(py, None);
    error
}

/// A new dictionary: for every task that breaks lots, the list of these lots.
#[pyfunction]
pub fn parking_lot_breakers(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let keepers: Vec<Py<Task>> = KEEPERS.with(py, |tasks| {
        tasks.iter().flat_map(Slab::iter).map(|task| task.clone_ref(py)).collect()
    });
    let all = fallible::dict(py)?;
    for task in keepers {
        let lots: Vec<Py<PyAny>> =
            task.get().breaks.with(py, |lots| lots.iter().map(|lot| lot.clone_ref(py)).collect());
        if !lots.is_empty() {
            all.set_item(task, lots)?;
        }
    }
    Ok(all)
}
