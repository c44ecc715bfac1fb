"""SSLStream's calls: alone, at the same time, cancelled, with all sorts of arguments."""

from __future__ import annotations

import array
import random
import ssl
from typing import Any

import pytest

import trio
import trio.testing
from tests.tls.peers import (
    NAME,
    Stream,
    better_than_genuine,
    client_context,
    connected,
    each_side,
    each_version,
    pair,
    server_context,
)


async def receive_exactly(stream: Any, size: int) -> bytes:
    received = b""
    while len(received) < size:
        chunk = await stream.receive_some()
        assert chunk
        received += chunk
    return received


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"x" * 2**14,
        b"x" * (2**14 + 1),
        bytearray(b"some bytes"),
        memoryview(b"some bytes")[2:5],
        memoryview(array.array("i", range(1000))),
        array.array("H", [1, 2, 3]),
        random.Random(0).randbytes(3_000_001),
        bytearray(2**18 + 1),
        memoryview(array.array("d", [1.5] * 100_000)),
    ],
    ids=lambda data: f"{type(data).__name__}-{len(data)}",
)
def test_send_all_sends_all(data: Any) -> None:
    async def main() -> None:
        stream, peer = await connected()
        expected = bytes(memoryview(data).cast("B"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, data)
            received = b""
            while len(received) < len(expected):
                received += await peer.receive()
        assert received == expected
        if isinstance(data, bytearray):
            data.append(0)  # is not locked any more

    trio.run(main)


@pytest.mark.parametrize("data", ["text", 5, memoryview(b"abcdef")[::2], [1, 2]])
def test_send_all_of_what_is_not_bytes(data: Any) -> None:
    async def main() -> None:
        stream, peer = await connected()
        with pytest.raises((TypeError, BufferError)):
            await stream.send_all(data)
        # Nothing has happened.
        await stream.send_all(b"fine")
        assert await peer.receive() == b"fine"

    trio.run(main)


def test_receive_some_sizes() -> None:
    async def main() -> None:
        stream, peer = await connected()
        await peer.send(b"0123456789")
        with trio.testing.assert_checkpoints():
            assert await stream.receive_some(1) == b"0"
        for size, error in ((0, ValueError), (-1, ValueError), ("1", TypeError), (1.0, TypeError)):
            with pytest.raises(error):
                await stream.receive_some(size)  # type: ignore[arg-type]
        for size, expected in ((2, b"12"), (7, b"3456789")):
            with trio.testing.assert_checkpoints():
                assert await stream.receive_some(size) == expected
        await peer.send(b"next")
        with trio.testing.assert_checkpoints():
            assert await stream.receive_some(10**9) == b"next"
        assert await receive_in_background(stream, peer, 100_000) == bytes(100_000)

    async def receive_in_background(stream: Stream, peer: Any, size: int) -> bytes:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.send, bytes(size))
            return await receive_exactly(stream, size)

    trio.run(main)


@each_version
@each_side
def test_first_use_performs_the_handshake(version: str, server_side: bool) -> None:
    async def main() -> None:
        for first in ("send", "receive", "empty", "handshake"):
            stream, peer = pair(version, server_side)
            for name in ("getpeercert", "cipher", "version", "session_reused"):
                with pytest.raises(trio.NeedHandshakeError, match=name):
                    getattr(stream, name)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(peer.do_handshake)
                with trio.testing.assert_checkpoints():
                    if first == "send":
                        await stream.send_all(b"x")
                    elif first == "empty":
                        await stream.send_all(b"")
                    elif first == "handshake":
                        await stream.do_handshake()
                    else:
                        nursery.start_soon(stream.receive_some)
                        await trio.testing.wait_all_tasks_blocked()
                        nursery.cancel_scope.cancel()
            assert stream.version() == {"tls12": "TLSv1.2", "tls13": "TLSv1.3"}[version]
            if not server_side:
                assert ("DNS", NAME) in stream.getpeercert()["subjectAltName"]

    trio.run(main)


def test_one_handshake_for_all_tasks() -> None:
    async def main() -> None:
        stream, peer = pair()
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(stream.do_handshake)
            nursery.start_soon(stream.send_all, b"hello")

            async def receive() -> None:
                assert await stream.receive_some() == b"world"

            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            await peer.do_handshake()
            assert await peer.receive() == b"hello"
            await peer.send(b"world")

    trio.run(main)


