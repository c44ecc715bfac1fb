"""The groups that leave nurseries: what is in them, and what tracebacks show around them."""

from __future__ import annotations

import gc
import sys
import traceback
import warnings
import weakref
from collections.abc import Awaitable, Callable

import pytest

import trio

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup


async def fail() -> None:
    raise ValueError("inside")


def group_from(function: Callable[[], Awaitable[object]]) -> BaseExceptionGroup[BaseException]:
    """The group that a run ends with."""
    with pytest.raises(ExceptionGroup) as caught:
        trio.run(function)
    return caught.value


@pytest.mark.parametrize("strict", [True, False])
def test_a_group_hides_what_its_parent_was_handling(strict: bool) -> None:
    async def main() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", trio.TrioDeprecationWarning)
            manager = trio.open_nursery(strict_exception_groups=strict)
        try:
            raise KeyError("before")
        except KeyError:
            async with manager as nursery:
                nursery.start_soon(fail)
                nursery.start_soon(fail)

    group = group_from(main)
    assert (group.__cause__, group.__suppress_context__) == (None, True)
    assert "KeyError" not in "".join(traceback.format_exception(type(group), group, group.__traceback__))


def test_a_group_keeps_this_when_cancelled_is_taken_out_of_it() -> None:
    async def main() -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                nursery.start_soon(fail)
                scope.cancel()

    group = group_from(main)
    assert [type(error) for error in group.exceptions] == [ValueError]
    assert group.__suppress_context__


def test_the_errors_in_a_group_are_left_as_they_were() -> None:
    async def main() -> None:
        async with trio.open_nursery():
            try:
                raise KeyError("first")
            except KeyError:
                raise ValueError("second")  # noqa: B904

    (error,) = group_from(main).exceptions
    assert isinstance(error.__context__, KeyError)
    assert not error.__suppress_context__


def entries(error: BaseException) -> list[str]:
    """The functions in a traceback."""
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def test_a_traceback_says_where_the_group_comes_from() -> None:
    """pytest cannot show a traceback in which every entry hides itself, as those of fixtures do."""

    async def hidden() -> None:
        __tracebackhide__ = True
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)

    group = group_from(hidden)
    assert entries(group)[-2:] == ["hidden", "leave_nursery"]
    assert entries(group.exceptions[0]) == ["fail"]


def test_the_entry_makes_no_cycle() -> None:
    async def main() -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail)
        except ExceptionGroup as group:
            watched = weakref.ref(group)
        assert watched() is None

    gc.disable()
    try:
        trio.run(main)
    finally:
        gc.enable()


def test_a_start_that_fails_is_one_entry_and_makes_no_cycle() -> None:
    class Failure(Exception):
        """Can be referred to weakly."""

    async def at_once(task_status: object) -> None:
        raise Failure

    async def later(task_status: object) -> None:
        await trio.lowlevel.checkpoint()
        raise Failure

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for function in at_once, later:
                try:
                    await nursery.start(function)
                except Failure as failure:
                    watched = weakref.ref(failure)
                    assert entries(failure) == ["main", "start", "raise_saving_context", function.__name__]
                assert watched() is None

    gc.disable()
    try:
        trio.run(main)
    finally:
        gc.enable()
