"""Primitives that are used from another thread: told off if tasks wait, and nothing is broken by it."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import trio
from trio.lowlevel import ParkingLot
from trio.testing import wait_all_tasks_blocked


def in_another_thread(function: Callable[[], Any]) -> BaseException | None:
    outcome: list[BaseException | None] = []

    def body() -> None:
        try:
            function()
        except BaseException as exc:
            outcome.append(exc)
        else:
            outcome.append(None)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return outcome[0]


def event() -> tuple[Callable[[], Awaitable[Any]], Callable[[], Any]]:
    made = trio.Event()
    return made.wait, made.set


def parking_lot() -> tuple[Callable[[], Awaitable[Any]], Callable[[], Any]]:
    made = ParkingLot()
    return made.park, made.unpark


def semaphore() -> tuple[Callable[[], Awaitable[Any]], Callable[[], Any]]:
    made = trio.Semaphore(0)
    return made.acquire, made.release


def limiter() -> tuple[Callable[[], Awaitable[Any]], Callable[[], Any]]:
    made = trio.CapacityLimiter(1)
    made.acquire_on_behalf_of_nowait("x")
    return made.acquire, lambda: made.release_on_behalf_of("x")


def receiver() -> tuple[Callable[[], Awaitable[Any]], Callable[[], Any]]:
    ends = trio.open_memory_channel[int](0)
    return ends[1].receive, lambda: ends[0].send_nowait(1)


def sender() -> tuple[Callable[[], Awaitable[Any]], Callable[[], Any]]:
    ends = trio.open_memory_channel[int](0)
    return lambda: ends[0].send(1), ends[1].receive_nowait


@pytest.mark.skipif(not hasattr(trio, "_native"), reason="leaves the primitive in disorder there")
@pytest.mark.parametrize("make", [event, parking_lot, semaphore, limiter, receiver, sender])
def test_waking_from_another_thread(
    make: Callable[[], tuple[Callable[[], Awaitable[Any]], Callable[[], Any]]],
) -> None:
    async def main() -> None:
        wait, wake = make()
        done = []

        async def waiter() -> None:
            await wait()
            done.append(True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiter)
            await wait_all_tasks_blocked()
            problem = in_another_thread(wake)
            assert isinstance(problem, RuntimeError)
            assert str(problem) == "must be called from async context"
            await wait_all_tasks_blocked()
            assert not done
            wake()

    trio.run(main)


def test_waking_nobody_from_another_thread() -> None:
    made = trio.Event()
    assert in_another_thread(made.set) is None
    assert made.is_set()
    ends = trio.open_memory_channel[int](1)
    assert in_another_thread(lambda: ends[0].send_nowait(1)) is None
    assert in_another_thread(ends[1].receive_nowait) is None
    assert in_another_thread(ends[0].close) is None
    assert in_another_thread(trio.Semaphore(1).release) is None
    problem = in_another_thread(trio.Lock().acquire_nowait)
    assert str(problem) == "must be called from async context"


def test_coroutines_that_nobody_awaits() -> None:
    async def main() -> None:
        for call in (trio.Event().wait, trio.Lock().acquire, trio.open_memory_channel[int](0)[1].receive):
            with pytest.warns(RuntimeWarning, match="was never awaited"):
                call()

    trio.run(main)


def test_coroutines_work_once() -> None:
    async def main() -> None:
        semaphore = trio.Semaphore(5)
        coroutine: Any = semaphore.acquire()
        await coroutine
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await coroutine
        coroutine = semaphore.acquire()
        coroutine.close()
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await coroutine
        assert semaphore.value == 4

    trio.run(main)
