"""Byte streams that never leave the process: two halves, and a pump between them.

A :class:`MemorySendStream` collects what is sent until the test takes it out; a :class:`MemoryReceiveStream`
gives out what the test put in.  Each is a thin shell around an :class:`_UnboundedByteQueue`.  What makes the pair
into a connection is :func:`memory_stream_pump`, and *when* it runs is decided by hooks:
:func:`memory_stream_one_way_pair` pumps after each ``send_all`` and each ``close``, and a test that replaces
the hooks gets another network.

Nothing ever blocks on the sending side; only a receiver can wait, and only one at a time, which is what the
conflict detectors enforce.
"""

from __future__ import annotations

import operator

from .. import _core
from .._highlevel_generic import StapledStream
from .._util import ConflictDetector, final
from ..abc import ReceiveStream, SendStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from typing_extensions import TypeAlias

    AsyncHook: TypeAlias = Callable[[], Awaitable[object]]
    SyncHook: TypeAlias = Callable[[], object]


def _take(buffer: bytearray, max_bytes: int | None) -> bytearray:
    """Remove up to ``max_bytes`` bytes (`None`: all) from the front of ``buffer`` and return them."""
    taken = buffer[:max_bytes]
    del buffer[:max_bytes]
    return taken


def _check_max_bytes(max_bytes: int | None) -> None:
    if max_bytes is not None and operator.index(max_bytes) < 1:
        raise ValueError("max_bytes must be >= 1")


class _UnboundedByteQueue:
    """Bytes in, bytes out, in order; a queue that was closed gives out what is left and then empty strings."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._closed = False
        self._getters = _core.ParkingLot()  # holds at most one task
        self._conflicts = ConflictDetector("another task is already fetching data")

    def close(self) -> None:
        self._closed = True
        self._getters.unpark_all()

    def close_and_wipe(self) -> None:
        """Close, and lose what has not been fetched."""
        self._data.clear()
        self.close()

    def put(self, data: bytes | bytearray | memoryview) -> None:
        if self._closed:
            raise _core.ClosedResourceError("virtual connection closed")
        self._data += data
        self._getters.unpark_all()

    def get_nowait(self, max_bytes: int | None = None) -> bytearray:
        with self._conflicts:
            _check_max_bytes(max_bytes)
            if not self._data and not self._closed:
                raise _core.WouldBlock
            return _take(self._data, max_bytes)

    async def get(self, max_bytes: int | None = None) -> bytearray:
        with self._conflicts:
            _check_max_bytes(max_bytes)
            if self._data or self._closed:
                await _core.checkpoint()
            else:
                await self._getters.park()
            return _take(self._data, max_bytes)


@final
class MemorySendStream(SendStream):
    """A `~trio.abc.SendStream` whose data ends up where the test can pick it up.

    Args:
      send_all_hook: async function, called by `send_all` after the data was stored.
      wait_send_all_might_not_block_hook: async function, called by the method of that name.
      close_hook: synchronous function, called by every `close` and `aclose`.

    The hooks take no arguments.  They are also attributes and may be replaced at any time; `None` means no hook.
    """

    def __init__(
        self,
        send_all_hook: AsyncHook | None = None,
        wait_send_all_might_not_block_hook: AsyncHook | None = None,
        close_hook: SyncHook | None = None,
    ) -> None:
        self._conflicts = ConflictDetector("another task is using this stream")
        self._sent = _UnboundedByteQueue()
        self.send_all_hook = send_all_hook
        self.wait_send_all_might_not_block_hook = wait_send_all_might_not_block_hook
        self.close_hook = close_hook

    async def _store(self, data: bytes | bytearray | memoryview) -> None:
        """The checkpoint comes first, so that a cancelled send leaves no trace."""
        await _core.checkpoint()
        self._sent.put(data)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Store ``data``, then call the ``send_all_hook``.  A checkpoint.

        Raises:
          trio.BusyResourceError: another task is in a method of this stream, its hooks included.
          trio.ClosedResourceError: the stream was closed.
        """
        with self._conflicts:
            await self._store(data)
            if self.send_all_hook is not None:
                await self.send_all_hook()

    async def wait_send_all_might_not_block(self) -> None:
        """Call the hook of the same name; `send_all` itself never blocks.  A checkpoint.

        Raises:
          trio.BusyResourceError: another task is in a method of this stream, its hooks included.
          trio.ClosedResourceError: the stream was closed.
        """
        with self._conflicts:
            await self._store(b"")
            if self.wait_send_all_might_not_block_hook is not None:
                await self.wait_send_all_might_not_block_hook()

    def close(self) -> None:
        """Close the stream at once, then call the ``close_hook``.  What was sent can still be picked up."""
        self._sent.close()
        if self.close_hook is not None:
            self.close_hook()

    async def aclose(self) -> None:
        """The same as `close`, followed by a checkpoint."""
        self.close()
        await _core.checkpoint()

    async def get_data(self, max_bytes: int | None = None) -> bytearray:
        """Take out data that was sent, waiting for some if there is none.  A checkpoint.

        Args:
          max_bytes: the most to take, at least 1; `None` takes everything.

        Returns:
          The data, which is empty only if the stream was closed and nothing is left.

        Raises:
          trio.BusyResourceError: another task is waiting here.
          ValueError: ``max_bytes`` is less than 1.
        """
        return await self._sent.get(max_bytes)

    def get_data_nowait(self, max_bytes: int | None = None) -> bytearray:
        """Like `get_data`, but raises `trio.WouldBlock` where that one would wait."""
        return self._sent.get_nowait(max_bytes)


