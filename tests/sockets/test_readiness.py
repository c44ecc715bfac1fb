"""What is remembered between operations must never make a task sleep through what it waits for.

Each test arranges a history after which a memory of the socket's readiness would be wrong, and then
demands what a socket without any memory would do.
"""

from __future__ import annotations

import array
import os
import random
import socket as stdlib_socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

import trio
import trio.testing
from trio.socket import SocketType

PATIENCE = 5  # seconds


@contextmanager
def promptly() -> Iterator[None]:
    """Whoever waits long has slept through something, even if the deadline's end helped in the end."""
    begin = trio.current_time()
    with trio.fail_after(PATIENCE):
        yield
    assert trio.current_time() - begin < PATIENCE / 2


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[SocketType, SocketType]]:
    """The two ends of a TCP connection."""
    with trio.socket.socket() as listener, trio.socket.socket() as client:
        await listener.bind(("127.0.0.1", 0))
        listener.listen()
        await client.connect(listener.getsockname())
        server, _ = await listener.accept()
        with server:
            yield client, server


@contextmanager
def pair(kind: int = trio.socket.SOCK_STREAM) -> Iterator[tuple[SocketType, SocketType]]:
    left, right = trio.socket.socketpair(trio.socket.AF_UNIX, kind)
    with left, right:
        yield left, right


async def settle() -> None:
    await trio.testing.wait_all_tasks_blocked(0.01)


async def park_once(sock: SocketType) -> None:
    """Let a task wait for data once, so that the socket is known to the loop."""
    with trio.move_on_after(0.01):
        await sock.recv(1)


async def exactly(sock: SocketType, count: int) -> bytes:
    data = b""
    with promptly():
        while len(data) < count:
            data += await sock.recv(count - len(data))
    return data


def test_data_that_came_after_a_short_read() -> None:
    async def main() -> None:
        async with connection() as (left, right):
            await park_once(right)
            for message in (b"a", b"bc", b"def"):
                await left.send(message)
                assert await right.recv(100) == message  # short, hence "drained"
            await left.send(b"more")
            await settle()
            with promptly():
                assert await right.recv(100) == b"more"

    trio.run(main)


def test_the_end_right_behind_a_short_read() -> None:
    async def main() -> None:
        for wait_in_between in (False, True):
            async with connection() as (left, right):
                await park_once(right)
                await left.send(b"last words")
                left.shutdown(trio.socket.SHUT_WR)
                if wait_in_between:
                    await settle()
                with promptly():
                    assert await right.recv(100) == b"last words"
                    assert await right.recv(100) == b""
                    assert await right.recv(100) == b""

    trio.run(main)


def test_who_calls_before_being_cancelled_gets_what_is_there() -> None:
    # The data arrived behind a short read and nobody has told the loop yet. An operation that could be
    # done when it was called is done, even if its task is cancelled before the loop looks.
    async def main() -> None:
        async with connection() as (left, right):
            await park_once(right)
            for _ in range(20):
                await left.send(b"1")
                assert await right.recv(10) == b"1"
                left._sock.send(b"2")  # type: ignore[attr-defined]
                got: list[bytes] = []
                in_time = False

                async with trio.open_nursery() as nursery:

                    async def receive(scope: trio.CancelScope, got: list[bytes]) -> None:
                        nonlocal in_time
                        in_time = not scope.cancel_called
                        got.append(await right.recv(10))

                    async def cancel(scope: trio.CancelScope) -> None:
                        scope.cancel()

                    nursery.start_soon(receive, nursery.cancel_scope, got)
                    nursery.start_soon(cancel, nursery.cancel_scope)
                assert bool(got) == in_time
                if not got:
                    got.append(await right.recv(10))
                assert got == [b"2"]

    trio.run(main)


def test_cancelled_in_the_same_breath() -> None:
    # The sender cancels the receiver right away: it may get the data or not, but they are not lost.
    async def main() -> None:
        async with connection() as (left, right):
            await park_once(right)
            for _ in range(20):
                got: list[bytes] = []

                async def receive(got: list[bytes] = got) -> None:
                    got.append(await right.recv(10))

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(receive)
                    await settle()
                    left._sock.send(b"x")  # type: ignore[attr-defined]
                    nursery.cancel_scope.cancel()
                if not got:
                    got.append(await right.recv(10))
                assert got == [b"x"]

    trio.run(main)


