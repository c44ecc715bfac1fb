//! Calls that other threads and signal handlers hand to the run.
//!
//! Plain calls queue in order behind a lock that is held for a push or a pop and never while Python
//! runs. Calls marked idempotent live in a Python dictionary, because "the same call" is decided by
//! Python's hash and equality; the interpreter lock guards it. `pending` says that something waits,
//! so that a tick that does not poll still notices with one load, and so that of many calls only the
//! first wakes the poller.
//!
//! States: open, then closed (for good): a closed queue refuses calls with `RunFinishedError`.
//!
//! A call that is lost is waited for in vain, so a panic amid a push concerns the run as much as the
//! thread that pushed: it is kept for the loop, which is woken to end the run with it.

use std::collections::VecDeque;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::poller::Wakeup;
use crate::interop::errors::RunFinishedError;
use crate::interop::fallible::{self, raise};
use crate::interop::panics;
use crate::kernel::tripwires::tripwire;

/// A function and its positional arguments.
pub struct Call {
    pub function: Py<PyAny>,
    pub args: Py<PyTuple>,
}

#[derive(Default)]
struct Plain {
    closed: bool,
    calls: VecDeque<Call>,
    /// What the panic said that a push ended in.
    panic: Option<String>,
}

/// The queue; shared between the run and every `TrioToken`.
pub struct EntryQueue {
    plain: Mutex<Plain>,
    idempotent: Py<PyDict>,
    pending: AtomicBool,
    wakeup: Arc<Wakeup>,
}

impl EntryQueue {
    /// An open queue that wakes the poller through `wakeup`.
    pub fn new(py: Python<'_>, wakeup: Arc<Wakeup>) -> PyResult<Self> {
        Ok(Self {
            plain: Mutex::default(),
            idempotent: fallible::dict(py)?.unbind(),
            pending: AtomicBool::new(false),
            wakeup,
        })
    }

    /// Appends a call.
    pub fn push(&self, py: Python<'_>, call: Call) -> PyResult<()> {
        self.reporting_panics(|| self.append(py, call))
    }

    /// Queues a call unless an equal one is waiting already.
    pub fn push_idempotent(&self, py: Python<'_>, call: Call) -> PyResult<()> {
        self.reporting_panics(|| self.append_unless_there(py, call))
    }

    fn reporting_panics<T>(&self, push: impl FnOnce() -> T) -> T {
        catch_unwind(AssertUnwindSafe(push)).unwrap_or_else(|panic| {
            self.plain.lock().panic = Some(panics::text_of(&*panic));
            self.pending.store(true, Ordering::Release);
            self.wakeup.wake();
            resume_unwind(panic)
        })
    }

    /// Takes what a panic said that a push ended in, in whichever thread.
    pub fn take_panic(&self) -> Option<String> {
        self.plain.lock().panic.take()
    }

    fn append(&self, py: Python<'_>, call: Call) -> PyResult<()> {
        let refused = {
            let mut plain = self.plain.lock();
            tripwire!(CallQueued);
            if plain.closed {
                Some(call)
            } else {
                plain.calls.push_back(call);
                None
            }
        };
        if refused.is_some() {
            return Err(finished(py));
        }
        self.announce(py);
        Ok(())
    }

    fn append_unless_there(&self, py: Python<'_>, call: Call) -> PyResult<()> {
        if self.plain.lock().closed {
            return Err(finished(py));
        }
        let waiting = self.idempotent.bind(py);
        let key = (call.function, call.args).into_pyobject(py)?;
        waiting.set_item(&key, py.None())?;
        // Hashing runs Python code, during which another thread may have closed the queue.
        if self.plain.lock().closed && waiting.contains(&key)? {
            waiting.del_item(&key)?;
            return Err(finished(py));
        }
        self.announce(py);
        Ok(())
    }

    fn announce(&self, py: Python<'_>) {
        if !self.pending.swap(true, Ordering::AcqRel) {
            self.wakeup.wake_detached(py);
        }
    }

    /// Has anything been queued since [`EntryQueue::acknowledge`]?
    #[inline]
    pub fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    /// Notes that the queue is about to be worked off.
    pub fn acknowledge(&self) {
        self.pending.store(false, Ordering::Release);
    }

    /// Takes the oldest plain call.
    pub fn pop(&self) -> Option<Call> {
        self.plain.lock().calls.pop_front()
    }

    /// Takes all idempotent calls, oldest first.
    pub fn take_idempotent(&self, py: Python<'_>) -> PyResult<Vec<Call>> {
        let waiting = self.idempotent.bind(py);
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        let calls = waiting.keys();
        waiting.clear();
        calls
            .iter()
            .map(|key| {
                let (function, args): (Py<PyAny>, Bound<'_, PyTuple>) = key.extract()?;
                Ok(Call { function, args: args.unbind() })
            })
            .collect()
    }

    /// How many plain calls wait.
    pub fn plain_len(&self) -> usize {
        self.plain.lock().calls.len()
    }

    /// How many calls wait.
    pub fn len(&self, py: Python<'_>) -> usize {
        let plain = self.plain.lock().calls.len();
        plain + self.idempotent.bind(py).len()
    }

    /// Refuses calls from now on. Those that wait can still be taken.
    pub fn close(&self) {
        self.plain.lock().closed = true;
    }

    /// Closes the ways to the poller, which is about to be closed itself.
    pub fn disconnect(&self) {
        self.wakeup.close();
    }

    /// The descriptor that wakes the poller when a byte is written to it.
    pub fn wakeup_fd(&self) -> std::os::fd::RawFd {
        self.wakeup.fd()
    }

    /// Wakes the poller without queueing anything. Keeps the interpreter lock, so that it may be called
    /// amid a change of the loop's state.
    pub fn wake(&self) {
        self.wakeup.wake();
    }
}

fn finished(py: Python<'_>) -> PyErr {
    raise::<RunFinishedError>(py, "run() has exited")
}
