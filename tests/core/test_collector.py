"""The garbage collector may start at any allocation, also while an object of ours is being made."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

import trio
import trio.lowlevel


@pytest.fixture
def restless_collector() -> Iterator[None]:
    """Collect the youngest objects at each allocation of a container."""
    before = gc.get_threshold()
    gc.set_threshold(1, 1000, 1000)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("restless_collector")
@pytest.mark.filterwarnings("ignore:trio.lowlevel.UnboundedQueue is deprecated")
@pytest.mark.parametrize(
    "make",
    [
        trio.CancelScope,
        trio.Condition,
        trio.Event,
        trio.Lock,
        trio.StrictFIFOLock,
        trio.lowlevel.ParkingLot,
        lambda: trio.Semaphore(1),
        lambda: trio.CapacityLimiter(1),
        lambda: trio.lowlevel.UnboundedQueue[int](),
        lambda: trio.open_memory_channel[int](1),
        trio.open_nursery,
        lambda: trio.lowlevel.RunVar("x"),
        lambda: trio.socket.socket().close(),
    ],
)
def test_making_objects(make: Callable[[], object]) -> None:
    async def main() -> None:
        made = [make() for _ in range(200)]
        made.clear()

    trio.run(main)


@pytest.mark.usefixtures("restless_collector")
def test_using_them() -> None:
    async def child(lock: trio.Lock, event: trio.Event, send: trio.MemorySendChannel[int]) -> None:
        async with lock, send:
            await send.send(1)
        with trio.move_on_after(0.001):
            await trio.sleep_forever()
        await event.wait()

    async def main() -> None:
        lock, event = trio.Lock(), trio.Event()
        for _ in range(10):
            send, receive = trio.open_memory_channel[int](0)
            async with trio.open_nursery() as nursery, send, receive:
                for _ in range(10):
                    nursery.start_soon(child, lock, event, send.clone())
                for _ in range(10):
                    assert await receive.receive() == 1
                event.set()

    trio.run(main)


def test_importing() -> None:
    command = "import gc; gc.set_threshold(1, 1, 1); import trio, trio.testing; trio.run(trio.sleep, 0)"
    subprocess.run([sys.executable, "-c", command], check=True)


class Curious:
    """A part of a reference cycle that looks at a scope when it is collected."""

    def __init__(self, scope: trio.CancelScope, seen: list[object]) -> None:
        self.scope, self.seen, self.me = scope, seen, self

    def __del__(self) -> None:
        self.seen.append(self.scope.is_relative)


@pytest.mark.parametrize(
    ("scope", "name"),
    [(trio.move_on_after(5), "deadline"), (trio.move_on_at(5), "relative_deadline")],
)
def test_a_scope_may_be_looked_at_while_it_refuses_to_answer(
    scope: trio.CancelScope, name: str, restless_collector: None
) -> None:
    seen: list[object] = []
    for _ in range(20):
        with pytest.raises(RuntimeError, match="Unentered"):
            gc.disable()
            Curious(scope, seen)
            gc.enable()
            getattr(scope, name)
    gc.collect()
    assert seen == [scope.is_relative] * 20
