"""Crowds of waiting tasks.

``timers``: twenty thousand tasks, each asleep for its own moment of a tenth of a
second; CPU time per task from start to end, as the clock on the wall mostly shows
how long they sleep.  ``timers-sparse``: ten thousand within half a second.  Most
of that time nothing runs, and what is measured includes some four hundred times
that the kernel puts the thread to sleep and wakes it.
``cancel``: twenty thousand tasks wait for ever and are cancelled at once.
``memory``: what the resident size of the process grows by for each task that
waits for ever.
"""

from __future__ import annotations

import asyncio
import gc
import os
from functools import partial
from pathlib import Path
from random import Random
from time import perf_counter, process_time

from ..case import Case

ORDER = 60
SLEEPERS, LONGEST_SLEEP = 20_000, 0.1
FEW_SLEEPERS, LONGEST_SPARSE_SLEEP = 10_000, 0.5
CANCELLED = 20_000
PARKED = 50_000


def naps(n: int, longest: float) -> list[float]:
    """How many seconds each of ``n`` tasks sleeps, the same on every side."""
    random = Random(20)
    return [random.uniform(0, longest) for _ in range(n)]


def resident() -> int:
    """Bytes of memory that this process has now."""
    gc.collect()
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


async def trio_timers(n: int, longest: float) -> float:
    import trio

    durations = naps(n, longest)
    begin = process_time()
    async with trio.open_nursery() as nursery:
        for duration in durations:
            nursery.start_soon(trio.sleep, duration)
    return process_time() - begin


async def asyncio_timers(n: int, longest: float) -> float:
    durations = naps(n, longest)
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
    Case(
        "timers",
        "sleeping task, CPU",
        partial(trio_timers, longest=LONGEST_SLEEP),
        partial(asyncio_timers, longest=LONGEST_SLEEP),
        SLEEPERS,
    ),
    Case(
        "timers-sparse",
        "the same, loop mostly idle",
        partial(trio_timers, longest=LONGEST_SPARSE_SLEEP),
        partial(asyncio_timers, longest=LONGEST_SPARSE_SLEEP),
        FEW_SLEEPERS,
    ),
    Case("cancel", "cancel a parked task", trio_cancel, asyncio_cancel, CANCELLED),
    Case("memory", "memory per parked task", trio_memory, asyncio_memory, PARKED, "B", fresh=True),
]
