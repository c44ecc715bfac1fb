"""Memory channels: what is allowed when, who gets what, and a random walk against a model."""

from __future__ import annotations

import math
import random
import weakref
from collections import deque
from typing import Any

import pytest

import trio
from trio.testing import wait_all_tasks_blocked


@pytest.mark.parametrize("size", [1.0, "x", None, -math.inf, math.nan])
def test_sizes_that_are_none(size: Any) -> None:
    with pytest.raises(TypeError, match=r"^max_buffer_size must be an integer or math\.inf$"):
        trio.open_memory_channel(size)


def test_sizes() -> None:
    with pytest.raises(ValueError, match=r"^max_buffer_size must be >= 0$"):
        trio.open_memory_channel(-1)
    for size in (0, 5, 10**30, math.inf):
        sender, receiver = trio.open_memory_channel[int](max_buffer_size=size)
        assert sender.statistics().max_buffer_size == size
        assert sender.statistics() == receiver.statistics()


def test_what_handles_are() -> None:
    pair = trio.open_memory_channel[int](1)
    assert type(pair) is tuple
    sender, receiver = pair
    state = sender._state  # type: ignore[attr-defined]
    assert receiver._state is state  # type: ignore[attr-defined]
    assert repr(sender) == f"<send channel at {id(sender):#x}, using buffer at {id(state):#x}>"
    assert repr(receiver) == f"<receive channel at {id(receiver):#x}, using buffer at {id(state):#x}>"
    assert isinstance(sender, trio.abc.SendChannel)
    assert isinstance(receiver, trio.abc.ReceiveChannel)
    assert not isinstance(sender, trio.abc.ReceiveChannel)
    for handle in pair:
        kind = type(handle)
        assert weakref.ref(handle)() is handle
        handle.note = 1  # type: ignore[union-attr]
        with pytest.raises(TypeError, match=rf"trio\.{kind.__name__} has no public constructor"):
            kind()
        with pytest.raises(TypeError):
            type("Sub", (kind,), {})
        assert kind[int] is not None  # type: ignore[index]
    assert issubclass(trio.open_memory_channel, tuple)
    with pytest.raises(TypeError):
        type("Sub", (trio.open_memory_channel,), {})


def test_who_may_do_what() -> None:
    async def main() -> None:
        sender, receiver = trio.open_memory_channel[str](1)
        with pytest.raises(trio.WouldBlock):
            receiver.receive_nowait()
        sender.send_nowait("a")
        with pytest.raises(trio.WouldBlock):
            sender.send_nowait("b")
        clone = sender.clone()
        sender.close()
        sender.close()
        for call in (lambda: sender.send_nowait("x"), sender.clone):
            with pytest.raises(trio.ClosedResourceError):
                call()
        with pytest.raises(trio.ClosedResourceError):
            await sender.send("x")
        assert await receiver.receive() == "a"
        with clone as same:
            assert same is clone
            with pytest.raises(trio.WouldBlock):
                receiver.receive_nowait()
        for _ in range(2):
            with pytest.raises(trio.EndOfChannel):
                receiver.receive_nowait()
            with pytest.raises(trio.EndOfChannel):
                await receiver.receive()
        assert [value async for value in receiver] == []
        await receiver.aclose()
        with pytest.raises(trio.ClosedResourceError):
            receiver.receive_nowait()
        with pytest.raises(trio.ClosedResourceError):
            [value async for value in receiver]

    trio.run(main)


def test_closing_all_receivers_drops_the_buffer() -> None:
    async def main() -> None:
        sender, receiver = trio.open_memory_channel[int](3)
        other = receiver.clone()
        sender.send_nowait(1)
        receiver.close()
        sender.send_nowait(2)
        async with other as same:
            assert same is other
        assert sender.statistics().current_buffer_used == 0
        assert sender.statistics().peak_buffer_used == 2
        with pytest.raises(trio.BrokenResourceError):
            sender.send_nowait(3)
        with pytest.raises(trio.BrokenResourceError):
            await sender.send(3)

    trio.run(main)


def test_closing_wakes_those_who_wait_through_the_handle_only() -> None:
    async def main() -> None:
        for side in (0, 1):
            ends: Any = trio.open_memory_channel[int](0)
            first = ends[side]
            second = first.clone()
            log = []

            async def use(handle: Any, side: int = side, log: list[Any] = log) -> None:
                try:
                    await (handle.receive() if side else handle.send(5))
                    log.append("ok")
                except trio.ClosedResourceError:
                    log.append("closed")

            async with trio.open_nursery() as nursery:
                for handle in (first, second, first):
                    nursery.start_soon(use, handle)
                    await wait_all_tasks_blocked()
                first.close()
                await wait_all_tasks_blocked()
                assert log == ["closed", "closed"]
                if side:
                    ends[0].send_nowait(7)
                else:
                    assert ends[1].receive_nowait() == 5
            assert log[2] == "ok"

    trio.run(main)


