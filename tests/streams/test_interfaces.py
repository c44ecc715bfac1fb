"""trio.abc: what an implementation gets for free, and what it has to bring."""

from __future__ import annotations

import inspect
import socket
from typing import Any, Generic, TypeVar

import pytest

import trio
import trio.testing

T = TypeVar("T")
ALL = [getattr(trio.abc, name) for name in dir(trio.abc) if not name.startswith("_") and name[0].isupper()]


class Pieces(trio.abc.ReceiveStream):
    """Gives out a list of pieces, and records the arguments of each call."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.calls: list[tuple[object, ...]] = []

    async def receive_some(self, *args: object) -> bytes:
        self.calls.append(args)
        await trio.lowlevel.checkpoint()
        return self.pieces.pop(0) if self.pieces else b""

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


def test_every_interface_is_public_and_says_so() -> None:
    assert len(ALL) == 13
    for interface in ALL:
        assert interface.__module__ == "trio.abc"
        assert interface.__doc__


@pytest.mark.parametrize("interface", [c for c in ALL if c is not trio.abc.Instrument])
def test_an_interface_cannot_be_used_by_itself(interface: type) -> None:
    with pytest.raises(TypeError, match="abstract"):
        interface()


def test_implementations_choose_their_own_slots() -> None:
    for interface in ALL:
        assert interface.__slots__ == ()

    class Small(trio.abc.Instrument):
        __slots__ = ("x",)

    assert not hasattr(Small(), "__dict__")


def test_an_instrument_may_override_nothing() -> None:
    instrument = trio.abc.Instrument()
    for name, function in inspect.getmembers(trio.abc.Instrument, inspect.isfunction):
        arguments = [object()] * (len(inspect.signature(function).parameters) - 1)
        assert getattr(instrument, name)(*arguments) is None


def test_socket_factories_have_the_defaults_of_socket() -> None:
    parameters = inspect.signature(trio.abc.SocketFactory.socket).parameters
    assert parameters["family"].default is socket.AF_INET
    assert parameters["type"].default is socket.SOCK_STREAM
    assert parameters["proto"].default == 0


def test_a_resource_is_closed_at_the_end_of_its_block() -> None:
    log: list[str] = []

    class Resource(trio.abc.AsyncResource):
        async def aclose(self) -> None:
            log.append("closed")

    async def main() -> None:
        async with Resource() as resource:
            assert isinstance(resource, Resource)
            log.append("block")
        with pytest.raises(KeyError):
            async with resource:
                raise KeyError
        assert log == ["block", "closed", "closed"]

    trio.run(main)


def test_a_stream_can_be_iterated() -> None:
    async def main() -> None:
        stream = Pieces(b"one", b"two")
        assert [piece async for piece in stream] == [b"one", b"two"]
        assert stream.calls == [()] * 3
        with pytest.raises(StopAsyncIteration):
            await stream.__anext__()

    trio.run(main)


def test_a_channel_can_be_iterated() -> None:
    class Countdown(trio.abc.ReceiveChannel[int]):
        def __init__(self, start: int) -> None:
            self.value = start

        async def receive(self) -> int:
            await trio.lowlevel.checkpoint()
            if not self.value:
                raise trio.EndOfChannel
            self.value -= 1
            return self.value

        async def aclose(self) -> None:
            await trio.lowlevel.checkpoint()

    async def main() -> None:
        assert [value async for value in Countdown(3)] == [2, 1, 0]
        with pytest.raises(StopAsyncIteration) as caught:
            await Countdown(0).__anext__()
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    trio.run(main)


def test_parametrised_interfaces() -> None:
    class IntSender(trio.abc.SendChannel[int]):
        pass

    class Either(trio.abc.Channel[T]):
        pass

    class Both(trio.abc.SendChannel[T], Generic[T]):
        pass

    for cls in (IntSender, Either, Both):
        assert issubclass(cls, trio.abc.SendChannel)
        assert issubclass(cls, trio.abc.AsyncResource)
    assert issubclass(Either, trio.abc.ReceiveChannel)
    aliases: list[Any] = [trio.abc.Listener[trio.SocketStream], Either[int], Both[str], trio.abc.ReceiveChannel[Any]]
    for alias in aliases:
        assert alias.__origin__
    assert trio.abc.SendChannel[int] == trio.abc.SendChannel[int]
    assert repr(trio.abc.SendChannel[int]) == "trio.abc.SendChannel[int]"


def test_what_trio_makes_implements_them() -> None:
    async def main() -> None:
        sender, receiver = trio.open_memory_channel[int](0)
        assert isinstance(sender, trio.abc.SendChannel)
        assert isinstance(receiver, trio.abc.ReceiveChannel)
        assert not isinstance(sender, trio.abc.ReceiveChannel)
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            assert isinstance(listener, trio.abc.Listener)
        assert isinstance(trio.lowlevel.current_clock(), trio.abc.Clock)

    trio.run(main)
    assert issubclass(trio.SocketStream, trio.abc.HalfCloseableStream)
    assert issubclass(trio.SSLStream, trio.abc.Stream)
    assert issubclass(trio.lowlevel.FdStream, trio.abc.Stream)
    assert issubclass(trio.testing.MockClock, trio.abc.Clock)
