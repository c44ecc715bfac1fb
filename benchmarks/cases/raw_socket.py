"""Ping-pong over a pair of raw sockets: the readiness layer without streams.

One operation is a short message there and back between two tasks.
"""

from __future__ import annotations

import asyncio
import socket
from time import perf_counter

from ..case import Case

ORDER = 90
MESSAGE = b"x" * 64


async def trio_ping_pong(n: int) -> float:
    import trio

    near, far = trio.socket.socketpair()

    async def answer() -> None:
        for _ in range(n):
            await far.send(await far.recv(len(MESSAGE)))

    with near, far:
        begin = perf_counter()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            for _ in range(n):
                await near.send(MESSAGE)
                await near.recv(len(MESSAGE))
        return perf_counter() - begin


async def asyncio_ping_pong(n: int) -> float:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    loop = asyncio.get_running_loop()

    async def answer() -> None:
        for _ in range(n):
            await loop.sock_sendall(far, await loop.sock_recv(far, len(MESSAGE)))

    with near, far:
        begin = perf_counter()
        task = asyncio.ensure_future(answer())
        for _ in range(n):
            await loop.sock_sendall(near, MESSAGE)
            await loop.sock_recv(near, len(MESSAGE))
        await task
        return perf_counter() - begin


CASES = [Case("raw-socket", "raw socket ping-pong", trio_ping_pong, asyncio_ping_pong)]