@pytest.mark.parametrize(("closed", "error"), [(0, trio.EndOfChannel), (1, trio.BrokenResourceError)])
def test_closing_one_side_wakes_the_other(closed: int, error: type[Exception]) -> None:
    async def main() -> None:
        ends: Any = trio.open_memory_channel[int](0)
        seen = []

        async def use() -> None:
            with pytest.raises(error) as info:
                await (ends[0].send(1) if closed else ends[1].receive())
            seen.append(info.value)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(use)
            nursery.start_soon(use)
            await wait_all_tasks_blocked()
            ends[closed].close()
        assert len({id(exc) for exc in seen}) == 2

    trio.run(main)


def test_any_value_comes_through_unchanged() -> None:
    async def main() -> None:
        values = [None, (), (1, 2), StopIteration(3), StopAsyncIteration(), ValueError("x"), [], NotImplemented]
        for size in (0, 1):
            sender, receiver = trio.open_memory_channel[Any](size)

            async def send_all(sender: trio.MemorySendChannel[Any] = sender) -> None:
                async with sender:
                    for value in values:
                        await sender.send(value)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(send_all)
                got = [value async for value in receiver]
            assert all(one is other for one, other in zip(got, values))
            assert len(got) == len(values)

    trio.run(main)


def test_a_cancelled_operation_has_had_no_effect() -> None:
    async def main() -> None:
        sender, receiver = trio.open_memory_channel[int](1)
        sender.send_nowait(1)
        with trio.move_on_after(0) as scope:
            await receiver.receive()
        assert scope.cancelled_caught
        assert receiver.receive_nowait() == 1
        with trio.move_on_after(0) as scope:
            await sender.send(2)
        assert scope.cancelled_caught
        assert sender.statistics().current_buffer_used == 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receiver.receive)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        sender.send_nowait(3)  # nobody waits any more
        assert receiver.receive_nowait() == 3

    trio.run(main)


def test_a_value_that_was_handed_over_survives_cancellation() -> None:
    async def main() -> None:
        sender, receiver = trio.open_memory_channel[int](0)
        got = []

        async def receive(scope: trio.CancelScope) -> None:
            with scope:
                got.append(await receiver.receive())

        scope = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive, scope)
            await wait_all_tasks_blocked()
            sender.send_nowait(1)
            scope.cancel()
        assert got == [1]

    trio.run(main)


class Walk:
    """Random users of one channel, and a model of what has been sent and received."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.size = self.random.choice([0, 1, 3, math.inf])
        self.sender, self.receiver = trio.open_memory_channel[int](self.size)
        self.sent: deque[int] = deque()
        self.received: list[int] = []
        self.next_value = 0

    async def send(self, scope: trio.CancelScope) -> None:
        with scope:
            value, self.next_value = self.next_value, self.next_value + 1
            await self.sender.send(value)
            self.sent.append(value)

    async def receive(self, scope: trio.CancelScope) -> None:
        with scope:
            self.received.append(await self.receiver.receive())

    async def run(self) -> None:
        scopes: list[trio.CancelScope] = []
        async with trio.open_nursery() as nursery:
            for _ in range(150):
                action = self.random.random()
                if action < 0.4:
                    scopes.append(trio.CancelScope())
                    nursery.start_soon(self.send, scopes[-1])
                elif action < 0.75:
                    scopes.append(trio.CancelScope())
                    nursery.start_soon(self.receive, scopes[-1])
                elif action < 0.9 and scopes:
                    scopes.pop(self.random.randrange(len(scopes))).cancel()
                else:
                    await wait_all_tasks_blocked()
                    self.check()
            await wait_all_tasks_blocked()
            self.check()
            nursery.cancel_scope.cancel()

    def check(self) -> None:
        statistics = self.sender.statistics()
        assert not (statistics.tasks_waiting_send and statistics.tasks_waiting_receive)
        if statistics.tasks_waiting_receive:
            assert statistics.current_buffer_used == 0
        if statistics.tasks_waiting_send:
            assert statistics.current_buffer_used == self.size
        assert statistics.current_buffer_used <= statistics.peak_buffer_used <= max(self.size, 0)
        assert len(self.received) == len(set(self.received))
        assert set(self.received) <= set(self.sent)
        assert len(self.sent) == len(self.received) + statistics.current_buffer_used


@pytest.mark.parametrize("seed", range(12))
def test_random_walk(seed: int) -> None:
    trio.run(Walk(seed).run)
