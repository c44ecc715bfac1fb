"""The schedule point: give way to every other runnable task and go on.

The cost of the loop itself, and part of nearly every other row.  With one task
each operation is a whole tick of the loop; with a hundred a tick is shared.
"""

from __future__ import annotations

import asyncio
from time import perf_counter

from ..case import Case

ORDER = 10
MANY = 100


async def trio_one(n: int) -> float:
    import trio

    checkpoint = trio.lowlevel.checkpoint
    begin = perf_counter()
    for _ in range(n):
        await checkpoint()
    return perf_counter() - begin


async def trio_many(n: int) -> float:
    import trio

    checkpoint = trio.lowlevel.checkpoint

    async def spin() -> None:
        for _ in range(n // MANY + 1):
            await checkpoint()

    begin = perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(MANY):
            nursery.start_soon(spin)
    return perf_counter() - begin


async def asyncio_one(n: int) -> float:
    sleep = asyncio.sleep
    begin = perf_counter()
    for _ in range(n):
        await sleep(0)
    return perf_counter() - begin


async def asyncio_many(n: int) -> float:
    sleep = asyncio.sleep

    async def spin() -> None:
        for _ in range(n // MANY + 1):
            await sleep(0)

    begin = perf_counter()
    await asyncio.gather(*(spin() for _ in range(MANY)))
    return perf_counter() - begin


CASES = [
    Case("schedule-1", "schedule point, 1 task", trio_one, asyncio_one),
    Case("schedule-100", f"schedule point, {MANY} tasks", trio_many, asyncio_many),
]
