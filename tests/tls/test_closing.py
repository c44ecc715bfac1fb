"""How a TLS connection ends, when it ends well and when it does not.

A goodbye (close_notify) is the only proof that the data is complete.  These tests look at who says it,
who insists on it, and what an attacker or an accident on the line can make a stream believe.
"""

from __future__ import annotations

import ssl

import pytest

import trio
import trio.testing
from tests.tls.peers import (
    better_than_genuine,
    connected,
    each_side,
    each_version,
    pair,
)


def is_eof(exc: BaseException | None) -> bool:
    return isinstance(exc, ssl.SSLError) and (isinstance(exc, ssl.SSLEOFError) or exc.reason == "UNEXPECTED_EOF_WHILE_READING")


@each_version
@each_side
def test_aclose_says_goodbye_and_does_not_wait_for_an_answer(version: str, server_side: bool) -> None:
    async def main() -> None:
        stream, peer = await connected(version, server_side)
        await stream.send_all(b"last words")
        # The peer is not even there.
        with trio.testing.assert_checkpoints():
            await stream.aclose()
        assert await peer.receive() == b"last words"
        assert await peer.receive() == b""
        # And the transport is closed, too.
        assert await peer.transport.receive_some() == b""

    trio.run(main)


@each_version
@each_side
def test_without_goodbye_the_data_counts_as_cut_off(version: str, server_side: bool) -> None:
    async def main() -> None:
        stream, peer = await connected(version, server_side)
        await peer.send(b"some data")
        await peer.transport.send_stream.aclose()
        assert await stream.receive_some() == b"some data"
        with pytest.raises(trio.BrokenResourceError) as caught:
            await stream.receive_some()
        assert is_eof(caught.value.__cause__)
        for attempt in (stream.receive_some(), stream.send_all(b"x"), stream.do_handshake()):
            with pytest.raises(trio.BrokenResourceError):
                await attempt
        await stream.aclose()

    trio.run(main)


@each_version
@each_side
def test_https_compatible_takes_an_end_without_goodbye(version: str, server_side: bool) -> None:
    async def main() -> None:
        stream, peer = await connected(version, server_side, https_compatible=True)
        await peer.send(b"some data")
        await peer.transport.send_stream.aclose()
        assert [chunk async for chunk in stream] == [b"some data"]
        # It was the end of the connection all the same.
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"x")
        await stream.aclose()

    trio.run(main)


@each_version
@each_side
def test_https_compatible_leaves_without_goodbye(version: str, server_side: bool) -> None:
    async def main() -> None:
        stream, peer = await connected(version, server_side, https_compatible=True)
        await stream.aclose()
        with pytest.raises(ssl.SSLError) as caught:
            await peer.receive()
        assert is_eof(caught.value)

    trio.run(main)


def test_https_compatible_still_understands_a_goodbye() -> None:
    async def main() -> None:
        stream, peer = await connected(https_compatible=True)
        await peer.transport.send_all(peer.goodbye())
        assert await stream.receive_some() == b""
        await stream.send_all(b"you forgot something")
        assert await peer.receive() == b"you forgot something"
        await stream.aclose()

    trio.run(main)


@pytest.mark.parametrize("https_compatible", [False, True])
def test_https_compatible_and_an_end_before_the_handshake(https_compatible: bool) -> None:
    async def main() -> None:
        stream, peer = pair(server_side=True, https_compatible=https_compatible)
        await peer.transport.aclose()
        if https_compatible:
            assert await stream.receive_some() == b""
        else:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await stream.receive_some()
            assert is_eof(caught.value.__cause__)
        await stream.aclose()

        # To ask for the handshake is to insist on it.
        stream, peer = pair(server_side=True, https_compatible=https_compatible)
        await peer.transport.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await stream.do_handshake()
        await stream.aclose()

    trio.run(main)


@each_version
def test_goodbye_is_repeated_to_whoever_asks_again(version: str) -> None:
    async def main() -> None:
        stream, peer = await connected(version)
        await peer.transport.send_all(peer.seal(b"all") + peer.goodbye())
        assert await stream.receive_some() == b"all"
        for _ in range(3):
            with trio.testing.assert_checkpoints():
                assert await stream.receive_some() == b""
        # It ends one direction only.
        await stream.send_all(b"answer")
        assert await peer.receive() == b"answer"
        await stream.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some()

    trio.run(main)


