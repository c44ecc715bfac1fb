"""Locks and conditions: ownership, handing over, and owners that vanish."""

from __future__ import annotations

import re
import weakref

import pytest

import trio
from trio.lowlevel import current_task
from trio.testing import wait_all_tasks_blocked

BREAKERS = pytest.importorskip("trio._core._parking_lot").GLOBAL_PARKING_LOT_BREAKER


@pytest.mark.parametrize("kind", [trio.Lock, trio.StrictFIFOLock])
def test_what_a_lock_says(kind: type[trio.Lock]) -> None:
    async def main() -> None:
        lock = kind()
        address = f"{id(lock):#x}"
        assert repr(lock) == f"<unlocked {kind.__name__} object at {address}>"
        assert lock.statistics() == trio.LockStatistics(locked=False, owner=None, tasks_waiting=0)
        async with trio.open_nursery() as nursery:
            await lock.acquire()
            nursery.start_soon(lock.__aenter__)
            await wait_all_tasks_blocked()
            assert repr(lock) == f"<locked {kind.__name__} object at {address} with 1 waiters>"
            assert lock.statistics() == trio.LockStatistics(True, current_task(), 1)
            nursery.cancel_scope.cancel()
        assert lock.statistics().tasks_waiting == 0

    trio.run(main)


def test_misuse() -> None:
    async def main() -> None:
        lock = trio.Lock()
        with pytest.raises(RuntimeError, match=r"^can't release a Lock you don't own$"):
            lock.release()
        lock.acquire_nowait()
        for again in (lock.acquire_nowait, lock.acquire):
            with pytest.raises(RuntimeError, match=r"^attempt to re-acquire an already held Lock$"):
                result = again()
                if result is not None:
                    await result
        async with trio.open_nursery() as nursery:

            async def other() -> None:
                with pytest.raises(trio.WouldBlock):
                    lock.acquire_nowait()
                with pytest.raises(RuntimeError, match="don't own"):
                    lock.release()

            nursery.start_soon(other)
        lock.release()
        with pytest.raises(RuntimeError, match="don't own"):
            await lock.__aexit__(None, None, None)

    trio.run(main)
    with pytest.raises(RuntimeError, match="must be called from async context"):
        trio.Lock().acquire_nowait()


def test_a_lock_is_handed_over_in_order_and_before_the_task_runs() -> None:
    async def main() -> None:
        lock = trio.Lock()
        order = []

        async def take(number: int) -> None:
            async with lock:
                order.append(number)

        async with trio.open_nursery() as nursery:
            await lock.acquire()
            for number in range(5):
                nursery.start_soon(take, number)
                await wait_all_tasks_blocked()
            lock.release()
            assert lock.locked()
            assert lock.statistics().owner is not current_task()
            with pytest.raises(trio.WouldBlock):
                lock.acquire_nowait()
        assert order == list(range(5))

    trio.run(main)


def test_cancelled_waiters_leave_the_queue() -> None:
    async def main() -> None:
        lock = trio.Lock()
        got = []

        async def take(number: int, scope: trio.CancelScope) -> None:
            with scope:
                async with lock:
                    got.append(number)

        scopes = [trio.CancelScope() for _ in range(6)]
        async with trio.open_nursery() as nursery:
            await lock.acquire()
            for number, scope in enumerate(scopes):
                nursery.start_soon(take, number, scope)
                await wait_all_tasks_blocked()
            for number in (0, 3, 5):
                scopes[number].cancel()
            assert lock.statistics().tasks_waiting == 3
            lock.release()
            # 1 owns the lock by now, though it has not run: cancelling it changes nothing.
            scopes[1].cancel()
        assert got == [1, 2, 4]
        assert not lock.locked()

    trio.run(main)


def test_the_registry_of_breakers_is_truthful() -> None:
    async def main() -> None:
        me = current_task()
        assert not BREAKERS
        first, second = trio.Lock(), trio.Lock()
        async with first:
            assert BREAKERS == {me: [first._lot]}
            async with second:
                assert BREAKERS == {me: [first._lot, second._lot]}
                assert list(BREAKERS) == [me]
                assert me in BREAKERS
                assert BREAKERS[me] == [first._lot, second._lot]
            assert len(BREAKERS) == 1
        assert BREAKERS == {}
        assert BREAKERS.get(me) is None

    trio.run(main)


def test_locks_released_in_any_order() -> None:
    async def main() -> None:
        locks = [trio.Lock() for _ in range(4)]
        for lock in locks:
            await lock.acquire()
        for number in (1, 3, 0, 2):
            locks[number].release()
        assert not BREAKERS
        for lock in locks:
            lock.acquire_nowait()
            lock.release()

    trio.run(main)


