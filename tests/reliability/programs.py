"""Programs that use everything that makes system calls, each in a second or less, and check what they get.

They are written as users write them.  Each leaves the process as it found it, however it ends.
"""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import signal
import socket as stdlib_socket
import ssl
import tempfile
from typing import Any, Awaitable, Callable, Iterator, TypeVar

import trio
import trio.testing

T = TypeVar("T")
Program = Callable[[], Awaitable[None]]


async def tcp_echo() -> None:
    """A server with the high-level interface, and two clients."""

    async def echo(stream: trio.SocketStream) -> None:
        async with stream:
            async for chunk in stream:
                await stream.send_all(chunk)

    async def client(port: int) -> None:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            for number in range(3):
                message = b"message %d" % number
                await stream.send_all(message)
                got = b""
                while len(got) < len(message):
                    chunk = await stream.receive_some()
                    if not chunk:
                        raise trio.BrokenResourceError("cut off")
                    got += chunk
                assert got == message

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(functools.partial(trio.serve_tcp, echo, 0, host="127.0.0.1"))
        try:
            async with trio.open_nursery() as clients:
                for _ in range(2):
                    clients.start_soon(client, listeners[0].socket.getsockname()[1])
        finally:
            nursery.cancel_scope.cancel()


async def low_level_tcp() -> None:
    """Sockets by hand: bind, listen, accept, connect, and all ways to receive."""
    with trio.socket.socket() as listener:
        await listener.bind(("127.0.0.1", 0))
        listener.listen()
        with trio.socket.socket() as client:
            accepted: list[trio.socket.SocketType] = []

            async def accept() -> None:
                accepted.append((await listener.accept())[0])

            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(accept)
                    await client.connect(listener.getsockname())
                (server,) = accepted
                await converse(client, server)
            finally:
                for sock in accepted:
                    sock.close()


async def converse(client: Any, server: Any) -> None:
    """Each way to send meets each way to receive."""
    buffer = bytearray(10)
    for _ in range(2):
        assert await client.send(b"one") == 3
        assert await server.recv(10) == b"one"
        assert await server.send(b"two") == 3
        assert await client.recv_into(buffer) == 3
        assert await client.sendmsg([b"thr", b"ee"]) == 5
        assert (await server.recvmsg(10))[0] == b"three"
    async with trio.open_nursery() as nursery:

        async def late() -> None:
            await trio.sleep(0.002)
            await server.send(b"four")

        nursery.start_soon(late)
        assert await client.recv(10) == b"four"
    client.shutdown(trio.socket.SHUT_WR)
    assert await server.recv(10) == b""


async def bulk() -> None:
    """Much data through a pair of sockets with small buffers, against a slow reader."""
    left, right = trio.socket.socketpair()
    with left, right:
        left.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_SNDBUF, 4096)
        data = bytes(range(256)) * 400
        got = bytearray()

        async def send() -> None:
            await trio.SocketStream(left).send_all(data)
            left.shutdown(trio.socket.SHUT_WR)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            while chunk := await right.recv(6000):
                got += chunk
                await trio.sleep(0)
        assert got == data


async def udp() -> None:
    """Datagrams."""
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as left, trio.socket.socket(type=trio.socket.SOCK_DGRAM) as right:
        await left.bind(("127.0.0.1", 0))
        await right.bind(("127.0.0.1", 0))
        for number in range(3):
            await left.sendto(b"%d" % number, right.getsockname())
            data, sender = await right.recvfrom(100)
            assert (data, sender) == (b"%d" % number, left.getsockname())


async def unix_stream() -> None:
    """A named local socket."""
    with tempfile.TemporaryDirectory() as folder, trio.socket.socket(stdlib_socket.AF_UNIX) as listener:
        path = os.path.join(folder, "name")
        await listener.bind(path)
        listener.listen()
        async with await trio.open_unix_socket(path) as client:
            with (await listener.accept())[0] as server:
                await client.send_all(b"hello")
                assert await server.recv(10) == b"hello"


async def lent_descriptors() -> None:
    """Waiting for descriptors that are somebody else's."""
    left, right = stdlib_socket.socketpair()
    with left, right:
        for _ in range(3):
            await trio.lowlevel.wait_writable(left)
            with trio.move_on_after(0.001) as scope:
                await trio.lowlevel.wait_readable(right)
            assert scope.cancelled_caught
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.lowlevel.wait_readable, right)
                nursery.start_soon(trio.lowlevel.wait_writable, right)
                await patiently(trio.lowlevel.wait_writable, left, lambda: left.send(b"x"))
            assert await patiently(trio.lowlevel.wait_readable, right, lambda: right.recv(10)) == b"x"


