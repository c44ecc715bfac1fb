"""Two things that work for any stream: closing it without ado, and joining two of them.

Nothing here has state beyond the references that a :class:`StapledStream` holds; it never looks into the
streams it is made of.
"""

from __future__ import annotations

from . import _core
from ._abc import Generic, HalfCloseableStream
from ._util import final, fixup_module_metadata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from typing_extensions import TypeGuard

    from ._abc import AsyncResource, ReceiveStream, SendStream

    SendStreamT = TypeVar("SendStreamT", bound=SendStream)
    ReceiveStreamT = TypeVar("ReceiveStreamT", bound=ReceiveStream)
else:
    SendStreamT = ReceiveStreamT = object


async def aclose_forcefully(resource: AsyncResource) -> None:
    """Close an async resource now, without waiting for anything that a graceful close might wait for.  A checkpoint.

    It calls ``resource.aclose()`` where it is cancelled from the start, and relies on the promise of
    `trio.abc.AsyncResource.aclose` to do its work even then.  The peer may see a broken connection instead of
    its end.
    """
    with _core.CancelScope() as scope:
        scope.cancel(reason="cancelled during aclose_forcefully")
        await resource.aclose()


def _is_half_closeable(stream: SendStream) -> TypeGuard[HalfCloseableStream]:
    """By method and not by class: the stream may be a wrapper that grows the method with what it wraps."""
    return hasattr(stream, "send_eof")


@final
class StapledStream(HalfCloseableStream, Generic[SendStreamT, ReceiveStreamT]):
    """Joins a stream to send into and a stream to receive from, so that they are one `~trio.abc.HalfCloseableStream`.

    Args:
      send_stream: a `~trio.abc.SendStream`, where everything that is sent goes.
      receive_stream: a `~trio.abc.ReceiveStream`, where everything that is received comes from.

    Both arguments stay available as attributes.  The two need not have anything to do with each other: they may
    be the pipes of a process, or the two ends of the same connection, which makes an echo.
    """

    send_stream: SendStreamT
    receive_stream: ReceiveStreamT

    __match_args__ = ("send_stream", "receive_stream")

    def __init__(self, send_stream: SendStreamT, receive_stream: ReceiveStreamT) -> None:
        self.send_stream = send_stream
        self.receive_stream = receive_stream

    def __repr__(self) -> str:
        return f"StapledStream(send_stream={self.send_stream!r}, receive_stream={self.receive_stream!r})"

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """The same as ``self.send_stream.send_all(data)``."""
        await self.send_stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """The same as ``self.send_stream.wait_send_all_might_not_block()``."""
        await self.send_stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """End the data that is being sent.

        Calls ``self.send_stream.send_eof()`` if there is such a method; otherwise there is nothing else this stream
        could be good for, and it is closed.
        """
        stream = self.send_stream
        await (stream.send_eof() if _is_half_closeable(stream) else stream.aclose())

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """The same as ``self.receive_stream.receive_some(max_bytes)``."""
        return await self.receive_stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        """Close both streams, the second also if closing the first one failed."""
        try:
            await self.send_stream.aclose()
        finally:
            await self.receive_stream.aclose()


# Other modules hand these out before anybody has asked for them by name.
fixup_module_metadata("trio", {"StapledStream": StapledStream})
