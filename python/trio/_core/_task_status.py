"""`TaskStatus`: what a function gets that can be run by ``nursery.start``, as a type and as a stand-in that ignores reports."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

StatusT_contra = TypeVar("StatusT_contra", contravariant=True)


class TaskStatus(Protocol[StatusT_contra]):
    """The type of the ``task_status`` argument of functions that ``nursery.start`` can run.

    The parameter is the type of the value that the function reports when it is ready.
    """

    def started(self: TaskStatus[StatusT_contra], value: StatusT_contra = None) -> None:  # type: ignore[assignment]
        """Report that the task is ready; ``nursery.start`` then returns ``value``."""


class _IgnoredTaskStatus:
    __slots__ = ()

    def started(self, value: Any = None) -> None:
        pass

    def __repr__(self) -> str:
        return "TASK_STATUS_IGNORED"


TASK_STATUS_IGNORED: TaskStatus[Any] = _IgnoredTaskStatus()
