"""Very much at once, and nothing lost.

Connections stay on the loopback interface.  The many clients are in a process of their own, so that each side needs one
descriptor per connection; their number is what the limit on descriptors allows.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

import trio
import trio.testing

from .book import Book, collect, resident, run

MESSAGE = b"0123456789abcdef"


def room_for_connections(wanted: int) -> int:
    """How many connections the limit on descriptors allows, once it is raised as far as it goes."""
    spare = 100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted + spare:
        soft = wanted + spare if hard == resource.RLIM_INFINITY else min(wanted + spare, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(wanted, soft - spare)


async def echo(stream: trio.SocketStream) -> None:
    """The server's part of a connection."""
    async with stream:
        async for chunk in stream:
            await stream.send_all(chunk)


async def receive_exactly(stream: trio.SocketStream, count: int) -> bytes:
    """As many octets as that, or fewer if the peer ends."""
    got = b""
    while len(got) < count and (chunk := await stream.receive_some(count - len(got))):
        got += chunk
    return got


class Crowd:
    """Clients that are all connected before the first of them talks, and that leave when all have talked."""

    def __init__(self, size: int, rounds: int) -> None:
        self.size = size
        self.rounds = rounds
        self.connected = self.done = self.right = 0
        self.all_here = trio.Event()
        self.all_done = trio.Event()

    async def client(self, port: int, gate: trio.CapacityLimiter) -> None:
        """Connect, wait for the others, talk, leave."""
        async with gate:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
        async with stream:
            self.connected += 1
            if self.connected == self.size:
                self.all_here.set()
            await self.all_here.wait()
            for number in range(self.rounds):
                message = MESSAGE + b"%08d" % number
                await stream.send_all(message)
                same = await receive_exactly(stream, len(message)) == message
                self.right += same
            self.done += 1
            if self.done == self.size:
                self.all_done.set()
            await self.all_done.wait()

    async def run(self, port: int) -> dict[str, float]:
        """Everybody; says how many answers were right, and how long connecting and talking took."""
        gate = trio.CapacityLimiter(200)
        started = time.perf_counter()
        async with trio.open_nursery() as clients:
            for _ in range(self.size):
                clients.start_soon(self.client, port, gate)
            await self.all_here.wait()
            connected = time.perf_counter()
            await self.all_done.wait()
            talked = time.perf_counter()
        return {"right": self.right, "connecting": connected - started, "talking": talked - connected}


def crowd(port: int, size: int, rounds: int) -> None:
    """Run a crowd and print what came of it; in a process of its own."""
    room_for_connections(size)
    print(json.dumps(trio.run(Crowd(size, rounds).run, port)))


async def connections(book: Book, size: int, rounds: int) -> None:
    """Many connections that echo at the same time."""
    collect()
    before = resident()
    memory = opened = most = 0

    async def counted_echo(stream: trio.SocketStream) -> None:
        nonlocal memory, opened, most
        opened += 1
        most = max(most, opened)
        if opened == size:
            memory = resident() - before
        await echo(stream)
        opened -= 1

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=1024)
        nursery.start_soon(trio.serve_listeners, counted_echo, listeners)
        script = f"from tests.reliability.load import crowd\ncrowd({listeners[0].socket.getsockname()[1]}, {size}, {rounds})"
        done = await trio.run_process([sys.executable, "-c", script], capture_stdout=True)
        nursery.cancel_scope.cancel()
    found = json.loads(done.stdout)
    total = size * rounds
    book.check("connections are open at the same time", most == size, f"{most} of {size}", cases=size)
    book.check("messages on all of them come back", found["right"] == total, found, cases=total)
    book.figure("memory per connection in the server", memory / size / 1024, "KiB")
    book.figure("connections made per second", size / found["connecting"])
    book.figure("messages echoed per second", total / found["talking"])


async def parked(book: Book, count: int) -> None:
    """Many tasks that sleep; all are woken."""
    event, woken = trio.Event(), 0

    async def sleep() -> None:
        nonlocal woken
        await event.wait()
        woken += 1

    collect()
    before = resident()
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(sleep)
        await trio.testing.wait_all_tasks_blocked()
        memory = resident() - before
        event.set()
    book.check("parked tasks all wake up", woken == count, woken, cases=count)
    book.figure(f"memory per parked task, of {count:,}", memory / count, "bytes")


