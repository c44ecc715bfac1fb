"""Memory channels.

The channels themselves are native. Here are the class that opens one, which has to be a class because it can be subscripted,
``open_memory_channel[int](5)``, and what ``statistics()`` returns.
"""

from __future__ import annotations

from ._native import (
    MemoryChannelState as MemoryChannelState,
    MemoryReceiveChannel as MemoryReceiveChannel,
    MemorySendChannel as MemorySendChannel,
    open_channel,
)
from ._record import Record
from ._util import final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")
    Count = int


class MemoryChannelStatistics(Record):
    """The state of a memory channel.

    Attributes:
      current_buffer_used: how many values are in the buffer.
      max_buffer_size: how many there can be; may be ``math.inf``.
      open_send_channels: senders that have not been closed, the original one and its clones.
      open_receive_channels: the same for receivers.
      tasks_waiting_send: how many tasks wait in ``send``.
      tasks_waiting_receive: how many tasks wait in ``receive``.
      peak_buffer_used: the most values that have ever been in the buffer.
    """

    current_buffer_used: Count
    max_buffer_size: int | float
    open_send_channels: Count
    open_receive_channels: Count
    tasks_waiting_send: Count
    tasks_waiting_receive: Count
    peak_buffer_used: Count


@final
class open_memory_channel(tuple["MemorySendChannel[T]", "MemoryReceiveChannel[T]"]):
    """Open a channel: a way to pass objects from task to task, with or without a buffer in between.

    It can be told what it carries: ``open_memory_channel[int](0)``. Only type checkers care.

    Args:
      max_buffer_size: how many values may wait to be received before ``send`` waits, too: an integer from 0 up, or
        ``math.inf``. With 0, the sender waits until somebody takes the value. See "Buffering in channels" in Trio's reference
        for what to choose: small numbers.

    Returns:
      The two ends, a `MemorySendChannel` and a `MemoryReceiveChannel`, as a tuple.

    Raises:
      TypeError: if ``max_buffer_size`` is neither an int nor ``math.inf``.
      ValueError: if it is negative.
    """

    def __new__(cls, max_buffer_size: int | float) -> tuple[MemorySendChannel[T], MemoryReceiveChannel[T]]:  # type: ignore[misc]
        return open_channel(max_buffer_size)
