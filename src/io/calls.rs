//! Operations that are methods of the standard library's socket.
//!
//! A [`Call`] keeps the arguments as they came. Each attempt is either the method's short cut, if it
//! has one that likes the arguments and if the inner socket is a plain one, or the method itself with
//! the arguments untouched: wrong ones get the standard library's own error, and rare variants (flags,
//! ancillary data, other address families) behave as they always do.

use pyo3::exceptions::PyBlockingIOError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::exchange::{Errand, Port, Tried};
use super::octets;
use super::socket::OwnedSocket;
use crate::interop::imports;
use crate::kernel::Direction;
use crate::trap::NewAwaitable;

/// A way to do what a method does by a system call.
pub struct ShortCut {
    /// Are these arguments that the call will have no objections to?
    pub fits: fn(&Port<'_, '_>, &Bound<'_, PyTuple>) -> bool,
    /// Makes the call, or gives `None` if that is for the method to do.
    pub take: fn(&Port<'_, '_>, &Bound<'_, PyTuple>) -> Option<PyResult<Tried>>,
}

/// A method of the standard library's socket.
pub struct Method {
    name: &'static str,
    direction: Direction,
    short_cut: Option<&'static ShortCut>,
}

/// The methods, by direction.
pub static ACCEPT: Method = Method::reading("accept", None);
pub static RECV: Method = Method::reading("recv", Some(&octets::RECEIVE));
pub static RECV_INTO: Method = Method::reading("recv_into", Some(&octets::RECEIVE_INTO));
pub static RECVFROM: Method = Method::reading("recvfrom", Some(&octets::RECEIVE_FROM));
pub static RECVFROM_INTO: Method =
    Method::reading("recvfrom_into", Some(&octets::RECEIVE_FROM_INTO));
pub static RECVMSG: Method = Method::reading("recvmsg", None);
pub static RECVMSG_INTO: Method = Method::reading("recvmsg_into", None);
pub static SEND: Method = Method::writing("send", Some(&octets::SEND));
pub static SENDMSG: Method = Method::writing("sendmsg", None);
pub static SENDTO: Method = Method::writing("sendto", Some(&octets::SEND_TO));

impl Method {
    const fn reading(name: &'static str, short_cut: Option<&'static ShortCut>) -> Self {
        Self { name, direction: Direction::Read, short_cut }
    }

    const fn writing(name: &'static str, short_cut: Option<&'static ShortCut>) -> Self {
        Self { name, direction: Direction::Write, short_cut }
    }

    /// The awaitable that calls the method on a socket.
    #[inline]
    pub fn on(
        &'static self,
        socket: Py<OwnedSocket>,
        args: Bound<'_, PyTuple>,
        keywords: Option<Bound<'_, PyDict>>,
    ) -> NewAwaitable {
        let call =
            Call { method: self, args: args.unbind(), keywords: keywords.map(Bound::unbind) };
        call.on(self.name, socket)
    }
}

struct Call {
    method: &'static Method,
    args: Py<PyTuple>,
    keywords: Option<Py<PyDict>>,
}

impl Call {
    #[inline]
    fn short_cut(&self, port: &Port<'_, '_>) -> Option<&'static ShortCut> {
        self.method.short_cut.filter(|_| port.kind.plain && self.keywords.is_none())
    }
}

impl Errand for Call {
    fn direction(&self) -> Direction {
        self.method.direction
    }

    fn is_sound(&self, port: &Port<'_, '_>) -> bool {
        let args = self.args.bind(port.inner.py());
        self.short_cut(port).is_some_and(|short_cut| (short_cut.fits)(port, args))
    }

    #[inline]
    fn attempt(&mut self, port: &Port<'_, '_>) -> PyResult<Tried> {
        let py = port.inner.py();
        let args = self.args.bind(py);
        if let Some(tried) = self.short_cut(port).and_then(|cut| (cut.take)(port, args)) {
            return tried;
        }
        let keywords = self.keywords.as_ref().map(|keywords| keywords.bind(py));
        let method = imports::stdlib_socket(py)?.getattr(PyString::intern(py, self.method.name))?;
        let args = [port.inner.clone()].into_iter().chain(args.iter()).collect::<Vec<_>>();
        unless_it_blocks(py, method.call(PyTuple::new(py, args)?, keywords))
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.args)?;
        visit.call(&self.keywords)
    }
}

/// The result of a method, where `BlockingIOError` means to wait.
fn unless_it_blocks(py: Python<'_>, result: PyResult<Bound<'_, PyAny>>) -> PyResult<Tried> {
    match result {
        Ok(value) => Ok(Tried::Done(Some(value.unbind()))),
        Err(error) if error.is_instance_of::<PyBlockingIOError>(py) => Ok(Tried::Blocks),
        Err(error) => Err(error),
    }
}
