"""Cycles through the objects of a run die: whatever holds Python objects shows them to the collector and lets go of them."""

from __future__ import annotations

import collections
import gc
import sys
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import outcome
import pytest

import trio
import trio._native as native


class Canary:
    """Can be referred to weakly, and is part of whatever cycle is made with it."""


def annotated_nursery(canary: object) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.note = (nursery, canary)  # type: ignore[attr-defined]

    trio.run(main)


def task_with_its_own_context(canary: object) -> None:
    async def main() -> None:
        task = trio.lowlevel.current_task()
        task.custom_sleep_data = (task, task.context, task._runner, canary)

    trio.run(main)


def nursery_manager(canary: object) -> None:
    async def main() -> None:
        manager = trio.open_nursery()
        async with manager as nursery:
            nursery.note = (manager, canary)  # type: ignore[attr-defined]

    trio.run(main)


def finished_awaitable(canary: object) -> None:
    cycle: list[object] = [canary]
    awaitable: Any = native.wait_for_reschedule(lambda raise_cancel: cycle)  # type: ignore[arg-type,return-value]
    awaitable.close()
    cycle.append(awaitable)


def fresh_awaitable(canary: object) -> None:
    cycle: list[object] = [canary]
    cycle.append(native.wait_for_reschedule(lambda raise_cancel: cycle))  # type: ignore[arg-type,return-value]


def queued_call(canary: object) -> None:
    async def main() -> None:
        token = trio.lowlevel.current_trio_token()
        token.run_sync_soon(lambda value: None, (token, canary))
        token.run_sync_soon(id, (token, canary), idempotent=True)

    trio.run(main)


def detaching_trap(canary: object) -> None:
    cycle: list[object] = [canary]
    cycle.append(native.Trap.detach(outcome.Value(cycle)))


def socket_of_itself(canary: object) -> None:
    class Socket(native.OwnedSocket):
        note: object

    sock = Socket()
    sock._sock = (sock, canary)  # type: ignore[assignment]


def reason_for_a_cancellation(canary: object) -> None:
    cycle: list[object] = [canary]
    cycle.append(trio.Cancelled._create(source="explicit", source_task=cycle, reason=cycle))  # type: ignore[arg-type]


def run_variable(canary: object) -> None:
    async def main() -> None:
        variable = trio.lowlevel.RunVar[object]("variable")
        variable.set((variable, trio.lowlevel.current_task()._runner, canary))

    trio.run(main)


def instrument(canary: object) -> None:
    class Observer(trio.abc.Instrument):
        note: object

        def task_spawned(self, task: trio.lowlevel.Task) -> None:
            self.note = (self, task._runner, canary)

    async def main() -> None:
        pass

    trio.run(main, instruments=[Observer()])


def guest_run(canary: object) -> None:
    calls: collections.deque[Callable[[], object]] = collections.deque()
    results: list[object] = [canary]

    async def main() -> None:
        await trio.lowlevel.checkpoint()
        results.append(trio.lowlevel.current_task()._runner)

    trio.lowlevel.start_guest_run(main, run_sync_soon_threadsafe=calls.append, done_callback=results.append)
    while len(results) < 3:
        calls.popleft()()
    results.append((calls, results))


MAKERS = [
    annotated_nursery,
    task_with_its_own_context,
    nursery_manager,
    finished_awaitable,
    fresh_awaitable,
    queued_call,
    detaching_trap,
    socket_of_itself,
    reason_for_a_cancellation,
    run_variable,
    instrument,
    guest_run,
]


@pytest.mark.parametrize("make_cycle", MAKERS, ids=lambda maker: maker.__name__)
def test_a_cycle_dies(make_cycle: Callable[[object], None]) -> None:
    gc.collect()
    canaries = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some awaitables are never awaited
        for _ in range(50):
            canary = Canary()
            make_cycle(canary)
            canaries.append(weakref.ref(canary))
            del canary
        gc.collect()
        gc.collect()
    assert [canary() for canary in canaries if canary() is not None] == []


class BreakingClock(trio.abc.Clock):
    """Ends a run by an error, unless there is something to do."""

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return 0.0

    def deadline_to_sleep_time(self, deadline: float) -> float:
        raise ValueError(deadline)


async def holding_locks(canary: object) -> None:
    async with trio.Lock(), trio.StrictFIFOLock(), trio.Condition():
        await trio.sleep_forever()


async def waiting_for_a_condition(canary: object) -> None:
    condition = trio.Condition()
    task = trio.lowlevel.current_task()
    cycle: list[object] = [canary, task]

    async def interrupt() -> None:
        # With an error that the wait keeps until it has the lock again, which somebody else has.
        async with condition:
            trio.lowlevel.reschedule(task, outcome.Error(LookupError(cycle)))
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery, condition:
        nursery.start_soon(interrupt)
        await condition.wait()


@pytest.mark.parametrize("function", [holding_locks, waiting_for_a_condition])
def test_tasks_of_a_run_that_crashed_die(function: Callable[[object], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # nurseries wait even if they are closed
    canaries = []
    for _ in range(3):
        canary = Canary()
        canaries.append(weakref.ref(canary))
        with pytest.raises(trio.TrioInternalError):
            trio.run(function, canary, clock=BreakingClock())
        del canary
    for _ in range(5):
        gc.collect()
        trio.lowlevel.in_trio_run()  # what native code lets go of outside of a run is dropped when it is called next
    assert [canary() for canary in canaries] == [None, None, None]
    assert trio._core._parking_lot.GLOBAL_PARKING_LOT_BREAKER == {}  # type: ignore[attr-defined]
