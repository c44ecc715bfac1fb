"""SocketStream and SocketListener on real sockets, and on fake ones for what the kernel does not do on demand."""

from __future__ import annotations

import errno
import os
import socket as stdlib_socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import trio
from trio.testing import assert_checkpoints, check_half_closeable_stream, wait_all_tasks_blocked

BIG = 10_000_000


def stream_pair() -> tuple[trio.SocketStream, trio.SocketStream]:
    left, right = trio.socket.socketpair()
    return trio.SocketStream(left), trio.SocketStream(right)


async def tcp_pair() -> tuple[trio.SocketStream, trio.SocketStream]:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        client = await trio.testing.open_stream_to_socket_listener(listener)
        return client, await listener.accept()


async def fill_up(stream: trio.SocketStream) -> None:
    with trio.move_on_after(0.05):
        while True:
            await stream.send_all(b"x" * 10_000)


class FakeSocket(trio.socket.SocketType):
    """Takes four bytes at a time; raises ``error`` from every operation if there is one."""

    type = stdlib_socket.SOCK_STREAM

    def __init__(self) -> None:
        self.sent = bytearray()
        self.error: BaseException | None = None
        self.option_error: BaseException | None = None
        self.closed = False

    @property
    def did_shutdown_SHUT_WR(self) -> bool:
        return False

    def fileno(self) -> int:
        return -1 if self.closed else 99

    def setsockopt(self, *args: object) -> None:
        if self.option_error is not None:
            raise self.option_error

    def getsockopt(self, *args: object) -> int:  # type: ignore[override]
        return 1

    async def _attempt(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.error is not None:
            raise self.error

    async def send(self, data: Any, flags: int = 0) -> int:
        await self._attempt()
        self.sent += bytes(data)[:4]
        return min(4, memoryview(data).nbytes)

    async def recv(self, buflen: int, flags: int = 0) -> bytes:
        await self._attempt()
        return b"r" * min(buflen, 10)

    async def wait_writable(self) -> None:
        await self._attempt()

    def shutdown(self, flag: int) -> None:
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.closed = True


def test_arguments() -> None:
    async def main() -> None:
        with stdlib_socket.socket() as plain:
            for cls in (trio.SocketStream, trio.SocketListener):
                with pytest.raises(TypeError, match=rf"^{cls.__name__} requires a Trio socket object$"):
                    cls(plain)  # type: ignore[arg-type]
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as datagrams:
            for cls in (trio.SocketStream, trio.SocketListener):
                with pytest.raises(ValueError, match=rf"^{cls.__name__} requires a SOCK_STREAM socket$"):
                    cls(datagrams)
        with trio.socket.socket() as idle:
            with pytest.raises(ValueError, match=r"^SocketListener requires a listening socket$"):
                trio.SocketListener(idle)

    trio.run(main)


def test_options() -> None:
    async def main() -> None:
        client, server = await tcp_pair()
        async with client, server:
            nodelay = (trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY)
            for stream in (client, server):
                assert stream.getsockopt(*nodelay)
                assert stream.getsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NOTSENT_LOWAT) == 16384
            client.setsockopt(*nodelay, False)
            assert client.getsockopt(*nodelay) == 0
            assert client.getsockopt(*nodelay, 4) == struct.pack("i", 0)
            client.setsockopt(*nodelay, struct.pack("i", 1))
            assert client.getsockopt(*nodelay)
            with pytest.raises(TypeError, match=r"^invalid value for argument 'value', must not be None when specifying length$"):
                client.setsockopt(*nodelay, None)  # type: ignore[call-overload]
            with pytest.raises(
                TypeError, match=r"^invalid value for argument 'value': b'x', must be None when specifying optlen$"
            ):
                client.setsockopt(*nodelay, b"x", 4)  # type: ignore[call-overload]

    trio.run(main)


def test_missing_options_do_not_matter() -> None:
    sock = FakeSocket()
    sock.option_error = OSError(errno.ENOPROTOOPT, "no such option")
    trio.SocketStream(sock)
    sock.option_error = KeyError()
    with pytest.raises(KeyError):
        trio.SocketStream(sock)


