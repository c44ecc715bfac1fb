//! `Gate`: where an idle worker thread sleeps.
//!
//! States: shut, open. Opening wakes the thread that waits in `acquire`, if there is one; passing shuts
//! the gate again. It is used like a `threading.Lock`, with one difference: releasing such a lock
//! keeps the interpreter lock, so that the woken thread, which the kernel may well run at once in
//! place of the waker, finds that it cannot go on. Here both sides let go of the interpreter lock
//! first, and no thread holds one of the two locks while it waits for the other.
//!
//! The standard library's mutex and not `parking_lot`'s, whose table of sleepers is shared by the whole
//! process and would remember the threads of the parent in a forked child.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;

use crate::kernel::tripwires::tripwire;

/// A gate, open at first.
#[pyclass(frozen, module = "trio._native")]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, bool> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(&self, patience: Duration) -> bool {
        tripwire!(GatePassed);
        let (mut open, _) = self
            .opened
            .wait_timeout_while(self.state(), patience, |open| !*open)
            .unwrap_or_else(PoisonError::into_inner);
        mem::replace(&mut *open, false)
    }

    fn open(&self) {
        tripwire!(GateOpened);
        *self.state() = true;
        self.opened.notify_one();
    }
}

#[pymethods]
impl Gate {
    #[new]
    fn new() -> Self {
        Self { open: Mutex::new(true), opened: Condvar::new() }
    }

    /// Pass the gate and shut it; wait for it to be opened if need be, at most ``timeout`` seconds, or
    /// for as long as it takes if that is negative.
    ///
    /// Returns whether the gate was open. Signals do not interrupt the wait, so this is for
    /// threads other than the main one.
    #[pyo3(signature = (timeout = -1.0))]
    fn acquire(&self, py: Python<'_>, timeout: f64) -> bool {
        let patience = Duration::try_from_secs_f64(timeout).unwrap_or(Duration::MAX);
        py.detach(|| self.pass(patience))
    }

    /// Open the gate.
    fn release(&self, py: Python<'_>) {
        py.detach(|| self.open());
    }
}
