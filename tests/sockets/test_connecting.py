"""Addresses: binding, connecting, accepting, and what happens when that fails or is cancelled."""

from __future__ import annotations

import errno
import os
import pathlib
import socket as stdlib_socket
from collections.abc import Callable

import pytest

import trio
import trio.testing

OURS = "rust" in trio.__version__


async def listening(family: int = trio.socket.AF_INET, host: str = "127.0.0.1") -> trio.socket.SocketType:
    sock = trio.socket.socket(family)
    await sock.bind((host, 0))
    sock.listen()
    return sock


def has_ipv6() -> bool:
    try:
        with stdlib_socket.socket(stdlib_socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")


def test_connect_and_accept() -> None:
    async def main() -> None:
        with await listening() as listener, trio.socket.socket() as client:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.connect, listener.getsockname())
                server, address = await listener.accept()
            with server:
                assert isinstance(server, trio.socket.SocketType)
                assert address == client.getsockname() == server.getpeername()
                assert not os.get_blocking(server.fileno())
                await client.send(b"x")
                assert await server.recv(1) == b"x"

    trio.run(main)


def test_names_are_resolved() -> None:
    async def main() -> None:
        with trio.socket.socket() as listener, trio.socket.socket() as client:
            await listener.bind(("localhost", 0))
            listener.listen()
            host, port = listener.getsockname()
            assert host == "127.0.0.1"
            await client.connect(("localhost", str(port)))
            assert client.getpeername() == (host, port)

    trio.run(main)


@pytest.mark.parametrize("host", [None, ""])
def test_no_host_means_everything_here_and_loopback_there(host: str | None) -> None:
    async def main() -> None:
        with trio.socket.socket() as listener, trio.socket.socket() as client:
            await listener.bind((host, 0))
            assert listener.getsockname()[0] == "0.0.0.0"
            listener.listen()
            await client.connect((host, listener.getsockname()[1]))
            assert client.getpeername()[0] == "127.0.0.1"

    trio.run(main)


@needs_ipv6
def test_ipv6_addresses_of_every_length() -> None:
    async def main() -> None:
        with await listening(trio.socket.AF_INET6, "::1") as listener:
            port = listener.getsockname()[1]
            for address in [("::1", port), ("::1", port, 0), ("::1", port, 0, 0), ("::1", str(port), 0, 0)]:
                with trio.socket.socket(trio.socket.AF_INET6) as client:
                    await client.connect(address)
                    assert client.getpeername()[:2] == ("::1", port)

    trio.run(main)


@needs_ipv6
def test_an_ipv6_socket_reaches_ipv4_unless_told_not_to() -> None:
    async def main() -> None:
        with await listening() as listener:
            address = listener.getsockname()
            with trio.socket.socket(trio.socket.AF_INET6) as client:
                client.setsockopt(trio.socket.IPPROTO_IPV6, trio.socket.IPV6_V6ONLY, False)
                await client.connect(address)
                assert client.getpeername()[:2] == ("::ffff:127.0.0.1", address[1])
            with trio.socket.socket(trio.socket.AF_INET6) as client:
                client.setsockopt(trio.socket.IPPROTO_IPV6, trio.socket.IPV6_V6ONLY, True)
                with pytest.raises(trio.socket.gaierror):
                    await client.connect(address)

    trio.run(main)


@needs_ipv6
def test_a_lookup_keeps_the_scope_of_an_ipv6_address() -> None:
    async def main() -> None:
        loopback = trio.socket.if_nametoindex("lo")
        for address in [("ff02::1%lo", 0), ("ff02::1%lo", 0, 0), ("ff02::1", "0", 0, loopback)]:
            with trio.socket.socket(trio.socket.AF_INET6, trio.socket.SOCK_DGRAM) as sock:
                await sock.bind(address)
                assert sock.getsockname()[3] == loopback

    trio.run(main)


def test_refusal_names_the_address() -> None:
    async def main() -> None:
        with await listening() as gone:
            address = gone.getsockname()
        with trio.socket.socket() as client:
            with pytest.raises(ConnectionRefusedError) as caught:
                await client.connect(address)
            assert caught.value.errno == errno.ECONNREFUSED
            assert caught.value.strerror == f"Error connecting to {address!r}: Connection refused"
            assert client.fileno() >= 0

    trio.run(main)


@pytest.mark.parametrize(
    ("family", "address", "shape"),
    [
        (trio.socket.AF_INET, "127.0.0.1", "(host, port)"),
        (trio.socket.AF_INET, ("127.0.0.1",), "(host, port)"),
        (trio.socket.AF_INET, ["127.0.0.1", 1], "(host, port)"),
        (trio.socket.AF_INET, ("127.0.0.1", 1, 0), "(host, port)"),
        (trio.socket.AF_INET, None, "(host, port)"),
        (trio.socket.AF_INET6, "::1", "(host, port, [flowinfo, [scopeid]])"),
        (trio.socket.AF_INET6, ("::1", 1, 0, 0, 0), "(host, port, [flowinfo, [scopeid]])"),
    ],
)
def test_addresses_of_the_wrong_shape(family: int, address: object, shape: str) -> None:
    async def main() -> None:
        with trio.socket.socket(family) as sock:
            for operation in (sock.bind, sock.connect):
                with pytest.raises(ValueError) as caught:
                    await operation(address)
                assert str(caught.value) == f"address should be a {shape} tuple"

    trio.run(main)


