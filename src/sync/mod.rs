//! Synchronisation primitives: objects at which tasks wait for each other.
//!
//! All of them are [`Place`](crate::trap::Place)s: a first-in, first-out queue of tasks, next to a
//! little state that says whether one has to wait at all. They hand over: whoever frees something
//! gives it to the first in the queue before that task runs, so nobody can snatch it in between, and
//! a woken task does not look again.
//!
//! | file | holds |
//! |---|---|
//! | `parking_lot` | the bare queue, for users who build their own primitives |
//! | `breakers` | lots that break when a task ends, for locks whose owner is gone |
//! | `event` | a flag that goes up once |
//! | `holding` | what is acquired and released has in common |
//! | `lock` | mutual exclusion with an owner |
//! | `condition` | waiting for a change of what a lock protects |
//! | `semaphore` | a counter that may be taken down |
//! | `capacity` | tokens that are lent to named borrowers |
//! | `unbounded_queue` | the deprecated queue that is emptied in batches |
//!
//! What is acquired is held by the task that asked; nothing here is tied to a thread or to a run until
//! a task waits.

mod breakers;
mod capacity;
mod condition;
mod event;
mod holding;
mod lock;
mod parking_lot;
mod semaphore;
mod unbounded_queue;

use pyo3::prelude::*;

pub use breakers::{forget_keeper, task_exited};

use crate::interop::async_method::AsyncMethod;

/// Adds the classes and functions to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    event::Event::prepare(py)?;
    holding::prepare::<lock::LockImpl>(py, &[])?;
    holding::prepare::<semaphore::Semaphore>(py, &[])?;
    holding::prepare::<capacity::CapacityLimiter>(py, &[("acquire_on_behalf_of", None)])?;
    holding::prepare::<condition::Condition>(py, &[("wait", None)])?;
    AsyncMethod::install::<parking_lot::ParkingLot>(py, &[("park", None)])?;
    AsyncMethod::install::<unbounded_queue::UnboundedQueue>(py, &[("get_batch", None)])?;
    module.add_class::<capacity::CapacityLimiter>()?;
    module.add_class::<condition::Condition>()?;
    module.add_class::<event::Event>()?;
    module.add_class::<lock::Lock>()?;
    module.add_class::<lock::StrictFIFOLock>()?;
    module.add_class::<parking_lot::ParkingLot>()?;
    module.add_class::<semaphore::Semaphore>()?;
    module.add_class::<unbounded_queue::UnboundedQueue>()?;
    module.add_function(wrap_pyfunction!(breakers::add_parking_lot_breaker, module)?)?;
    module.add_function(wrap_pyfunction!(breakers::remove_parking_lot_breaker, module)?)?;
    module.add_function(wrap_pyfunction!(breakers::parking_lot_breakers, module)?)
}
