"""TLS echo of 1 kB over TCP: what the loop adds to OpenSSL's work.

The certificate is made once per worker; the handshake is not measured.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import lru_cache
from time import perf_counter

from ..case import Case
from .echo import asyncio_answer, asyncio_ask, trio_answer, trio_ask

ORDER = 100
SIZE = 1024


@lru_cache(maxsize=1)
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's context that trust each other."""
    import trustme

    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


async def trio_tls(n: int) -> float:
    import trio

    server_side, client_side = contexts()
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_ssl_over_tcp_listeners(0, server_side, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, trio_answer, listeners)
        tcp = listeners[0].transport_listener
        assert isinstance(tcp, trio.SocketListener)
        port = tcp.socket.getsockname()[1]
        plain = await trio.open_tcp_stream("127.0.0.1", port)
        stream = trio.SSLStream(plain, client_side, server_hostname="localhost")
        await trio_ask(stream, 1, SIZE)
        begin = perf_counter()
        await trio_ask(stream, n, SIZE)
        seconds = perf_counter() - begin
        await stream.aclose()
        nursery.cancel_scope.cancel()
    return seconds


async def asyncio_tls(n: int) -> float:
    server_side, client_side = contexts()
    server = await asyncio.start_server(asyncio_answer, "127.0.0.1", 0, ssl=server_side)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_side, server_hostname="localhost")
    await asyncio_ask(reader, writer, 1, SIZE)
    begin = perf_counter()
    await asyncio_ask(reader, writer, n, SIZE)
    seconds = perf_counter() - begin
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
    return seconds


CASES = [Case("tls", "TLS echo 1 kB", trio_tls, asyncio_tls)]
