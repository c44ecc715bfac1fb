//! Operations that are more than one call: sending everything, and connecting.

use pyo3::exceptions::PyBlockingIOError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBool;
use pyo3::{PyTraverseError, PyVisit};
use rustix::io::Errno;

use super::exchange::{Errand, Port, Tried};
use crate::interop::errors::os_error;
use crate::interop::transfer;
use crate::kernel::Direction;

/// Sends all of a buffer, in as many pieces as the kernel wants.
pub struct SendAll {
    data: Py<PyAny>,
    sent: usize,
}

impl SendAll {
    /// Will send `data`, which has a buffer that does not shrink.
    pub fn new(data: Py<PyAny>) -> Self {
        Self { data, sent: 0 }
    }
}

impl Errand for SendAll {
    fn direction(&self) -> Direction {
        Direction::Write
    }

    fn is_sound(&self, _port: &Port<'_, '_>) -> bool {
        true
    }

    #[inline]
    fn attempt(&mut self, port: &Port<'_, '_>) -> PyResult<Tried> {
        let py = port.inner.py();
        loop {
            match transfer::transmit(port.fd, self.data.bind(py), self.sent)? {
                Ok((count, rest)) if count >= rest => return Ok(Tried::Done(None)),
                Ok((count, _)) => {
                    self.sent += count;
                    if port.fell_short(Direction::Write) {
                        return Ok(Tried::Blocks);
                    }
                }
                Err(errno) if errno == Errno::AGAIN => return Ok(Tried::Blocks),
                Err(errno) => return Err(os_error(py, &errno.into())),
            }
        }
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.data)
    }
}

/// Begins to connect, and waits until that has come to an end, good or bad. Its result says whether
/// there was something to wait for, because then it is `SO_ERROR` that tells which.
pub struct Connect {
    address: Py<PyAny>,
    begun: bool,
}

impl Connect {
    /// Will connect to `address`, which the standard library's socket understands.
    pub fn new(address: Py<PyAny>) -> Self {
        Self { address, begun: false }
    }
}

impl Errand for Connect {
    fn direction(&self) -> Direction {
        Direction::Write
    }

    fn is_sound(&self, _port: &Port<'_, '_>) -> bool {
        false
    }

    fn attempt(&mut self, port: &Port<'_, '_>) -> PyResult<Tried> {
        let py = port.inner.py();
        if self.begun {
            // An event may be older than the attempt to connect.
            if !transfer::is_ready(port.fd, true) {
                return Ok(Tried::Blocks);
            }
            let had_to_wait = PyBool::new(py, true).to_owned().into_any().unbind();
            return Ok(Tried::Done(Some(had_to_wait)));
        }
        match port.inner.call_method1(intern!(py, "connect"), (&self.address,)) {
            Err(error) if is_in_progress(py, &error)? => {
                self.begun = true;
                Ok(Tried::Blocks)
            }
            Err(error) => Err(error),
            Ok(_) => Ok(Tried::Done(None)),
        }
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.address)
    }
}

/// Has `connect` begun? EAGAIN, too, is a `BlockingIOError`, but means the opposite: the queue of a
/// listening `AF_UNIX` socket is full and no attempt is under way.
fn is_in_progress(py: Python<'_>, error: &PyErr) -> PyResult<bool> {
    if !error.is_instance_of::<PyBlockingIOError>(py) {
        return Ok(false);
    }
    let errno = error.value(py).getattr(intern!(py, "errno"))?;
    Ok(errno.extract::<i32>().ok() != Some(Errno::AGAIN.raw_os_error()))
}
