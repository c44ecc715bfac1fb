"""Waiting for file descriptors, by way of methods that can be replaced.

The waiting itself is native.  `TheIOManager` exists for tests that make something happen at an exact moment of it: they
put a function of their own in the place of one of its methods.  So the functions below look whether the class still has the
methods it was born with, and go through an instance only if not.
"""

from __future__ import annotations

from .. import _native
from .._native import notify_closing as notify_closing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class _HasFileNo(Protocol):
        def fileno(self) -> int: ...


class TheIOManager:
    """The run's side of waiting for file descriptors."""

    async def wait_readable(self, fd: int | _HasFileNo) -> None:
        await _native.wait_readable(fd)

    async def wait_writable(self, fd: int | _HasFileNo) -> None:
        await _native.wait_writable(fd)

    def notify_closing(self, fd: int | _HasFileNo) -> None:
        _native.notify_closing(fd)


_own_wait_readable = TheIOManager.wait_readable
_own_wait_writable = TheIOManager.wait_writable


async def wait_readable(fd: int | _HasFileNo) -> None:
    """Wait until a file descriptor can be read from.

    Also returns if it is at its end or broken: reading then says so.  A checkpoint.

    Args:
      fd: a descriptor that can be polled (a socket, a pipe, a terminal), or an object with a ``fileno()`` method.

    Raises:
      trio.BusyResourceError: another task is waiting to read from it.
      trio.ClosedResourceError: somebody calls `notify_closing` meanwhile.
      OSError: it is not open, or cannot be polled.

    See "Low-level I/O" in the reference of ``trio.lowlevel``.
    """
    if TheIOManager.wait_readable is _own_wait_readable:
        await _native.wait_readable(fd)
    else:
        await TheIOManager().wait_readable(fd)


async def wait_writable(fd: int | _HasFileNo) -> None:
    """Wait until a file descriptor can be written to.  A checkpoint; otherwise like `wait_readable`."""
    if TheIOManager.wait_writable is _own_wait_writable:
        await _native.wait_writable(fd)
    else:
        await TheIOManager().wait_writable(fd)