def test_cancelled_waiter_does_not_disturb_the_handshake() -> None:
    async def main() -> None:
        stream, peer = pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.do_handshake)
            await trio.testing.wait_all_tasks_blocked()
            with trio.CancelScope() as scope:
                nursery.start_soon(lambda: cancel_when_blocked(scope))
                await stream.do_handshake()
            assert scope.cancelled_caught
            await peer.do_handshake()
        await stream.send_all(b"x")

    async def cancel_when_blocked(scope: trio.CancelScope) -> None:
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()

    trio.run(main)


def test_cancelled_handshake_breaks_the_connection() -> None:
    async def main() -> None:
        stream, _peer = pair()
        with trio.move_on_after(0.05) as scope:
            await stream.do_handshake()
        assert scope.cancelled_caught
        for attempt in (stream.do_handshake(), stream.send_all(b"x"), stream.receive_some()):
            with pytest.raises(trio.BrokenResourceError):
                await attempt
        # Nothing to say goodbye to.
        with trio.fail_after(1):
            await stream.aclose()

    trio.run(main)


@better_than_genuine
def test_failed_handshake_wakes_those_who_wait_for_it() -> None:
    async def main() -> None:
        stream, _peer = pair()
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()

            async def first() -> None:
                with scope:
                    await stream.do_handshake()

            async def second() -> None:
                with pytest.raises(trio.BrokenResourceError):
                    await stream.receive_some()

            nursery.start_soon(first)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(second)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()

    trio.run(main)


@each_version
def test_cancelled_receive_loses_nothing(version: str) -> None:
    async def main() -> None:
        stream, peer = await connected(version)
        expected = bytearray()
        received = bytearray()
        for number in range(30):
            text = b"%d," % number
            await peer.send(text)
            expected += text
            with trio.CancelScope() as scope:
                if number % 3:
                    scope.cancel()
                received += await stream.receive_some(1 + number % 2)
        while len(received) < len(expected):
            received += await stream.receive_some()
        assert received == expected

    trio.run(main)


def test_send_that_was_cancelled_before_it_began_harms_nothing() -> None:
    async def main() -> None:
        stream, peer = await connected()
        with trio.CancelScope() as scope:
            scope.cancel()
            await stream.send_all(b"never")
        assert scope.cancelled_caught
        await stream.send_all(b"ever")
        assert await peer.receive() == b"ever"

    trio.run(main)


def lockstep_pair() -> tuple[Stream, Stream]:
    ours, theirs = trio.testing.lockstep_stream_pair()
    client = trio.SSLStream(ours, client_context(), server_hostname=NAME)
    server = trio.SSLStream(theirs, server_context(), server_side=True)
    return client, server


async def lockstep_connected() -> tuple[Stream, Stream]:
    client, server = lockstep_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.do_handshake)
        nursery.start_soon(server.do_handshake)
    return client, server


def test_send_that_was_cancelled_in_the_middle_breaks_the_connection() -> None:
    async def main() -> None:
        client, server = await lockstep_connected()
        with trio.move_on_after(0.05) as scope:
            await client.send_all(b"x")
        assert scope.cancelled_caught
        for attempt in (
            client.send_all(b"x"),
            client.receive_some(),
            client.wait_send_all_might_not_block(),
            client.unwrap(),
        ):
            with pytest.raises(trio.BrokenResourceError):
                await attempt
        with trio.fail_after(1):
            await client.aclose()
        # The peer may have got all of it by accident, but not a goodbye.
        with pytest.raises(trio.BrokenResourceError):
            assert await server.receive_some() == b"x"
            await server.receive_some()

    trio.run(main)


SENDING = "another task is currently sending data on this SSLStream"
RECEIVING = "another task is currently receiving data on this SSLStream"


@pytest.mark.parametrize(
    ("running", "second", "message"),
    [
        ("send_all", "send_all", SENDING),
        ("send_all", "wait_send_all_might_not_block", SENDING),
        ("wait_send_all_might_not_block", "send_all", SENDING),
        ("receive_some", "receive_some", RECEIVING),
        ("receive_some", "unwrap", RECEIVING),
        ("send_all", "unwrap", SENDING),
        ("unwrap", "send_all", SENDING),
        ("unwrap", "receive_some", RECEIVING),
    ],
)
def test_two_at_once_in_one_direction(running: str, second: str, message: str) -> None:
    arguments: dict[str, tuple[object, ...]] = {"send_all": (b"x",)}

    async def main() -> None:
        client, _server = await lockstep_connected()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(getattr(client, running), *arguments.get(running, ()))
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError, match=f"^{message}$"):
                await getattr(client, second)(*arguments.get(second, ()))
            # The handshake is neither.
            await client.do_handshake()
            nursery.cancel_scope.cancel()

    trio.run(main)


