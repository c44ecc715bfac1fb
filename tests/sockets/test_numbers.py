"""Descriptor numbers are reused, shared and given away; tasks wait for files, not for numbers."""

from __future__ import annotations

import gc
import os
import resource
import socket as stdlib_socket
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

import trio
import trio.testing
from trio.socket import SocketType, from_stdlib_socket

PATIENCE = 5  # seconds


@contextmanager
def promptly() -> Iterator[None]:
    """Whoever waits long has slept through something, even if the deadline's end helped in the end."""
    begin = trio.current_time()
    with trio.fail_after(PATIENCE):
        yield
    assert trio.current_time() - begin < PATIENCE / 2


def inner(sock: SocketType) -> stdlib_socket.socket:
    found = sock._sock  # type: ignore[attr-defined]
    assert isinstance(found, stdlib_socket.socket)
    return found


@contextmanager
def pair() -> Iterator[tuple[SocketType, SocketType]]:
    left, right = trio.socket.socketpair()
    with left, right:
        yield left, right


def pair_with_number(number: int) -> tuple[SocketType, SocketType]:
    """A pair whose first socket has this number, which must be free."""
    left, right = stdlib_socket.socketpair()
    if left.fileno() != number:
        if right.fileno() == number:
            left, right = right, left
        else:
            os.dup2(left.fileno(), number)
            left.close()
            left = stdlib_socket.socket(fileno=number)
    assert left.fileno() == number
    return from_stdlib_socket(left), from_stdlib_socket(right)


async def settle() -> None:
    await trio.testing.wait_all_tasks_blocked(0.01)


def test_a_new_socket_under_the_number_of_a_closed_one() -> None:
    async def main() -> None:
        for _ in range(5):
            with pair() as (left, right):
                number = left.fileno()
                with trio.move_on_after(0.01):
                    await left.recv(1)
                await right.send(b"never read")
            left, right = pair_with_number(number)
            with left, right, promptly():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(left.recv, 1)
                    await settle()
                    await right.send(b"x")

    trio.run(main)


@pytest.mark.parametrize("closer", ["inner", "number"])
def test_closed_without_a_word_while_a_task_waits(closer: str) -> None:
    # Nobody told the loop. Whoever waits for the new file of that number must not be refused, nor
    # left asleep, because of who waited for the old one.
    async def main() -> None:
        left, right = trio.socket.socketpair()
        number = left.fileno()
        outcomes: list[object] = []

        async def wait_for_old() -> None:
            try:
                outcomes.append(await left.recv(10))
            except OSError as exc:
                outcomes.append(exc)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_old)
            await settle()
            if closer == "inner":
                inner(left).close()
            else:
                os.close(inner(left).detach())
            new_left, new_right = pair_with_number(number)
            with new_left, new_right, promptly():
                got: list[bytes] = []

                async def wait_for_new() -> None:
                    got.append(await new_left.recv(10))

                async with trio.open_nursery() as inner_nursery:
                    inner_nursery.start_soon(wait_for_new)
                    await settle()
                    await new_right.send(b"new")
                assert got == [b"new"]
            nursery.cancel_scope.cancel()
        right.close()
        assert all(isinstance(outcome, OSError) for outcome in outcomes)

    trio.run(main)


def test_waiting_by_number_survives_the_reuse_of_the_number() -> None:
    async def main() -> None:
        old, old_peer = stdlib_socket.socketpair()
        number = old.fileno()
        async with trio.open_nursery() as nursery:

            async def wait_for_old() -> None:
                with suppress(OSError):
                    await trio.lowlevel.wait_readable(number)

            nursery.start_soon(wait_for_old)
            await settle()
            keeper = old.dup()  # so that the kernel goes on watching the old file
            old.close()
            left, right = pair_with_number(number)
            with keeper, old_peer, left, right, promptly():
                woken: list[str] = []

                async def wait_for_new() -> None:
                    await trio.lowlevel.wait_readable(left)
                    woken.append("new")

                nursery.start_soon(wait_for_new)
                await settle()
                old_peer.send(b"for the old file")
                await settle()
                assert woken == []
                await right.send(b"x")
                await settle()
                assert woken == ["new"]
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_detached_sockets_leave_no_trace() -> None:
    async def main() -> None:
        with pair() as (left, right):
            with trio.move_on_after(0.01):
                await left.recv(1)
            number = left.detach()
            assert left.fileno() == -1
            with pytest.raises(OSError, match="Bad file descriptor"):
                await left.recv(1)
            again = trio.socket.socket(fileno=number)
            with again, promptly():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(again.recv, 1)
                    await settle()
                    await right.send(b"x")

    trio.run(main)


def test_detaching_does_not_wake_who_waits() -> None:
    async def main() -> None:
        with pair() as (left, right):
            outcomes: list[object] = []

            async def wait() -> None:
                try:
                    outcomes.append(await left.recv(1))
                except OSError as exc:
                    outcomes.append(type(exc))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                await settle()
                number = left.detach()
                await settle()
                assert outcomes == []
                await right.send(b"x")
            assert outcomes == [OSError]
            os.close(number)

    trio.run(main)


def test_duplicates_are_sockets_of_their_own() -> None:
    async def main() -> None:
        with pair() as (left, right), left.dup() as copy:
            outcomes: list[object] = []

            async def wait(sock: SocketType) -> None:
                try:
                    outcomes.append(await sock.recv(1))
                except trio.ClosedResourceError:
                    outcomes.append("closed")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait, left)
                nursery.start_soon(wait, copy)
                await settle()
                left.close()
                await settle()
                assert outcomes == ["closed"]
                with promptly():
                    await right.send(b"x")
            assert outcomes == ["closed", b"x"]

    trio.run(main)


