"""Trio's sockets: the constructors, and the class behind them.

The parts of :mod:`trio.socket`, from the public face downwards::

    socket.py              the namespace users see: everything below plus the constants of the standard library
    _socket_interface.py   SocketType, what a socket can do
    _socket.py             this file: _SocketType, which does it for a file descriptor, and the functions that make one
    _socket_names.py       host and service names to addresses
    _socket_ops.py         trying before waiting, for others

The operations that may wait are native and inherited from ``OwnedSocket`` (``src/io/socket.rs``), as is ``detach``.

A ``_SocketType`` owns a plain `socket.socket` in its attribute ``_sock`` and keeps it non-blocking.  It is open until
``close``, ``detach`` or a cancelled ``connect``, and closed from then on.  Every method reaches the descriptor through
``self._sock``; nothing is cached, because tests and other libraries look at that attribute and some exchange it.

Invariant: whoever closes the descriptor tells the event loop first (:func:`trio.lowlevel.notify_closing`), or a waiting
task could end up waiting for whichever file gets the same number next.
"""

from __future__ import annotations

import os
import select
import socket as _stdlib_socket

from . import _core
from ._native import OwnedSocket
from ._socket_interface import AddressFormat as AddressFormat, SocketType as SocketType
from ._socket_names import (
    _NUMERIC_ONLY as _NUMERIC_ONLY,
    _GetAddrInfoEntry as _GetAddrInfoEntry,
    _resolve_address_nocp as _resolve_address_nocp,
    encode_hostname as encode_hostname,
    getaddrinfo as getaddrinfo,
    getnameinfo as getnameinfo,
    getprotobyname as getprotobyname,
    set_custom_hostname_resolver as set_custom_hostname_resolver,
)
from ._socket_ops import _try_sync as _try_sync
from ._threads import to_thread_run_sync

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from socket import AddressFamily, SocketKind
    from types import TracebackType
    from typing import Any

    from typing_extensions import Buffer, Self

    from ._abc import SocketFactory
    from ._socket_interface import ExceptionType

_socket_factory: _core.RunVar[SocketFactory | None] = _core.RunVar("socket_factory")


# ---- making sockets ----


def set_custom_socket_factory(socket_factory: SocketFactory | None) -> SocketFactory | None:
    """Have this run's :func:`socket` calls make something else.

    Args:
      socket_factory: implements `trio.abc.SocketFactory`; None goes back to real sockets.

    Returns the factory that was set before, or None.  Sockets made from existing descriptors are not affected.
    `RuntimeError` outside of a run.  Not a checkpoint.

    See "Virtual networking for testing" in Trio's reference manual.
    """
    previous = _socket_factory.get(None)
    _socket_factory.set(socket_factory)
    return previous


def from_stdlib_socket(sock: _stdlib_socket.socket) -> SocketType:
    """Wrap a standard library socket, which then belongs to the Trio socket and becomes non-blocking.

    `TypeError` for anything but an exact `socket.socket`: subclasses such as `ssl.SSLSocket` have their own ideas of
    sending and receiving, which the wrapper would bypass.  Not a checkpoint.
    """
    return _SocketType(sock)


def fromfd(fd: int, family: int, type: int, proto: int = 0) -> SocketType:
    """Make a socket from a duplicate of a file descriptor, like `socket.fromfd`.

    The kernel knows what kind of socket it is, so the other arguments are accepted and not used.  `OSError` if the
    descriptor is no socket.  Not a checkpoint.
    """
    duplicate = os.dup(fd)
    try:
        sock = _stdlib_socket.socket(fileno=duplicate)
    except BaseException:
        os.close(duplicate)
        raise
    return from_stdlib_socket(sock)


def socketpair(
    family: AddressFamily | int | None = None,
    type: SocketKind | int = _stdlib_socket.SOCK_STREAM,
    proto: int = 0,
) -> tuple[SocketType, SocketType]:
    """Make two sockets connected to each other, like `socket.socketpair`.  Not a checkpoint."""
    left, right = _stdlib_socket.socketpair(family, type, proto)
    return from_stdlib_socket(left), from_stdlib_socket(right)


def socket(
    family: AddressFamily | int = -1,
    type: SocketKind | int = -1,
    proto: int = -1,
    fileno: int | None = None,
) -> SocketType:
    """Make a socket, like `socket.socket`: by default one for TCP over IPv4.

    With ``fileno`` the new object takes over that descriptor, and the kernel says what kind it is; the other arguments
    do not matter then.  Without, a custom socket factory is asked if one is set.  `OSError` if the system refuses,
    `RuntimeError` outside of a run.  Not a checkpoint.
    """
    if fileno is not None:
        return from_stdlib_socket(_stdlib_socket.socket(fileno=fileno))
    if family == -1:
        family = _stdlib_socket.AF_INET
    if type == -1:
        type = _stdlib_socket.SOCK_STREAM
    if proto == -1:
        proto = 0
    factory = _socket_factory.get(None)
    if factory is not None:
        return factory.socket(family, type, proto)
    return from_stdlib_socket(_stdlib_socket.socket(family, type, proto))


