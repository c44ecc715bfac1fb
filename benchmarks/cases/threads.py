"""Between the loop and threads, there and back.

``to-thread`` runs a function that does nothing in a worker thread;
``from-thread-sync`` and ``from-thread`` are one worker thread that has a
function, or a coroutine, run in the loop and waits for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from time import perf_counter

from ..case import Case

ORDER = 70


def nothing() -> None:
    pass


async def async_nothing() -> None:
    pass


def repeat(n: int, function: Callable[[], object]) -> float:
    """Seconds that ``n`` calls take."""
    begin = perf_counter()
    for _ in range(n):
        function()
    return perf_counter() - begin


async def trio_to_thread(n: int) -> float:
    import trio

    run_sync = trio.to_thread.run_sync
    await run_sync(nothing)
    begin = perf_counter()
    for _ in range(n):
        await run_sync(nothing)
    return perf_counter() - begin


async def asyncio_to_thread(n: int) -> float:
    run = asyncio.get_running_loop().run_in_executor
    await run(None, nothing)
    begin = perf_counter()
    for _ in range(n):
        await run(None, nothing)
    return perf_counter() - begin


async def trio_from_thread_sync(n: int) -> float:
    import trio

    return await trio.to_thread.run_sync(repeat, n, lambda: trio.from_thread.run_sync(nothing))


async def asyncio_from_thread_sync(n: int) -> float:
    loop = asyncio.get_running_loop()

    def call() -> None:
        future: Future[None] = Future()
        loop.call_soon_threadsafe(future.set_result, None)
        future.result()

    return await loop.run_in_executor(None, repeat, n, call)


async def trio_from_thread(n: int) -> float:
    import trio

    return await trio.to_thread.run_sync(repeat, n, lambda: trio.from_thread.run(async_nothing))


async def asyncio_from_thread(n: int) -> float:
    loop = asyncio.get_running_loop()

    def call() -> None:
        asyncio.run_coroutine_threadsafe(async_nothing(), loop).result()

    return await loop.run_in_executor(None, repeat, n, call)


CASES = [
    Case("to-thread", "to_thread round trip", trio_to_thread, asyncio_to_thread),
    Case(
        "from-thread-sync",
        "from_thread.run_sync round trip",
        trio_from_thread_sync,
        asyncio_from_thread_sync,
    ),
    Case("from-thread", "from_thread.run round trip", trio_from_thread, asyncio_from_thread),
]
