"""What happens in one turn of the loop, and what may wait for the next."""

from __future__ import annotations

import math

import trio
import trio.testing


def test_under_a_virtual_clock_every_turn_looks_for_events() -> None:
    """Whoever sends sees the receiver run in the next turn, however many tasks keep the loop busy.

    Tests on a virtual clock rest on this order, as no time passes in which the event could be noticed.
    """

    async def main() -> None:
        near, far = trio.socket.socketpair()
        arrived = False

        async def receiver() -> None:
            nonlocal arrived
            await trio.lowlevel.wait_readable(far)
            arrived = True

        with near, far:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(receiver)
                await trio.lowlevel.checkpoint()
                await trio.lowlevel.checkpoint()
                near._sock.send(b"x")
                await trio.lowlevel.checkpoint()
                await trio.lowlevel.checkpoint()
                assert arrived

    for _ in range(10):  # some of the orders in which the tasks of a turn may run
        trio.run(main, clock=trio.testing.MockClock())


def test_a_clock_is_asked_how_long_to_sleep_even_if_there_is_no_deadline() -> None:
    asked: list[float] = []

    class Polling(trio.abc.Clock):
        def start_clock(self) -> None:
            pass

        def current_time(self) -> float:
            return 0.0

        def deadline_to_sleep_time(self, deadline: float) -> float:
            asked.append(deadline)
            if len(asked) == 3:
                happened.set()
            return 0.001

    async def main() -> None:
        await happened.wait()

    happened = trio.Event()
    trio.run(main, clock=Polling())
    assert asked == [math.inf] * 3