def test_cancelled_at_random_nothing_is_lost() -> None:
    async def main() -> None:
        choose = random.Random(20)
        message = bytes(choose.randrange(256) for _ in range(200_000))
        async with connection() as (left, right):

            async def send() -> None:
                sent = 0
                while sent < len(message):
                    with trio.move_on_after(choose.choice([0, 0.0001, 1])):
                        size = choose.choice([1, 100, 20_000])
                        sent += await left.send(message[sent : sent + size])
                    await trio.lowlevel.checkpoint()
                left.shutdown(trio.socket.SHUT_WR)

            received = bytearray()

            async def receive() -> None:
                while True:
                    with trio.move_on_after(choose.choice([0, 0.0001, 1])):
                        data = await right.recv(choose.choice([1, 100, 70_000]))
                        if not data:
                            return
                        received.extend(data)

            with trio.fail_after(30):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(send)
                    nursery.start_soon(receive)
            assert received == message

    trio.run(main)


def test_both_directions_at_once_in_all_sizes() -> None:
    async def main() -> None:
        choose = random.Random(7)
        async with connection() as (left, right):
            messages = {sock: choose.randbytes(3_000_000) for sock in (left, right)}
            streams = {sock: trio.SocketStream(sock) for sock in (left, right)}

            async def send(sock: SocketType) -> None:
                rest = memoryview(messages[sock])
                while rest:
                    size = choose.choice([1, 1000, 65536, 500_000])
                    await streams[sock].send_all(rest[:size])
                    rest = rest[size:]
                await streams[sock].send_eof()

            async def receive(sock: SocketType, expected: bytes) -> None:
                received = bytearray()
                while data := await streams[sock].receive_some(choose.choice([None, 1, 500, 200_000])):
                    received += data
                assert received == expected

            with trio.fail_after(30):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(send, left)
                    nursery.start_soon(send, right)
                    nursery.start_soon(receive, left, messages[right])
                    nursery.start_soon(receive, right, messages[left])

    trio.run(main)


def test_a_send_that_fills_the_socket_is_woken_by_room() -> None:
    async def main() -> None:
        async with connection() as (left, right):
            done = trio.Event()

            async def send() -> None:
                await trio.SocketStream(left).send_all(bytes(8_000_000))
                done.set()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                await settle()
                assert not done.is_set()
                assert len(await exactly(right, 8_000_000)) == 8_000_000
                with promptly():
                    await done.wait()

    trio.run(main)


def test_urgent_data_makes_reads_stop_early() -> None:
    # The mark of urgent data ends a read although there is more behind it.
    async def main() -> None:
        async with connection() as (left, right):
            await park_once(right)
            for _ in range(10):
                raw = left._sock  # type: ignore[attr-defined]
                raw.send(b"before")
                raw.send(b"!", stdlib_socket.MSG_OOB)
                raw.send(b"behind")
                await settle()
                received = b""
                with promptly():
                    while len(received) < 12:
                        received += await right.recv(100)
                assert received == b"beforebehind"

    trio.run(main)


def test_ancillary_data_makes_reads_stop_early() -> None:
    async def main() -> None:
        with pair() as (left, right):
            rights = [(trio.socket.SOL_SOCKET, trio.socket.SCM_RIGHTS, array.array("i", [0]))]
            for receive_files in (True, False):
                await park_once(right)
                await left.sendmsg([b"with a file"], rights)
                await left.send(b"plain")
                with promptly():
                    if receive_files:
                        first, [(_, _, payload)], _, _ = await right.recvmsg(100, 100)
                        os.close(array.array("i", payload)[0])
                    else:
                        first = await right.recv(100)
                    assert (first, await right.recv(100)) == (b"with a file", b"plain")

    trio.run(main)