@each_version
def test_truncation_is_noticed_wherever_the_line_is_cut(version: str) -> None:
    async def main() -> None:
        complete = await ciphertext_length()
        for length in (0, 1, 4, 5, 6, complete // 2, complete - 1):
            stream, peer = await connected(version)
            await peer.transport.send_all(peer.seal(b"first"))
            cut = (peer.seal(b"second") + peer.goodbye())[:length]
            if cut:
                await peer.transport.send_all(cut)
            await peer.transport.aclose()
            received = b""
            with pytest.raises(trio.BrokenResourceError) as caught:
                while True:
                    chunk = await stream.receive_some()
                    assert chunk, "took the cut for a goodbye"
                    received += chunk
            assert is_eof(caught.value.__cause__)
            assert received in (b"first", b"firstsecond")
            await stream.aclose()

    async def ciphertext_length() -> int:
        _stream, peer = await connected(version)
        return len(peer.seal(b"second") + peer.goodbye())

    trio.run(main)


@each_version
@each_side
def test_peer_that_stops_in_the_middle_of_a_record(version: str, server_side: bool) -> None:
    async def main() -> None:
        stream, peer = await connected(version, server_side)
        if server_side:
            # What a server adds to its first data is not the subject here.
            await stream.send_all(b"hello")
            assert await peer.receive() == b"hello"
        record = peer.seal(b"a whole record")
        for position in (3, 5, len(record) // 2, len(record) - 1):
            async with trio.open_nursery() as nursery:
                results: list[bytes | bytearray] = []

                async def receive(results: list[bytes | bytearray] = results) -> None:
                    results.append(await stream.receive_some())

                nursery.start_soon(receive)
                await peer.transport.send_all(record[:position])
                await trio.testing.wait_all_tasks_blocked()
                # Nobody gets to see an unauthenticated half, and sending works meanwhile.
                assert results == []
                await stream.send_all(b"still there?")
                assert await peer.receive() == b"still there?"
                # To stop waiting for the rest does no harm.
                nursery.cancel_scope.cancel()
            await peer.transport.send_all(record[position:])
            assert await stream.receive_some() == b"a whole record"
            record = peer.seal(b"a whole record")
        await stream.aclose()

    trio.run(main)


@each_version
def test_tampering_breaks_the_connection(version: str) -> None:
    async def main() -> None:
        stream, peer = await connected(version)
        record = bytearray(peer.seal(b"pay 10 to Bob"))
        record[-1] ^= 1
        await peer.transport.send_all(record)
        with pytest.raises(trio.BrokenResourceError) as caught:
            await stream.receive_some()
        assert isinstance(caught.value.__cause__, ssl.SSLError)
        assert not is_eof(caught.value.__cause__)
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"x")
        await stream.aclose()

    trio.run(main)


@each_version
def test_two_goodbyes_at_once(version: str) -> None:
    async def main() -> None:
        stream, peer = await connected(version)
        await peer.transport.send_all(peer.goodbye())
        await peer.transport.aclose()
        await stream.aclose()

    trio.run(main)


def test_cancelled_aclose_closes_the_transport() -> None:
    async def main() -> None:
        stream, peer = await connected()
        with trio.CancelScope() as scope:
            scope.cancel()
            await stream.aclose()
        assert scope.cancelled_caught
        with pytest.raises(ssl.SSLError) as caught:
            await peer.receive()
        assert is_eof(caught.value)
        with pytest.raises(trio.ClosedResourceError):
            await stream.send_all(b"x")

    trio.run(main)


def test_closing_twice_and_using_afterwards() -> None:
    async def main() -> None:
        stream, _peer = await connected()
        await stream.aclose()
        with trio.testing.assert_checkpoints():
            await stream.aclose()
        for attempt in (
            stream.send_all(b""),
            stream.receive_some(0),
            stream.unwrap(),
            stream.do_handshake(),
            stream.wait_send_all_might_not_block(),
        ):
            with pytest.raises(trio.ClosedResourceError):
                await attempt

    trio.run(main)


@each_version
def test_aclose_before_the_handshake_performs_it(version: str) -> None:
    async def main() -> None:
        stream, peer = pair(version, server_side=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.aclose)
            await peer.do_handshake()
            assert await peer.receive() == b""

    trio.run(main)


def test_transport_that_fails_in_aclose_is_closed_once() -> None:
    async def main() -> None:
        stream, _peer = await connected()
        closings: list[str] = []
        transport = stream.transport_stream
        assert isinstance(transport, trio.StapledStream)

        async def fail() -> None:
            raise KeyError("no goodbyes today")

        transport.send_stream.send_all_hook = fail
        transport.send_stream.close_hook = lambda: closings.append("send")
        transport.receive_stream.close_hook = lambda: closings.append("receive")
        with pytest.raises(KeyError):
            await stream.aclose()
        assert sorted(closings) == ["receive", "send"]

    trio.run(main)


@better_than_genuine
@each_version
def test_unread_data_does_not_prevent_the_goodbye(version: str) -> None:
    async def main() -> None:
        stream, peer = await connected(version)
        await peer.send(b"interesting")
        await peer.send(b"not so interesting")
        assert await stream.receive_some(5) == b"inter"
        await stream.aclose()
        assert await peer.receive() == b""

    trio.run(main)


@each_version
@each_side
def test_unwrap_gives_the_transport_back(version: str, server_side: bool) -> None:
    async def main() -> None:
        stream, peer = await connected(version, server_side)
        transport = stream.transport_stream
        await peer.transport.send_all(peer.goodbye() + b"plain text")
        with trio.testing.assert_checkpoints():
            assert await stream.unwrap() == (transport, b"plain text")
        assert stream.transport_stream is None
        assert await peer.receive() == b""
        await transport.send_all(b"plain answer")
        assert peer.incoming.read() + await peer.transport.receive_some() == b"plain answer"
        with pytest.raises(trio.ClosedResourceError):
            await stream.send_all(b"x")
        await stream.aclose()
        await peer.transport.send_all(b"not closed")
        assert await transport.receive_some() == b"not closed"

    trio.run(main)


@each_version
def test_unwrap_insists_on_the_goodbye(version: str) -> None:
    async def main() -> None:
        stream, peer = await connected(version)
        await peer.transport.send_stream.aclose()
        with pytest.raises(trio.BrokenResourceError) as caught:
            await stream.unwrap()
        assert is_eof(caught.value.__cause__)
        with pytest.raises(trio.BrokenResourceError):
            await stream.unwrap()

    trio.run(main)


def test_unwrap_can_be_cancelled_and_repeated() -> None:
    async def main() -> None:
        stream, peer = await connected()
        with trio.move_on_after(0.05) as scope:
            await stream.unwrap()
        assert scope.cancelled_caught
        # We have said goodbye, but may still hear.
        await peer.send(b"one moment")
        assert await stream.receive_some() == b"one moment"
        await peer.transport.send_all(peer.goodbye())
        transport = stream.transport_stream
        assert await stream.unwrap() == (transport, b"")

    trio.run(main)
