"""A client for a listener whose address the test never chose.

Tests let the kernel pick a port, or a family; what they need next is one connection to wherever that is.
"""

from __future__ import annotations

from .. import socket as tsocket
from .._highlevel_socket import SocketStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._highlevel_socket import SocketListener

# Nobody can connect to "all addresses", so connect to the loopback one among them.
_LOOPBACK_FOR = {"0.0.0.0": "127.0.0.1", "::": "::1"}


async def open_stream_to_socket_listener(socket_listener: SocketListener) -> SocketStream:
    """Connect to a listener and return the client's end of the connection.  A checkpoint.

    Works for TCP over IPv4 and IPv6, also if the listener is bound to the wildcard address, and for Unix
    sockets.  The connection then waits for ``await socket_listener.accept()``.

    Args:
      socket_listener: a :class:`~trio.SocketListener`.

    Raises:
      OSError: the connection was refused, for example because the listener was closed.
    """
    family = socket_listener.socket.family
    address = socket_listener.socket.getsockname()
    if family in (tsocket.AF_INET, tsocket.AF_INET6):
        host, *rest = address
        address = (_LOOPBACK_FOR.get(host, host), *rest)

    sock = tsocket.socket(family=family)
    try:
        await sock.connect(address)
        return SocketStream(sock)
    except BaseException:
        sock.close()
        raise
