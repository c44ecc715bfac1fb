"""The socket operations that may have to wait, all by one rule: try the system call, wait only if it would block.

Every operation is the same loop around one method of `socket.socket`::

    checkpoint, cancel half --> call --+-- result or error --> checkpoint, schedule half --> done
                                       |
                                       +-- BlockingIOError --> sleep until ready --> call --+-- done
                                                                  ^                         |
                                                                  +-------- would block ----+

Cancellation can therefore strike before the first call or during a sleep, never after a call had an effect: an
operation that was cancelled moved no data.  The schedule half is skipped when the task slept, because sleeping is a
schedule point.  A second round is rare but real: another task or process may have emptied the socket between the
wake-up and the call.

This is the hot part of :mod:`trio.socket` and it knows nothing else: no addresses to resolve, no constructors, only the
attribute ``_sock`` of the object it works for.  That attribute is read anew for each call, as the socket may be
exchanged underneath a sleeping task.  The kernel's word is the only state.
"""

from __future__ import annotations

import socket as _stdlib_socket

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Any, Protocol

    class HasStdlibSocket(Protocol):
        _sock: _stdlib_socket.socket


def _would_block(exc: BaseException) -> bool:
    return isinstance(exc, BlockingIOError)


class _try_sync:
    """Async context manager for a body that either completes without blocking or says that it cannot.

    Entering is the cancel half of a checkpoint.  If the body raises what ``blocking_exc_override`` accepts (by default
    `BlockingIOError`) the exception is swallowed and the caller goes on to wait; any other outcome executes the
    schedule half and stands.
    """

    def __init__(self, blocking_exc_override: Callable[[BaseException], bool] | None = None) -> None:
        self._means_wait = blocking_exc_override or _would_block

    async def __aenter__(self) -> None:
        await _core.checkpoint_if_cancelled()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if exc_value is not None and self._means_wait(exc_value):
            return True
        await _core.cancel_shielded_checkpoint()
        return False


def operation(name: str, wait: Callable[[_stdlib_socket.socket], Awaitable[None]]) -> Callable[..., Any]:
    """Make the awaitable version of the method ``name`` of `socket.socket`, which sleeps in ``wait``.

    Arguments are handed through untouched, so wrong ones get the standard library's own error.
    """
    call = getattr(_stdlib_socket.socket, name)

    async def run(self: HasStdlibSocket, *args: Any, **kwargs: Any) -> Any:
        await _core.checkpoint_if_cancelled()
        try:
            result = call(self._sock, *args, **kwargs)
        except BlockingIOError:
            pass
        except BaseException:
            await _core.cancel_shielded_checkpoint()
            raise
        else:
            await _core.cancel_shielded_checkpoint()
            return result
        while True:
            await wait(self._sock)
            try:
                return call(self._sock, *args, **kwargs)
            except BlockingIOError:
                pass

    run.__name__ = name
    run.__qualname__ = f"_SocketType.{name}"
    return run


accept = operation("accept", _core.wait_readable)
recv = operation("recv", _core.wait_readable)
recv_into = operation("recv_into", _core.wait_readable)
recvfrom = operation("recvfrom", _core.wait_readable)
recvfrom_into = operation("recvfrom_into", _core.wait_readable)
recvmsg = operation("recvmsg", _core.wait_readable)
recvmsg_into = operation("recvmsg_into", _core.wait_readable)
send = operation("send", _core.wait_writable)
sendto = operation("sendto", _core.wait_writable)
sendmsg = operation("sendmsg", _core.wait_writable)
