"""TCP echo through the stream interfaces, both ends in one process.

One operation is a message there and back.  The sides use what their users
would: SocketStream on Trio, StreamReader and StreamWriter on asyncio.
"""

from __future__ import annotations

import asyncio
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from ..case import Case

if TYPE_CHECKING:
    import trio

ORDER = 80
LARGEST_READ = 65536


async def trio_answer(stream: trio.abc.Stream) -> None:
    """Send everything back until the peer is gone."""
    async with stream:
        while True:
            data = await stream.receive_some(LARGEST_READ)
            if not data:
                return
            await stream.send_all(data)


async def trio_ask(stream: trio.abc.Stream, times: int, size: int) -> None:
    """Send a message and wait for all of it, so many times."""
    message = b"x" * size
    for _ in range(times):
        await stream.send_all(message)
        missing = size
        while missing:
            missing -= len(await stream.receive_some(LARGEST_READ))


async def trio_echo(n: int, size: int, connections: int) -> float:
    import trio

    times = -(-n // connections)
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, trio_answer, listeners)
        port = listeners[0].socket.getsockname()[1]
        streams = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(connections)]
        begin = perf_counter()
        async with trio.open_nursery() as clients:
            for stream in streams:
                clients.start_soon(trio_ask, stream, times, size)
        seconds = perf_counter() - begin
        for stream in streams:
            await stream.aclose()
        nursery.cancel_scope.cancel()
    return seconds / (times * connections) * n


async def asyncio_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send everything back until the peer is gone."""
    while True:
        data = await reader.read(LARGEST_READ)
        if not data:
            break
        writer.write(data)
        await writer.drain()
    writer.close()


async def asyncio_ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, times: int, size: int) -> None:
    """Send a message and wait for all of it, so many times."""
    message = b"x" * size
    for _ in range(times):
        writer.write(message)
        await writer.drain()
        missing = size
        while missing:
            missing -= len(await reader.read(LARGEST_READ))


async def asyncio_echo(n: int, size: int, connections: int) -> float:
    times = -(-n // connections)
    server = await asyncio.start_server(asyncio_answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections)]
    begin = perf_counter()
    await asyncio.gather(*(asyncio_ask(*pair, times, size) for pair in pairs))
    seconds = perf_counter() - begin
    for _, writer in pairs:
        writer.close()
        await writer.wait_closed()
    server.close()
    await server.wait_closed()
    return seconds / (times * connections) * n


def echo(name: str, title: str, size: int, connections: int) -> Case:
    """One size of message and number of connections."""
    return Case(
        name,
        title,
        partial(trio_echo, size=size, connections=connections),
        partial(asyncio_echo, size=size, connections=connections),
    )


CASES = [
    echo("echo-1", "TCP echo 1 kB, 1 connection", 1024, 1),
    echo("echo-100", "TCP echo 1 kB, 100 connections", 1024, 100),
    echo("echo-64k", "TCP echo 64 kB", 65536, 1),
]