@each_version
def test_full_duplex_with_a_narrow_line(version: str) -> None:
    """Both ends send more than the line holds: only works if they receive meanwhile."""
    size = 300_000

    async def main() -> None:
        client, server = await lockstep_connected()

        async def transfer(sender: Stream, receiver: Stream, byte: bytes) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sender.send_all, byte * size)
                assert await receive_exactly(receiver, size) == byte * size

        async with trio.open_nursery() as nursery:
            nursery.start_soon(transfer, client, server, b"c")
            nursery.start_soon(transfer, server, client, b"s")

    trio.run(main)


@each_version
def test_server_does_not_wait_for_its_session_tickets_to_be_read(version: str) -> None:
    async def main() -> None:
        client, server = await lockstep_connected()
        # The client only sends, and never reads what the server adds to the handshake.
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, b"fire and forget")
            assert await receive_exactly(server, 15) == b"fire and forget"

    trio.run(main)


def test_session_can_be_resumed() -> None:
    async def main() -> None:
        client_side, server_side = client_context(), server_context()
        session = None
        for attempt in range(2):
            ours, theirs = trio.testing.memory_stream_pair()
            client = trio.SSLStream(ours, client_side, server_hostname=NAME)
            server = trio.SSLStream(theirs, server_side, server_side=True)
            if session is not None:
                client.session = session
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.do_handshake)
                nursery.start_soon(server.do_handshake)
            await server.send_all(b"x")
            assert await client.receive_some() == b"x"
            assert client.session_reused == bool(attempt)
            session = client.session

    trio.run(main)


def test_attributes() -> None:
    async def main() -> None:
        stream, peer = await connected()
        assert stream.server_side is False
        assert stream.server_hostname == NAME
        assert isinstance(stream.context, ssl.SSLContext)
        assert stream.pending() == 0
        await peer.send(b"abc")
        assert await stream.receive_some(1) == b"a"
        assert stream.pending() == 2
        for name in ("server_side", "server_hostname"):
            with pytest.raises(AttributeError):
                setattr(stream, name, "x")
        with pytest.raises(AttributeError, match=r"^no_such_thing$"):
            stream.no_such_thing  # noqa: B018
        assert {"transport_stream", "context", "getpeercert", "send_all"} <= set(dir(stream))
        stream.something_new = 1
        assert stream.something_new == 1

    trio.run(main)


def test_transport_errors_pass_through() -> None:
    async def main() -> None:
        stream, peer = await connected()
        transport = stream.transport_stream
        assert isinstance(transport, trio.StapledStream)

        async def fail() -> None:
            raise KeyError("line noise")

        transport.receive_stream.receive_some_hook = fail
        with pytest.raises(KeyError):
            await stream.receive_some()
        # Nothing was received, so nothing is lost.
        transport.receive_stream.receive_some_hook = None
        await peer.send(b"better now")
        assert await stream.receive_some() == b"better now"

        transport.send_stream.send_all_hook = fail
        with pytest.raises(KeyError):
            await stream.send_all(b"x")
        # Here, who knows.
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"x")
        await stream.aclose()

    trio.run(main)


def test_errors_do_not_mention_what_openssl_waited_for() -> None:
    async def main() -> None:
        caught: list[BaseException] = []

        async def collect(call: Any, *args: object) -> None:
            try:
                await call(*args)
            except trio.ClosedResourceError as exc:
                caught.append(exc)

        stream, _ = pair()
        established, _ = await connected()
        half_closed, _ = await connected()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect, stream.do_handshake)
            nursery.start_soon(collect, established.receive_some)
            nursery.start_soon(collect, half_closed.unwrap)
            await trio.testing.wait_all_tasks_blocked()
            for each in (stream, established, half_closed):
                await trio.aclose_forcefully(each.transport_stream)
        assert len(caught) == 3
        for exc in caught:
            while exc is not None:
                assert not isinstance(exc, ssl.SSLError)
                exc = exc.__context__

    trio.run(main)
