"""Assertions about whether a piece of code goes through a checkpoint.

A checkpoint is a cancel point and a schedule point.  The core counts both kinds per task (``Task._cancel_points`` and
``Task._schedule_points``), so that all there is to do is to compare the counters before and after.  The task must be
the same at both ends, which a ``with`` block inside an async function guarantees.
"""

from __future__ import annotations

from contextlib import contextmanager

from .. import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


def _watch_current_task() -> Callable[[], tuple[bool, bool]]:
    """Return a function that tells what was passed since: (a cancel point, a schedule point)."""
    task = _core.current_task()
    cancel_points, schedule_points = task._cancel_points, task._schedule_points

    def passed() -> tuple[bool, bool]:
        return task._cancel_points != cancel_points, task._schedule_points != schedule_points

    return passed


@contextmanager
def _require() -> Iterator[None]:
    passed = _watch_current_task()
    yield  # an exception from the block is more interesting than its lack of checkpoints
    if not all(passed()):
        raise AssertionError("assert_checkpoints block did not yield!")


@contextmanager
def _forbid() -> Iterator[None]:
    passed = _watch_current_task()
    try:
        yield
    finally:
        if any(passed()):
            raise AssertionError("assert_no_checkpoints block yielded!")


def assert_checkpoints() -> AbstractContextManager[None]:
    """Use as ``with assert_checkpoints():`` around code that must execute at least one checkpoint.

    The rules that say which operations are checkpoints, and when, are in `Checkpoints
    <https://trio.readthedocs.io/en/stable/reference-core.html#checkpoints>`__.  Both halves count: a block that
    can be cancelled but never lets other tasks run is not good enough, nor is the opposite.

    Raises:
      AssertionError: the block came to its end without a checkpoint.  If it ended in an exception, that is what
        comes out.
    """
    return _require()


def assert_no_checkpoints() -> AbstractContextManager[None]:
    """Use as ``with assert_no_checkpoints():`` around code that must not execute any checkpoint, not even half of one.

    A test can show with it that a function which is async for other reasons is atomic.

    Raises:
      AssertionError: the block went through a cancel point or a schedule point, however it ended.
    """
    return _forbid()
