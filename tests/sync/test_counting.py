"""How often operations let others run and look for cancellation.

A table of operations against what they cost in schedule points and cancel points, the two counters behind
`trio.testing.assert_checkpoints`. Everything is driven through public names; the counters are read from the task.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import trio
from trio.lowlevel import ParkingLot
from trio.testing import wait_all_tasks_blocked

Operation = Callable[[], Awaitable[Any]]


class Costs:
    """Runs operations in tasks and notes (schedule points, cancel points, how it ended)."""

    def __init__(self) -> None:
        self.found: tuple[int, int, str] = (-1, -1, "did not run")

    async def measure(self, operation: Operation) -> None:
        task = trio.lowlevel.current_task()
        before = task._schedule_points, task._cancel_points
        try:
            await operation()
        except BaseException as exc:
            ending = type(exc).__name__
        else:
            ending = "ok"
        after = task._schedule_points, task._cancel_points
        self.found = after[0] - before[0], after[1] - before[1], ending

    async def cancelled_before(self, operation: Operation) -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await self.measure(operation)

    async def cancelled_while_waiting(self, operation: Operation) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.measure, operation)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    async def woken(self, operation: Operation, wake: Callable[[], object]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.measure, operation)
            await wait_all_tasks_blocked()
            wake()


LOCKS: list[Callable[[], Any]] = [
    trio.Lock,
    trio.StrictFIFOLock,
    lambda: trio.Semaphore(1),
    lambda: trio.CapacityLimiter(1),
]
locks = pytest.mark.parametrize("make", LOCKS, ids=["Lock", "StrictFIFOLock", "Semaphore", "CapacityLimiter"])


@locks
def test_acquiring_what_is_free_gives_way_once(make: Callable[[], Any]) -> None:
    async def main() -> None:
        costs = Costs()
        lock = make()
        await costs.measure(lock.acquire)
        assert costs.found == (1, 1, "ok")
        lock.release()
        await costs.measure(lock.__aenter__)
        assert costs.found == (1, 1, "ok")
        await costs.measure(lambda: lock.__aexit__(None, None, None))
        assert costs.found == (0, 0, "ok")
        await costs.cancelled_before(lock.acquire)
        assert costs.found == (2, 2, "Cancelled")
        await lock.acquire()  # the cancelled one has not taken it
        lock.release()

    trio.run(main)


@locks
def test_acquiring_what_is_taken_waits_once(make: Callable[[], Any]) -> None:
    async def main() -> None:
        costs = Costs()
        lock = make()

        async def acquire_and_release() -> None:
            await costs.measure(lock.acquire)
            lock.release()

        await lock.acquire()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(acquire_and_release)
            await wait_all_tasks_blocked()
            lock.release()
        assert costs.found == (1, 2, "ok")
        await lock.acquire()
        await costs.cancelled_while_waiting(lock.acquire)
        assert costs.found == (1, 2, "Cancelled")

    trio.run(main)


def test_events() -> None:
    async def main() -> None:
        costs = Costs()
        event = trio.Event()
        await costs.cancelled_before(event.wait)
        assert costs.found == (1, 1, "Cancelled")
        await costs.cancelled_while_waiting(event.wait)
        assert costs.found == (1, 1, "Cancelled")
        await costs.woken(event.wait, event.set)
        assert costs.found == (1, 1, "ok")
        await costs.measure(event.wait)
        assert costs.found == (1, 1, "ok")
        await costs.cancelled_before(event.wait)
        assert costs.found == (2, 2, "Cancelled")

    trio.run(main)


def test_parking_lots() -> None:
    async def main() -> None:
        costs = Costs()
        lot = ParkingLot()
        await costs.woken(lot.park, lot.unpark)
        assert costs.found == (1, 1, "ok")
        await costs.cancelled_before(lot.park)
        assert costs.found == (1, 1, "Cancelled")
        lot.break_lot()
        await costs.measure(lot.park)
        assert costs.found == (0, 0, "BrokenResourceError")

    trio.run(main)


def test_conditions() -> None:
    async def main() -> None:
        costs = Costs()
        condition = trio.Condition()
        await costs.measure(condition.wait)
        assert costs.found == (0, 0, "RuntimeError")

        async def wait() -> None:
            async with condition:
                await costs.measure(condition.wait)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            async with condition:
                condition.notify()
        assert costs.found == (1, 1, "ok")
        async with condition:
            await costs.cancelled_before(condition.wait)
            assert costs.found == (2, 2, "Cancelled")

    trio.run(main)


def test_channels() -> None:
    async def main() -> None:
        costs = Costs()
        sender, receiver = trio.open_memory_channel[int](1)

        async def send() -> None:
            await sender.send(1)

        await costs.measure(send)
        assert costs.found == (1, 1, "ok")
        await costs.measure(receiver.receive)
        assert costs.found == (1, 1, "ok")
        await costs.woken(receiver.receive, lambda: sender.send_nowait(1))
        assert costs.found == (1, 2, "ok")
        sender.send_nowait(1)
        await costs.woken(send, receiver.receive_nowait)
        assert costs.found == (1, 2, "ok")
        for operation in (send, receiver.receive, sender.clone().aclose):
            await costs.cancelled_before(operation)
            assert costs.found == (2, 2, "Cancelled")
        assert sender.statistics().open_send_channels == 1  # aclose closes even so
        await costs.measure(sender.clone().aclose)
        assert costs.found == (1, 1, "ok")
        await costs.measure(sender.__aenter__)
        assert costs.found == (0, 0, "ok")
        receiver.receive_nowait()
        await costs.woken(receiver.receive, sender.close)
        assert costs.found == (1, 2, "EndOfChannel")
        await costs.measure(send)
        assert costs.found == (0, 1, "ClosedResourceError")
        await costs.measure(receiver.receive)
        assert costs.found == (0, 1, "EndOfChannel")
        await costs.measure(receiver.__anext__)
        assert costs.found == (0, 1, "StopAsyncIteration")

    trio.run(main)