def test_conformance() -> None:
    async def maker() -> tuple[trio.SocketStream, trio.SocketStream]:
        return stream_pair()

    async def clogged_maker() -> tuple[trio.SocketStream, trio.SocketStream]:
        left, right = stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fill_up, left)
            nursery.start_soon(fill_up, right)
        return left, right

    trio.run(check_half_closeable_stream, maker, clogged_maker)
    trio.run(check_half_closeable_stream, tcp_pair, None)


def test_large_data_arrives_whole() -> None:
    data = os.urandom(BIG)

    async def main() -> None:
        left, right = stream_pair()
        received = bytearray()

        async def receive() -> None:
            async for piece in right:
                received.extend(piece)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await left.send_all(data)
            await left.aclose()
        await right.aclose()
        assert received == data

    trio.run(main)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("length", [0, 1, 4, 5, 23])
def test_pieces(kind: Callable[[bytes], Any], length: int) -> None:
    async def main() -> None:
        sock = FakeSocket()
        stream = trio.SocketStream(sock)
        data = bytes(range(length))
        with assert_checkpoints():
            await stream.send_all(kind(data))
        assert sock.sent == data

    trio.run(main)


def test_a_bytearray_can_be_resized_afterwards() -> None:
    async def main() -> None:
        left, right = stream_pair()
        async with right:
            data = bytearray(BIG)
            with trio.move_on_after(0.01) as scope:
                await left.send_all(data)
            assert scope.cancelled_caught
            data += b"more"
            await left.aclose()
            try:
                await left.send_all(data)
            except trio.ClosedResourceError as exc:
                data += b"and more, while a traceback is alive"
                assert exc.__traceback__ is not None

    trio.run(main)


@pytest.mark.parametrize("bad", ["text", None, 5])
def test_only_bytes_can_be_sent(bad: Any) -> None:
    async def main() -> None:
        left, right = stream_pair()
        async with left, right:
            with pytest.raises(TypeError, match="bytes-like object is required"):
                await left.send_all(bad)
            await left.send_all(b"the stream is still good")

    trio.run(main)


def test_the_size_of_a_receive() -> None:
    async def main() -> None:
        left, right = stream_pair()
        async with left, right:
            for bad in (0, -1):
                with pytest.raises(ValueError, match=r"^max_bytes must be >= 1$"):
                    await right.receive_some(bad)
            with pytest.raises(TypeError):
                await right.receive_some("1")  # type: ignore[arg-type]
            await left.send_all(bytes(100_000))
            assert len(await right.receive_some(10)) == 10
            assert len(await right.receive_some(max_bytes=1)) == 1
            assert 1 <= len(await right.receive_some()) <= 65536
            assert isinstance(await right.receive_some(None), bytes)

    trio.run(main)


