"""Timeouts that raise, and the native ones that do not."""

from __future__ import annotations

from contextlib import contextmanager

from ._native import (
    move_on_after as move_on_after,
    move_on_at as move_on_at,
    sleep as sleep,
    sleep_forever as sleep_forever,
    sleep_until as sleep_until,
)
from ._util import fixup_module_metadata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from ._native import CancelScope


class TooSlowError(Exception):
    """Raised by `fail_after` and `fail_at` when the time is up."""


def _run_in(scope: CancelScope) -> Generator[CancelScope, None, None]:
    """The life of a block that fails if its scope had to end it."""
    with scope:
        yield scope
    if scope.cancelled_caught:
        raise TooSlowError


@contextmanager
def fail_at(deadline: float, *, shield: bool = False) -> Generator[CancelScope, None, None]:
    """Cancel the block at a given time, and raise if that was necessary.

    Like `move_on_at`, except for what happens when the block has been cancelled by the deadline.

    Args:
      deadline: the time, in seconds on the clock of `current_time`.
      shield: the scope's initial shield.

    Raises:
      TooSlowError: if the block was cancelled by this scope.
      ValueError: if ``deadline`` is not a number.
    """
    yield from _run_in(move_on_at(deadline, shield=shield))


@contextmanager
def fail_after(seconds: float, *, shield: bool = False) -> Generator[CancelScope, None, None]:
    """Cancel the block after a number of seconds, and raise if that was necessary.

    Like `move_on_after`, except for what happens when the block has been cancelled by the deadline. The time counts from
    entering the block.

    Args:
      seconds: how long the block may take.
      shield: the scope's initial shield.

    Raises:
      TooSlowError: if the block was cancelled by this scope.
      ValueError: if ``seconds`` is negative or not a number.
    """
    yield from _run_in(move_on_after(seconds, shield=shield))


# The functions raise it before anybody has asked for it by name.
fixup_module_metadata("trio", {"TooSlowError": TooSlowError})
