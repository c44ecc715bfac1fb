"""Sending and receiving: what an operation did, what it did not, and who is woken by what."""

from __future__ import annotations

import array
import os
import socket as stdlib_socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager

import pytest

import trio
import trio.testing
from trio.socket import SocketType


@contextmanager
def pair(kind: int = trio.socket.SOCK_STREAM) -> Iterator[tuple[SocketType, SocketType]]:
    left, right = trio.socket.socketpair(trio.socket.AF_UNIX, kind)
    with left, right:
        yield left, right


async def fill(sock: SocketType) -> int:
    """Send until it would block; returns the number of bytes."""
    sent = 0
    with trio.CancelScope() as scope:
        while True:
            with trio.move_on_after(0.05) as patience:
                sent += await sock.send(bytes(65536))
            if patience.cancelled_caught:
                scope.cancel()
                await trio.lowlevel.checkpoint()
    return sent


READS: dict[str, Callable[[SocketType], Awaitable[object]]] = {
    "recv": lambda sock: sock.recv(10),
    "recv_into": lambda sock: sock.recv_into(bytearray(10)),
    "recvfrom": lambda sock: sock.recvfrom(10),
    "recvfrom_into": lambda sock: sock.recvfrom_into(bytearray(10)),
    "recvmsg": lambda sock: sock.recvmsg(10),
    "recvmsg_into": lambda sock: sock.recvmsg_into([bytearray(10)]),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_cancelled_read_takes_nothing(read: Callable[[SocketType], Awaitable[object]]) -> None:
    async def main() -> None:
        with pair() as (left, right):
            await left.send(b"still here")
            with trio.CancelScope() as scope:
                scope.cancel()
                await read(right)
            assert scope.cancelled_caught
            assert await right.recv(100) == b"still here"

    trio.run(main)


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_every_read_is_a_checkpoint_at_once_and_later(read: Callable[[SocketType], Awaitable[object]]) -> None:
    async def main() -> None:
        with pair() as (left, right):
            await left.send(b"x")
            with trio.testing.assert_checkpoints():
                await read(right)

            async def wait_then_read() -> None:
                with trio.testing.assert_checkpoints():
                    await read(right)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait_then_read)
                await trio.testing.wait_all_tasks_blocked()
                await left.send(b"x")

    trio.run(main)


def test_receive_variants_agree() -> None:
    async def main() -> None:
        with pair() as (left, right):
            for _ in range(3):
                await left.send(b"abc")
            assert await right.recv(2) == b"ab"
            assert await right.recv(1, trio.socket.MSG_PEEK) == b"c"
            buffer = bytearray(4)
            assert await right.recv_into(buffer, 2) == 2
            assert buffer == b"ca\0\0"
            first, second = bytearray(1), bytearray(1)
            count, ancillary, flags, _address = await right.recvmsg_into([first, second])
            assert (count, first, second, ancillary, flags) == (2, b"b", b"c", [], 0)
            data, _ = await right.recvfrom(10)
            assert data == b"abc"
            left.close()
            assert await right.recv(1) == b""
            assert await right.recv_into(buffer) == 0

    trio.run(main)


def test_datagrams_keep_their_boundaries() -> None:
    async def main() -> None:
        with pair(trio.socket.SOCK_DGRAM) as (left, right):
            assert await left.send(b"one") == 3
            assert await left.sendmsg([b"t", b"wo"]) == 3
            assert await right.recv(100) == b"one"
            assert await right.recv(100) == b"two"

    trio.run(main)


