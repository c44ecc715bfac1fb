"""StapledStream and aclose_forcefully."""

from __future__ import annotations

import pytest

import trio
from trio.testing import MemoryReceiveStream, MemorySendStream, memory_stream_one_way_pair


def make() -> trio.StapledStream[MemorySendStream, MemoryReceiveStream]:
    return trio.StapledStream(MemorySendStream(), MemoryReceiveStream())


def test_it_is_a_pair_of_attributes() -> None:
    sender, receiver = MemorySendStream(), MemoryReceiveStream()
    stream = trio.StapledStream(sender, receiver)
    assert (stream.send_stream, stream.receive_stream) == (sender, receiver)
    assert trio.StapledStream(send_stream=sender, receive_stream=receiver).send_stream is sender
    assert repr(trio.StapledStream(1, 2)) == "StapledStream(send_stream=1, receive_stream=2)"  # type: ignore[type-var]
    assert trio.StapledStream(sender, receiver) != trio.StapledStream(sender, receiver)
    assert len({stream, trio.StapledStream(sender, receiver)}) == 2
    assert trio.StapledStream[MemorySendStream, MemoryReceiveStream](sender, receiver).receive_stream is receiver


def test_it_cannot_be_subclassed() -> None:
    with pytest.raises(TypeError, match="does not support subclassing"):
        type("Sub", (trio.StapledStream,), {})


def test_each_half_goes_its_way() -> None:
    async def main() -> None:
        echo = trio.StapledStream(*memory_stream_one_way_pair())
        await echo.send_all(b"hello")
        await echo.wait_send_all_might_not_block()
        assert await echo.receive_some(4) == b"hell"
        assert await echo.receive_some() == b"o"
        await echo.send_eof()
        assert await echo.receive_some() == b""

    trio.run(main)


def test_eof_is_sent_properly_if_the_sender_can() -> None:
    log: list[str] = []

    class CanEnd(trio.abc.SendStream):
        async def send_all(self, data: object) -> None: ...

        async def wait_send_all_might_not_block(self) -> None: ...

        async def send_eof(self) -> None:
            log.append("eof")

        async def aclose(self) -> None:
            log.append("close")

    async def main() -> None:
        stream = trio.StapledStream(CanEnd(), MemoryReceiveStream())
        await stream.send_eof()
        assert log == ["eof"]
        await stream.aclose()
        assert log == ["eof", "close"]

    trio.run(main)


@pytest.mark.parametrize("broken", [{"send"}, {"receive"}, {"send", "receive"}])
def test_both_halves_are_closed_even_if_one_fails(broken: set[str]) -> None:
    closed = []

    def hook(which: str) -> None:
        closed.append(which)
        if which in broken:
            raise OSError(which)

    async def main() -> None:
        stream = make()
        stream.send_stream.close_hook = lambda: hook("send")
        stream.receive_stream.close_hook = lambda: hook("receive")
        with pytest.raises(OSError, match=r"send|receive"):
            await stream.aclose()

    trio.run(main)
    assert closed == ["send", "receive"]


def test_forceful_closing_does_not_wait() -> None:
    seen: list[BaseException] = []

    class Polite(trio.abc.AsyncResource):
        async def aclose(self) -> None:
            try:
                await trio.sleep_forever()
            except trio.Cancelled as exc:
                seen.append(exc)
                raise

    async def main() -> None:
        await trio.aclose_forcefully(Polite())
        [exc] = seen
        assert "aclose_forcefully" in str(exc)

        class Failing(Polite):
            async def aclose(self) -> None:
                raise KeyError

        with pytest.raises(KeyError):
            await trio.aclose_forcefully(Failing())

    trio.run(main)