def test_ports_out_of_range_are_refused() -> None:
    async def main() -> None:
        with trio.socket.socket() as sock:
            with pytest.raises(OverflowError):
                await sock.bind(("127.0.0.1", 65536))
            with pytest.raises(OverflowError):
                await sock.connect(("127.0.0.1", 65536))

    trio.run(main)


def test_cancelling_connect_closes_the_socket() -> None:
    async def main() -> None:
        with await listening() as listener:
            sock = trio.socket.socket()
            with trio.CancelScope() as scope:
                scope.cancel()
                await sock.connect(listener.getsockname())
            assert scope.cancelled_caught
            assert sock.fileno() == -1

    trio.run(main)


def test_cancelling_an_attempt_under_way_closes_the_socket() -> None:
    # A queue that is full and never emptied leaves further attempts without an answer.
    async def main() -> None:
        with trio.socket.socket() as listener:
            await listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            waiting = [trio.socket.socket() for _ in range(4)]
            async with trio.open_nursery() as nursery:
                for sock in waiting:
                    nursery.start_soon(sock.connect, listener.getsockname())
                await trio.testing.wait_all_tasks_blocked(0.05)
                nursery.cancel_scope.cancel()
            closed = [sock for sock in waiting if sock.fileno() == -1]
            for sock in waiting:
                sock.close()
            assert closed

    trio.run(main)


def test_cancelling_accept_loses_no_connection() -> None:
    async def main() -> None:
        with await listening() as listener, trio.socket.socket() as client:
            with trio.move_on_after(0.01) as scope:
                await listener.accept()
            assert scope.cancelled_caught
            await client.connect(listener.getsockname())
            with trio.CancelScope() as scope:
                scope.cancel()
                await listener.accept()
            assert scope.cancelled_caught
            server, address = await listener.accept()
            server.close()
            assert address == client.getsockname()

    trio.run(main)


@pytest.mark.parametrize("spell", [os.fspath, os.fsencode, lambda path: path, trio.Path])
def test_unix_paths_in_every_spelling(
    spell: Callable[[pathlib.Path], object], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the addresses of sockets have to be short

    async def main() -> None:
        address = spell(pathlib.Path("socket"))
        with trio.socket.socket(trio.socket.AF_UNIX) as listener, trio.socket.socket(trio.socket.AF_UNIX) as client:
            with trio.testing.assert_checkpoints():
                await listener.bind(address)
            listener.listen()
            await client.connect(address)
            server, _ = await listener.accept()
            with server:
                await client.send(b"x")
                assert await server.recv(1) == b"x"

    trio.run(main)


def test_abstract_unix_names() -> None:
    async def main() -> None:
        name = b"\0" + os.urandom(12).hex().encode()
        with trio.socket.socket(trio.socket.AF_UNIX) as listener, trio.socket.socket(trio.socket.AF_UNIX) as client:
            await listener.bind(name)
            listener.listen()
            await client.connect(name)
            assert client.getpeername() == name

    trio.run(main)


def test_a_missing_unix_path_is_reported(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        with trio.socket.socket(trio.socket.AF_UNIX) as sock:
            with pytest.raises(FileNotFoundError):
                await sock.connect("nothing")

    trio.run(main)


@pytest.mark.skipif(not OURS, reason="upstream reports success here")
def test_a_full_unix_queue_is_not_a_connection() -> None:
    async def main() -> None:
        name = b"\0" + os.urandom(12).hex().encode()
        with trio.socket.socket(trio.socket.AF_UNIX) as listener:
            await listener.bind(name)
            listener.listen(0)
            clients = [trio.socket.socket(trio.socket.AF_UNIX) for _ in range(3)]
            connected = 0
            with pytest.raises(BlockingIOError):
                for client in clients:
                    await client.connect(name)
                    connected += 1
            assert connected >= 1
            assert all(client.getpeername() == name for client in clients[:connected])
            for client in clients:
                client.close()

    trio.run(main)


@pytest.mark.skipif(not OURS, reason="upstream fails an assertion here")
def test_an_address_that_is_no_path_is_refused() -> None:
    async def main() -> None:
        with trio.socket.socket(trio.socket.AF_UNIX) as sock:
            for operation in (sock.bind, sock.connect):
                with pytest.raises(TypeError, match=r"os\.PathLike"):
                    await operation(5)

    trio.run(main)
