//! Cancellation: scopes, and how their state reaches the tasks inside.
//!
//! A [`CancelScope`] is what the user holds; the truth about who is inside what, and who is cancelled,
//! is the tree in the run's state. A change of the tree reports the tasks that it hits, and [`deliver`]
//! interrupts those that are parked. Running and runnable tasks notice at their next checkpoint.

pub mod exit;
mod misnesting;
mod scope;

use pyo3::prelude::*;

use crate::core::{Runner, ScopeChange};
use crate::kernel::tripwires::tripwire;
use crate::task::deliver_pending;

pub use misnesting::ADVICE as MISNESTING_ADVICE;
pub use scope::CancelScope;

/// Interrupts the tasks that a change of the tree has hit. All of them are told, even if telling one
/// raises; the first error is returned.
#[inline]
pub fn deliver(py: Python<'_>, runner: &Runner, change: ScopeChange) -> PyResult<()> {
    if change.hits.is_empty() && change.released.is_empty() && change.owners.is_empty() {
        return Ok(());
    }
    deliver_all(py, runner, change)
}

fn deliver_all(py: Python<'_>, runner: &Runner, change: ScopeChange) -> PyResult<()> {
    tripwire!(CancelDelivered);
    let mut result = Ok(());
    for leaf in change.hits {
        let task = runner.scopes.with(py, |tree| tree.task(leaf).map(|task| task.clone_ref(py)));
        if let Some(task) = task {
            let told = deliver_pending(task.bind(py));
            result = result.and(told);
        }
    }
    drop((change.released, change.owners));
    result
}
