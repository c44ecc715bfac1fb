"""Connecting to a Unix domain socket.

The whole of it: make a socket, connect it, and do not leave it open if that fails.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from . import socket as tsocket
from ._highlevel_socket import SocketStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Protocol, TypeVar

    class Closeable(Protocol):
        def close(self) -> None: ...

    CloseT = TypeVar("CloseT", bound=Closeable)


@contextmanager
def close_on_error(obj: CloseT) -> Generator[CloseT, None, None]:
    """Context manager that gives ``obj``, and closes it only if the block ends in an exception."""
    try:
        yield obj
    except BaseException:
        obj.close()
        raise


async def open_unix_socket(filename: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> SocketStream:
    """Connect to the Unix domain socket at ``filename``.  A checkpoint.

    Args:
      filename: the path of the socket in the file system; or, on Linux, an abstract name that begins with a
        zero byte.

    Returns:
      A connected `trio.SocketStream`.

    Raises:
      OSError: there is no such socket, nobody is listening on it, or it may not be used.
      RuntimeError: the platform has no Unix domain sockets.
      TypeError: ``filename`` is not a path.
    """
    if not hasattr(tsocket, "AF_UNIX"):
        raise RuntimeError("Unix sockets are not supported on this platform")
    path = os.fspath(filename)
    with close_on_error(tsocket.socket(tsocket.AF_UNIX, tsocket.SOCK_STREAM)) as sock:
        await sock.connect(path)
        return SocketStream(sock)