def test_two_objects_for_one_socket() -> None:
    async def main() -> None:
        with pair() as (left, right):
            twin = from_stdlib_socket(inner(left))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(left.recv, 1)
                await settle()
                with pytest.raises(trio.BusyResourceError):
                    await twin.recv(1)
                await right.send(b"x")
            with promptly():
                await right.send(b"y")
                assert await twin.recv(1) == b"y"
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(twin.recv, 1)
                    await settle()
                    await right.send(b"z")

    trio.run(main)


def test_a_socket_that_is_exchanged_under_a_sleeping_task() -> None:
    async def main() -> None:
        with pair() as (left, right), pair() as (other, other_right):
            got: list[bytes] = []

            async def wait() -> None:
                got.append(await left.recv(10))

            first, second = inner(left), inner(other)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                await settle()
                left._sock = second  # type: ignore[attr-defined]
                await right.send(b"old")
                await settle()
                await other_right.send(b"new")
            assert got == [b"new"]
            left._sock = first  # type: ignore[attr-defined]
            with promptly():
                assert await left.recv(10) == b"old"

    trio.run(main)


def test_a_socket_outlives_a_run() -> None:
    left, right = stdlib_socket.socketpair()
    sockets: list[SocketType] = []

    async def first() -> None:
        sockets.extend([from_stdlib_socket(left), from_stdlib_socket(right)])
        with trio.move_on_after(0.01):
            await sockets[0].recv(1)

    async def later() -> None:
        with promptly():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sockets[0].recv, 1)
                await settle()
                await sockets[1].send(b"x")

    async def last() -> None:
        for sock in sockets:
            sock.close()

    for function in (first, later, later, last):
        trio.run(function)


def test_forgotten_sockets_do_not_spoil_their_numbers() -> None:
    async def main() -> None:
        for _ in range(3):
            left, right = trio.socket.socketpair()
            number = left.fileno()
            with trio.move_on_after(0.01):
                await left.recv(1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                del left
                gc.collect()
            right.close()
            new_left, new_right = pair_with_number(number)
            with new_left, new_right, promptly():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(new_left.recv, 1)
                    await settle()
                    await new_right.send(b"x")

    trio.run(main)


def test_closing_wakes_both_directions_and_whoever_waits_by_number() -> None:
    async def main() -> None:
        left, right = trio.socket.socketpair()
        with right:
            woken: list[str] = []

            async def expect_closed(name: str, wait: Callable[[], Awaitable[object]]) -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await wait()
                woken.append(name)

            with trio.move_on_after(0.05):
                while True:
                    await left.send(bytes(100_000))
            number = left.fileno()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(expect_closed, "reader", lambda: left.recv(1))
                nursery.start_soon(expect_closed, "writer", lambda: trio.lowlevel.wait_writable(number))
                await settle()
                left.close()
            assert sorted(woken) == ["reader", "writer"]

    trio.run(main)


def test_negative_numbers_and_things_that_cannot_be_polled() -> None:
    async def main() -> None:
        for wait in (trio.lowlevel.wait_readable, trio.lowlevel.wait_writable):
            with pytest.raises(ValueError, match="negative"):
                await wait(-1)
            with pytest.raises(OSError, match="Bad file descriptor"):
                await wait(10**6)
            with open(__file__) as file, pytest.raises(PermissionError):
                await wait(file)
            with pytest.raises((TypeError, RuntimeError)):
                await wait("text")  # type: ignore[arg-type]
        trio.lowlevel.notify_closing(10**6)

    trio.run(main)


def test_accept_out_of_descriptors_and_afterwards() -> None:
    async def main() -> None:
        with trio.socket.socket() as listener, trio.socket.socket() as client:
            await listener.bind(("127.0.0.1", 0))
            listener.listen()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.connect, listener.getsockname())
                soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
                spare = os.dup(0)
                os.close(spare)
                await settle()
                resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
                try:
                    for _ in range(2):
                        with trio.testing.assert_checkpoints(), pytest.raises(OSError, match="Too many open files"):
                            await listener.accept()
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            with promptly():
                server, address = await listener.accept()
            with server:
                assert address == client.getsockname()

    trio.run(main)


def test_a_peer_that_vanishes() -> None:
    async def main() -> None:
        def reset(sock: SocketType) -> None:
            sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()

        async def connected() -> tuple[SocketType, SocketType]:
            with trio.socket.socket() as listener:
                await listener.bind(("127.0.0.1", 0))
                listener.listen()
                client = trio.socket.socket()
                await client.connect(listener.getsockname())
                return client, (await listener.accept())[0]

        async def expect(error: type[BaseException], wait: Callable[..., Awaitable[object]], argument: object) -> None:
            with trio.testing.assert_checkpoints(), pytest.raises(error):
                await wait(argument)

        for asleep in (False, True):
            left, right = await connected()
            async with trio.open_nursery() as nursery:
                if asleep:
                    nursery.start_soon(expect, ConnectionResetError, left.recv, 10)
                    await settle()
                reset(right)
                if not asleep:
                    await expect(ConnectionResetError, left.recv, 10)
            with pytest.raises(BrokenPipeError):
                await left.send(b"x")
            left.close()

        left, right = await connected()
        stream = trio.SocketStream(left)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect, trio.BrokenResourceError, stream.send_all, bytes(10**7))
            await settle()
            reset(right)
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"x")
        await stream.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some()
        with pytest.raises(trio.ClosedResourceError):
            await stream.send_all(b"x")
        with pytest.raises(trio.ClosedResourceError):
            await stream.send_all(b"")

    trio.run(main)