OPERATIONS: list[Callable[[trio.SocketStream], Awaitable[object]]] = [
    lambda stream: stream.send_all(b"x"),
    lambda stream: stream.receive_some(1),
    lambda stream: stream.wait_send_all_might_not_block(),
    lambda stream: stream.send_eof(),
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_errors_are_translated(operation: Callable[[trio.SocketStream], Awaitable[object]]) -> None:
    async def main() -> None:
        sock = FakeSocket()
        stream = trio.SocketStream(sock)
        for code in (errno.EBADF, errno.ENOTSOCK):
            sock.error = OSError(code, "gone")
            with pytest.raises(trio.ClosedResourceError, match=r"^this socket was already closed$") as closed:
                await operation(stream)
            assert closed.value.__cause__ is None
            assert closed.value.__suppress_context__
        sock.error = OSError(errno.EPIPE, "broken")
        with pytest.raises(trio.BrokenResourceError) as broken:
            await operation(stream)
        assert str(broken.value) == f"socket connection broken: [Errno {errno.EPIPE}] broken"
        assert broken.value.__cause__ is sock.error
        sock.error = KeyError()
        with pytest.raises(KeyError):
            await operation(stream)
        sock.error = None
        await operation(stream)  # no error leaves the stream busy

    trio.run(main)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_closed_stream(operation: Callable[[trio.SocketStream], Awaitable[object]]) -> None:
    async def main() -> None:
        left, right = stream_pair()
        async with right:
            await left.aclose()
            with pytest.raises(trio.ClosedResourceError):
                await operation(left)
            with pytest.raises(trio.ClosedResourceError):
                await left.send_all(b"")
            with assert_checkpoints():
                await left.aclose()

    trio.run(main)


def test_one_sender_at_a_time() -> None:
    async def main() -> None:
        left, right = stream_pair()
        async with left, right:
            await fill_up(left)
            operations: list[Callable[[], Awaitable[object]]] = [
                lambda: left.send_all(b""),
                lambda: left.send_all(b"x"),
                left.wait_send_all_might_not_block,
                left.send_eof,
            ]
            blockers: list[Callable[[], Awaitable[object]]] = [
                lambda: left.send_all(bytes(BIG)),
                left.wait_send_all_might_not_block,
            ]
            for blocker in blockers:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(blocker)
                    await wait_all_tasks_blocked()
                    for operation in operations:
                        with pytest.raises(
                            trio.BusyResourceError,
                            match=r"^another task is currently sending data on this SocketStream$",
                        ):
                            await operation()
                    nursery.cancel_scope.cancel()
                assert await right.receive_some(1)

    trio.run(main)


def test_one_receiver_at_a_time() -> None:
    async def main() -> None:
        left, right = stream_pair()
        async with left, right, trio.open_nursery() as nursery:
            nursery.start_soon(left.receive_some)
            await wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError):
                await left.receive_some()
            await left.send_all(b"sending is another matter")
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_half_closing() -> None:
    async def main() -> None:
        left, right = stream_pair()
        async with left, right:
            await left.send_all(b"last words")
            with assert_checkpoints():
                await left.send_eof()
            with assert_checkpoints():
                await left.send_eof()
            for data in (b"x", b""):
                with pytest.raises(trio.ClosedResourceError, match=r"^can't send data after sending EOF$"):
                    await left.send_all(data)
            assert await right.receive_some() == b"last words"
            assert await right.receive_some() == b""
            await right.send_all(b"answer")
            assert await left.receive_some() == b"answer"

    trio.run(main)


def test_a_reset_connection() -> None:
    async def main() -> None:
        client, server = await tcp_pair()
        async with client:
            server.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, struct.pack("ii", 1, 0))
            await server.aclose()
            with pytest.raises(trio.BrokenResourceError) as caught:
                await client.receive_some(1)
            assert isinstance(caught.value.__cause__, ConnectionResetError)

    trio.run(main)


# ---- listeners ----


class FakeListenSocket(FakeSocket):
    def __init__(self, *results: object) -> None:
        super().__init__()
        self.results = list(results)

    async def accept(self) -> tuple[trio.socket.SocketType, object]:
        await trio.lowlevel.checkpoint()
        result = self.results.pop(0)
        if isinstance(result, BaseException):
            raise result
        assert isinstance(result, FakeSocket)
        return result, ("peer", 1)


def test_accept() -> None:
    async def main() -> None:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            client = await trio.testing.open_stream_to_socket_listener(listener)
            with assert_checkpoints():
                server = await listener.accept()
            assert isinstance(server, trio.SocketStream)
            assert server.socket.getpeername() == client.socket.getsockname()
            await client.aclose()
            await server.aclose()
        with assert_checkpoints():
            await listener.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await listener.accept()

    trio.run(main)


def test_closing_wakes_accept() -> None:
    async def main() -> None:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")

        async def accept() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await listener.accept()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept)
            await wait_all_tasks_blocked()
            await listener.aclose()

    trio.run(main)


LOST = (
    "ECONNABORTED ECONNRESET EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH ENONET ENOPROTOOPT ENOSR EOPNOTSUPP EPERM"
    " EPROTO EPROTONOSUPPORT ESOCKTNOSUPPORT ETIMEDOUT"
).split()


def test_lost_connections_are_skipped_and_nothing_else() -> None:
    lost = {getattr(errno, name) for name in LOST}

    async def main() -> None:
        for code in errno.errorcode:
            good = FakeSocket()
            listener = trio.SocketListener(FakeListenSocket(OSError(code, "message"), good))
            if code in lost:
                assert (await listener.accept()).socket is good
            elif code in (errno.EBADF, errno.ENOTSOCK):
                with pytest.raises(trio.ClosedResourceError):
                    await listener.accept()
            else:
                with pytest.raises(OSError, match="message") as caught:
                    await listener.accept()
                assert caught.value.errno == code
                assert (await listener.accept()).socket is good

    trio.run(main)