async def patiently(wait: Callable[[Any], Awaitable[None]], sock: Any, call: Callable[[], T]) -> T:
    """Make a call that may say that it would block, and then wait."""
    while True:
        try:
            return call()
        except BlockingIOError:
            await wait(sock)


async def pipes() -> None:
    """Streams over pipes."""
    read_end, write_end = os.pipe()
    try:
        sender = trio.lowlevel.FdStream(write_end)
    except OSError:
        os.close(write_end)
        os.close(read_end)
        raise
    try:
        receiver = trio.lowlevel.FdStream(read_end)
    except OSError:
        os.close(read_end)
        await sender.aclose()
        raise
    async with sender, receiver:
        data = b"pipe" * 30000
        got = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sender.send_all, data)
            while len(got) < len(data):
                got += await receiver.receive_some()
        assert got == data


async def threads() -> None:
    """Calls out of the run and back into it."""
    token = trio.lowlevel.current_trio_token()
    arrived: list[int] = []
    done = trio.Event()

    def work(number: int) -> int:
        token.run_sync_soon(arrived.append, number)
        return trio.from_thread.run_sync(lambda: number + 1)

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(trio.to_thread.run_sync, work, number)
    token.run_sync_soon(done.set)
    await done.wait()
    assert sorted(arrived) == [0, 1, 2]


async def signals() -> None:
    """Signals that arrive as items of a loop."""
    with trio.open_signal_receiver(signal.SIGUSR1) as receiver:
        for _ in range(3):
            async with trio.open_nursery() as nursery:

                async def expect() -> None:
                    assert await receiver.__anext__() == signal.SIGUSR1

                nursery.start_soon(expect)
                await trio.testing.wait_all_tasks_blocked()
                os.kill(os.getpid(), signal.SIGUSR1)


async def closing() -> None:
    """A descriptor is closed while somebody waits for it, and its number is used again."""
    for _ in range(3):
        left, right = trio.socket.socketpair()
        with left, right:
            async with trio.open_nursery() as nursery:

                async def expect(sock: Any = right) -> None:
                    with contextlib.suppress(trio.ClosedResourceError):
                        await sock.recv(1)
                        raise AssertionError("it was closed")

                nursery.start_soon(expect)
                await trio.testing.wait_all_tasks_blocked()
                right.close()
            other, another = trio.socket.socketpair()
            with other, another:
                await other.send(b"x")
                assert await another.recv(1) == b"x"


def tls_contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's side, by a certificate made for the occasion."""
    import trustme

    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("peer.example").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


CONTEXTS: list[tuple[ssl.SSLContext, ssl.SSLContext]] = []


@contextlib.contextmanager
def tls_pair() -> Iterator[tuple[Any, Any]]:
    """The server's and the client's end of a connection that has had no handshake yet."""
    if not CONTEXTS:
        CONTEXTS.append(tls_contexts())
    server_context, client_context = CONTEXTS[0]
    ends = trio.socket.socketpair()
    with ends[0], ends[1]:
        yield (
            trio.SSLStream(trio.SocketStream(ends[0]), server_context, server_side=True),
            trio.SSLStream(trio.SocketStream(ends[1]), client_context, server_hostname="peer.example"),
        )


async def tls() -> None:
    """A conversation under TLS."""
    with tls_pair() as (server, client):

        async def serve() -> None:
            await server.send_all(await server.receive_some())
            await server.aclose()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            await client.send_all(b"secret")
            got = await client.receive_some()
            assert got == b"secret"
            assert await client.receive_some() == b""
            await client.aclose()


PROGRAMS: dict[str, Program] = {
    program.__name__: program
    for program in (
        tcp_echo,
        low_level_tcp,
        bulk,
        udp,
        unix_stream,
        lent_descriptors,
        pipes,
        threads,
        signals,
        closing,
        tls,
    )
}


def run_as_guest(main: Callable[..., Awaitable[None]], *args: object) -> None:
    """Run a program as the guest of a host loop that does nothing else."""
    calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
    outcomes: list[Any] = []
    trio.lowlevel.start_guest_run(main, *args, run_sync_soon_threadsafe=calls.put, done_callback=outcomes.append)
    while not outcomes:
        calls.get(timeout=20)()
    outcomes.pop().unwrap()