def test_an_unconnected_datagram_socket_waits_for_room_elsewhere() -> None:
    # The queue that is full is the receiver's, and others filled it.
    async def main() -> None:
        def datagram_socket() -> SocketType:
            return trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_DGRAM)

        with datagram_socket() as receiver, datagram_socket() as other, datagram_socket() as sender:
            await receiver.bind(b"\0trio-tests-room-%d" % os.getpid())
            address = receiver.getsockname()
            backlog = 0
            with pytest.raises(BlockingIOError):
                while True:
                    other._sock.sendto(b"other", address)  # type: ignore[attr-defined]
                    backlog += 1
            sent: list[int] = []

            async def send() -> None:
                sent.append(await sender.sendto(b"sender", address))

            with promptly():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(send)
                    for _ in range(100):
                        await trio.lowlevel.checkpoint()
                    assert sent == []
                    for _ in range(backlog):
                        assert await receiver.recv(10) == b"other"
                assert await receiver.recv(10) == b"sender"
            assert sent == [6]

    trio.run(main)


def test_wait_readable_sees_what_is_left() -> None:
    async def main() -> None:
        async with connection() as (left, right):
            await park_once(right)
            await left.send(b"abcdef")
            with promptly():
                assert await right.recv(2) == b"ab"
                await trio.lowlevel.wait_readable(right)
                assert await right.recv(100) == b"cdef"
                with trio.move_on_after(0.02) as scope:
                    await trio.lowlevel.wait_readable(right)
                assert scope.cancelled_caught
                await left.send(b"g")
                await trio.lowlevel.wait_readable(right.fileno())
                assert await right.recv(100) == b"g"
                await trio.lowlevel.wait_writable(right)

    trio.run(main)


def test_waiting_by_number_and_receiving_exclude_each_other() -> None:
    async def main() -> None:
        async with connection() as (left, right):
            for first, second in [
                (lambda: trio.lowlevel.wait_readable(right), lambda: right.recv(1)),
                (lambda: right.recv(1), lambda: trio.lowlevel.wait_readable(right.fileno())),
            ]:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(first)
                    await settle()
                    with pytest.raises(trio.BusyResourceError):
                        await second()
                    with promptly():
                        await trio.lowlevel.wait_writable(right)
                    await left.send(b"x")
                with trio.move_on_after(0.01):
                    await right.recv(1)

    trio.run(main)


def test_statistics_count_sleepers_on_sockets() -> None:
    async def main() -> None:
        def count() -> tuple[int, int]:
            statistics = trio.lowlevel.current_statistics().io_statistics
            assert statistics.backend == "epoll"
            return statistics.tasks_waiting_read, statistics.tasks_waiting_write

        async with connection() as (left, _right):
            await settle()
            readers, writers = count()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(left.recv, 1)
                nursery.start_soon(trio.SocketStream(left).send_all, bytes(8_000_000))
                await settle()
                assert count() == (readers + 1, writers + 1)
                nursery.cancel_scope.cancel()
            await settle()
            assert count() == (readers, writers)

    trio.run(main)


def test_wrong_arguments_are_refused_where_there_is_nothing_to_receive() -> None:
    async def main() -> None:
        with pair() as (left, _right):
            await park_once(left)
            wrong = {
                "recv": [(-1,), (None,), ("1",), (), (1, 2, 3), (10**30,)],
                "recv_into": [(b"constant",), (bytearray(2), 3), (bytearray(2), -1), (5,)],
                "recvfrom": [(-1,), ("x",)],
                "recvfrom_into": [(b"constant",), (bytearray(2), 3)],
                "recvmsg": [(-1,), ("x",)],
                "recvmsg_into": [(5,), ([b"constant"],)],
            }
            for name, calls in wrong.items():
                for args in calls:
                    with promptly(), pytest.raises((TypeError, ValueError, OverflowError)):
                        await getattr(left, name)(*args)
            with promptly():
                assert await left.recv(0) == b""
                assert await left.recv_into(bytearray()) == 0

    trio.run(main)


def test_closed_sockets_give_empty_answers_to_empty_questions() -> None:
    async def main() -> None:
        with pair() as (left, _right):
            left.close()
            assert await left.recv(0) == b""
            with pytest.raises(OSError, match="Bad file descriptor"):
                await left.send(b"")

    trio.run(main)
