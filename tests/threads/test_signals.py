"""`trio.open_signal_receiver`."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import trio
import trio.testing

ONE, TWO = signal.SIGUSR1, signal.SIGUSR2


class Handler:
    """A handler of the outside world, which remembers what it got."""

    def __init__(self) -> None:
        self.got: list[int] = []

    def __call__(self, signum: int, frame: object) -> None:
        self.got.append(signum)


@pytest.fixture
def outer() -> Iterator[Handler]:
    handler = Handler()
    before = {signum: signal.signal(signum, handler) for signum in (ONE, TWO)}
    yield handler
    for signum, previous in before.items():
        assert signal.signal(signum, previous) is handler


async def arrived() -> None:
    """Returns when the loop has noted all signals that were raised so far."""
    noted = trio.Event()
    trio.lowlevel.current_trio_token().run_sync_soon(noted.set, idempotent=True)
    await noted.wait()
    await trio.testing.wait_all_tasks_blocked()


async def next_from(receiver: Any) -> int:
    with trio.fail_after(5):
        return await receiver.__anext__()  # type: ignore[no-any-return]


def test_iteration_and_restoration(outer: Handler) -> None:
    async def main() -> None:
        with trio.open_signal_receiver(ONE, TWO) as receiver:
            assert signal.getsignal(ONE) is not outer
            os.kill(os.getpid(), ONE)
            assert await next_from(receiver) == ONE
            signal.raise_signal(TWO)
            assert await next_from(receiver) == TWO
        assert signal.getsignal(ONE) is signal.getsignal(TWO) is outer

    trio.run(main)
    assert outer.got == []


def test_wakes_a_task_that_waits(outer: Handler) -> None:
    async def main() -> None:
        with trio.open_signal_receiver(ONE) as receiver:
            threading.Timer(0.02, os.kill, (os.getpid(), ONE)).start()
            async for signum in receiver:
                assert signum == ONE
                break

    trio.run(main)


def test_repetitions_merge_and_order_is_that_of_arrival(outer: Handler) -> None:
    async def main() -> None:
        with trio.open_signal_receiver(ONE, TWO) as receiver:
            signal.raise_signal(TWO)
            await arrived()
            for _ in range(3):
                signal.raise_signal(ONE)
                signal.raise_signal(TWO)
                await arrived()
            assert [await next_from(receiver), await next_from(receiver)] == [TWO, ONE]
            with trio.move_on_after(0.01) as scope:
                await receiver.__anext__()
            assert scope.cancelled_caught

    trio.run(main)


def test_iteration_is_a_checkpoint_and_loses_nothing(outer: Handler) -> None:
    async def main() -> None:
        with trio.open_signal_receiver(ONE) as receiver:
            signal.raise_signal(ONE)
            await arrived()
            with trio.CancelScope() as scope:
                scope.cancel()
                await receiver.__anext__()
            assert scope.cancelled_caught
            with trio.testing.assert_checkpoints():
                assert await receiver.__anext__() == ONE

    trio.run(main)


@pytest.mark.parametrize("noted", [False, True])
def test_leftovers_go_to_the_former_handlers(outer: Handler, noted: bool) -> None:
    async def main() -> None:
        with trio.open_signal_receiver(ONE, TWO):
            signal.raise_signal(ONE)
            signal.raise_signal(TWO)
            if noted:
                await arrived()
        await arrived()

    trio.run(main)
    assert sorted(outer.got) == [ONE, TWO]


def test_leftovers_are_raised_even_if_the_block_fails(outer: Handler) -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError), trio.open_signal_receiver(ONE):
            signal.raise_signal(ONE)
            await arrived()
            raise ZeroDivisionError

    trio.run(main)
    assert outer.got == [ONE]


def test_nested_blocks(outer: Handler) -> None:
    async def main() -> None:
        with trio.open_signal_receiver(ONE) as outside:
            with trio.open_signal_receiver(ONE) as inside:
                signal.raise_signal(ONE)
                assert await next_from(inside) == ONE
                signal.raise_signal(ONE)
                await arrived()
            assert await next_from(outside) == ONE

    trio.run(main)
    assert outer.got == []


def test_two_iterations_at_once(outer: Handler) -> None:
    async def main() -> None:
        with trio.open_signal_receiver(ONE) as receiver:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(next_from, receiver)
                await trio.testing.wait_all_tasks_blocked()
                with pytest.raises(trio.BusyResourceError, match="only one task can iterate on a signal receiver at a time"):
                    await receiver.__anext__()
                signal.raise_signal(ONE)

    trio.run(main)


def test_misuse(outer: Handler) -> None:
    def enter(*signals: Any) -> Any:
        with trio.open_signal_receiver(*signals) as receiver:
            return receiver

    with pytest.raises(TypeError, match="No signals were provided"):
        enter()
    with pytest.raises(RuntimeError, match="must be called from async context"):
        enter(ONE)

    async def main() -> None:
        for bad, error in (("x", TypeError), (12345, ValueError), (signal.SIGKILL, OSError)):
            with pytest.raises(error):
                enter(ONE, bad)
            assert signal.getsignal(ONE) is outer
        receiver = enter(ONE, ONE)
        assert signal.getsignal(ONE) is outer
        with pytest.raises(RuntimeError, match="open_signal_receiver block already exited"):
            await receiver.__anext__()

    async def elsewhere() -> None:
        with pytest.raises(RuntimeError, match="main thread"):
            enter(ONE)

    trio.run(main)
    thread = threading.Thread(target=trio.run, args=(elsewhere,))
    thread.start()
    thread.join()


def test_taking_ctrl_c() -> None:
    async def main() -> None:
        with trio.open_signal_receiver(signal.SIGINT) as receiver:
            signal.raise_signal(signal.SIGINT)
            assert await next_from(receiver) == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            with trio.open_signal_receiver(signal.SIGINT):
                signal.raise_signal(signal.SIGINT)
                await arrived()

    trio.run(main)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
