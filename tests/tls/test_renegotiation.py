"""A peer that asks for another handshake on an established connection.

TLS 1.2 has this, TLS 1.3 has not.  The standard library cannot ask for it, but the other end may: OpenSSL then shakes hands
within reads and writes, a read has to send and a write has to receive.  Whether to agree is the context's decision:
OpenSSL 3 refuses clients by default, and everybody where ``OP_NO_RENEGOTIATION`` is set.

The peer is an OpenSSL connection from pyOpenSSL, moved by hand.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING, Any, Callable

import pytest
from OpenSSL import SSL

import trio
import trio.testing
from tests.tls.peers import NAME, authority, certificate, client_context, each_side, server_context

if TYPE_CHECKING:
    from trio.testing import MemoryReceiveStream, MemorySendStream

    Transport = trio.StapledStream[MemorySendStream, MemoryReceiveStream]
    Stream = trio.SSLStream[Transport]

# In OpenSSL since 3.0, and in Python's module since 3.12: a server lets its clients ask.
ALLOW_CLIENTS = getattr(ssl, "OP_ALLOW_CLIENT_RENEGOTIATION", 1 << 8)
NO_RENEGOTIATION = ssl.OP_NO_RENEGOTIATION


class Peer:
    """The other end: every octet that it takes or gives goes through the hands of the test."""

    def __init__(self, transport: Transport, server_side: bool) -> None:
        self.transport = transport
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        if server_side:
            certificate(NAME).configure_cert(context)
        else:
            authority().configure_trust(context)
        self.tls = SSL.Connection(context, None)
        if server_side:
            self.tls.set_accept_state()
        else:
            self.tls.set_tlsext_host_name(NAME.encode())
            self.tls.set_connect_state()

    async def flush(self) -> None:
        """Send what OpenSSL wants to say."""
        try:
            ciphertext = self.tls.bio_read(2**20)
        except SSL.WantReadError:
            return
        await self.transport.send_all(ciphertext)

    async def take(self) -> None:
        """Hand what has come to OpenSSL."""
        ciphertext = await self.transport.receive_some()
        if ciphertext:
            self.tls.bio_write(ciphertext)
        else:
            self.tls.bio_shutdown()

    async def do(self, operation: Callable[..., Any], *args: object) -> Any:
        """An operation, to its end; its error after what OpenSSL has to say about it."""
        while True:
            try:
                result = operation(*args)
            except SSL.WantReadError:
                await self.flush()
                await self.take()
            except SSL.Error:
                await self.flush()
                raise
            else:
                await self.flush()
                return result

    async def ask(self) -> None:
        """Ask for a new handshake, as far as that goes without an answer."""
        assert self.tls.renegotiate()
        with contextlib.suppress(SSL.WantReadError):
            self.tls.do_handshake()
        await self.flush()

    def last_words(self) -> tuple[bytes | None, bytes | None]:
        """What ended the last handshake that was gone through with, on either side."""
        return self.tls.get_finished(), self.tls.get_peer_finished()

    async def shake_hands_again(self) -> None:
        """Go through with what was asked for: both sides say that they have finished, in new words."""
        before = self.last_words()
        while True:
            with contextlib.suppress(SSL.WantReadError):
                self.tls.recv(1)
            await self.flush()
            if all(now != then for now, then in zip(self.last_words(), before)):
                return
            await self.take()

    async def receive(self) -> bytes:
        data: bytes = await self.do(self.tls.recv, 2**14)
        return data

    async def send(self, data: bytes) -> None:
        await self.do(self.tls.send, data)


async def connected(server_side: bool, options: int = 0) -> tuple[Stream, Peer]:
    """A stream of TLS 1.2 whose context has the options, and its peer; handshake done."""
    ours, theirs = trio.testing.memory_stream_pair()
    context = server_context() if server_side else client_context("tls12")
    context.options |= options
    stream = trio.SSLStream(ours, context, server_hostname=None if server_side else NAME, server_side=server_side)
    peer = Peer(theirs, not server_side)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.do_handshake)
        nursery.start_soon(peer.do, peer.tls.do_handshake)
    assert stream.version() == "TLSv1.2"
    return stream, peer


async def willing(server_side: bool) -> tuple[Stream, Peer]:
    """The same with a context that agrees to another handshake."""
    return await connected(server_side, ALLOW_CLIENTS if server_side else 0)


async def answer(peer: Peer, expected: bytes, reply: bytes) -> None:
    """What a peer does all day; a handshake that is under way takes place on the side."""
    received = b""
    while len(received) < len(expected):
        received += await peer.receive()
    assert received == expected
    await peer.send(reply)


@each_side
def test_while_receiving(server_side: bool) -> None:
    """The whole handshake happens within one call of ``receive_some``, which sends what has to be said."""

    async def main() -> None:
        stream, peer = await willing(server_side)
        for number in range(1, 4):
            await peer.ask()
            received: list[bytes | bytearray] = []

            async def receive(received: list[bytes | bytearray] = received) -> None:
                received.append(await stream.receive_some())

            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive)
                await peer.shake_hands_again()
                assert received == []
                await peer.send(b"at last")
            assert received == [b"at last"]
            assert peer.tls.total_renegotiations() == number
            async with trio.open_nursery() as nursery:
                nursery.start_soon(answer, peer, b"question", b"answer")
                await stream.send_all(b"question")
                assert await stream.receive_some() == b"answer"
        await stream.aclose()

    trio.run(main)


@each_side
def test_while_sending(server_side: bool) -> None:
    """A write in the middle of the handshake waits until that is over, and then is sent whole."""

    async def main() -> None:
        stream, peer = await willing(server_side)
        data = bytes(range(256)) * 1000
        sent: list[str] = []

        async def send() -> None:
            await stream.send_all(data)
            sent.append("all")

        await peer.ask()
        async with trio.open_nursery() as nursery:
            replies: list[bytes | bytearray] = []

            async def receive() -> None:
                replies.append(await stream.receive_some())

            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            # The read has begun the handshake, and the peer has not answered yet.
            nursery.start_soon(send)
            await trio.testing.wait_all_tasks_blocked()
            assert sent == []
            await answer(peer, data, b"thanks")
        assert replies == [b"thanks"]
        assert sent == ["all"]
        assert peer.tls.total_renegotiations() == 1
        await stream.aclose()

    trio.run(main)


@each_side
def test_cancelled_in_the_middle(server_side: bool) -> None:
    """To stop waiting does no harm: the next call takes the handshake up where it was left."""

    async def main() -> None:
        stream, peer = await willing(server_side)
        await peer.ask()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.receive_some)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer, peer, b"still there?", b"yes")
            await stream.send_all(b"still there?")
            assert await stream.receive_some() == b"yes"
        assert peer.tls.total_renegotiations() == 1
        await stream.aclose()

    trio.run(main)


@each_side
@pytest.mark.parametrize("sends", [False, True], ids=["receiving", "sending"])
def test_peer_that_leaves_in_the_middle(server_side: bool, sends: bool) -> None:
    async def main() -> None:
        stream, peer = await willing(server_side)
        await peer.ask()
        async with trio.open_nursery() as nursery:
            broken: list[str] = []

            async def attempt(name: str, method: Callable[..., Any], *args: object) -> None:
                with pytest.raises(trio.BrokenResourceError):
                    await method(*args)
                broken.append(name)

            nursery.start_soon(attempt, "receive", stream.receive_some)
            await trio.testing.wait_all_tasks_blocked()
            if sends:
                nursery.start_soon(attempt, "send", stream.send_all, b"x")
                await trio.testing.wait_all_tasks_blocked()
            await peer.transport.aclose()
        assert sorted(broken) == ["receive", "send"][: 1 + sends]
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
        await stream.aclose()

    trio.run(main)


# A server refuses unless it is told not to, a client if it is told to.
refusing = pytest.mark.parametrize(
    ("server_side", "options"),
    [
        pytest.param(True, 0, marks=pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3,), reason="older OpenSSL agrees")),
        (True, NO_RENEGOTIATION),
        (True, NO_RENEGOTIATION | ALLOW_CLIENTS),
        (False, NO_RENEGOTIATION),
    ],
    ids=["server", "stern server", "server that was told both", "stern client"],
)


@refusing
def test_refused(server_side: bool, options: int) -> None:
    """Ours says no and would go on. A peer that has asked takes the no for a failure, and says so."""

    async def main() -> None:
        stream, peer = await connected(server_side, options)
        before = peer.last_words()
        await peer.ask()
        async with trio.open_nursery() as nursery:

            async def receive() -> None:
                with pytest.raises(trio.BrokenResourceError) as caught:
                    await stream.receive_some()
                assert isinstance(caught.value.__cause__, ssl.SSLError)
                assert caught.value.__cause__.reason == "SSLV3_ALERT_HANDSHAKE_FAILURE"

            nursery.start_soon(receive)
            with pytest.raises(SSL.Error) as refusal:
                await peer.receive()
            assert "no renegotiation" in str(refusal.value)
        assert peer.last_words() == before
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"x")
        await stream.aclose()

    trio.run(main)


def record_types(ciphertext: bytes | bytearray) -> list[str]:
    """What kinds of records there are: the headers are not encrypted (:rfc:`5246`, section 6.2.1)."""
    names = {21: "alert", 22: "handshake", 23: "data"}
    found = []
    while ciphertext:
        found.append(names[ciphertext[0]])
        ciphertext = ciphertext[5 + int.from_bytes(ciphertext[3:5], "big") :]
    return found


@refusing
def test_refused_to_a_peer_that_does_not_mind(server_side: bool, options: int) -> None:
    """Between the no, which is a warning, and the peer's answer to it the connection is as good as ever."""

    async def main() -> None:
        stream, peer = await connected(server_side, options)
        await peer.send(b"before")
        await peer.ask()
        assert await stream.receive_some() == b"before"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.receive_some)
            await trio.testing.wait_all_tasks_blocked()
            await stream.send_all(b"I said no")
            nursery.cancel_scope.cancel()
        await stream.aclose()
        assert record_types(await peer.transport.receive_some()) == ["alert", "data", "alert"]

    trio.run(main)
