"""Timeouts that raise, and the native ones that do not."""

from __future__ import annotations

from contextlib import AbstractContextManager, ContextDecorator
from functools import wraps

from ._core._ki import enable_ki_protection
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
    from collections.abc import Callable, Generator
    from contextlib import contextmanager as _time_limit
    from types import TracebackType
    from typing import Any

    from ._native import CancelScope


class TooSlowError(Exception):
    """Raised by `fail_after` and `fail_at` when the time is up."""


class _TimeLimit(AbstractContextManager, ContextDecorator):  # type: ignore[type-arg]
    """A block that fails if its scope has to end it, for one ``with`` statement, or as a decorator for any number of calls.

    Both ends of the block are out of reach for Ctrl-C: a scope that is half entered or half left would stay open.
    """

    def __init__(
        self, func: Callable[..., Generator[CancelScope, None, None]], args: tuple[Any, ...], kwds: dict[str, Any]
    ) -> None:
        self.func, self.args, self.kwds = func, args, kwds
        self._scopes = func(*args, **kwds)
        self.__doc__ = func.__doc__

    def _recreate_cm(self) -> _TimeLimit:
        return type(self)(self.func, self.args, self.kwds)

    @enable_ki_protection
    def __enter__(self) -> CancelScope:
        del self.func, self.args, self.kwds  # what contextlib's own let go of here as well: there is no second time
        self._scope = scope = next(self._scopes)
        return scope.__enter__()

    @enable_ki_protection
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        swallowed = self._scope.__exit__(exc_type, exc_value, traceback)
        if swallowed and self._scope.cancelled_caught:
            raise TooSlowError
        return swallowed


if not TYPE_CHECKING:  # for type checkers it is contextlib's

    def _time_limit(
        func: Callable[..., Generator[CancelScope, None, None]],
    ) -> Callable[..., _TimeLimit]:
        """Decorator: make a context manager of a generator function that says what scope its block is to have.

        The scope is made when the block is entered, so that wrong numbers are reported there. The generator never gets
        further, and what closes it is no place for Ctrl-C either: an exception there would be lost.
        """
        enable_ki_protection(func)

        @wraps(func)
        def limit(*args: Any, **kwds: Any) -> _TimeLimit:
            return _TimeLimit(func, args, kwds)

        return limit


@_time_limit
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
    yield move_on_at(deadline, shield=shield)


@_time_limit
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
    yield move_on_after(seconds, shield=shield)


# The functions raise it before anybody has asked for it by name.
fixup_module_metadata("trio", {"TooSlowError": TooSlowError})
