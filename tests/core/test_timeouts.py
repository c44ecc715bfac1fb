"""`trio.fail_after` and `trio.fail_at`: what they look like from outside, as context managers and as decorators."""

from __future__ import annotations

import inspect
import math
import traceback
from contextlib import AbstractContextManager, ContextDecorator, ExitStack
from typing import Any

import pytest

import trio
import trio.testing

limits = pytest.mark.parametrize("limit", [trio.fail_after, trio.fail_at])


@limits
def test_shape(limit: Any) -> None:
    assert inspect.isfunction(limit)
    assert inspect.isgeneratorfunction(limit.__wrapped__)
    assert list(inspect.signature(limit).parameters)[1:] == ["shield"]
    manager = limit(1)
    assert isinstance(manager, AbstractContextManager)
    assert isinstance(manager, ContextDecorator)
    assert manager.__doc__ == limit.__doc__


def test_in_time() -> None:
    async def main() -> None:
        with trio.fail_after(1000, shield=True) as scope:
            assert isinstance(scope, trio.CancelScope)
            assert scope.shield
            assert trio.current_effective_deadline() == scope.deadline
            await trio.lowlevel.checkpoint()
        assert not scope.cancelled_caught
        assert trio.current_effective_deadline() == math.inf

    trio.run(main)


def test_too_late() -> None:
    async def main() -> None:
        with pytest.raises(trio.TooSlowError) as info:
            with trio.fail_after(0) as scope:
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert isinstance(info.value.__context__, trio.Cancelled)
        assert not info.value.__suppress_context__
        ours = [entry for entry in traceback.extract_tb(info.tb) if entry.name != "main"]
        assert [entry.name for entry in ours] == ["__exit__"]

    trio.run(main)


def test_too_late_within_an_exit_stack() -> None:
    async def main() -> None:
        with pytest.raises(trio.TooSlowError):
            with ExitStack() as stack:
                stack.enter_context(trio.fail_at(-math.inf))
                await trio.sleep_forever()

    trio.run(main)


def test_other_errors_pass() -> None:
    async def main() -> None:
        error = StopIteration()
        with pytest.raises(StopIteration) as info:
            with trio.fail_after(1000):
                raise error
        assert info.value is error
        assert [entry.name for entry in traceback.extract_tb(info.tb)] == ["main"]

    trio.run(main)


def test_error_beside_the_cancellation() -> None:
    """What is left of a group goes on instead of `trio.TooSlowError`."""

    async def main() -> None:
        async def fail() -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise KeyError("beside")

        with pytest.RaisesGroup(KeyError):
            with trio.fail_after(0):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(fail)
                    await trio.sleep_forever()

    trio.run(main)


def test_time_counts_from_entering(autojump_clock: trio.testing.MockClock) -> None:
    async def main() -> None:
        manager = trio.fail_after(5)
        await trio.sleep(100)
        with manager as scope:
            assert scope.deadline == trio.current_time() + 5

    trio.run(main, clock=autojump_clock)


def test_one_with_statement_only() -> None:
    async def main() -> None:
        manager = trio.fail_after(1000)
        with manager:
            pass
        with pytest.raises(AttributeError):
            manager.__enter__()
        assert trio.current_effective_deadline() == math.inf

    trio.run(main)


def test_as_decorator() -> None:
    async def main() -> None:
        @trio.fail_after(1000)
        def deadline() -> float:
            return trio.current_effective_deadline()

        assert [deadline() < math.inf for _ in range(2)] == [True, True]
        assert deadline.__name__ == "deadline"
        assert trio.current_effective_deadline() == math.inf

    trio.run(main)


@limits
def test_calls_that_cannot_be(limit: Any) -> None:
    with pytest.raises(TypeError):
        limit()
    with pytest.raises(TypeError):
        limit(1, True)


def test_wrong_numbers_are_reported_on_entering() -> None:
    async def main() -> None:
        for manager in trio.fail_after(-1), trio.fail_after(math.nan), trio.fail_at(math.nan):
            with pytest.raises(ValueError, match=r"must be|non-negative|NaN"):
                manager.__enter__()

    trio.run(main)
