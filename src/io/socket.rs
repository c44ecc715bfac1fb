//! Sockets that Trio owns: what the loop knows about one, and its operations as awaitables.
//!
//! [`OwnedSocket`] is the native half of `trio.socket`'s class. It holds the standard library's socket,
//! whose `fileno()` is asked for each operation anew, since others may close or replace that object.
//! Beyond it there is only what saves system calls: the *registration* (a generation; the poller's
//! table has the rest), the *kind* of socket, and whether the last message was large. All of this may
//! be out of date without harm, and is forgotten when the inner socket is replaced.
//!
//! The course of every operation is in [`super::exchange`].

use std::os::fd::RawFd;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use rustix::net::{sockopt, AddressFamily, SocketType};

use super::exchange::Errand;
use super::stream::{Connect, SendAll};
use super::waiting::with_table;
use super::{address, calls};
use crate::core::{current, Runner};
use crate::interop::cell::{LoopRef, LoopValue};
use crate::interop::fallible::raise;
use crate::interop::gc::{gc_fields, Trace};
use crate::interop::imports;
use crate::interop::transfer::with_descriptor;
use crate::kernel::Readiness;
use crate::trap::NewAwaitable;

type Args<'py> = Bound<'py, PyTuple>;
type Keywords<'py> = Bound<'py, PyDict>;

/// The native half of a Trio socket.
#[pyclass(frozen, subclass, module = "trio._socket", name = "OwnedSocket")]
pub struct OwnedSocket {
    inner: LoopRef<PyAny>,
    kind: LoopValue<Option<Kind>>,
    /// The registration; 0 if there is none. Worthless when the table says something else.
    pub generation: LoopValue<u64>,
    /// Was the last message that was received a large one?
    pub plenty: LoopValue<bool>,
    /// Was the direction away from here shut down?
    finished_sending: LoopValue<bool>,
}

gc_fields!(OwnedSocket: inner);

/// What sort of socket it is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Is the inner socket a `socket.socket` proper, which system calls may bypass?
    pub plain: bool,
    /// Does every change for the better come with an event? Certain for the kinds that most programs
    /// use; an `AF_UNIX` datagram socket, for example, waits for room in other sockets' queues.
    pub edges_tell: bool,
    /// Does a transfer that fell short mean that there is no more (room)? True for a stream of
    /// octets, if nothing but its end and urgent data can make it stop early.
    pub shortness_tells: bool,
    /// The address family.
    pub family: AddressFamily,
}

impl Kind {
    fn find_out(socket: &Bound<'_, PyAny>, fd: RawFd) -> PyResult<Self> {
        let asked = with_descriptor(fd, |fd| {
            let family = sockopt::socket_domain(fd)?;
            Ok((family, sockopt::socket_type(fd)?, sockopt::socket_protocol(fd)?))
        });
        let (family, form, protocol) =
            asked.unwrap_or((AddressFamily::UNSPEC, SocketType::RAW, None));
        let internet = family == AddressFamily::INET || family == AddressFamily::INET6;
        let tcp = internet && protocol == Some(rustix::net::ipproto::TCP);
        let udp = internet && protocol == Some(rustix::net::ipproto::UDP);
        let local = family == AddressFamily::UNIX && form == SocketType::STREAM;
        let plain = socket.get_type().is(imports::stdlib_socket(socket.py())?);
        Ok(Self { plain, edges_tell: tcp || udp || local, shortness_tells: tcp, family })
    }
}

impl OwnedSocket {
    /// The standard library's socket.
    pub fn inner<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.inner.get(py).map(|socket| socket.into_bound(py)).ok_or_else(|| {
            raise::<pyo3::exceptions::PyAttributeError>(py, "the socket has not been initialized")
        })
    }

    /// The descriptor (-1 if it is closed) of the inner socket, and what sort of socket that is.
    #[inline]
    pub fn look_at(&self, inner: &Bound<'_, PyAny>) -> PyResult<(RawFd, Kind)> {
        let py = inner.py();
        let fd = inner.call_method0(intern!(py, "fileno"))?.extract()?;
        if let Some(kind) = self.kind.get(py) {
            return Ok((fd, kind));
        }
        let kind = Kind::find_out(inner, fd)?;
        if fd >= 0 {
            self.kind.set(py, Some(kind));
        }
        Ok((fd, kind))
    }

    /// Works with what is remembered of the socket's readiness, if it is registered.
    #[inline]
    pub fn with_readiness<T>(
        &self,
        py: Python<'_>,
        runner: &Runner,
        fd: RawFd,
        work: impl FnOnce(&mut Readiness) -> T,
    ) -> Option<T> {
        let generation = self.generation.get(py);
        runner.poller.with(py, |poller| poller.as_mut()?.table.readiness(fd, generation).map(work))
    }

    /// Takes the descriptor out of the poller's table, whose waiters stay.
    fn disown(&self, py: Python<'_>) -> PyResult<()> {
        let generation = self.generation.get(py);
        if generation == 0 {
            return Ok(());
        }
        self.generation.set(py, 0);
        let Some(runner) = current::runner_or_none(py) else { return Ok(()) };
        let (fd, _) = self.look_at(&self.inner(py)?)?;
        with_table(py, runner.get(), |table, woken| table.disown(fd, generation, woken))
    }
}