async def timers(book: Book, count: int) -> None:
    """Many deadlines that expire within a second, of which every tenth is withdrawn."""
    scopes = []
    late: list[float] = []
    early = expired = 0
    clock = trio.current_time
    start = clock() + 1

    async def sleep(number: int) -> None:
        nonlocal early, expired
        due = start + number % 1000 / 1000
        with trio.CancelScope(deadline=due) as scope:
            if number % 10 == 0:
                scope.deadline = float("inf")
                scopes.append(scope)
            await trio.sleep_forever()
        if number % 10:
            expired += 1
            now = clock()
            early += now < due
            late.append(now - due)

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(sleep, number)
        await trio.lowlevel.checkpoint()
        while expired < count - count // 10:
            await trio.sleep(0.05)
        for scope in scopes:
            scope.cancel()
    book.check("deadlines expire, none too early", early == 0 and expired == count - count // 10, f"{early} early", cases=count)


async def slow_readers(book: Book, count: int, size: int) -> None:
    """Senders whose peers hardly read: buffers are full, everybody else goes on, and at last all of it arrives."""
    whole = 0
    turns = 0

    async def send(stream: trio.SocketStream, data: bytes) -> None:
        async with stream:
            await stream.send_all(data)

    async def read(stream: trio.SocketStream, data: bytes, delay: float) -> None:
        nonlocal whole
        got = bytearray()
        async with stream:
            await trio.sleep(delay)
            async for chunk in stream:
                got += chunk
        whole += bytes(got) == data

    async def others(scope: trio.CancelScope) -> None:
        nonlocal turns
        with scope:
            while True:
                await trio.sleep(0.001)
                turns += 1

    scope = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(others, scope)
        async with trio.open_nursery() as pairs:
            for number in range(count):
                left, right = trio.socket.socketpair()
                data = os.urandom(1024) * (size // 1024)
                pairs.start_soon(send, trio.SocketStream(left), data)
                pairs.start_soon(read, trio.SocketStream(right), data, 0.2 + number % 10 / 50)
        scope.cancel()
    book.check("slow readers get everything", whole == count, whole, cases=count)
    book.check("others go on meanwhile", turns > 20, turns)


async def churn(book: Book, count: int, at_once: int) -> None:
    """Connections that come, say something and go, many at once."""
    good = 0

    async def client(port: int, share: int) -> None:
        nonlocal good
        for _ in range(share):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(MESSAGE)
                same = await receive_exactly(stream, len(MESSAGE)) == MESSAGE
                good += same

    async with trio.open_nursery() as nursery:
        # Several ports, so that those of connections that have just ended need not be used again.
        listeners = [(await trio.open_tcp_listeners(0, host="127.0.0.1"))[0] for _ in range(10)]
        ports = [listener.socket.getsockname()[1] for listener in listeners]
        nursery.start_soon(trio.serve_listeners, echo, listeners)
        started = time.perf_counter()
        async with trio.open_nursery() as clients:
            for number in range(at_once):
                clients.start_soon(client, ports[number % len(ports)], count // at_once)
        seconds = time.perf_counter() - started
        nursery.cancel_scope.cancel()
    total = count // at_once * at_once
    book.check("connections that come and go are all served", good == total, good, cases=total)
    book.figure("connections that came and went per second", total / seconds)


async def fairness(tasks: int, seconds: float) -> dict[str, float]:
    """The longest time for which a runnable task has waited, in turns of the others and in milliseconds.

    Tasks that always have something to do, each with its own habit, and a socket that wakes one now and then.
    """
    turn = 0
    most_turns = longest = 0.0
    end = time.perf_counter() + seconds
    left, right = trio.socket.socketpair()

    async def spin(number: int) -> None:
        nonlocal turn, most_turns, longest
        seen, when = turn, time.perf_counter()
        while when < end:
            if number % 10 == 0:
                await trio.sleep(0)
            else:
                await trio.lowlevel.checkpoint()
            turn += 1
            now = time.perf_counter()
            most_turns, longest = max(most_turns, turn - seen), max(longest, now - when)
            seen, when = turn, now

    async def talk() -> None:
        nonlocal most_turns
        while time.perf_counter() < end:
            seen = turn
            await left.send(b"x")
            await right.recv(1)
            most_turns = max(most_turns, (turn - seen) / 2)
            await trio.lowlevel.checkpoint()

    gc.collect()
    gc.disable()
    try:
        with left, right:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(talk)
                for number in range(tasks):
                    nursery.start_soon(spin, number)
    finally:
        gc.enable()
    return {"turns": most_turns / tasks, "longest": longest * 1e3, "steps": turn / seconds}


def genuine_fairness(partner: str, tasks: int, seconds: float) -> Any:
    """The same in genuine Trio."""
    script = f"""
import json, trio
from tests.reliability.load import fairness
print(json.dumps(trio.run(fairness, {tasks}, {seconds})))
"""
    done = subprocess.run([partner, "-c", script], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def compare_fairness(book: Book) -> None:
    """Fairness of both."""
    tasks, seconds = 100, book.amount(1, 5)
    ours = trio.run(fairness, tasks, seconds)
    book.check("nobody waits for more than a few turns of all others", ours["turns"] <= 4, ours)
    figures = [("ours", ours)]
    if book.partner:
        genuine = genuine_fairness(book.partner, tasks, seconds)
        figures.append(("genuine Trio", genuine))
        # A batch of runnable tasks runs in either order, so twice the number of the others is what both allow.
        bound = max(genuine["turns"], 2.1)
        book.check("and not longer than in genuine Trio", ours["turns"] <= bound, f"{ours} and {genuine}")
    for name, found in figures:
        book.figure(f"fairness, {name}: most steps of others before a task's own, per task", found["turns"])
        book.figure(f"fairness, {name}: longest wait of a runnable task", found["longest"], "ms")
        book.figure(f"fairness, {name}: steps per second", found["steps"])


def study(book: Book) -> None:
    """All of it."""
    wanted = book.amount(1_000, 10_000)
    size = room_for_connections(wanted)
    if size < wanted:
        book.skip(f"the limit on descriptors allows {size:,} connections, not {wanted:,}")
    trio.run(connections, book, size, book.amount(5, 20))
    trio.run(parked, book, book.amount(20_000, 100_000))
    trio.run(timers, book, book.amount(20_000, 1_000_000))
    trio.run(slow_readers, book, book.amount(50, 500), 1 << 20)
    trio.run(churn, book, book.amount(2_000, 20_000), 50)
    compare_fairness(book)


if __name__ == "__main__":
    run(study)
