"""Events, locks, semaphores, conditions and limiters.

The primitives are native. Here are what their ``statistics()`` methods return, and the base class with which anything that can be
acquired and released becomes an async context manager.
"""

from __future__ import annotations

from abc import ABCMeta

import trio

from ._native import (
    CapacityLimiter as CapacityLimiter,
    Condition as Condition,
    Event as Event,
    Lock as Lock,
    Semaphore as Semaphore,
    StrictFIFOLock as StrictFIFOLock,
)
from ._record import Record
from ._util import fixup_module_metadata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Protocol

    class _Acquirable(Protocol):
        async def acquire(self) -> object: ...
        def release(self) -> object: ...


class EventStatistics(Record):
    """The state of an `Event`.

    Attributes:
      tasks_waiting: how many tasks wait in ``wait``.
    """

    tasks_waiting: int


class CapacityLimiterStatistics(Record):
    """The state of a `CapacityLimiter`.

    Attributes:
      borrowed_tokens: how many tokens are lent out.
      total_tokens: how many tokens there are; may be ``math.inf``.
      borrowers: those who have a token, tasks or whatever was named instead.
      tasks_waiting: how many tasks wait for a token.
    """

    borrowed_tokens: int
    total_tokens: int | float
    borrowers: list[trio.lowlevel.Task | object]
    tasks_waiting: int


class LockStatistics(Record):
    """The state of a `Lock` or a `StrictFIFOLock`.

    Attributes:
      locked: whether somebody has the lock.
      owner: the task that has it, or ``None``.
      tasks_waiting: how many tasks wait in ``acquire``.
    """

    locked: bool
    owner: trio.lowlevel.Task | None
    tasks_waiting: int


class ConditionStatistics(Record):
    """The state of a `Condition`.

    Attributes:
      tasks_waiting: how many tasks wait for a notification.
      lock_statistics: the state of the condition's lock, a `LockStatistics`.
    """

    tasks_waiting: int
    lock_statistics: LockStatistics


class AsyncContextManagerMixin(metaclass=ABCMeta):  # noqa: B024  # what is abstract about it has no name
    """Gives a class with ``acquire`` and ``release`` the methods that ``async with`` needs.

    The native primitives have these methods themselves and count as subclasses.
    """

    __slots__ = ()

    async def __aenter__(self: _Acquirable) -> None:
        await self.acquire()

    async def __aexit__(
        self: _Acquirable,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


for _primitive in (CapacityLimiter, Condition, Lock, Semaphore, StrictFIFOLock):
    AsyncContextManagerMixin.register(_primitive)


# The primitives hand these out before anybody has asked for them by name.
fixup_module_metadata(
    "trio",
    {
        "CapacityLimiterStatistics": CapacityLimiterStatistics,
        "ConditionStatistics": ConditionStatistics,
        "EventStatistics": EventStatistics,
        "LockStatistics": LockStatistics,
    },
)
