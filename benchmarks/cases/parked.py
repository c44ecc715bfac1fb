"""Crowds of waiting tasks.

``timers``: ten thousand tasks, each asleep for its own moment of half a second;
CPU time per task from start to end, as most of the time nothing runs.
``cancel``: twenty thousand tasks wait for ever and are cancelled at once.
``memory``: what the resident size of the process grows by for each task that
waits for ever.
"""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from random import Random
from time import perf_counter, process_time

from ..case import Case

ORDER = 60
SLEEPERS = 10_000
CANCELLED = 20_000
PARKED = 50_000
LONGEST_SLEEP = 0.5


def naps(n: int) -> list[float]:
    """How long each of ``n`` tasks sleeps, the same on every side."""
    random = Random(20)
    return [random.uniform(0, LONGEST_SLEEP) for _ in range(n)]


def resident() -> int:
    """Bytes of memory that this process has now."""
    gc.collect()
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


async def trio_timers(n: int) -> float:
    import trio

    durations = naps(n)
    begin = process_time()
    async with trio.open_nursery() as nursery:
        for duration in durations:
            nursery.start_soon(trio.sleep, duration)
    return process_time() - begin


async def asyncio_timers(n: int) -> float:
    durations = naps(n)
    begin = process_time()
    await asyncio.gather(*(asyncio.sleep(duration) for duration in durations))
    return process_time() - begin


async def trio_cancel(n: int) -> float:
    import trio.testing

    async with trio.open_nursery() as nursery:
        for _ in range(n):
            nursery.start_soon(trio.sleep_forever)
        await trio.testing.wait_all_tasks_blocked()
        begin = perf_counter()
        nursery.cancel_scope.cancel()
    return perf_counter() - begin


async def wait_for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def asyncio_cancel(n: int) -> float:
    tasks = [asyncio.ensure_future(wait_for_ever()) for _ in range(n)]
    await asyncio.sleep(0.01)
    begin = perf_counter()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return perf_counter() - begin


async def trio_memory(n: int) -> float:
    import trio.testing

    before = resident()
    async with trio.open_nursery() as nursery:
        for _ in range(n):
            nursery.start_soon(trio.sleep_forever)
        await trio.testing.wait_all_tasks_blocked()
        after = resident()
        nursery.cancel_scope.cancel()
    return after - before


async def asyncio_memory(n: int) -> float:
    before = resident()
    tasks = [asyncio.ensure_future(wait_for_ever()) for _ in range(n)]
    await asyncio.sleep(0.01)
    after = resident()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return after - before


CASES = [
    Case("timers", "sleeping task, CPU", trio_timers, asyncio_timers, SLEEPERS),
    Case("cancel", "cancel a parked task", trio_cancel, asyncio_cancel, CANCELLED),
    Case("memory", "memory per parked task", trio_memory, asyncio_memory, PARKED, "B", fresh=True),
]
