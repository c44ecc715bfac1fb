"""TLS over TCP in one call, for the client and for the server.

Each function here is its TCP counterpart with `SSLStream` or `SSLListener` put on top; what it adds
is that nothing stays open when the second step fails.  This module imports `ssl` only when a
function needs it, and keeps no state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _core
from ._highlevel_generic import aclose_forcefully
from ._highlevel_open_tcp_listeners import open_tcp_listeners
from ._highlevel_open_tcp_stream import open_tcp_stream
from ._highlevel_serve_listeners import serve_listeners

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from typing import NoReturn

    import trio

    from ._highlevel_socket import SocketStream

DEFAULT_DELAY = 0.250  # seconds, see open_tcp_stream


async def open_ssl_over_tcp_stream(
    host: str | bytes,
    port: int,
    *,
    https_compatible: bool = False,
    ssl_context: ssl.SSLContext | None = None,
    happy_eyeballs_delay: float | None = DEFAULT_DELAY,
) -> trio.SSLStream[SocketStream]:
    """Connect to a TLS server.  A checkpoint.

    The handshake is left to the first use of the stream, and with it the check of the certificate.
    See Trio's reference, "I/O in Trio", section "SSL / TLS support".

    Args:
      host (str or bytes): name or address, to connect to *and* to expect in the certificate.
      port (int): TCP port.
      https_compatible (bool): see `SSLStream`; True for HTTPS servers.
      ssl_context (~ssl.SSLContext or None): None stands for `ssl.create_default_context`, which
          trusts the system's certificate authorities.
      happy_eyeballs_delay (float or None): seconds before the next address is tried in parallel,
          see `open_tcp_stream`.

    Returns:
      SSLStream: the encrypted connection.

    Raises:
      OSError: no address could be connected to.
    """
    transport = await open_tcp_stream(host, port, happy_eyeballs_delay=happy_eyeballs_delay)
    try:
        if ssl_context is None:
            from ssl import create_default_context

            ssl_context = create_default_context()
        from ._ssl import SSLStream

        return SSLStream(
            transport,
            ssl_context,
            server_hostname=host,
            https_compatible=https_compatible,
        )
    except BaseException:
        await aclose_forcefully(transport)
        raise


async def open_ssl_over_tcp_listeners(
    port: int,
    ssl_context: ssl.SSLContext,
    *,
    host: str | bytes | None = None,
    https_compatible: bool = False,
    backlog: int | None = None,
) -> list[trio.SSLListener[SocketStream]]:
    """Listen for TLS connections on a TCP port.  A checkpoint.

    Args:
      port (int): TCP port, 0 for one that the system picks.
      ssl_context (~ssl.SSLContext): must hold the server's certificate.
      host (str, bytes or None): where to listen, see `open_tcp_listeners`.
      https_compatible (bool): see `SSLStream`.
      backlog (int or None): see `open_tcp_listeners`.

    Returns:
      list of SSLListener: one per address.

    Raises what `open_tcp_listeners` does.
    """
    from ._ssl import SSLListener

    return [
        SSLListener(listener, ssl_context, https_compatible=https_compatible)
        for listener in await open_tcp_listeners(port, host=host, backlog=backlog)
    ]


async def serve_ssl_over_tcp(
    handler: Callable[[trio.SSLStream[SocketStream]], Awaitable[object]],
    port: int,
    ssl_context: ssl.SSLContext,
    *,
    host: str | bytes | None = None,
    https_compatible: bool = False,
    backlog: int | None = None,
    handler_nursery: trio.Nursery | None = None,
    task_status: trio.TaskStatus[list[trio.SSLListener[SocketStream]]] = _core.TASK_STATUS_IGNORED,
) -> NoReturn:
    """Listen on a TCP port and run ``handler(stream)`` in a task for each TLS connection.

    `open_ssl_over_tcp_listeners` followed by `serve_listeners`; see those for the arguments and
    exceptions.  Never returns: cancel it to stop.  A checkpoint.

    With ``await nursery.start(...)`` it reports its list of `SSLListener` as soon as clients can
    connect, which is how to learn the number of a port that the system picked.
    """
    listeners = await open_ssl_over_tcp_listeners(
        port,
        ssl_context,
        host=host,
        https_compatible=https_compatible,
        backlog=backlog,
    )
    await serve_listeners(
        handler,
        listeners,
        handler_nursery=handler_nursery,
        task_status=task_status,
    )
