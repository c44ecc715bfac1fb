"""`TaskStatus`: the type of what a function gets that can be run by ``nursery.start``."""

from __future__ import annotations

from typing import Protocol, overload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import TypeVar

    StatusT_contra = TypeVar("StatusT_contra", contravariant=True, default=None)
else:
    from typing import TypeVar

    StatusT_contra = TypeVar("StatusT_contra", contravariant=True)


class TaskStatus(Protocol[StatusT_contra]):
    """The type of the ``task_status`` argument of functions that ``nursery.start`` can run.

    The parameter is the type of the value that the function reports when it is ready; ``None``, if it is left out.
    """

    @overload
    def started(self: TaskStatus[None]) -> None: ...

    @overload
    def started(self, value: StatusT_contra) -> None: ...

    def started(self, value: StatusT_contra | None = None) -> None:
        """Report that the task is ready; ``nursery.start`` then returns ``value``."""