# ---- the socket ----


class _SocketType(OwnedSocket, SocketType):
    """A socket of the operating system."""

    def __init__(self, sock: _stdlib_socket.socket) -> None:
        if type(sock) is not _stdlib_socket.socket:
            raise TypeError(f"expected object of type 'socket.socket', not '{type(sock).__name__}'")
        super().__init__()
        sock.setblocking(False)
        self._sock = sock

    def __repr__(self) -> str:
        return repr(self._sock).replace("socket.socket", "trio.socket.socket", 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: ExceptionType | None, exc_value: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    # what never waits

    @property
    def family(self) -> AddressFamily:
        return self._sock.family

    @property
    def type(self) -> SocketKind:
        return self._sock.type

    @property
    def proto(self) -> int:
        return self._sock.proto

    def fileno(self) -> int:
        return self._sock.fileno()

    def get_inheritable(self) -> bool:
        return self._sock.get_inheritable()

    def set_inheritable(self, inheritable: bool) -> None:
        self._sock.set_inheritable(inheritable)

    def getsockname(self) -> AddressFormat:
        return self._sock.getsockname()

    def getpeername(self) -> AddressFormat:
        return self._sock.getpeername()

    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> int | bytes:  # type: ignore[override]
        if buflen is None:
            return self._sock.getsockopt(level, optname)
        return self._sock.getsockopt(level, optname, buflen)

    def setsockopt(self, level: int, optname: int, value: int | Buffer | None, optlen: int | None = None) -> None:
        if optlen is None:
            if value is None:
                raise TypeError("invalid value for argument 'value', must not be None when specifying optlen")
            self._sock.setsockopt(level, optname, value)
        else:
            if value is not None:
                raise TypeError(f"invalid value for argument 'value': {value!r}, must be None when specifying optlen")
            self._sock.setsockopt(level, optname, value, optlen)

    def listen(self, backlog: int = 128) -> None:
        self._sock.listen(backlog)

    def dup(self) -> SocketType:
        return _SocketType(self._sock.dup())

    def shutdown(self, flag: int) -> None:
        self._sock.shutdown(flag)
        if flag in (_stdlib_socket.SHUT_WR, _stdlib_socket.SHUT_RDWR):
            self._note_shutdown()

    def is_readable(self) -> bool:
        poll = select.poll()  # not select(), which fails for descriptors from 1024 on
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        if self._sock.fileno() != -1:
            _core.notify_closing(self._sock)
            self._sock.close()

    # what may wait

    async def wait_writable(self) -> None:
        await _core.wait_writable(self._sock)

    async def _resolve_address_nocp(self, address: AddressFormat, *, local: bool) -> AddressFormat:
        v6only = False
        if self.family == _stdlib_socket.AF_INET6:
            v6only = bool(self._sock.getsockopt(_stdlib_socket.IPPROTO_IPV6, _stdlib_socket.IPV6_V6ONLY))
        return await _resolve_address_nocp(self.type, self.family, self.proto, ipv6_v6only=v6only, address=address, local=local)

    async def bind(self, address: AddressFormat) -> None:
        address = await self._resolve_address_nocp(address, local=True)
        abstract = ("\0", b"\0")  # AF_UNIX names that begin so are not in the file system
        if self.family == _stdlib_socket.AF_UNIX and address[:1] not in abstract:
            await to_thread_run_sync(self._sock.bind, address)
        else:
            await _core.checkpoint()
            self._sock.bind(address)

    async def connect(self, address: AddressFormat) -> None:
        try:
            address = await self._resolve_address_nocp(address, local=False)
            if not await self._connect(address):
                return
        except _core.Cancelled:
            self.close()
            raise
        error = self._sock.getsockopt(_stdlib_socket.SOL_SOCKET, _stdlib_socket.SO_ERROR)
        if error:
            raise OSError(error, f"Error connecting to {address!r}: {os.strerror(error)}")

    async def accept(self) -> tuple[SocketType, AddressFormat]:
        sock, address = await self._accept()
        return from_stdlib_socket(sock), address

    async def _sendto_resolved(self, *args: Any) -> int:
        if len(args) in (2, 3):  # other numbers are for the system call to refuse
            args = (*args[:-1], await self._resolve_address_nocp(args[-1], local=False))
        return await self._sendto(*args)

    async def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[tuple[int, int, Buffer]] = (),
        flags: int = 0,
        address: AddressFormat | None = None,
        /,
    ) -> int:
        if address is not None:
            address = await self._resolve_address_nocp(address, local=False)
        return await self._sendmsg(buffers, ancdata, flags, address)
