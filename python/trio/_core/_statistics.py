"""Figures about a run."""

from __future__ import annotations

from .._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal


class EpollStatistics(Record):
    """How many tasks wait for file descriptors.

    Attributes:
      tasks_waiting_read: tasks that wait until they can read, the run's own one included.
      tasks_waiting_write: tasks that wait until they can write.
      backend: ``"epoll"``.
    """

    tasks_waiting_read: int
    tasks_waiting_write: int
    backend: Literal["epoll"] = "epoll"


class RunStatistics(Record):
    """Figures about a run, as `trio.lowlevel.current_statistics` returns them.

    Attributes:
      tasks_living: tasks that have been spawned and have not ended, system tasks included.
      tasks_runnable: tasks that run in the next turn of the loop.
      seconds_to_next_deadline: until the nearest deadline; negative if it has passed, ``inf`` if there is none.
      io_statistics: see `EpollStatistics`.
      run_sync_soon_queue_size: calls that wait in the queue of ``TrioToken.run_sync_soon``.
    """

    tasks_living: int
    tasks_runnable: int
    seconds_to_next_deadline: float
    io_statistics: EpollStatistics
    run_sync_soon_queue_size: int
