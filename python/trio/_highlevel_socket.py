"""Streams and listeners on top of :mod:`trio.socket`.

A :class:`SocketStream` is a connected socket with the manners of `trio.abc.Stream`: it sends everything or
fails, it speaks of broken and closed resources instead of errnos, and it lets only one task send.  A
:class:`SocketListener` makes such streams.

Both own the socket they were given and close it.  The socket stays available, as ``.socket``, and does the work:
a stream's only state of its own is whether a task is in one of the sending methods.  Receiving needs no such
guard, since the socket itself refuses a second reader.

``send_all`` and ``receive_some`` are where networking programs spend their time, so they go straight to the
socket's native methods, and `bytes` are sent without making a `memoryview`.
"""

from __future__ import annotations

import errno
import socket as _stdlib_socket
from contextlib import suppress

from . import _core
from ._abc import HalfCloseableStream, Listener
from ._socket import _SocketType
from ._util import final, fixup_module_metadata
from .socket import SocketType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, overload

    from typing_extensions import Buffer
else:

    def overload(signature: object) -> object:
        """`typing.overload` for those who only want it to do nothing."""
        return signature


_DEFAULT_RECEIVE_SIZE = 64 * 1024  # what one recv() can return at most, unless the caller says otherwise

# The kernel's send buffer grows to megabytes, and data that sits there is data that can no longer be changed or
# dropped. Past this much that was not even sent yet, the socket reports itself as not writable.
_NOTSENT_LOWAT = 16 * 1024

_BUSY = "another task is currently sending data on this SocketStream"

_CLOSED_ERRNOS = frozenset({errno.EBADF, errno.ENOTSOCK})


def _raise_stream_error(exc: OSError) -> NoReturn:
    """Translate an error of the socket into the terms of `trio.abc`; to be called where ``exc`` is being handled."""
    if exc.errno in _CLOSED_ERRNOS:
        raise _core.ClosedResourceError("this socket was already closed") from None
    raise _core.BrokenResourceError(f"socket connection broken: {exc}") from exc


