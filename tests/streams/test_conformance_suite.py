"""check_one_way_stream and its siblings have to notice a stream that breaks the rules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import trio
from trio.testing import (
    check_half_closeable_stream,
    check_one_way_stream,
    check_two_way_stream,
    lockstep_stream_pair,
    memory_stream_pair,
    wait_all_tasks_blocked,
)

LIMIT = 0.5  # seconds; a hang is also a way to notice


class Stream(trio.abc.HalfCloseableStream):
    """Passes everything on; subclasses commit one crime each."""

    def __init__(self, inner: trio.abc.HalfCloseableStream) -> None:
        self.inner = inner

    async def send_all(self, data: Any) -> None:
        await self.inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self.inner.receive_some(max_bytes)

    async def send_eof(self) -> None:
        await self.inner.send_eof()

    async def aclose(self) -> None:
        await self.inner.aclose()


class SendReturnsSomething(Stream):
    async def send_all(self, data: Any) -> Any:
        await super().send_all(data)
        return len(data)


class SendIsNoCheckpoint(Stream):
    async def send_all(self, data: Any) -> None:
        if data:
            await super().send_all(data)


class SendTakesOnlyBytes(Stream):
    async def send_all(self, data: Any) -> None:
        if type(data) is not bytes:
            raise TypeError("bytes")
        await super().send_all(data)


class SendDropsData(Stream):
    async def send_all(self, data: Any) -> None:
        await super().send_all(bytes(data[:1000]))


class SendGarbles(Stream):
    async def send_all(self, data: Any) -> None:
        await super().send_all(bytes(data).upper())


class SendWorksAfterClose(Stream):
    closed = False

    async def send_all(self, data: Any) -> None:
        if self.closed:
            await trio.lowlevel.checkpoint()
        else:
            await super().send_all(data)

    async def aclose(self) -> None:
        self.closed = True
        await super().aclose()


class SendConfusesClosedAndBroken(Stream):
    async def send_all(self, data: Any) -> None:
        try:
            await super().send_all(data)
        except trio.ClosedResourceError:
            raise trio.BrokenResourceError from None


class WaitConfusesClosedAndBroken(Stream):
    async def wait_send_all_might_not_block(self) -> None:
        try:
            await super().wait_send_all_might_not_block()
        except trio.ClosedResourceError:
            raise trio.BrokenResourceError from None


class WaitIsNoCheckpoint(Stream):
    async def wait_send_all_might_not_block(self) -> None:
        pass


class ReceiveTakesAnySize(Stream):
    async def receive_some(self, max_bytes: Any = None) -> bytes | bytearray:
        if max_bytes is not None and max_bytes < 1:
            await trio.lowlevel.checkpoint()
            return b""
        return await super().receive_some(max_bytes)


class ReceiveTakesFractions(Stream):
    async def receive_some(self, max_bytes: Any = None) -> bytes | bytearray:
        return await super().receive_some(None if max_bytes is None else int(max_bytes))


class ReceiveNeedsASize(Stream):
    async def receive_some(self, max_bytes: Any = 1) -> bytes | bytearray:
        if max_bytes is None:
            raise TypeError("None")
        return await super().receive_some(max_bytes)


class ReceiveReturnsTooMuch(Stream):
    async def receive_some(self, max_bytes: Any = None) -> bytes | bytearray:
        data = await super().receive_some(max_bytes)
        return data * 2


class ReceiveIsNotExclusive(Stream):
    def __init__(self, inner: trio.abc.HalfCloseableStream) -> None:
        super().__init__(inner)
        self.lock = trio.Lock()

    async def receive_some(self, max_bytes: Any = None) -> bytes | bytearray:
        async with self.lock:
            return await super().receive_some(max_bytes)


class ReceiveRaisesAtTheEnd(Stream):
    async def receive_some(self, max_bytes: Any = None) -> bytes | bytearray:
        data = await super().receive_some(max_bytes)
        if not data:
            raise trio.EndOfChannel
        return data


class ReceiveWorksAfterClose(Stream):
    async def receive_some(self, max_bytes: Any = None) -> bytes | bytearray:
        try:
            return await super().receive_some(max_bytes)
        except trio.ClosedResourceError:
            return b""


class CloseIsNoCheckpoint(Stream):
    async def aclose(self) -> None:
        for half in (self.inner.send_stream, self.inner.receive_stream):  # type: ignore[attr-defined]
            half.close()


class CloseOnlyOnce(Stream):
    closed = False

    async def aclose(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True
        await super().aclose()


class CloseGivesUpWhenCancelled(Stream):
    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()
        await super().aclose()


class EofIsNoCheckpoint(Stream):
    async def send_eof(self) -> None:
        self.inner.send_stream.close()  # type: ignore[attr-defined]


class EofOnlyOnce(Stream):
    ended = False

    async def send_eof(self) -> None:
        if self.ended:
            raise RuntimeError("ended already")
        self.ended = True
        await super().send_eof()


class EofEndsBothDirections(Stream):
    async def send_eof(self) -> None:
        await self.inner.aclose()


class EofDoesNothing(Stream):
    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()


CRIMES = [
    SendReturnsSomething,
    SendIsNoCheckpoint,
    SendTakesOnlyBytes,
    SendDropsData,
    SendGarbles,
    SendWorksAfterClose,
    SendConfusesClosedAndBroken,
    WaitConfusesClosedAndBroken,
    WaitIsNoCheckpoint,
    ReceiveTakesAnySize,
    ReceiveTakesFractions,
    ReceiveNeedsASize,
    ReceiveReturnsTooMuch,
    ReceiveIsNotExclusive,
    ReceiveRaisesAtTheEnd,
    ReceiveWorksAfterClose,
    CloseIsNoCheckpoint,
    CloseOnlyOnce,
    CloseGivesUpWhenCancelled,
    EofIsNoCheckpoint,
    EofOnlyOnce,
    EofEndsBothDirections,
    EofDoesNothing,
]


def makers(cls: type[Stream], pair: Callable[[], Any]) -> Callable[[], Awaitable[tuple[Stream, Stream]]]:
    async def maker() -> tuple[Stream, Stream]:
        one, two = pair()
        return cls(one), cls(two)

    return maker


async def run_check(check: Callable[..., Awaitable[None]], *args: object) -> None:
    with trio.fail_after(LIMIT):
        await check(*args)


@pytest.mark.parametrize("pair", [memory_stream_pair, lockstep_stream_pair])
@pytest.mark.parametrize("check", [check_one_way_stream, check_two_way_stream])
def test_a_good_stream_passes(check: Any, pair: Any) -> None:
    maker = makers(Stream, pair)
    trio.run(check, maker, maker if pair is lockstep_stream_pair else None)


def test_a_good_half_closeable_stream_passes() -> None:
    trio.run(check_half_closeable_stream, makers(Stream, memory_stream_pair), None)


@pytest.mark.parametrize("crime", CRIMES)
def test_a_bad_stream_is_noticed(crime: type[Stream]) -> None:
    with pytest.raises(BaseException) as caught:  # AssertionError, or the stream's own, or a group, or a hang
        trio.run(run_check, check_half_closeable_stream, makers(crime, memory_stream_pair), None)
    assert isinstance(caught.value, Exception)


class WaitReturnsAtOnce(Stream):
    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()


class SendIsNotExclusive(Stream):
    def __init__(self, inner: trio.abc.HalfCloseableStream) -> None:
        super().__init__(inner)
        self.lock = trio.Lock()

    async def send_all(self, data: Any) -> None:
        async with self.lock:
            await super().send_all(data)


class ClosingDoesNotWakeTheSender(Stream):
    async def send_all(self, data: Any) -> None:
        try:
            await super().send_all(data)
        except trio.ClosedResourceError:
            if data == b"xyzzy":
                await trio.sleep_forever()
            raise


@pytest.mark.parametrize("crime", [WaitReturnsAtOnce, SendIsNotExclusive, ClosingDoesNotWakeTheSender])
def test_a_clogged_stream_shows_more(crime: type[Stream]) -> None:
    good = makers(Stream, lockstep_stream_pair)
    with pytest.raises(BaseException) as caught:
        trio.run(run_check, check_one_way_stream, good, makers(crime, lockstep_stream_pair))
    assert isinstance(caught.value, Exception)


def test_every_connection_is_closed_in_the_end() -> None:
    ends: list[Stream] = []

    class Counting(Stream):
        closed = False

        async def aclose(self) -> None:
            self.closed = True
            await super().aclose()

    async def maker() -> tuple[Stream, Stream]:
        pair = await makers(Counting, memory_stream_pair)()
        ends.extend(pair)
        return pair

    trio.run(check_half_closeable_stream, maker, None)
    assert ends
    assert all(end.closed for end in ends)  # type: ignore[attr-defined]


def test_it_finishes_inside_a_run_with_other_tasks() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await check_two_way_stream(makers(Stream, memory_stream_pair), None)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    trio.run(main)