def test_an_owner_that_vanishes_breaks_the_lock() -> None:
    async def main() -> None:
        lock = trio.Lock()
        complaints = []

        async def waiter() -> None:
            with pytest.raises(trio.BrokenResourceError) as info:
                await lock.acquire()
            complaints.append(str(info.value))
            assert info.value.__suppress_context__

        async def owner() -> None:
            await lock.acquire()
            await wait_all_tasks_blocked()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(owner)
            await wait_all_tasks_blocked()
            nursery.start_soon(waiter)
            nursery.start_soon(waiter)
        [culprit] = lock._lot.broken_by
        expected = f"Owner of this lock exited without releasing: {culprit}"
        assert complaints == [expected] * 2
        assert "owner" in expected
        with pytest.raises(trio.BrokenResourceError, match=f"^{re.escape(expected)}$"):
            await lock.acquire()
        with pytest.raises(trio.WouldBlock):
            lock.acquire_nowait()
        assert lock.locked()
        assert not BREAKERS

    trio.run(main)


def test_a_condition_waits_without_the_lock() -> None:
    async def main() -> None:
        condition = trio.Condition()
        log = []

        async def waiter(number: int) -> None:
            async with condition:
                log.append(f"{number} waits")
                await condition.wait()
                assert condition.locked()
                log.append(f"{number} goes on")

        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(waiter, number)
                await wait_all_tasks_blocked()
            async with condition:
                condition.notify(2)
                assert condition.statistics().tasks_waiting == 2
                assert condition.statistics().lock_statistics.tasks_waiting == 2
            await wait_all_tasks_blocked()
            async with condition:
                condition.notify(0)
                condition.notify(-1)
                condition.notify_all()
        assert log == [f"{n} waits" for n in range(4)] + [f"{n} goes on" for n in range(4)]

    trio.run(main)


def test_a_condition_refuses() -> None:
    async def main() -> None:
        condition = trio.Condition()
        with pytest.raises(RuntimeError, match=r"^must hold the lock to wait$"):
            await condition.wait()
        for notify in (condition.notify, condition.notify_all):
            with pytest.raises(RuntimeError, match=r"^must hold the lock to notify$"):
                notify()
        async with condition:
            with pytest.raises(ValueError, match=r"^Cannot pop a non-integer number of tasks\.$"):
                condition.notify(1.5)  # type: ignore[arg-type]
        for wrong in (trio.Semaphore(1), trio.StrictFIFOLock(), 5):
            with pytest.raises(TypeError, match=r"^lock must be a trio\.Lock$"):
                trio.Condition(wrong)  # type: ignore[arg-type]
        lock = trio.Lock()
        assert trio.Condition(lock)._lock is lock  # type: ignore[attr-defined]
        assert not trio.Condition(None).locked()

    trio.run(main)


def test_a_cancelled_wait_takes_the_lock_back_however_long_it_takes() -> None:
    async def main() -> None:
        condition = trio.Condition()
        log = []

        async def waiter(scope: trio.CancelScope) -> None:
            with scope:
                async with condition:
                    try:
                        await condition.wait()
                    finally:
                        log.append("has the lock")
                        assert condition.statistics().lock_statistics.owner is current_task()

        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()
            nursery.start_soon(waiter, scope)
            await wait_all_tasks_blocked()
            async with condition:
                scope.cancel()
                await wait_all_tasks_blocked()
                log.append("gives it up")
        assert log == ["gives it up", "has the lock"]
        assert scope.cancelled_caught

    trio.run(main)


def test_cancelling_after_the_notification() -> None:
    async def main() -> None:
        condition = trio.Condition()
        scope = trio.CancelScope()

        async def waiter() -> None:
            with scope:
                async with condition:
                    await condition.wait()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiter)
            await wait_all_tasks_blocked()
            async with condition:
                condition.notify()
                scope.cancel()  # it stands in the lock's queue now
                await wait_all_tasks_blocked()
                assert condition.statistics().lock_statistics.tasks_waiting == 1
        assert scope.cancelled_caught
        assert not condition.locked()

    trio.run(main)


def test_a_broken_lock_breaks_waits() -> None:
    async def main() -> None:
        condition = trio.Condition()
        seen = []

        async def waiter() -> None:
            await condition.acquire()
            with pytest.raises(trio.BrokenResourceError, match="Owner of this lock exited") as info:
                await condition.wait()
            seen.append(info.value)

        async def vandal() -> None:
            await condition.acquire()
            condition.notify_all()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiter)
            await wait_all_tasks_blocked()
            nursery.start_soon(vandal)
        assert len(seen) == 1

    trio.run(main)


def test_locks_can_be_extended_and_referred_to_but_not_subclassed() -> None:
    for make in (trio.Lock, trio.StrictFIFOLock, trio.Condition):
        made = make()
        made.note = "x"  # type: ignore[union-attr]
        assert made.note == "x"  # type: ignore[union-attr]
        assert weakref.ref(made)() is made
        assert hash(made) == hash(made)
        assert made != make()
        with pytest.raises(TypeError):
            type("Sub", (make,), {})