@final
class MemoryReceiveStream(ReceiveStream):
    """A `~trio.abc.ReceiveStream` that gives out what the test has put in.

    Args:
      receive_some_hook: async function, called by `receive_some` before it looks for data.
      close_hook: synchronous function, called by every `close` and `aclose`.

    The hooks take no arguments.  They are also attributes and may be replaced at any time; `None` means no hook.
    """

    def __init__(self, receive_some_hook: AsyncHook | None = None, close_hook: SyncHook | None = None) -> None:
        self._conflicts = ConflictDetector("another task is using this stream")
        self._arrived = _UnboundedByteQueue()
        self._closed = False
        self.receive_some_hook = receive_some_hook
        self.close_hook = close_hook

    def _check_open(self) -> None:
        if self._closed:
            raise _core.ClosedResourceError

    async def receive_some(self, max_bytes: int | None = None) -> bytearray:
        """Call the ``receive_some_hook``, then return data, waiting for some if there is none.  A checkpoint.

        Args:
          max_bytes: the most to return, at least 1; `None` returns everything.

        Raises:
          trio.BusyResourceError: another task is receiving.
          trio.ClosedResourceError: the stream was closed, before or meanwhile.
          ValueError: ``max_bytes`` is less than 1.
        """
        with self._conflicts:
            await _core.checkpoint()
            self._check_open()
            if self.receive_some_hook is not None:
                await self.receive_some_hook()
            data = await self._arrived.get(max_bytes)
            self._check_open()
            return data

    def close(self) -> None:
        """Close the stream at once and throw away its data, then call the ``close_hook``."""
        self._closed = True
        self._arrived.close_and_wipe()
        if self.close_hook is not None:
            self.close_hook()

    async def aclose(self) -> None:
        """The same as `close`, followed by a checkpoint."""
        self.close()
        await _core.checkpoint()

    def put_data(self, data: bytes | bytearray | memoryview) -> None:
        """Append ``data`` to what can be received.

        Raises `trio.ClosedResourceError` after `put_eof` or `close`.
        """
        self._arrived.put(data)

    def put_eof(self) -> None:
        """End the data: once it has been received, `receive_some` returns empty strings."""
        self._arrived.close()


def memory_stream_pump(
    memory_send_stream: MemorySendStream,
    memory_receive_stream: MemoryReceiveStream,
    *,
    max_bytes: int | None = None,
) -> bool:
    """Move data, or the end of the data, from one memory stream to another.  Never waits.

    Args:
      memory_send_stream: where to take data that was sent.
      memory_receive_stream: where to put it.
      max_bytes: the most to move, at least 1; `None` moves everything.

    Returns:
      Whether there was anything to move.  The end of the data can be moved again and again.

    Raises:
      trio.BrokenResourceError: there was data and nobody to receive it any more; it is lost.
      ValueError: ``max_bytes`` is less than 1.
    """
    try:
        data = memory_send_stream.get_data_nowait(max_bytes)
    except _core.WouldBlock:
        return False
    if not data:
        memory_receive_stream.put_eof()
        return True
    try:
        memory_receive_stream.put_data(data)
    except _core.ClosedResourceError:
        raise _core.BrokenResourceError("MemoryReceiveStream was closed") from None
    return True


def memory_stream_one_way_pair() -> tuple[MemorySendStream, MemoryReceiveStream]:
    """Create a connection in one direction: what is sent into the first stream can be received from the second one.

    There is no limit to what it holds, so sending never blocks.  It consists of two separate streams and a call
    of `memory_stream_pump` in the first one's ``send_all_hook`` and ``close_hook``; change these to change the
    connection.
    """
    sender, receiver = MemorySendStream(), MemoryReceiveStream()

    def pump() -> None:
        memory_stream_pump(sender, receiver)

    async def async_pump() -> None:
        pump()

    sender.send_all_hook = async_pump
    sender.close_hook = pump
    return sender, receiver


def memory_stream_pair() -> tuple[
    StapledStream[MemorySendStream, MemoryReceiveStream],
    StapledStream[MemorySendStream, MemoryReceiveStream],
]:
    """Create a connection in both directions, and return its two ends.

    Each end is a `trio.StapledStream` of a `MemorySendStream` and a `MemoryReceiveStream`, so the hooks of a
    direction are found at ``end.send_stream`` and ``end.receive_stream``.  Sending never blocks.
    """
    here_out, there_in = memory_stream_one_way_pair()
    there_out, here_in = memory_stream_one_way_pair()
    return StapledStream(here_out, here_in), StapledStream(there_out, there_in)