@final
class SocketStream(HalfCloseableStream):
    """A `trio.abc.HalfCloseableStream` that sends and receives through a socket.

    Args:
      socket: a connected Trio socket of type ``SOCK_STREAM``, which the stream takes over.  Else `TypeError` or
        `ValueError`.

    On TCP connections two options are set: ``TCP_NODELAY``, because a stream that holds back the end of a
    message costs a round trip (:rfc:`896` describes the trade); and ``TCP_NOTSENT_LOWAT``, so that
    `wait_send_all_might_not_block` means something. Both can be changed with `setsockopt`.

    See `the reference <https://trio.readthedocs.io/en/stable/reference-io.html#trio.SocketStream>`__.

    Attributes:
      socket: the Trio socket.
    """

    def __init__(self, socket: SocketType) -> None:
        if not isinstance(socket, SocketType):
            raise TypeError("SocketStream requires a Trio socket object")
        if socket.type != _stdlib_socket.SOCK_STREAM:
            raise ValueError("SocketStream requires a SOCK_STREAM socket")
        self.socket = socket
        self._sending = False
        # Other kinds of stream sockets, and other systems, do not have these options; nothing depends on them.
        with suppress(OSError):
            self.setsockopt(_stdlib_socket.IPPROTO_TCP, _stdlib_socket.TCP_NODELAY, True)
        if hasattr(_stdlib_socket, "TCP_NOTSENT_LOWAT"):
            with suppress(OSError):
                self.setsockopt(_stdlib_socket.IPPROTO_TCP, _stdlib_socket.TCP_NOTSENT_LOWAT, _NOTSENT_LOWAT)

    def _begin_sending(self) -> None:
        """Every caller sets ``self._sending`` back to `False` when it is done, whatever happens."""
        if self._sending:
            raise _core.BusyResourceError(_BUSY)
        self._sending = True

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of ``data``.  A checkpoint.  See `trio.abc.SendStream.send_all`."""
        socket = self.socket
        if socket.did_shutdown_SHUT_WR:
            raise _core.ClosedResourceError("can't send data after sending EOF")
        if self._sending:  # `_begin_sending`, spelled out
            raise _core.BusyResourceError(_BUSY)
        self._sending = True
        try:
            if type(data) is bytes and data and isinstance(socket, _SocketType):
                await socket._send_all(data)
            else:
                await self._send_view(data)
        except OSError as exc:
            _raise_stream_error(exc)
        finally:
            self._sending = False

    async def _send_view(self, data: bytes | bytearray | memoryview) -> None:
        """Send what is not a simple `bytes` object, or through another kind of socket.

        The views are released on the way out, so that a bytearray can be resized again even if a traceback keeps
        this frame alive.
        """
        with memoryview(data) as view:
            if view.nbytes == 0:
                if self.socket.fileno() == -1:
                    raise _core.ClosedResourceError("socket was already closed")
                await _core.checkpoint()
                return
            with view.cast("B") as octets:
                if isinstance(self.socket, _SocketType):
                    await self.socket._send_all(octets)
                    return
                sent = 0
                while sent < len(octets):
                    with octets[sent:] as rest:
                        sent += await self.socket.send(rest)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the socket is writable.  A checkpoint.  See `trio.abc.SendStream.wait_send_all_might_not_block`."""
        self._begin_sending()
        try:
            if self.socket.fileno() == -1:
                raise _core.ClosedResourceError
            await self.socket.wait_writable()
        except OSError as exc:
            _raise_stream_error(exc)
        finally:
            self._sending = False

    async def send_eof(self) -> None:
        """Shut down the sending direction.  A checkpoint.  See `trio.abc.HalfCloseableStream.send_eof`."""
        self._begin_sending()
        try:
            await _core.checkpoint()
            if not self.socket.did_shutdown_SHUT_WR:
                self.socket.shutdown(_stdlib_socket.SHUT_WR)
        except OSError as exc:
            _raise_stream_error(exc)
        finally:
            self._sending = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive between 1 and ``max_bytes`` bytes (default 65,536), or ``b""`` at the end of the data.  A checkpoint.

        See `trio.abc.ReceiveStream.receive_some`.
        """
        if max_bytes is None:
            max_bytes = _DEFAULT_RECEIVE_SIZE
        elif max_bytes < 1:
            raise ValueError("max_bytes must be >= 1")
        try:
            return await self.socket.recv(max_bytes)
        except OSError as exc:
            _raise_stream_error(exc)

    async def aclose(self) -> None:
        """Close the socket.  The kernel goes on sending what it has accepted.  A checkpoint."""
        self.socket.close()
        await _core.checkpoint()

    # ---- socket options ----

    @overload
    def setsockopt(self, level: int, option: int, value: int | Buffer) -> None: ...

    @overload
    def setsockopt(self, level: int, option: int, value: None, length: int) -> None: ...  # noqa: F811

    def setsockopt(  # noqa: F811
        self,
        level: int,
        option: int,
        value: int | Buffer | None,
        length: int | None = None,
    ) -> None:
        """Set a socket option, like `socket.socket.setsockopt`.  Not a checkpoint.

        Args:
          level, option: which option, as constants from :mod:`trio.socket`.
          value: the new value, or `None` to set the option to nothing of the given length.
          length: the length in bytes if and only if ``value`` is `None`, else `TypeError`.
        """
        if length is not None:
            if value is not None:
                raise TypeError(f"invalid value for argument 'value': {value!r}, must be None when specifying optlen")
            self.socket.setsockopt(level, option, value, length)
            return
        if value is None:
            raise TypeError("invalid value for argument 'value', must not be None when specifying length")
        self.socket.setsockopt(level, option, value)

    @overload
    def getsockopt(self, level: int, option: int) -> int: ...

    @overload
    def getsockopt(self, level: int, option: int, buffersize: int) -> bytes: ...  # noqa: F811

    def getsockopt(self, level: int, option: int, buffersize: int = 0) -> int | bytes:  # noqa: F811
        """Read a socket option, like `socket.socket.getsockopt`.  Not a checkpoint.

        Args:
          level, option: which option, as constants from :mod:`trio.socket`.
          buffersize: for options that are not integers, the size in bytes of the longest value.

        Returns:
          An integer, or ``bytes`` if a ``buffersize`` was given.
        """
        if buffersize:
            return self.socket.getsockopt(level, option, buffersize)
        return self.socket.getsockopt(level, option)


# ---- listeners ----

# accept() also reports what went wrong with the connection that it would have returned: it was aborted, a
# firewall forbids it, the network beneath has trouble.  None of this says anything about the next one.  Linux
# documents the list in accept(2), under "Error handling", and POSIX systems add the remaining names.
_LOST_CONNECTION_ERRNOS = frozenset(
    getattr(errno, name)
    for name in (
        "ECONNABORTED ECONNRESET EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH ENONET ENOPROTOOPT ENOSR EOPNOTSUPP"
        " EPERM EPROTO EPROTONOSUPPORT ESOCKTNOSUPPORT ETIMEDOUT"
    ).split()
    if hasattr(errno, name)
)


def _is_listening(socket: SocketType) -> bool:
    """Whether ``listen()`` was called; `True` where there is no way to know."""
    try:
        return bool(socket.getsockopt(_stdlib_socket.SOL_SOCKET, _stdlib_socket.SO_ACCEPTCONN))
    except OSError:
        return True


@final
class SocketListener(Listener[SocketStream]):
    """A `trio.abc.Listener` that accepts connections on a socket and gives a `SocketStream` for each.

    Args:
      socket: a Trio socket of type ``SOCK_STREAM`` that is listening, which the listener takes over.  Else
        `TypeError` or `ValueError`.

    Attributes:
      socket: the Trio socket.
    """

    def __init__(self, socket: SocketType) -> None:
        if not isinstance(socket, SocketType):
            raise TypeError("SocketListener requires a Trio socket object")
        if socket.type != _stdlib_socket.SOCK_STREAM:
            raise ValueError("SocketListener requires a SOCK_STREAM socket")
        if not _is_listening(socket):
            raise ValueError("SocketListener requires a listening socket")
        self.socket = socket

    async def accept(self) -> SocketStream:
        """Wait for the next connection.  A checkpoint.

        Connections that are lost before they can be accepted are skipped.

        Raises:
          trio.ClosedResourceError: the listener was closed, before or during the call.
          OSError: the system is out of something.  The listener is still good: wait a little and try again, as
            `trio.serve_listeners` does.
        """
        while True:
            try:
                socket, _ = await self.socket.accept()
            except OSError as exc:
                if exc.errno in _CLOSED_ERRNOS:
                    raise _core.ClosedResourceError from None
                if exc.errno not in _LOST_CONNECTION_ERRNOS:
                    raise
            else:
                return SocketStream(socket)

    async def aclose(self) -> None:
        """Close the socket.  A checkpoint."""
        self.socket.close()
        await _core.checkpoint()


# Other modules hand these out before anybody has asked for them by name.
fixup_module_metadata("trio", {"SocketListener": SocketListener, "SocketStream": SocketStream})
