"""Conformance tests for implementations of the stream interfaces.

The contract of :mod:`trio.abc` is cut into *scenarios*: async functions, each about one clause, that take the
sending and the receiving end of a fresh connection and fail with `AssertionError` (or whatever the stream
raises) if the clause is not kept.  A table per kind of stream lists the scenarios; some of them need a *clogged*
connection, where sending blocks until the other side receives.

The three public functions only choose tables and directions: a two-way stream is two one-way streams and a
little more, a half-closeable one is a two-way stream and a little more.  A connection never outlives its
scenario: both its ends are closed forcefully afterwards, which at the same time tests that this works in
whatever state they are.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress

from .. import _core
from .._highlevel_generic import aclose_forcefully
from ..abc import HalfCloseableStream, ReceiveStream, SendStream, Stream
from ._checkpoints import assert_checkpoints

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from typing import Any, TypeVar

    from typing_extensions import TypeAlias, Unpack

    Send = TypeVar("Send", bound=SendStream)
    Receive = TypeVar("Receive", bound=ReceiveStream)
    StreamMaker: TypeAlias = Callable[[], Awaitable[tuple[Send, Receive]]]
    Step: TypeAlias = tuple[Callable[..., Awaitable[object]], Unpack[tuple[Any, ...]]]
    OneWayScenario: TypeAlias = Callable[[SendStream, ReceiveStream], Awaitable[object]]

_CHUNK = b"x" * 100


# ---- vocabulary of the scenarios ----


@contextmanager
def _assert_raises(expected: type[BaseException]) -> Iterator[None]:
    """Like `pytest.raises`, without pytest."""
    __tracebackhide__ = True
    try:
        yield
    except expected:
        return
    raise AssertionError(f"expected exception: {expected}")


async def _send(sender: SendStream, data: bytes | bytearray | memoryview) -> None:
    with assert_checkpoints():
        result: object = await sender.send_all(data)  # type: ignore[func-returns-value]
        assert result is None


async def _receive(receiver: ReceiveStream, *max_bytes: int | None) -> bytes | bytearray:
    with assert_checkpoints():
        return await receiver.receive_some(*max_bytes)


async def _expect(receiver: ReceiveStream, data: bytes, *max_bytes: int | None) -> None:
    received = await _receive(receiver, *max_bytes)
    assert received == data, f"received {received!r}, expected {data!r}"


async def _close(resource: SendStream | ReceiveStream) -> None:
    with assert_checkpoints():
        await resource.aclose()


async def _wait_for_room(sender: SendStream) -> None:
    with assert_checkpoints():
        await sender.wait_send_all_might_not_block()


async def _fails(expected: type[BaseException], async_fn: Callable[..., Awaitable[object]], *args: object) -> None:
    with _assert_raises(expected):
        await async_fn(*args)


async def _together(*steps: Step) -> None:
    """Run async functions concurrently, each given as a tuple of the function and its arguments."""
    async with _core.open_nursery() as nursery:
        for async_fn, *args in steps:
            nursery.start_soon(async_fn, *args)


async def _while_blocked(
    blocked: Step,
    async_fn: Callable[..., Awaitable[object]],
    *args: object,
) -> None:
    """Start ``blocked``, run ``async_fn`` when it can get no further, and wait until both are done."""
    async with _core.open_nursery() as nursery:
        nursery.start_soon(blocked[0], *blocked[1:])
        await _core.wait_all_tasks_blocked()
        await async_fn(*args)


async def _is_busy_while(
    blocked: Step,
    async_fn: Callable[..., Awaitable[object]],
    *args: object,
) -> None:
    """``async_fn`` raises BusyResourceError as long as ``blocked`` runs, which is cancelled afterwards."""
    async with _core.open_nursery() as nursery:
        nursery.start_soon(blocked[0], *blocked[1:])
        await _core.wait_all_tasks_blocked()
        await _fails(_core.BusyResourceError, async_fn, *args)
        nursery.cancel_scope.cancel()


async def _send_until_broken(sender: SendStream) -> None:
    """It may take a while before word gets around that nobody is listening."""
    with _assert_raises(_core.BrokenResourceError):
        while True:
            await _send(sender, _CHUNK)


# ---- one direction ----


async def _exchange(sender: SendStream, receiver: ReceiveStream, data: bytes = b"x") -> None:
    """Besides sending something, this gives protocols with a handshake the chance to have it."""
    await _together((_send, sender, data), (_expect, receiver, data, len(data)))


async def _data_arrives(sender: SendStream, receiver: ReceiveStream) -> None:
    await _exchange(sender, receiver)
    await _send(sender, b"")  # sends nothing: what is received next is something else
    await _exchange(sender, receiver, b"y")


async def _any_kind_of_bytes_can_be_sent(sender: SendStream, receiver: ReceiveStream) -> None:
    for data in (bytearray(b"1"), memoryview(b"2")):
        await _together((_send, sender, data), (_expect, receiver, bytes(data), 1))


async def _the_size_is_checked(sender: SendStream, receiver: ReceiveStream) -> None:
    await _exchange(sender, receiver)
    await _fails(ValueError, receiver.receive_some, -1)
    await _fails(ValueError, receiver.receive_some, 0)
    await _fails(TypeError, receiver.receive_some, 1.5)
    for default in ((), (None,)):
        await _together((_send, sender, b"x"), (_expect, receiver, b"x", *default))


async def _receiving_is_exclusive(sender: SendStream, receiver: ReceiveStream) -> None:
    await _is_busy_while((_receive, receiver, 1), _receive, receiver, 1)


async def _room_for_a_waiting_receiver(sender: SendStream, receiver: ReceiveStream) -> None:
    async with _core.open_nursery() as nursery:
        nursery.start_soon(_receive, receiver, 1)
        await _wait_for_room(sender)
        nursery.cancel_scope.cancel()


async def _closing_the_receiver_breaks_the_sender(sender: SendStream, receiver: ReceiveStream) -> None:
    await _together((_send_until_broken, sender), (_close, receiver))
    await _send_until_broken(sender)  # and it stays broken
    await _fails(_core.ClosedResourceError, _receive, receiver, 4096)


async def _closing_the_sender_ends_the_data(sender: SendStream, receiver: ReceiveStream) -> None:
    async def receive_to_the_end() -> None:
        await _expect(receiver, b"y", 1)
        await _expect(receiver, b"", 1)

    async def send_and_close() -> None:
        await _send(sender, b"y")
        await _core.wait_all_tasks_blocked()
        await _close(sender)

    await _together((receive_to_the_end,), (send_and_close,))
    await _close(receiver)


async def _closed_means_closed(sender: SendStream, receiver: ReceiveStream) -> None:
    await _exchange(sender, receiver)
    await _together((_close, sender), (_close, receiver))
    for end in (receiver, sender):
        await _close(end)  # again
    await _fails(_core.ClosedResourceError, _send, sender, _CHUNK)
    await _fails(_core.ClosedResourceError, _send, sender, b"")
    await _fails(_core.ClosedResourceError, _wait_for_room, sender)
    await _fails(_core.ClosedResourceError, _receive, receiver, 4096)
    await _fails(_core.ClosedResourceError, _receive, receiver)


async def _forceful_close_of_the_receiver(sender: SendStream, receiver: ReceiveStream) -> None:
    await aclose_forcefully(receiver)
    await _send_until_broken(sender)
    await _fails(_core.ClosedResourceError, _receive, receiver, 4096)


async def _forceful_close_of_the_sender(sender: SendStream, receiver: ReceiveStream) -> None:
    await aclose_forcefully(sender)
    await _fails(_core.ClosedResourceError, _send, sender, b"123")
    with suppress(_core.BrokenResourceError):  # a proper end of the data is not promised
        await _expect(receiver, b"", 1)


async def _forceful_close_of_both(sender: SendStream, receiver: ReceiveStream) -> None:
    await aclose_forcefully(receiver)
    await aclose_forcefully(sender)
    await _fails(_core.ClosedResourceError, _send, sender, b"123")
    await _fails(_core.ClosedResourceError, _receive, receiver, 4096)


async def _cancellation_is_noticed_at_once(sender: SendStream, receiver: ReceiveStream) -> None:
    with _core.CancelScope() as scope:
        scope.cancel()
        await _fails(_core.Cancelled, _send, sender, b"x")
        await _fails(_core.Cancelled, _receive, receiver, 1)
    # None of this is the fault of the connection, which can be closed as ever.
    await _together((_close, sender), (_close, receiver))


async def _closing_wakes_the_receiver(sender: SendStream, receiver: ReceiveStream) -> None:
    await _while_blocked(
        (_fails, _core.ClosedResourceError, _receive, receiver, 10),
        aclose_forcefully,
        receiver,
    )


_ONE_WAY: Sequence[OneWayScenario] = (
    _data_arrives,
    _any_kind_of_bytes_can_be_sent,
    _the_size_is_checked,
    _receiving_is_exclusive,
    _room_for_a_waiting_receiver,
    _closing_the_receiver_breaks_the_sender,
    _closing_the_sender_ends_the_data,
    _closed_means_closed,
    _forceful_close_of_the_receiver,
    _forceful_close_of_the_sender,
    _forceful_close_of_both,
    _cancellation_is_noticed_at_once,
    _closing_wakes_the_receiver,
)


# ---- one direction, where sending blocks ----


async def _receiving_makes_room(sender: SendStream, receiver: ReceiveStream) -> None:
    async def drain() -> None:
        await _core.wait_all_tasks_blocked()
        while True:
            await _receive(receiver, 2**14)

    async with _core.open_nursery() as nursery:
        nursery.start_soon(drain)
        await _wait_for_room(sender)
        nursery.cancel_scope.cancel()


async def _sending_is_exclusive(sender: SendStream, receiver: ReceiveStream) -> None:
    await _is_busy_while((_wait_for_room, sender), _wait_for_room, sender)
    await _is_busy_while((_wait_for_room, sender), _send, sender, b"123")
    await _is_busy_while((_send, sender, b"123"), _send, sender, b"123")


async def _wait_ignoring_breakage(sender: SendStream) -> None:
    with suppress(_core.BrokenResourceError):
        await _wait_for_room(sender)


async def _nothing_waits_for_a_closed_receiver(sender: SendStream, receiver: ReceiveStream) -> None:
    await _while_blocked((_wait_ignoring_breakage, sender), aclose_forcefully, receiver)
    await _wait_ignoring_breakage(sender)


async def _closing_wakes_a_sender(sender: SendStream, receiver: ReceiveStream) -> None:
    await _while_blocked(
        (_fails, _core.ClosedResourceError, _send, sender, b"xyzzy"),
        aclose_forcefully,
        sender,
    )


async def _closing_wakes_a_sender_that_waits_for_room(sender: SendStream, receiver: ReceiveStream) -> None:
    await _while_blocked(
        (_fails, _core.ClosedResourceError, _wait_for_room, sender),
        aclose_forcefully,
        sender,
    )


_ONE_WAY_CLOGGED: Sequence[OneWayScenario] = (
    _receiving_makes_room,
    _sending_is_exclusive,
    _nothing_waits_for_a_closed_receiver,
    _closing_wakes_a_sender,
    _closing_wakes_a_sender_that_waits_for_room,
)


# ---- both directions ----


async def _bulk_data_survives(one: Stream, other: Stream) -> None:
    """Both sides send a lot at the same time, in pieces that have nothing to do with how it is received."""
    from random import Random

    rng = Random(0)
    text = rng.getrandbits(8 * 2**20).to_bytes(2**20, "little")

    async def send_in_pieces(sender: Stream) -> None:
        sent = 0
        while sent < len(text):
            size = rng.randrange(1, 2**14)
            await _send(sender, memoryview(text)[sent : sent + size])
            sent += size

    async def receive_in_pieces(receiver: Stream) -> None:
        received = bytearray()
        while len(received) < len(text):
            piece = await _receive(receiver, rng.randrange(1, 2**14))
            assert piece, "the data ended early"
            received += piece
        assert received == text

    await _together(*[(step, end) for step in (send_in_pieces, receive_in_pieces) for end in (one, other)])


async def _closing_ends_both_directions(one: Stream, other: Stream) -> None:
    await _exchange(one, other)
    await _together((_close, one), (_expect, other, b"", 10))
    await _fails(_core.ClosedResourceError, _send, one, _CHUNK)
    await _fails(_core.ClosedResourceError, _receive, one, 10)
    await _close(other)


_TWO_WAY: Sequence[Callable[[Stream, Stream], Awaitable[object]]] = (
    _bulk_data_survives,
    _closing_ends_both_directions,
)


# ---- half-closing ----


async def _send_eof(stream: HalfCloseableStream) -> None:
    with assert_checkpoints():
        await stream.send_eof()


async def _directions_end_independently(one: HalfCloseableStream, other: HalfCloseableStream) -> None:
    async def send_and_end(stream: HalfCloseableStream) -> None:
        await _send(stream, b"x")
        await _send_eof(stream)

    async def receive_and_see_the_end(stream: HalfCloseableStream) -> None:
        await _expect(stream, b"x", 10)
        await _expect(stream, b"", 10)

    for near, far in ((one, other), (other, one)):
        await _together((send_and_end, near), (receive_and_see_the_end, far))
        await _fails(_core.ClosedResourceError, _send, near, b"y")
        await _send_eof(near)  # once more does no harm


_HALF_CLOSEABLE: Sequence[Callable[[HalfCloseableStream, HalfCloseableStream], Awaitable[object]]] = (
    _directions_end_independently,
)


async def _no_eof_into_the_middle_of_a_message(one: HalfCloseableStream, other: HalfCloseableStream) -> None:
    await _is_busy_while((_send, one, _CHUNK), _send_eof, one)


_HALF_CLOSEABLE_CLOGGED: Sequence[Callable[[HalfCloseableStream, HalfCloseableStream], Awaitable[object]]] = (
    _no_eof_into_the_middle_of_a_message,
)


# ---- running the tables ----


async def _run(
    scenarios: Sequence[Callable[[Any, Any], Awaitable[object]]],
    stream_maker: Callable[[], Awaitable[tuple[Send, Receive]]],
) -> None:
    for scenario in scenarios:
        ends = await stream_maker()
        try:
            await scenario(*ends)
        finally:
            for end in ends:
                await aclose_forcefully(end)


def _reversed(stream_maker: StreamMaker[Stream, Stream]) -> StreamMaker[Stream, Stream]:
    async def maker() -> tuple[Stream, Stream]:
        one, other = await stream_maker()
        return other, one

    return maker


async def check_one_way_stream(
    stream_maker: StreamMaker[SendStream, ReceiveStream],
    clogged_stream_maker: StreamMaker[SendStream, ReceiveStream] | None,
) -> None:
    """Test an implementation of `~trio.abc.SendStream` and `~trio.abc.ReceiveStream`.

    Call it inside a run, from a test of your own.  The same arguments make sense for its two siblings.

    Args:
      stream_maker: async function without arguments that returns a fresh, connected pair: what is sent into the
        first can be received from the second.  It is called many times.
      clogged_stream_maker: the same, except that ``send_all`` on the first blocks, as does
        ``wait_send_all_might_not_block``, until somebody receives from the second.  Usually made by filling up
        all the buffers in between.  `None` if there is no such thing; the tests that need it are then left out.

    Raises:
      AssertionError: something is not as the interface promises.  Any other exception is the stream's own; both may
        come inside an exception group.
    """
    await _run(_ONE_WAY, stream_maker)
    if clogged_stream_maker is not None:
        await _run(_ONE_WAY_CLOGGED, clogged_stream_maker)


async def check_two_way_stream(
    stream_maker: StreamMaker[Stream, Stream],
    clogged_stream_maker: StreamMaker[Stream, Stream] | None,
) -> None:
    """Test an implementation of `~trio.abc.Stream`.

    Like `check_one_way_stream` in both directions, and with some tests of both at once.  A clogged pair has to
    be clogged in both directions.
    """
    await check_one_way_stream(stream_maker, clogged_stream_maker)
    await check_one_way_stream(
        _reversed(stream_maker),
        None if clogged_stream_maker is None else _reversed(clogged_stream_maker),
    )
    await _run(_TWO_WAY, stream_maker)


async def check_half_closeable_stream(
    stream_maker: StreamMaker[HalfCloseableStream, HalfCloseableStream],
    clogged_stream_maker: StreamMaker[HalfCloseableStream, HalfCloseableStream] | None,
) -> None:
    """Test an implementation of `~trio.abc.HalfCloseableStream`.

    Like `check_two_way_stream`, and with tests of ``send_eof`` in addition.
    """
    await check_two_way_stream(stream_maker, clogged_stream_maker)
    await _run(_HALF_CLOSEABLE, stream_maker)
    if clogged_stream_maker is not None:
        await _run(_HALF_CLOSEABLE_CLOGGED, clogged_stream_maker)
