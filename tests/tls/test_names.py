"""Whose certificate it has to be: the server's name, in all its spellings."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

import trio
import trio.testing
from tests.tls.peers import (
    NAME,
    better_than_genuine,
    certificate,
    client_context,
    server_context,
    strict,
)


async def try_name(asked: str | bytes, certified: str) -> tuple[list[str | None], str | None, BaseException | None]:
    """Shake hands.

    Return the names that the server was asked for, ``stream.server_hostname``, and why the client
    refused to go on.
    """
    requested: list[str | None] = []
    context = server_context(certified)
    context.sni_callback = lambda tls, name, context: requested.append(name)
    ours, theirs = trio.testing.memory_stream_pair()
    client = trio.SSLStream(ours, client_context(), server_hostname=asked)
    server = trio.SSLStream(theirs, context, server_side=True)

    async def serve() -> None:
        try:
            await server.do_handshake()
        except trio.BrokenResourceError:
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        try:
            await client.do_handshake()
        except trio.BrokenResourceError as exc:
            refusal = exc.__cause__
        else:
            refusal = None
        nursery.cancel_scope.cancel()
    return requested, client.server_hostname, refusal


@pytest.mark.parametrize(
    ("asked", "ascii_name"),
    [
        # IDNA 2008 keeps the sharp s, IDNA 2003 (and so the standard library) does not.
        ("faß.example", "xn--fa-hia.example"),
        # UTS 46: upper case, full width letters and the ideographic full stop are mapped.
        ("EXÄMPLE.example", "xn--exmple-cua.example"),
        ("ｅxämple。example", "xn--exmple-cua.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        # ASCII is taken as it is, also if it is encoded already.
        ("xn--fa-hia.example", "xn--fa-hia.example"),
        (b"xn--fa-hia.example", "xn--fa-hia.example"),
        (bytearray(b"plain.example"), "plain.example"),
    ],
)
def test_name_in_every_spelling(asked: str | bytes, ascii_name: str) -> None:
    async def main() -> None:
        assert await try_name(asked, ascii_name) == ([ascii_name], ascii_name, None)

    trio.run(main)


def test_same_rule_as_encode_hostname() -> None:
    stream = trio.SSLStream(trio.testing.memory_stream_pair()[0], client_context(), server_hostname="straße.example")
    encoded = trio.lowlevel.encode_hostname("straße.example")
    assert stream.server_hostname.encode("ascii") == encoded


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("exämple..example", UnicodeError),
        ("ä" * 64 + ".example", UnicodeError),
        ("-ä.example", UnicodeError),
        (b"\xff.example", UnicodeDecodeError),
        ("", ValueError),
        (".example", ValueError),
        (5, AttributeError),
    ],
)
def test_impossible_names(name: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        trio.SSLStream(trio.testing.memory_stream_pair()[0], client_context(), server_hostname=name)


@pytest.mark.parametrize(
    ("asked", "certified"),
    [("other.example.org", NAME), ("fass.example", "xn--fa-hia.example"), ("127.0.0.1", NAME)],
)
def test_wrong_name_is_refused(asked: str, certified: str) -> None:
    async def main() -> None:
        _, _, refusal = await try_name(asked, certified)
        assert isinstance(refusal, ssl.SSLCertVerificationError)

    trio.run(main)


def test_unknown_authority_is_refused() -> None:
    async def main() -> None:
        ours, theirs = trio.testing.memory_stream_pair()
        context = strict(ssl.create_default_context())
        client = trio.SSLStream(ours, context, server_hostname=NAME)
        server = trio.SSLStream(theirs, server_context(), server_side=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.do_handshake)
            with pytest.raises(trio.BrokenResourceError) as caught:
                await client.send_all(b"secret")
            assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_over_tcp_by_name_and_by_address() -> None:
    async def echo(stream: trio.SSLStream[trio.SocketStream]) -> None:
        async with stream:
            async for chunk in stream:
                await stream.send_all(chunk)

    async def main() -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate("localhost", "127.0.0.1").configure_cert(context)
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(
                lambda task_status: trio.serve_ssl_over_tcp(echo, 0, context, host="127.0.0.1", task_status=task_status)
            )
            assert [type(listener) for listener in listeners] == [trio.SSLListener]
            port = listeners[0].transport_listener.socket.getsockname()[1]
            for host in ("127.0.0.1", b"127.0.0.1", "localhost"):
                stream = await trio.open_ssl_over_tcp_stream(host, port, ssl_context=client_context())
                async with stream:
                    await stream.send_all(b"hello")
                    assert await stream.receive_some() == b"hello"
                    assert stream.getpeercert()["subjectAltName"][0] == ("DNS", "localhost")
            nursery.cancel_scope.cancel()

    trio.run(main)


@better_than_genuine
def test_nothing_stays_open_if_the_second_step_fails() -> None:
    async def main() -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        with pytest.raises(AttributeError):
            await trio.open_ssl_over_tcp_stream(
                "127.0.0.1",
                port,
                ssl_context="not a context",  # type: ignore[arg-type]
            )
        # The connection was made, and must have been closed again.
        stream = await listener.accept()
        with trio.fail_after(5):
            assert await stream.receive_some() == b""
        await stream.aclose()
        await listener.aclose()

    trio.run(main)
