"""Loops that do the same thing over and over use no more memory at their end than in their middle.

A loop runs in three parts: the first fills caches and pools; after the second and the third, a collection, and a count of
bytes, objects, descriptors and threads.  The third part must not have added anything to speak of: a leak of one object per
turn would show as many objects as there were turns.
"""

from __future__ import annotations

import gc
import threading
import time
from typing import Any, Awaitable, Callable

import trio
import trio.testing

from . import programs
from .book import Book, collect, descriptors, resident, run

Loop = Callable[[int], Awaitable[None]]
OBJECTS_TO_SPARE = 60
BYTES_TO_SPARE = 3_000_000


async def spawn(turns: int) -> None:
    """Tasks that come and go."""

    async def child() -> None:
        await trio.lowlevel.checkpoint()

    for _ in range(turns // 10):
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(child)


async def cancel(turns: int) -> None:
    """Sleeping tasks that are cancelled."""
    for _ in range(turns // 10):
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(trio.sleep_forever)
            await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()


async def timeout(turns: int) -> None:
    """Timeouts, of which every fourth expires."""
    for number in range(turns):
        with trio.move_on_after(0 if number % 4 == 0 else 100):
            await trio.lowlevel.checkpoint()


async def failing(turns: int) -> None:
    """Exceptions out of tasks, in groups."""

    async def fail() -> None:
        raise ValueError("again")

    for _ in range(turns):
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail)
        except BaseException as group:
            assert len(group.exceptions) == 1  # type: ignore[attr-defined]


async def channel(turns: int) -> None:
    """Items through a channel, from task to task."""
    send, receive = trio.open_memory_channel[int](0)

    async def produce() -> None:
        async with send:
            for number in range(turns):
                await send.send(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(produce)
        assert [number async for number in receive if number == turns - 1] == [turns - 1]


async def sockets(turns: int) -> None:
    """Messages to and fro."""
    left, right = trio.socket.socketpair()
    with left, right:
        for _ in range(turns):
            await left.send(b"x")
            assert await right.recv(10) == b"x"


async def connections(turns: int) -> None:
    """Connections that are made, accepted and closed."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listeners[0] as listener:
        for _ in range(turns):
            async with await trio.testing.open_stream_to_socket_listener(listener) as client:
                async with await listener.accept() as server:
                    await client.send_all(b"x")
                    assert await server.receive_some() == b"x"
                # A socket that has reset its connection leaves no port behind that waits.
                client.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


async def descriptors_lent(turns: int) -> None:
    """Waiting for descriptors of others."""
    left, right = trio.socket.socketpair()
    with left, right:
        for _ in range(turns):
            await trio.lowlevel.wait_writable(left._sock)
            left._sock.send(b"x")
            await trio.lowlevel.wait_readable(right._sock)
            right._sock.recv(10)


async def thread_hop(turns: int) -> None:
    """Into a thread, and back from there."""
    for _ in range(turns):
        await trio.to_thread.run_sync(trio.from_thread.run_sync, int)


async def entry_queue(turns: int) -> None:
    """Calls through the entry queue."""
    token = trio.lowlevel.current_trio_token()
    for _ in range(turns):
        done = trio.Event()
        token.run_sync_soon(done.set)
        token.run_sync_soon(int, idempotent=True)
        await done.wait()


async def tls(turns: int) -> None:
    """Whole conversations under TLS, handshake and goodbye included."""
    for _ in range(turns):
        await programs.tls()


async def tls_echo(turns: int) -> None:
    """Messages to and fro over one connection under TLS."""
    with programs.tls_pair() as (server, client):

        async def serve() -> None:
            async for data in server:
                await server.send_all(data)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            for _ in range(turns):
                await client.send_all(b"x")
                assert await client.receive_some() == b"x"
            await client.aclose()
        await server.aclose()


async def synchronisation(turns: int) -> None:
    """Locks, semaphores, conditions, limiters, with waiting."""
    lock, semaphore, limiter, condition = trio.Lock(), trio.Semaphore(1), trio.CapacityLimiter(1), trio.Condition()

    async def use() -> None:
        for _ in range(turns // 8):
            async with lock, semaphore, limiter:
                await trio.lowlevel.checkpoint()
            async with condition:
                condition.notify_all()

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(use)


def runs(turns: int) -> None:
    """Whole runs, one after the other."""
    for _ in range(turns):
        trio.run(trio.sleep, 0)


def guest_runs(turns: int) -> None:
    """Whole guest runs, one after the other."""
    for _ in range(turns):
        programs.run_as_guest(trio.sleep, 0)


# How many turns each has in the quick and in the long set.
LOOPS: dict[Loop, tuple[int, int]] = {
    spawn: (20_000, 1_000_000),
    cancel: (20_000, 1_000_000),
    timeout: (40_000, 1_000_000),
    failing: (3_000, 1_000_000),
    channel: (30_000, 1_000_000),
    synchronisation: (20_000, 1_000_000),
    sockets: (20_000, 1_000_000),
    descriptors_lent: (10_000, 1_000_000),
    connections: (1_000, 1_000_000),
    thread_hop: (2_000, 1_000_000),
    entry_queue: (10_000, 1_000_000),
    tls_echo: (3_000, 1_000_000),
    # A million handshakes would be half an hour of cryptography.
    tls: (60, 100_000),
}
WHOLE_RUNS: dict[Callable[[int], None], tuple[int, int]] = {runs: (500, 1_000_000), guest_runs: (300, 1_000_000)}


def census() -> dict[str, int]:
    """What there is now."""
    collect()
    return {
        "bytes": resident(),
        "objects": len(gc.get_objects()),
        "descriptors": len(descriptors()),
        "threads": threading.active_count(),
    }


def observe(book: Book, name: str, perform: Callable[[int], Any], turns: int) -> None:
    """Run a loop in three parts and compare."""
    perform(max(turns // 5, 20))
    perform(turns // 2)
    before = census()
    started = time.monotonic()
    perform(turns // 2)
    pace = turns // 2 / (time.monotonic() - started)
    after = census()
    grown = {what: after[what] - before[what] for what in after}
    flat = grown["objects"] <= OBJECTS_TO_SPARE and grown["descriptors"] <= 0 and grown["bytes"] <= BYTES_TO_SPARE
    book.check(name, flat and grown["threads"] <= 1, f"in {turns // 2} turns it grew by {grown}", cases=turns)
    growth = f"{grown['bytes'] / 1024:,.0f} KiB, {grown['objects']} objects"
    book.figure(f"{name}: {turns:,} turns at {pace:,.0f} per second, growth in the second half", growth)


def study(book: Book) -> None:
    """All loops, in one process."""
    for loop, turns in LOOPS.items():
        observe(book, loop.__name__.replace("_", " "), lambda count, loop=loop: trio.run(loop, count), book.amount(*turns))
    for whole, turns in WHOLE_RUNS.items():
        observe(book, whole.__name__.replace("_", " "), whole, book.amount(*turns))


if __name__ == "__main__":
    run(study)
