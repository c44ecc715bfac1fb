"""A time limit around a block, the most frequent use of cancel scopes.

Once with an empty block, once with a schedule point in it, which is where a
deadline could take effect.
"""

from __future__ import annotations

import asyncio
import sys
from time import perf_counter

from ..case import Case

ORDER = 30


async def trio_empty(n: int) -> float:
    import trio

    move_on_after = trio.move_on_after
    begin = perf_counter()
    for _ in range(n):
        with move_on_after(10):
            pass
    return perf_counter() - begin


async def trio_point(n: int) -> float:
    import trio

    move_on_after = trio.move_on_after
    checkpoint = trio.lowlevel.checkpoint
    begin = perf_counter()
    for _ in range(n):
        with move_on_after(10):
            await checkpoint()
    return perf_counter() - begin


async def asyncio_empty(n: int) -> float:
    timeout = asyncio.timeout
    begin = perf_counter()
    for _ in range(n):
        async with timeout(10):
            pass
    return perf_counter() - begin


async def asyncio_point(n: int) -> float:
    timeout = asyncio.timeout
    sleep = asyncio.sleep
    begin = perf_counter()
    for _ in range(n):
        async with timeout(10):
            await sleep(0)
    return perf_counter() - begin


HAS_TIMEOUT = sys.version_info >= (3, 11)

CASES = [
    Case("timeout", "timeout scope", trio_empty, asyncio_empty if HAS_TIMEOUT else None),
    Case(
        "timeout-point",
        "timeout scope around a schedule point",
        trio_point,
        asyncio_point if HAS_TIMEOUT else None,
    ),
]