def test_file_descriptors_travel_as_ancillary_data() -> None:
    async def main() -> None:
        read_end, write_end = os.pipe()
        with pair() as (left, right), open(write_end, "wb", buffering=0) as pipe:
            with open(read_end, "rb", buffering=0):
                rights = array.array("i", [read_end])
                await left.sendmsg([b"!"], [(trio.socket.SOL_SOCKET, trio.socket.SCM_RIGHTS, rights)])
            data, [(level, kind, payload)], _, _ = await right.recvmsg(1, trio.socket.CMSG_LEN(rights.itemsize))
            assert (data, level, kind) == (b"!", trio.socket.SOL_SOCKET, trio.socket.SCM_RIGHTS)
            [copy] = array.array("i", payload)
            with open(copy, "rb", buffering=0) as received:
                pipe.write(b"through")
                assert received.read(10) == b"through"

    trio.run(main)


def test_send_waits_for_room_and_sends_what_fits() -> None:
    async def main() -> None:
        with pair() as (left, right):
            backlog = await fill(left)
            sent: list[int] = []

            async def send_more() -> None:
                sent.append(await left.send(bytes(10**7)))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(send_more)
                await trio.testing.wait_all_tasks_blocked(0.01)
                assert sent == []
                while backlog:
                    backlog -= len(await right.recv(min(backlog, 65536)))
            assert 0 < sent[0] < 10**7

    trio.run(main)


def test_wait_writable_waits_for_room() -> None:
    async def main() -> None:
        with pair() as (left, right):
            with trio.testing.assert_checkpoints():
                await left.wait_writable()
            await fill(left)
            with trio.move_on_after(0.01) as scope:
                await left.wait_writable()
            assert scope.cancelled_caught
            while right.is_readable():
                await right.recv(10**6)
            await left.wait_writable()

    trio.run(main)


def test_is_readable_sees_data_and_the_end() -> None:
    async def main() -> None:
        with pair() as (left, right):
            assert not right.is_readable()
            await left.send(b"x")
            assert right.is_readable()
            await right.recv(1)
            assert not right.is_readable()
            left.close()
            assert right.is_readable()

    trio.run(main)


def test_is_readable_with_a_high_descriptor() -> None:
    # select() cannot look at descriptors from 1024 on
    async def main() -> None:
        import fcntl
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 1100:
            pytest.skip("not enough descriptors allowed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1100), hard))
        try:
            with pair() as (left, right):
                high = trio.socket.socket(fileno=fcntl.fcntl(right.fileno(), fcntl.F_DUPFD_CLOEXEC, 1050))
                with high:
                    assert high.fileno() >= 1050
                    assert not high.is_readable()
                    await left.send(b"x")
                    assert high.is_readable()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    trio.run(main)


def test_who_comes_too_late_goes_back_to_sleep() -> None:
    # Both ends of the duplicate are woken by the same datagram, and one finds nothing.
    async def main() -> None:
        with pair(trio.socket.SOCK_DGRAM) as (left, right), right.dup() as other:
            got: list[bytes] = []

            async def receive(sock: SocketType) -> None:
                with trio.testing.assert_checkpoints():
                    got.append(await sock.recv(10))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive, right)
                nursery.start_soon(receive, other)
                await trio.testing.wait_all_tasks_blocked()
                await left.send(b"1")
                await trio.testing.wait_all_tasks_blocked(0.01)
                assert got == [b"1"]
                await left.send(b"2")
            assert got == [b"1", b"2"]

    trio.run(main)


def test_one_reader_and_one_writer() -> None:
    async def main() -> None:
        with pair() as (left, _right):
            await fill(left)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(left.recv, 1)
                nursery.start_soon(left.send, b"x")
                await trio.testing.wait_all_tasks_blocked()
                with pytest.raises(trio.BusyResourceError):
                    await left.recv(1)
                with pytest.raises(trio.BusyResourceError):
                    await left.send(b"x")
                with pytest.raises(trio.BusyResourceError):
                    await left.wait_writable()
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_closing_wakes_reader_and_writer() -> None:
    async def main() -> None:
        woken: list[str] = []

        async def expect_closed(name: str, operation: Callable[[], Awaitable[object]]) -> None:
            with pytest.raises(trio.ClosedResourceError):
                await operation()
            woken.append(name)

        with pair() as (left, _right):
            await fill(left)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(expect_closed, "reader", lambda: left.recv(1))
                nursery.start_soon(expect_closed, "writer", lambda: left.send(b"x"))
                await trio.testing.wait_all_tasks_blocked()
                left.close()
                assert left.fileno() == -1
                left.close()
        assert sorted(woken) == ["reader", "writer"]

        listener = trio.socket.socket()
        await listener.bind(("127.0.0.1", 0))
        listener.listen()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect_closed, "acceptor", listener.accept)
            await trio.testing.wait_all_tasks_blocked()
            listener.close()
        assert "acceptor" in woken

    trio.run(main)


