"""Nothing leaks: cycles through primitives and channels die, and waiting leaves nothing behind."""

from __future__ import annotations

import gc
import sys
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import trio
from trio.lowlevel import ParkingLot
from trio.testing import wait_all_tasks_blocked


class Canary:
    """Can be referred to weakly and held by anything."""

    holder: object


def limiter_lent_to(borrower: object) -> trio.CapacityLimiter:
    limiter = trio.CapacityLimiter(1)
    limiter.acquire_on_behalf_of_nowait(borrower)
    return limiter


def channel_holding(value: object) -> object:
    ends = trio.open_memory_channel[object](1)
    ends[0].send_nowait(value)
    return ends


def queue_holding(value: object) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        queue = trio.lowlevel.UnboundedQueue[object]()
    queue.put_nowait(value)
    return queue


def lot_broken_by(culprit: object) -> ParkingLot:
    lot = ParkingLot()
    lot.break_lot(culprit)  # type: ignore[arg-type]
    return lot


def annotated(thing: Any) -> Callable[[object], object]:
    def hold(value: object) -> object:
        thing.note = value
        return thing

    return hold


HOLDERS: dict[str, Callable[[], Callable[[object], object]]] = {
    "limiter": lambda: limiter_lent_to,
    "channel": lambda: channel_holding,
    "queue": lambda: queue_holding,
    "broken lot": lambda: lot_broken_by,
    "lock": lambda: annotated(trio.Lock()),
    "fair lock": lambda: annotated(trio.StrictFIFOLock()),
    "condition": lambda: annotated(trio.Condition()),
    "semaphore": lambda: annotated(trio.Semaphore(1)),
    "sender": lambda: annotated(trio.open_memory_channel(1)[0]),
    "receiver": lambda: annotated(trio.open_memory_channel(1)[1]),
}


@pytest.mark.parametrize("kind", HOLDERS)
def test_a_thing_that_holds_itself_dies(kind: str) -> None:
    gc.collect()
    canaries = []
    for _ in range(200):
        canary = Canary()
        canary.holder = HOLDERS[kind]()(canary)
        canaries.append(weakref.ref(canary))
        del canary
    gc.collect()
    assert not [canary for canary in canaries if canary() is not None]


def abandoned_waits() -> dict[str, Callable[[], Any]]:
    """Coroutines that are suspended in an operation when everybody forgets them."""

    def condition() -> Any:
        made = trio.Condition()
        made.acquire_nowait()
        return made.wait

    def full_channel() -> Any:
        sender = trio.open_memory_channel[object](0)

        async def send() -> None:
            await sender[0].send(Canary())

        return send

    return {
        "event": lambda: trio.Event().wait,
        "lot": lambda: ParkingLot().park,
        "semaphore": lambda: trio.Semaphore(0).acquire,
        "limiter": lambda: trio.CapacityLimiter(0).acquire,
        "condition": condition,
        "send": full_channel,
        "receive": lambda: trio.open_memory_channel[object](0)[1].receive,
    }


@pytest.mark.parametrize("kind", abandoned_waits())
def test_cancelled_waits_leave_nothing(kind: str) -> None:
    make = abandoned_waits()[kind]

    async def main() -> None:
        canaries = []

        async def wait() -> None:
            canary = Canary()
            canary.holder = operation = make()
            canaries.append(weakref.ref(canary))
            try:
                await operation()
            finally:
                del canary, operation

        for _ in range(50):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                await wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
        await trio.lowlevel.checkpoint()
        gc.collect()
        assert not [canary for canary in canaries if canary() is not None]

    trio.run(main)


@pytest.mark.parametrize("kind", abandoned_waits())
def test_operations_that_are_stepped_by_hand_and_forgotten_die(kind: str) -> None:
    make = abandoned_waits()[kind]

    async def main() -> None:
        canaries = []
        for _ in range(10):
            canary = Canary()

            async def wait(canary: Canary = canary) -> None:
                await canary.holder()  # type: ignore[operator]

            canary.holder = make()
            stepped = wait()
            stepped.send(None)  # in the queue now, with this task's name on it
            canary.stepped = stepped  # type: ignore[attr-defined]
            canaries.append(weakref.ref(canary))
            # The plan that was announced must not come into effect.
            await trio.lowlevel.cancel_shielded_checkpoint()
            del canary, stepped, wait
            gc.collect()
        await trio.lowlevel.cancel_shielded_checkpoint()
        gc.collect()
        alive = [canary for canary in canaries if canary() is not None]
        # The task itself remembers at most what it announced last.
        assert len(alive) <= 1

    if hasattr(trio, "_native"):
        trio.run(main)


def test_no_garbage_without_cycles() -> None:
    """Ordinary use makes nothing that only the collector can free."""

    async def use() -> None:
        lock, event = trio.Lock(), trio.Event()
        sender, receiver = trio.open_memory_channel[object](2)

        async def partner() -> None:
            async with lock:
                event.set()
                await sender.send(object())
                await sender.send(object())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(partner)
            await event.wait()
            async with lock:
                pass
            await receiver.receive()
            await receiver.receive()
            with trio.move_on_after(0):
                await receiver.receive()
        with pytest.raises(trio.WouldBlock):
            receiver.receive_nowait()

    async def main() -> None:
        await use()
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for _ in range(20):
                await use()
            gc.collect()
            ours = [thing for thing in gc.garbage if type(thing).__module__.startswith("trio")]
            assert ours == []
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()

    trio.run(main)


def test_a_value_is_let_go_once_received() -> None:
    async def main() -> None:
        sender, receiver = trio.open_memory_channel[Canary](1)
        canary = Canary()
        seen = weakref.ref(canary)
        await sender.send(canary)
        del canary
        await receiver.receive()
        if sys.implementation.name == "cpython":
            assert seen() is None
        sender.send_nowait(Canary())
        kept = weakref.ref(receiver._state.data[0])  # type: ignore[attr-defined]
        receiver.close()
        gc.collect()
        assert kept() is None

    trio.run(main)
