"""Passing values from one task to another.

``rendezvous``: nothing is buffered, the two tasks meet for every value (an
asyncio queue cannot do that; with a size of one it comes closest).
``buffered``: a buffer of a hundred, so the two seldom wait.
"""

from __future__ import annotations

import asyncio
from functools import partial
from time import perf_counter

from ..case import Case

ORDER = 40
BUFFER = 100


async def trio_channel(n: int, size: int) -> float:
    import trio

    sender, receiver = trio.open_memory_channel[int](size)

    async def produce() -> None:
        send = sender.send
        for value in range(n):
            await send(value)

    begin = perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(produce)
        receive = receiver.receive
        for _ in range(n):
            await receive()
    return perf_counter() - begin


async def asyncio_queue(n: int, size: int) -> float:
    queue: asyncio.Queue[int] = asyncio.Queue(size)

    async def produce() -> None:
        for value in range(n):
            await queue.put(value)

    begin = perf_counter()
    task = asyncio.ensure_future(produce())
    for _ in range(n):
        await queue.get()
    await task
    return perf_counter() - begin


CASES = [
    Case(
        "rendezvous",
        "channel rendezvous / Queue(1)",
        partial(trio_channel, size=0),
        partial(asyncio_queue, size=1),
    ),
    Case(
        "buffered",
        "buffered channel / Queue",
        partial(trio_channel, size=BUFFER),
        partial(asyncio_queue, size=BUFFER),
    ),
]