def test_a_closed_socket_reports_a_bad_descriptor() -> None:
    async def main() -> None:
        sock = trio.socket.socket()
        sock.close()
        operations: list[Callable[[], Awaitable[object]]] = [
            lambda: sock.recv(1),
            lambda: sock.send(b"x"),
            lambda: sock.sendto(b"x", ("127.0.0.1", 1)),
            lambda: sock.connect(("127.0.0.1", 1)),
            lambda: sock.bind(("127.0.0.1", 0)),
            sock.accept,
        ]
        for operation in operations:
            with pytest.raises(OSError, match="Bad file descriptor"):
                await operation()

    trio.run(main)


def test_wrong_arguments_get_an_error_and_do_no_harm() -> None:
    async def main() -> None:
        with pair() as (left, right):
            with pytest.raises(TypeError):
                await left.send("text")  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="negative buffersize"):
                await right.recv(-1)
            with pytest.raises(TypeError):
                await right.recv("1")  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="2 or 3 arguments"):
                await left.sendto(b"x")  # type: ignore[call-overload]
            await left.send(b"fine")
            assert await right.recv(10) == b"fine"

    trio.run(main)


def test_an_error_is_a_checkpoint_too() -> None:
    async def main() -> None:
        with pair() as (left, right):
            right.close()
            with trio.testing.assert_checkpoints(), pytest.raises(BrokenPipeError):
                await left.send(b"x")

    trio.run(main)


def test_a_ready_socket_is_not_waited_for() -> None:
    class Ticks(trio.abc.Instrument):
        waits = 0

        def before_io_wait(self, timeout: float) -> None:
            if timeout:
                self.waits += 1

    async def main() -> int:
        with pair(trio.socket.SOCK_DGRAM) as (left, right):
            before = ticks.waits
            for _ in range(20):
                await left.send(b"x")
                await right.recv(1)
            return ticks.waits - before

    ticks = Ticks()
    assert trio.run(main, instruments=[ticks]) == 0


def test_sendto_resolves_names_and_takes_flags() -> None:
    async def main() -> None:
        sender = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
        receiver = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
        with sender, receiver:
            await receiver.bind(("127.0.0.1", 0))
            port = receiver.getsockname()[1]
            assert await sender.sendto(b"by name", ("localhost", port)) == 7
            assert await sender.sendto(b"flags", trio.socket.MSG_DONTWAIT, ("127.0.0.1", port)) == 5
            assert await sender.sendmsg([b"mes", b"sage"], [], 0, ("localhost", port)) == 7
            with pytest.raises(ValueError, match=r"address should be a \(host, port\) tuple"):
                await sender.sendto(b"x", ("localhost",))
            for expected in (b"by name", b"flags", b"message"):
                data, (host, _) = await receiver.recvfrom(100)
                assert (data, host) == (expected, "127.0.0.1")

    trio.run(main)


def test_the_descriptor_stays_nonblocking_for_the_other_side() -> None:
    async def main() -> None:
        ours, theirs = stdlib_socket.socketpair()
        with closing(theirs):
            sock = trio.socket.from_stdlib_socket(ours)
            with sock:
                assert not os.get_blocking(sock.fileno())
                assert os.get_blocking(theirs.fileno())

    trio.run(main)
