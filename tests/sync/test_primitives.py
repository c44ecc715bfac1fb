"""Events, semaphores, limiters, parking lots and the deprecated queue, one by one."""

from __future__ import annotations

import math
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import trio
from trio.lowlevel import ParkingLot, current_task
from trio.testing import wait_all_tasks_blocked


def test_event() -> None:
    async def main() -> None:
        event = trio.Event()
        assert not event.is_set()
        with pytest.raises(NotImplementedError, match="cannot be treated as bools"):
            bool(event)
        with pytest.raises(AttributeError):
            event.note = 1  # type: ignore[attr-defined]
        assert weakref.ref(event)() is event
        woken = []

        async def wait(number: int) -> None:
            await event.wait()
            woken.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(wait, number)
            await wait_all_tasks_blocked()
            assert event.statistics() == trio.EventStatistics(3)
            event.set()
            assert event.is_set()
            assert event.statistics().tasks_waiting == 0
            assert woken == []
        assert sorted(woken) == [0, 1, 2]
        event.set()
        await event.wait()

    trio.run(main)
    trio.Event().set()  # needs no run


def test_semaphore_arguments() -> None:
    cases: list[tuple[Callable[[], Any], type[Exception], str]] = [
        (lambda: trio.Semaphore(1.0), TypeError, "initial_value must be an int"),  # type: ignore[arg-type]
        (lambda: trio.Semaphore(-1), ValueError, "initial value must be >= 0"),
        (lambda: trio.Semaphore(1, max_value=1.0), TypeError, "max_value must be None or an int"),  # type: ignore[arg-type]
        (lambda: trio.Semaphore(2, max_value=1), ValueError, "max_values must be >= initial_value"),
        (lambda: trio.Semaphore(1, 2), TypeError, "positional argument"),  # type: ignore[misc]
    ]
    for make, kind, text in cases:
        with pytest.raises(kind, match=text):
            make()


def test_semaphore() -> None:
    semaphore = trio.Semaphore(1, max_value=2)
    assert (semaphore.value, semaphore.max_value) == (1, 2)
    assert repr(semaphore) == f"<trio.Semaphore(1, max_value=2) at {id(semaphore):#x}>"
    assert repr(trio.Semaphore(3)).startswith("<trio.Semaphore(3) at ")
    semaphore.release()
    with pytest.raises(ValueError, match=r"^semaphore released too many times$"):
        semaphore.release()
    semaphore.acquire_nowait()
    semaphore.acquire_nowait()
    with pytest.raises(trio.WouldBlock):
        semaphore.acquire_nowait()
    with pytest.raises(AttributeError):
        semaphore.value = 3  # type: ignore[misc]

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(semaphore.acquire)
            await wait_all_tasks_blocked()
            assert semaphore.statistics().tasks_waiting == 1
            semaphore.release()
            assert semaphore.value == 0
            with pytest.raises(trio.WouldBlock):
                semaphore.acquire_nowait()

    trio.run(main)


