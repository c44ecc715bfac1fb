"""The other end of the line, driven by hand.

``RawPeer`` speaks TLS through the standard library only and shows each step that a stream would hide:
single records, when the goodbye (close_notify) comes, ciphertext before it is sent.  ``connected`` gives
an `SSLStream` with such a peer, handshake done.  Transports are in memory, so a test that waits for what
never comes can find out with ``wait_all_tasks_blocked`` instead of a timeout.
"""

from __future__ import annotations

import functools
import importlib.util
import ssl
from typing import TYPE_CHECKING, Any, Callable

import pytest
import trustme

import trio
import trio.testing

if TYPE_CHECKING:
    from trio.testing import MemoryReceiveStream, MemorySendStream

NAME = "peer.example.org"
VERSIONS = {"tls12": ssl.TLSVersion.TLSv1_2, "tls13": ssl.TLSVersion.TLSv1_3}

# Where genuine Trio hangs, or says less than it could.
better_than_genuine = pytest.mark.skipif(
    importlib.util.find_spec("trio._dtls_wire") is None,
    reason="genuine Trio does something else here",
)

each_version = pytest.mark.parametrize("version", sorted(VERSIONS))
each_side = pytest.mark.parametrize("server_side", [False, True], ids=["client", "server"])


@functools.cache
def authority() -> trustme.CA:
    return trustme.CA()


@functools.cache
def certificate(*names: str) -> trustme.LeafCert:
    return authority().issue_cert(*names)


def strict(context: ssl.SSLContext) -> ssl.SSLContext:
    """Have OpenSSL report an end without goodbye, whatever its defaults are."""
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    return context


def server_context(name: str = NAME) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate(name).configure_cert(context)
    return strict(context)


def client_context(version: str = "tls13") -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority().configure_trust(context)
    context.minimum_version = context.maximum_version = VERSIONS[version]
    return strict(context)


class RawPeer:
    def __init__(
        self,
        transport: trio.StapledStream[MemorySendStream, MemoryReceiveStream],
        context: ssl.SSLContext,
        server_side: bool,
    ) -> None:
        self.transport = transport
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.incoming,
            self.outgoing,
            server_side=server_side,
            server_hostname=None if server_side else NAME,
        )

    async def flush(self) -> None:
        ciphertext = self.outgoing.read()
        if ciphertext:
            await self.transport.send_all(ciphertext)

    async def do(self, operation: Callable[..., Any], *args: object) -> Any:
        """Run an operation of the SSLObject to its end, as the only user of the transport."""
        while True:
            try:
                result = operation(*args)
            except ssl.SSLWantReadError:
                await self.flush()
                ciphertext = await self.transport.receive_some()
                if ciphertext:
                    self.incoming.write(ciphertext)
                else:
                    self.incoming.write_eof()
            else:
                await self.flush()
                return result

    async def do_handshake(self) -> None:
        await self.do(self.tls.do_handshake)

    async def send(self, cleartext: bytes) -> None:
        await self.do(self.tls.write, cleartext)

    async def receive(self, size: int = 2**14) -> bytes:
        """Cleartext, ``b""`` for a goodbye, or `ssl.SSLEOFError` if the line ends without."""
        try:
            result: bytes = await self.do(self.tls.read, size)
        except ssl.SSLZeroReturnError:
            # What the standard library says instead if we have said goodbye as well.
            return b""
        return result

    def seal(self, cleartext: bytes) -> bytes:
        """Encrypt, but leave the ciphertext to the test."""
        self.tls.write(cleartext)
        return self.outgoing.read()

    def goodbye(self) -> bytes:
        """The ciphertext of a close_notify."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()


Stream = trio.SSLStream[trio.abc.Stream] if TYPE_CHECKING else trio.SSLStream


def pair(
    version: str = "tls13",
    server_side: bool = False,
    **kwargs: Any,
) -> tuple[Stream, RawPeer]:
    """An SSLStream, with the given role, and its peer; nothing said yet."""
    ours, theirs = trio.testing.memory_stream_pair()
    contexts = (client_context(version), server_context())
    stream = trio.SSLStream(
        ours,
        contexts[server_side],
        server_side=server_side,
        server_hostname=None if server_side else NAME,
        **kwargs,
    )
    return stream, RawPeer(theirs, contexts[not server_side], not server_side)


async def shake_hands(stream: Stream, peer: RawPeer) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.do_handshake)
        nursery.start_soon(peer.do_handshake)


async def connected(
    version: str = "tls13",
    server_side: bool = False,
    **kwargs: Any,
) -> tuple[Stream, RawPeer]:
    stream, peer = pair(version, server_side, **kwargs)
    await shake_hands(stream, peer)
    return stream, peer
