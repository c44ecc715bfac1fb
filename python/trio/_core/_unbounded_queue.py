"""The deprecated `UnboundedQueue`, which is native, and its statistics."""

from __future__ import annotations

from .._native import UnboundedQueue as UnboundedQueue
from .._record import Record


class UnboundedQueueStatistics(Record):
    """The state of an `UnboundedQueue`.

    Attributes:
      qsize: how many items are in the queue.
      tasks_waiting: how many tasks wait in ``get_batch``.
    """

    qsize: int
    tasks_waiting: int
