"""A connection without any buffer: ``send_all`` returns only when the other side has received everything.

The opposite extreme of the memory streams.  A protocol that works over both does not depend on how much the
network happens to hold.

Both ends share one :class:`_Lockstep`, which knows the bytes on offer, who has closed, and whether a receiver
is waiting.  Every change of that state wakes everyone who waits, and each waiter looks at its own condition
again.  At most one task per side can be waiting, so this is no stampede.
"""

from __future__ import annotations

from .. import _core
from .._highlevel_generic import StapledStream
from .._util import ConflictDetector
from ..abc import ReceiveStream, SendStream
from ._memory_streams import _check_max_bytes, _take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class _Lockstep:
    """The state between the two ends of a lockstep stream, and the waiting."""

    def __init__(self) -> None:
        self.offered = bytearray()  # sent and not received yet; a send that was cancelled leaves its rest here
        self.sender_closed = False
        self.receiver_closed = False
        self.receiver_waiting = False
        self.sending = ConflictDetector("another task is already sending")
        self.receiving = ConflictDetector("another task is already receiving")
        self._waiters = _core.ParkingLot()

    def changed(self) -> None:
        self._waiters.unpark_all()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for ``condition()`` to be true.  A checkpoint even if it is true already."""
        if condition():
            await _core.checkpoint()
        while not condition():
            await self._waiters.park()


class _LockstepSendStream(SendStream):
    def __init__(self, link: _Lockstep) -> None:
        self._link = link

    def _check_open(self) -> None:
        if self._link.sender_closed:
            raise _core.ClosedResourceError

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        link = self._link
        with link.sending:
            self._check_open()
            if link.receiver_closed:
                raise _core.BrokenResourceError
            link.offered += data
            link.changed()
            await link.until(lambda: not link.offered or link.sender_closed or link.receiver_closed)
            self._check_open()
            if link.offered:
                raise _core.BrokenResourceError

    async def wait_send_all_might_not_block(self) -> None:
        link = self._link
        with link.sending:
            self._check_open()
            await link.until(lambda: link.receiver_waiting or link.sender_closed or link.receiver_closed)
            self._check_open()

    def close(self) -> None:
        self._link.sender_closed = True
        self._link.changed()

    async def aclose(self) -> None:
        self.close()
        await _core.checkpoint()


class _LockstepReceiveStream(ReceiveStream):
    def __init__(self, link: _Lockstep) -> None:
        self._link = link

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        link = self._link
        with link.receiving:
            _check_max_bytes(max_bytes)
            if link.receiver_closed:
                raise _core.ClosedResourceError
            link.receiver_waiting = True
            link.changed()
            try:
                await link.until(lambda: link.offered or link.sender_closed or link.receiver_closed)
            finally:
                link.receiver_waiting = False
            if link.receiver_closed:
                raise _core.ClosedResourceError
            if not link.offered:
                return b""
            received = _take(link.offered, max_bytes)
            link.changed()
            return received

    def close(self) -> None:
        self._link.receiver_closed = True
        self._link.changed()

    async def aclose(self) -> None:
        self.close()
        await _core.checkpoint()


def lockstep_stream_one_way_pair() -> tuple[SendStream, ReceiveStream]:
    """Create a connection in one direction that holds nothing.

    ``send_all`` on the first stream returns when the second one has received all the data, and
    ``wait_send_all_might_not_block`` when somebody is waiting to receive.  If a ``send_all`` is cancelled, what
    it could not get rid of will still arrive.
    """
    link = _Lockstep()
    return _LockstepSendStream(link), _LockstepReceiveStream(link)


def lockstep_stream_pair() -> tuple[
    StapledStream[SendStream, ReceiveStream],
    StapledStream[SendStream, ReceiveStream],
]:
    """Create a connection in both directions, each like that of `lockstep_stream_one_way_pair`, and return its two ends."""
    here_out, there_in = lockstep_stream_one_way_pair()
    there_out, here_in = lockstep_stream_one_way_pair()
    return StapledStream(here_out, here_in), StapledStream(there_out, there_in)
