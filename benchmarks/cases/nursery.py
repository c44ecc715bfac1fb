"""Nurseries: what structured concurrency costs against bare tasks.

``spawn`` starts tasks that do nothing, in nurseries of a thousand, and waits
for them; ``nursery`` is the block alone, with no child in it.
"""

from __future__ import annotations

import asyncio
import sys
from time import perf_counter

from ..case import Case

ORDER = 20
BATCH = 1000


async def nothing() -> None:
    pass


async def trio_spawn(n: int) -> float:
    import trio

    begin = perf_counter()
    for start in range(0, n, BATCH):
        async with trio.open_nursery() as nursery:
            for _ in range(min(BATCH, n - start)):
                nursery.start_soon(nothing)
    return perf_counter() - begin


async def trio_nursery(n: int) -> float:
    import trio

    open_nursery = trio.open_nursery
    begin = perf_counter()
    for _ in range(n):
        async with open_nursery():
            pass
    return perf_counter() - begin


async def asyncio_spawn(n: int) -> float:
    begin = perf_counter()
    for start in range(0, n, BATCH):
        async with asyncio.TaskGroup() as group:
            for _ in range(min(BATCH, n - start)):
                group.create_task(nothing())
    return perf_counter() - begin


async def asyncio_group(n: int) -> float:
    group = asyncio.TaskGroup
    begin = perf_counter()
    for _ in range(n):
        async with group():
            pass
    return perf_counter() - begin


HAS_GROUPS = sys.version_info >= (3, 11)

CASES = [
    Case("spawn", "spawn and join a task", trio_spawn, asyncio_spawn if HAS_GROUPS else None),
    Case(
        "nursery",
        "open and close a nursery / TaskGroup",
        trio_nursery,
        asyncio_group if HAS_GROUPS else None,
    ),
]
