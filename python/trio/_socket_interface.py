"""The class that users name: :class:`trio.socket.SocketType`, the shape of a socket without any of its workings.

``trio.socket`` deliberately mirrors the standard library's `socket` module, so the interface is "what a `socket.socket`
has, minus what makes no sense without blocking (timeouts, ``makefile``), with ``await`` where a call could block, plus
three questions of our own": :attr:`~SocketType.did_shutdown_SHUT_WR`, :meth:`~SocketType.is_readable` and
:meth:`~SocketType.wait_writable`.

It is a class of its own, not the concrete ``_SocketType``, because a socket factory may hand out something that is not
backed by a file descriptor at all (a simulated network, say).  Code that accepts sockets checks against this class;
code that makes them goes through :func:`trio.socket.socket`.  It is not an `abc.ABC`: a fake that implements half of it
is still useful, and a method it leaves out raises `NotImplementedError` when called.

Invariant: no state here, and no behaviour beyond refusing to be instantiated directly.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable
    from socket import AddressFamily, SocketKind
    from types import TracebackType
    from typing import Any, NoReturn, overload

    from typing_extensions import Buffer, Self, TypeAlias

    AddressFormat: TypeAlias = Any
    ExceptionType: TypeAlias = type[BaseException]  # SocketType has a property called `type`
else:
    AddressFormat = object  # a socket address: its type depends on the address family, so nothing narrower is true


def _not_provided() -> NoReturn:
    """The body of every method here: what an implementation does not define, it does not have."""
    raise NotImplementedError


class SocketType:
    """A Trio socket; get one from :func:`trio.socket.socket` and its siblings, never from this class.

    The methods behave like those of `socket.socket` with these differences: whatever might block is a checkpoint and
    has to be awaited, even if it would not block this time; host names in addresses are resolved without blocking the
    event loop; the socket is always non-blocking for the operating system and has no timeout (use a cancel scope).  At
    most one task may wait to read and one to write, else the second gets `trio.BusyResourceError`; closing the socket
    wakes both with `trio.ClosedResourceError`.

    See "Low-level networking with trio.socket" in Trio's reference manual.
    """

    def __init__(self) -> None:
        if type(self) is SocketType:
            raise TypeError("SocketType is an abstract class; use trio.socket.socket if you want to construct a socket object")

    def detach(self) -> int:
        """Give up the file descriptor and return it; this object is closed afterwards, the descriptor is not.

        Tasks that wait on the socket at that moment keep waiting for the descriptor.
        """
        _not_provided()

    def fileno(self) -> int:
        """The file descriptor, or -1 once the socket is closed or detached."""
        _not_provided()

    def getpeername(self) -> AddressFormat:
        """The address at the other end; `OSError` if there is none."""
        _not_provided()

    def getsockname(self) -> AddressFormat:
        """The address of this end."""
        _not_provided()

    if TYPE_CHECKING:

        @overload
        def getsockopt(self, level: int, optname: int) -> int: ...

        @overload
        def getsockopt(self, level: int, optname: int, buflen: int) -> bytes: ...

    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> int | bytes:
        """Read a socket option: an `int`, or with ``buflen`` the raw value in up to that many bytes."""
        _not_provided()

    if TYPE_CHECKING:

        @overload
        def setsockopt(self, level: int, optname: int, value: int | Buffer) -> None: ...

        @overload
        def setsockopt(self, level: int, optname: int, value: None, optlen: int) -> None: ...

    def setsockopt(self, level: int, optname: int, value: int | Buffer | None, optlen: int | None = None) -> None:
        """Set a socket option to a number or to raw bytes.

        ``value=None`` together with ``optlen`` passes the operating system a null pointer and that length; any other
        mixture of the two raises `TypeError`.
        """
        _not_provided()

    def listen(self, backlog: int = 128) -> None:
        """Accept connections from now on, queueing up to ``backlog`` of them until :meth:`accept` takes them."""
        _not_provided()

    def get_inheritable(self) -> bool:
        """Whether child processes inherit the descriptor."""
        _not_provided()

    def set_inheritable(self, inheritable: bool) -> None:
        """Decide whether child processes inherit the descriptor (PEP 446: by default they do not)."""
        _not_provided()

    def __enter__(self) -> Self:
        _not_provided()

    def __exit__(
        self,
        exc_type: ExceptionType | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _not_provided()

    @property
    def family(self) -> AddressFamily:
        """The address family, such as `socket.AF_INET`."""
        _not_provided()

    @property
    def type(self) -> SocketKind:
        """The kind of socket, such as `socket.SOCK_STREAM`."""
        _not_provided()

    @property
    def proto(self) -> int:
        """The protocol number that the socket was made with."""
        _not_provided()

    @property
    def did_shutdown_SHUT_WR(self) -> bool:
        """Whether :meth:`shutdown` has ended the sending direction through this object."""
        _not_provided()

    def __repr__(self) -> str:
        _not_provided()

    def dup(self) -> SocketType:
        """A new socket object for a duplicate of the descriptor."""
        _not_provided()

    def close(self) -> None:
        """Close the socket.  Tasks that wait on it get `trio.ClosedResourceError`; closing again does nothing."""
        _not_provided()

    async def bind(self, address: AddressFormat) -> None:
        """Bind to a local address, resolving a host name in it first.

        A null or empty host means every interface.  A path of an ``AF_UNIX`` socket is bound in a worker thread, as the
        file system may be slow.  A checkpoint.
        """
        _not_provided()

    def shutdown(self, flag: int) -> None:
        """End one direction or both: ``SHUT_RD``, ``SHUT_WR`` or ``SHUT_RDWR``."""
        _not_provided()

    def is_readable(self) -> bool:
        """Whether :meth:`recv` (or :meth:`accept`) would return at once: data, end of file or an error is waiting."""
        _not_provided()

    async def wait_writable(self) -> None:
        """Wait until a send would make progress.

        `trio.ClosedResourceError` if the socket is closed meanwhile, `trio.BusyResourceError` if another task already
        waits for the same thing.  A checkpoint.
        """
        _not_provided()

    async def accept(self) -> tuple[SocketType, AddressFormat]:
        """Take the next incoming connection: a new socket and the peer's address.  A checkpoint."""
        _not_provided()

    async def connect(self, address: AddressFormat) -> None:
        """Connect to an address, resolving a host name in it first; only the first result of the resolution is tried.

        Failure raises `OSError` naming the address.  If the call is cancelled the socket is *closed*, because there is
        no way to take a half-made connection attempt back.  A checkpoint.
        """
        _not_provided()

    def recv(self, buflen: int, flags: int = 0, /) -> Awaitable[bytes]:
        """Receive up to ``buflen`` bytes; ``b""`` from a stream socket means that the peer is done.  A checkpoint."""
        _not_provided()

    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> Awaitable[int]:
        """Receive into a writable buffer (at most ``nbytes``, 0 for its size) and return the count.  A checkpoint."""
        _not_provided()

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> Awaitable[tuple[bytes, AddressFormat]]:
        """Receive bytes together with the sender's address.  A checkpoint."""
        _not_provided()

    def recvfrom_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> Awaitable[tuple[int, AddressFormat]]:
        """Receive into a writable buffer; returns the count and the sender's address.  A checkpoint."""
        _not_provided()

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> Awaitable[tuple[bytes, list[tuple[int, int, bytes]], int, object]]:
        """Receive bytes and ancillary data: ``(data, ancdata, msg_flags, address)``.  A checkpoint."""
        _not_provided()

    def recvmsg_into(
        self, buffers: Iterable[Buffer], ancbufsize: int = 0, flags: int = 0, /
    ) -> Awaitable[tuple[int, list[tuple[int, int, bytes]], int, object]]:
        """Receive into several buffers: ``(nbytes, ancdata, msg_flags, address)``.  A checkpoint."""
        _not_provided()

    def send(self, bytes: Buffer, flags: int = 0, /) -> Awaitable[int]:
        """Send what fits into the operating system's buffer and return how many bytes that was.  A checkpoint."""
        _not_provided()

    if TYPE_CHECKING:

        @overload
        async def sendto(self, data: Buffer, address: AddressFormat, /) -> int: ...

        @overload
        async def sendto(self, data: Buffer, flags: int, address: AddressFormat, /) -> int: ...

    async def sendto(self, *args: object) -> int:
        """Send one datagram, ``(data, address)`` or ``(data, flags, address)``, resolving a host name in the address.

        A checkpoint.
        """
        _not_provided()

    async def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[tuple[int, int, Buffer]] = (),
        flags: int = 0,
        address: AddressFormat | None = None,
        /,
    ) -> int:
        """Send the buffers as one message, with ancillary data, resolving a host name in the address.  A checkpoint."""
        _not_provided()
