"""Listening on a TCP port.

"A port" is usually two sockets, one for IPv4 and one for IPv6, and may be more if a host with several addresses
was named.  So the unit here is a list of listeners: either all of them can be opened, or none stays open.  The
one exception is an address family that the system does not have; it is left out as long as another one is left.
"""

from __future__ import annotations

import errno
import sys

from . import _core, socket as tsocket
from ._highlevel_serve_listeners import serve_listeners
from ._highlevel_socket import SocketListener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._core import Nursery, TaskStatus
    from ._highlevel_socket import SocketStream
    from ._socket import _GetAddrInfoEntry

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

# The system lowers it to its own limit (net.core.somaxconn on Linux), which its administrator knows better than
# we do.  More than 16 bits are not safe: some systems take only the lower ones.
_MAX_BACKLOG = 0xFFFF


def _check_backlog(backlog: int | None) -> int:
    if backlog is None:
        return _MAX_BACKLOG
    if not isinstance(backlog, int):
        raise TypeError(f"backlog must be an int or None, not {backlog!r}")
    return min(backlog, _MAX_BACKLOG)


async def _listen(target: _GetAddrInfoEntry, backlog: int) -> SocketListener:
    family, kind, protocol, _, address = target
    sock = tsocket.socket(family, kind, protocol)
    try:
        # On Unix this permits to bind to a port of which connections linger in TIME_WAIT, and to no port where
        # somebody listens. On Windows it permits to steal ports, and the default is what we want.
        if sys.platform != "win32":
            sock.setsockopt(tsocket.SOL_SOCKET, tsocket.SO_REUSEADDR, 1)
        # IPv4 has a socket of its own, and the two would be in each other's way.
        if family == tsocket.AF_INET6:
            sock.setsockopt(tsocket.IPPROTO_IPV6, tsocket.IPV6_V6ONLY, 1)
        await sock.bind(address)
        sock.listen(backlog)
        return SocketListener(sock)
    except BaseException:
        sock.close()
        raise


async def open_tcp_listeners(
    port: int,
    *,
    host: str | bytes | None = None,
    backlog: int | None = None,
) -> list[SocketListener]:
    """Create listeners for incoming TCP connections.  A checkpoint.

    Args:
      port: the port, or 0 for a free one that the kernel chooses.  If this gives several listeners, each of them
        gets a port of its own then.
      host: the local address to listen on, or a name for some of them.  `None` is every address, in IPv4 and IPv6 as
        far as the system has them.
      backlog: how many connections the kernel may hold for us until they are accepted.  `None` asks for as many
        as it allows.

    Returns:
      A list of `trio.SocketListener`, at least one unless the name has no addresses.

    Raises:
      OSError: the port is taken or not permitted, or no address family that came into question exists here.
      TypeError: ``port`` or ``backlog`` is not an integer.
    """
    if not isinstance(port, int):
        raise TypeError(f"port must be an int not {port!r}")
    backlog = _check_backlog(backlog)

    targets = await tsocket.getaddrinfo(host, port, type=tsocket.SOCK_STREAM, flags=tsocket.AI_PASSIVE)
    listeners: list[SocketListener] = []
    unsupported: list[OSError] = []
    try:
        for target in targets:
            try:
                listeners.append(await _listen(target, backlog))
            except OSError as exc:
                if exc.errno != errno.EAFNOSUPPORT:
                    raise
                unsupported.append(exc)
    except BaseException:
        for listener in listeners:
            listener.socket.close()
        raise
    if unsupported and not listeners:
        message = "This system doesn't support any of the kinds of socket that that address could use"
        raise OSError(errno.EAFNOSUPPORT, message) from ExceptionGroup(message, unsupported)
    return listeners


async def serve_tcp(
    handler: Callable[[SocketStream], Awaitable[object]],
    port: int,
    *,
    host: str | bytes | None = None,
    backlog: int | None = None,
    handler_nursery: Nursery | None = None,
    task_status: TaskStatus[list[SocketListener]] = _core.TASK_STATUS_IGNORED,
) -> None:
    """Listen for TCP connections and run ``handler`` for each of them, until cancelled.

    `open_tcp_listeners` with `serve_listeners`, and their arguments.  When it is ready for connections, it reports the
    list of listeners, so ``listeners = await nursery.start(trio.serve_tcp, handler, 0)`` runs it in the background,
    and ``listeners[0].socket.getsockname()`` tells which port it has found.  A checkpoint.

    Args:
      handler: async function that is called with a `trio.SocketStream` for each connection.
      port, host, backlog: where to listen, see `open_tcp_listeners`.
      handler_nursery: where the handlers run, see `serve_listeners`.

    Raises what these two raise.
    """
    listeners = await open_tcp_listeners(port, host=host, backlog=backlog)
    await serve_listeners(handler, listeners, handler_nursery=handler_nursery, task_status=task_status)
