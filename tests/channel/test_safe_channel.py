"""Async generators behind `as_safe_channel`."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator

import pytest

import trio
from trio import as_safe_channel
from trio.testing import wait_all_tasks_blocked

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup


@as_safe_channel
async def numbers(log: list[str], upto: int = 3) -> AsyncGenerator[int, None]:
    """Counts."""
    try:
        for number in range(upto):
            log.append(f"makes {number}")
            yield number
    finally:
        log.append("ends")


def test_it_is_a_channel() -> None:
    async def main() -> None:
        log: list[str] = []
        async with numbers(log) as channel:
            assert isinstance(channel, trio.abc.ReceiveChannel)
            assert [value async for value in channel] == [0, 1, 2]
            with pytest.raises(trio.EndOfChannel):
                await channel.receive()
        with pytest.raises(trio.ClosedResourceError):
            await channel.receive()

    trio.run(main)
    assert numbers.__name__ == "numbers"
    assert numbers.__doc__ == "Counts."


def test_it_makes_values_on_demand_only() -> None:
    async def main() -> None:
        log: list[str] = []
        async with numbers(log) as channel:
            await wait_all_tasks_blocked()
            assert log == []
            assert await channel.receive() == 0
            await wait_all_tasks_blocked()
            assert log == ["makes 0"]
        assert log == ["makes 0", "ends"]

    trio.run(main)


def test_two_consumers() -> None:
    async def main() -> None:
        got = []
        log: list[str] = []

        async def consume(channel: trio.abc.ReceiveChannel[int]) -> None:
            async for value in channel:
                got.append(value)

        async with numbers(log, 20) as channel, trio.open_nursery() as nursery:
            nursery.start_soon(consume, channel)
            nursery.start_soon(consume, channel)
        assert sorted(got) == list(range(20))

    trio.run(main)


def test_cancel_scopes_around_a_yield_do_not_reach_the_consumer() -> None:
    @as_safe_channel
    async def timed() -> AsyncGenerator[int, None]:
        with trio.CancelScope() as scope:
            yield 1
            scope.cancel()
            yield 2
            await trio.lowlevel.checkpoint()
            raise AssertionError("cancelled before")
        yield 3

    async def main() -> None:
        got = []
        async with timed() as channel:
            async for value in channel:
                got.append(value)
                await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            got.append("after")
        assert got == [1, 2, 3, "after"]

    if not hasattr(trio, "_native"):
        pytest.skip("loses values there")
    trio.run(main)


def test_errors_of_either_side_leave_alone() -> None:
    @as_safe_channel
    async def fails() -> AsyncGenerator[int, None]:
        yield 1
        raise ValueError("generator")

    async def main() -> None:
        with pytest.raises(ValueError, match=r"^generator$"):
            async with fails() as channel:
                async for _ in channel:
                    pass
        error = KeyError("body")
        with pytest.raises(KeyError) as info:
            async with fails() as channel:
                raise error from OSError()
        assert info.value is error
        assert isinstance(error.__cause__, OSError)
        group = ExceptionGroup("foo", [ValueError("bar")])
        with pytest.raises(ExceptionGroup, match=r"^foo") as group_info:
            async with fails() as channel:
                raise group
        assert group_info.value.exceptions == group.exceptions

    trio.run(main)


def test_errors_of_both_sides_leave_together() -> None:
    @as_safe_channel
    async def fails_late() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            raise ValueError("generator")

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as info:
            async with fails_late() as channel:
                async for _ in channel:
                    raise KeyError("body")
        assert {type(exc) for exc in info.value.exceptions} == {ValueError, KeyError}
        if sys.version_info >= (3, 11):
            [note] = info.value.__notes__
            assert note.startswith("Encountered exception during cleanup of generator object")

    trio.run(main)


def test_cancelled_around() -> None:
    @as_safe_channel
    async def sleeps(log: list[str]) -> AsyncGenerator[int, None]:
        try:
            await trio.sleep_forever()
            yield 1
        except trio.Cancelled:
            log.append("cancelled")
            raise

    async def main() -> None:
        log: list[str] = []
        with trio.move_on_after(0.01) as scope:
            async with sleeps(log) as channel:
                await channel.receive()
        assert scope.cancelled_caught
        assert log == ["cancelled"]
        with trio.CancelScope() as scope:
            scope.cancel()
            async with sleeps(log):
                raise AssertionError("should not get here")
        assert scope.cancelled_caught

    trio.run(main)


def test_leaving_while_the_generator_works_cancels_it() -> None:
    @as_safe_channel
    async def works() -> AsyncGenerator[int, None]:
        yield 1
        await trio.sleep_forever()

    async def main() -> None:
        async with works() as channel:
            assert await channel.receive() == 1
            with trio.move_on_after(0.01):
                await channel.receive()

    trio.run(main)


def test_generator_exit_in_a_group_is_no_error() -> None:
    @as_safe_channel
    async def with_nursery() -> AsyncGenerator[int, None]:
        async with trio.open_nursery():
            yield 1

    async def main() -> None:
        async with with_nursery() as channel:
            assert await channel.receive() == 1
        with pytest.raises(BaseExceptionGroup) as info:
            async with with_nursery() as channel, trio.open_nursery():
                raise GeneratorExit
        assert [type(exc) for exc in info.value.exceptions] == [GeneratorExit]

    trio.run(main)