def test_a_full_semaphore_of_size_zero_can_be_handed_over() -> None:
    async def main() -> None:
        semaphore = trio.Semaphore(0, max_value=0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(semaphore.acquire)
            await wait_all_tasks_blocked()
            semaphore.release()
        with pytest.raises(ValueError, match="released too many times"):
            semaphore.release()

    trio.run(main)


@pytest.mark.parametrize("total", [1.0, "x", None, -math.inf, math.nan])
def test_limiter_refuses_what_is_no_size(total: Any) -> None:
    with pytest.raises(TypeError, match=r"^total_tokens must be an int or math\.inf$"):
        trio.CapacityLimiter(total)
    limiter = trio.CapacityLimiter(3)
    with pytest.raises(TypeError, match="total_tokens must be an int"):
        limiter.total_tokens = total
    assert limiter.total_tokens == 3


def test_limiter_sizes() -> None:
    with pytest.raises(ValueError, match=r"^total_tokens must be >= 0$"):
        trio.CapacityLimiter(-1)
    for total in (0, 1, 10**30, math.inf):
        limiter = trio.CapacityLimiter(total)
        assert limiter.total_tokens == limiter.available_tokens == total
        assert repr(limiter) == f"<trio.CapacityLimiter at {id(limiter):#x}, 0/{total} with 0 waiting>"
    limiter.acquire_on_behalf_of_nowait("x")
    limiter.total_tokens = 0
    assert limiter.available_tokens == -1


def test_limiter_borrowers() -> None:
    async def main() -> None:
        limiter = trio.CapacityLimiter(2)
        with pytest.raises(RuntimeError, match="isn't holding any"):
            limiter.release()
        async with limiter:
            with pytest.raises(RuntimeError, match="already holding one"):
                limiter.acquire_nowait()
            with pytest.raises(RuntimeError, match="already holding one"):
                await limiter.acquire()
            with pytest.raises(TypeError, match="unhashable"):
                await limiter.acquire_on_behalf_of([])
            await limiter.acquire_on_behalf_of("somebody")
            statistics = limiter.statistics()
            assert set(statistics.borrowers) == {current_task(), "somebody"}
            assert (statistics.borrowed_tokens, statistics.total_tokens) == (2, 2)
        with pytest.raises(RuntimeError, match="isn't holding any"):
            limiter.release_on_behalf_of("nobody")
        limiter.release_on_behalf_of("somebody")
        assert limiter.borrowed_tokens == 0

    trio.run(main)
    with pytest.raises(RuntimeError, match="must be called from async context"):
        trio.CapacityLimiter(1).acquire_nowait()


def test_limiter_serves_in_order_when_it_grows() -> None:
    async def main() -> None:
        limiter = trio.CapacityLimiter(0)
        async with trio.open_nursery() as nursery:
            for name in "abcd":
                nursery.start_soon(limiter.acquire_on_behalf_of, name)
                await wait_all_tasks_blocked()
            assert sorted(limiter._pending_borrowers.values()) == list("abcd")  # type: ignore[attr-defined]
            limiter.total_tokens = 2
            assert set(limiter.statistics().borrowers) == {"a", "b"}
            limiter.release_on_behalf_of("a")
            assert set(limiter.statistics().borrowers) == {"b", "c"}
            limiter.total_tokens = 1
            limiter.release_on_behalf_of("b")
            assert set(limiter.statistics().borrowers) == {"c"}
            nursery.cancel_scope.cancel()
        assert limiter._pending_borrowers == {}  # type: ignore[attr-defined]
        assert limiter.statistics().tasks_waiting == 0

    trio.run(main)


def test_limiter_survives_borrowers_that_raise() -> None:
    class Moody:
        calm = True

        def __hash__(self) -> int:
            if self.calm:
                return 1
            raise ZeroDivisionError

    async def main() -> None:
        limiter = trio.CapacityLimiter(1)
        limiter.acquire_on_behalf_of_nowait("x")
        moody = Moody()
        failed = []

        async def try_it() -> None:
            try:
                await limiter.acquire_on_behalf_of(moody)
            except ZeroDivisionError as exc:
                failed.append(exc)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(try_it)
            await wait_all_tasks_blocked()
            moody.calm = False
            try:
                limiter.release_on_behalf_of("x")
            except ZeroDivisionError as exc:  # whoever gets it: nothing hangs or breaks
                failed.append(exc)
                nursery.cancel_scope.cancel()
        assert len(failed) == 1
        moody.calm = True
        limiter.acquire_on_behalf_of_nowait("y")

    trio.run(main)


def test_parking_lot() -> None:
    async def main() -> None:
        lot = ParkingLot()
        assert not lot
        assert len(lot) == 0
        assert weakref.ref(lot)() is lot
        with pytest.raises(AttributeError):
            lot.note = 1  # type: ignore[attr-defined]
        order: list[int] = []

        async def park(number: int) -> None:
            await lot.park()
            order.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(park, number)
                await wait_all_tasks_blocked()
            assert len(lot) == 8
            assert lot.statistics().tasks_waiting == 8
            assert lot.unpark(count=0) == lot.unpark(count=-3) == []
            tasks = lot.unpark(count=2)
            assert len(tasks) == 2
            assert all(isinstance(task, trio.lowlevel.Task) for task in tasks)
            await wait_all_tasks_blocked()
            assert sorted(order) == [0, 1]
            other = ParkingLot()
            lot.repark(other, count=3)
            assert (len(lot), len(other)) == (3, 3)
            other.repark_all(lot)
            assert (len(lot), len(other)) == (6, 0)
            for _ in range(6):
                lot.unpark()
                await wait_all_tasks_blocked()
            assert order[2:] == [5, 6, 7, 2, 3, 4]
            assert lot.unpark_all() == []

    trio.run(main)


def test_parking_lot_refuses() -> None:
    lot = ParkingLot()
    for number in (1.0, 1.5, math.nan):
        with pytest.raises(ValueError, match=r"^Cannot pop a non-integer number of tasks\.$"):
            lot.unpark(count=number)
        with pytest.raises(ValueError, match="non-integer"):
            lot.repark(ParkingLot(), count=number)
    with pytest.raises(TypeError):
        lot.unpark(count="x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^new_lot must be a ParkingLot$"):
        lot.repark([])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^new_lot must be a ParkingLot$"):
        lot.repark_all(None)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="must be called from async context"):
        lot.break_lot()


