"""Locks and events.

The lock is free whenever it is asked for; Trio gives way to other tasks even
so, asyncio does not.  The ping-pong is two tasks which wake each other with a
new event every time; one operation is there and back.
"""

from __future__ import annotations

import asyncio
from time import perf_counter

from ..case import Case

ORDER = 50


async def trio_lock(n: int) -> float:
    import trio

    lock = trio.Lock()
    begin = perf_counter()
    for _ in range(n):
        async with lock:
            pass
    return perf_counter() - begin


async def asyncio_lock(n: int) -> float:
    lock = asyncio.Lock()
    begin = perf_counter()
    for _ in range(n):
        async with lock:
            pass
    return perf_counter() - begin


async def trio_events(n: int) -> float:
    import trio

    event = trio.Event
    ping, pong = event(), event()

    async def answer() -> None:
        nonlocal ping
        for _ in range(n):
            await ping.wait()
            ping = event()
            pong.set()

    begin = perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        for _ in range(n):
            ping.set()
            await pong.wait()
            pong = event()
    return perf_counter() - begin


async def asyncio_events(n: int) -> float:
    event = asyncio.Event
    ping, pong = event(), event()

    async def answer() -> None:
        nonlocal ping
        for _ in range(n):
            await ping.wait()
            ping = event()
            pong.set()

    begin = perf_counter()
    task = asyncio.ensure_future(answer())
    for _ in range(n):
        ping.set()
        await pong.wait()
        pong = event()
    await task
    return perf_counter() - begin


CASES = [
    Case("lock", "uncontended lock", trio_lock, asyncio_lock),
    Case("events", "event ping-pong, there and back", trio_events, asyncio_events),
]