#[pymethods]
impl OwnedSocket {
    /// The constructor of the class that inherits from this one does everything.
    #[new]
    #[pyo3(signature = (*_args, **_keywords))]
    fn new(_args: &Bound<'_, PyTuple>, _keywords: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            inner: LoopRef::new(None),
            kind: LoopValue::new(None),
            generation: LoopValue::new(0),
            plenty: LoopValue::new(false),
            finished_sending: LoopValue::new(false),
        }
    }

    /// The socket of the standard library that does the work.
    #[getter]
    fn _sock<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.inner(py)
    }

    #[setter(_sock)]
    fn set_sock(&self, py: Python<'_>, socket: Py<PyAny>) {
        self.kind.set(py, None);
        self.generation.set(py, 0);
        self.inner.put(py, Some(socket));
    }

    /// Whether this object has shut the sending direction down.
    #[getter(did_shutdown_SHUT_WR)]
    fn did_shutdown_sending(&self, py: Python<'_>) -> bool {
        self.finished_sending.get(py)
    }

    /// Remembers that it has.
    fn _note_shutdown(&self, py: Python<'_>) {
        self.finished_sending.set(py, true);
    }

    /// Closes the object, but leaves the file descriptor open and returns it.
    fn detach<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.disown(py)?;
        self.inner(py)?.call_method0(intern!(py, "detach"))
    }

    #[pyo3(signature = (*args, **keywords), text_signature = "($self, bufsize, flags=0, /)")]
    fn recv(slf: Py<Self>, args: Args<'_>, keywords: Option<Keywords<'_>>) -> NewAwaitable {
        calls::RECV.on(slf, args, keywords)
    }

    #[pyo3(signature = (*args, **keywords), text_signature = "($self, buffer, nbytes=0, flags=0)")]
    fn recv_into(slf: Py<Self>, args: Args<'_>, keywords: Option<Keywords<'_>>) -> NewAwaitable {
        calls::RECV_INTO.on(slf, args, keywords)
    }

    #[pyo3(signature = (*args, **keywords), text_signature = "($self, bufsize, flags=0, /)")]
    fn recvfrom(slf: Py<Self>, args: Args<'_>, keywords: Option<Keywords<'_>>) -> NewAwaitable {
        calls::RECVFROM.on(slf, args, keywords)
    }

    #[pyo3(signature = (*args, **keywords), text_signature = "($self, buffer, nbytes=0, flags=0)")]
    fn recvfrom_into(
        slf: Py<Self>,
        args: Args<'_>,
        keywords: Option<Keywords<'_>>,
    ) -> NewAwaitable {
        calls::RECVFROM_INTO.on(slf, args, keywords)
    }

    #[pyo3(signature = (*args, **keywords), text_signature = "($self, bufsize, ancbufsize=0, flags=0, /)")]
    fn recvmsg(slf: Py<Self>, args: Args<'_>, keywords: Option<Keywords<'_>>) -> NewAwaitable {
        calls::RECVMSG.on(slf, args, keywords)
    }

    #[pyo3(signature = (*args, **keywords), text_signature = "($self, buffers, ancbufsize=0, flags=0, /)")]
    fn recvmsg_into(slf: Py<Self>, args: Args<'_>, keywords: Option<Keywords<'_>>) -> NewAwaitable {
        calls::RECVMSG_INTO.on(slf, args, keywords)
    }

    #[pyo3(signature = (*args, **keywords), text_signature = "($self, data, flags=0, /)")]
    fn send(slf: Py<Self>, args: Args<'_>, keywords: Option<Keywords<'_>>) -> NewAwaitable {
        calls::SEND.on(slf, args, keywords)
    }

    /// Resolves names in the address first, which the class that inherits from this one does.
    #[pyo3(signature = (*args), text_signature = "($self, data, [flags,] address, /)")]
    fn sendto<'py>(slf: &Bound<'py, Self>, args: Args<'py>) -> PyResult<Bound<'py, PyAny>> {
        if args.len() == 2 {
            let this = slf.get();
            let (_, kind) = this.look_at(&this.inner(slf.py())?)?;
            if address::from_python(kind.family, &args.get_item(1)?).is_some() {
                let sending = calls::SENDTO.on(slf.clone().unbind(), args, None);
                return Ok(sending.into_pyobject(slf.py())?.into_any());
            }
        }
        slf.call_method1(intern!(slf.py(), "_sendto_resolved"), args)
    }

    /// [`Self::sendto`] for an address that is resolved.
    #[pyo3(signature = (*args))]
    fn _sendto(slf: Py<Self>, args: Args<'_>) -> NewAwaitable {
        calls::SENDTO.on(slf, args, None)
    }

    /// `sendmsg` for an address that is resolved.
    #[pyo3(signature = (*args))]
    fn _sendmsg(slf: Py<Self>, args: Args<'_>) -> NewAwaitable {
        calls::SENDMSG.on(slf, args, None)
    }

    /// Accepts a connection: a socket of the standard library, and the peer's address.
    #[pyo3(signature = (*args))]
    fn _accept(slf: Py<Self>, args: Args<'_>) -> NewAwaitable {
        calls::ACCEPT.on(slf, args, None)
    }

    /// Connects to an address that is resolved. True if that took time: `SO_ERROR` then has the result.
    fn _connect(slf: Py<Self>, address: Py<PyAny>) -> NewAwaitable {
        Connect::new(address).on("connect", slf)
    }

    /// Sends all of a buffer, which must not be empty nor change its size meanwhile.
    fn _send_all(slf: Py<Self>, data: Py<PyAny>) -> NewAwaitable {
        SendAll::new(data).on("send_all", slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        self.release();
    }
}