def test_moving_on_to_the_same_lot() -> None:
    async def main() -> None:
        lot = ParkingLot()
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(lot.park)
            await wait_all_tasks_blocked()
            lot.repark(lot)
            assert len(lot) == 3
            lot.repark_all(lot)
            assert len(lot) == 3
            nursery.cancel_scope.cancel()
        assert len(lot) == 0

    trio.run(main)


def test_a_lot_that_breaks() -> None:
    async def main() -> None:
        lot = ParkingLot()
        seen = []

        async def park() -> None:
            try:
                await lot.park()
            except trio.BrokenResourceError as exc:
                seen.append(exc)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(park)
            nursery.start_soon(park)
            await wait_all_tasks_blocked()
            lot.break_lot()
            assert not lot
        me = current_task()
        assert lot.broken_by == [me]
        assert lot.broken_by is lot.broken_by
        assert {str(exc) for exc in seen} == {f"Parking lot broken by {me}"}
        assert seen[0] is not seen[1]
        with pytest.raises(trio.BrokenResourceError) as info:
            await lot.park()
        assert str(info.value) == f"Attempted to park in parking lot broken by {[me]}"
        assert repr(lot) == f"ParkingLot(_parked=OrderedDict(), broken_by=[{me}])"
        lot.broken_by = []
        with trio.move_on_after(0):
            await lot.park()

    trio.run(main)


def test_breakers_in_every_order() -> None:
    async def main() -> None:
        first, second = ParkingLot(), ParkingLot()
        add, remove = trio.lowlevel.add_parking_lot_breaker, trio.lowlevel.remove_parking_lot_breaker

        async def child() -> trio.lowlevel.Task:
            me = current_task()
            for lot in (first, second, first):
                add(me, lot)
            remove(me, first)
            return me

        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)
        assert len(first.broken_by) == len(second.broken_by) == 1
        [gone] = first.broken_by
        with pytest.raises(trio.BrokenResourceError, match="already exited task"):
            add(gone, first)
        with pytest.raises(RuntimeError, match="not registered"):
            remove(gone, first)

    trio.run(main)


def test_unbounded_queue() -> None:
    with pytest.warns(trio.TrioDeprecationWarning, match="UnboundedQueue is deprecated") as caught:
        queue = trio.lowlevel.UnboundedQueue[int]()
    assert len(caught) == 1
    with warnings.catch_warnings(record=True) as plain:
        warnings.simplefilter("always")
        trio.lowlevel.UnboundedQueue()
    assert plain[0].filename == __file__

    async def main() -> None:
        batches = []

        async def read() -> None:
            async for batch in queue:
                batches.append(batch)

        queue.put_nowait(0)
        assert (queue.qsize(), queue.empty()) == (1, False)
        assert repr(queue) == "<UnboundedQueue holding 1 items>"
        assert queue.get_batch_nowait() == [0]
        with pytest.raises(trio.WouldBlock):
            queue.get_batch_nowait()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await wait_all_tasks_blocked()
            assert queue.statistics() == trio.lowlevel.UnboundedQueueStatistics(0, 1)
            queue.put_nowait(1)
            queue.put_nowait(2)
            with pytest.raises(trio.WouldBlock):
                queue.get_batch_nowait()
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert batches == [[1, 2]]

    trio.run(main)


def test_statistics_are_values() -> None:
    statistics = trio.EventStatistics(3)
    assert statistics == trio.EventStatistics(tasks_waiting=3) != trio.EventStatistics(4)
    assert statistics != 3
    assert hash(statistics) == hash(trio.EventStatistics(3))
    assert repr(statistics) == "EventStatistics(tasks_waiting=3)"
    with pytest.raises(AttributeError):
        statistics.tasks_waiting = 4  # type: ignore[misc]
    with pytest.raises(TypeError):
        trio.EventStatistics()  # type: ignore[call-arg]
