"""Ctrl-C at every instant.

The kernel sends SIGINT after a random time to a program that is busy with everything: tasks that come and go, nurseries,
timeouts, channels, locks, sockets, threads.  Each run has to end with exactly one KeyboardInterrupt, alone or in groups, and
nothing else; every task that began has to have ended, each in its ``finally``; nothing stays open; the process's handler
is back; and a program that always runs to its end afterwards finds everything in order.

Among what it uses is `trio.fail_after`: struck while it is entered, it must not leave a scope open.  Under genuine Trio, whose
`trio.fail_after` is a generator, that can happen; the scope is then closed by whoever collects the generator.
"""

from __future__ import annotations

import contextlib
import gc
import json
import random
import signal
import subprocess
import sys
import time
import warnings
from typing import Optional

import trio

from .book import Book, collect, descriptors, leaves, run
from .outside import Outside, why_not

LATEST = 0.004
LIMIT = 2.0
BATCH = 100
PATIENCE = 40


class Tally:
    """Tasks that have begun, and that have ended."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0


class Busy:
    """A program that never ends by itself; counts its tasks."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.sockets = trio.socket.socketpair()
        self.lock = trio.Lock()
        self.changed = trio.Condition()

    async def child(self, number: int) -> None:
        self.tally.begun += 1
        try:
            if number % 3 == 0:
                with contextlib.suppress(trio.TooSlowError), trio.fail_after(0.0001 * number):
                    await trio.sleep_forever()
            elif number % 3 == 1:
                async with self.lock:
                    await trio.sleep(0)
            else:
                async with self.changed:
                    self.changed.notify_all()
                await trio.lowlevel.checkpoint()
        finally:
            self.tally.ended += 1

    async def families(self) -> None:
        """Nurseries without end."""
        while True:
            async with trio.open_nursery() as nursery:
                for number in range(6):
                    nursery.start_soon(self.child, number)

    async def talk(self) -> None:
        """Data through sockets and channels."""
        left, right = self.sockets
        send, receive = trio.open_memory_channel[int](0)
        with send, receive:
            while True:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(left.send, b"x")
                    nursery.start_soon(send.send, 1)
                    await right.recv(1)
                    assert await receive.receive() == 1

    async def threads(self) -> None:
        """Worker threads, and calls from them."""
        while True:
            await trio.to_thread.run_sync(trio.from_thread.run_sync, int)

    async def main(self) -> None:
        with self.sockets[0], self.sockets[1], trio.move_on_after(LIMIT):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.families)
                nursery.start_soon(self.talk)
                nursery.start_soon(self.threads)
                await self.families()
        raise AssertionError("it went on without the interrupt")


async def in_order() -> int:
    """A program that comes to its end."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 0)
        with trio.move_on_after(0):
            await trio.sleep_forever()
    return await trio.to_thread.run_sync(int)


def strike(outside: Outside, delay: float) -> tuple[bool, Optional[str]]:
    """One run with one signal: was it hit within the run, and what was wrong?"""
    before = descriptors()
    busy = Busy()
    try:
        try:
            outside.signal_in(signal.SIGINT, delay)
            trio.run(busy.main)
        finally:
            outside.signal_in(signal.SIGINT, 0)
    except BaseException as error:
        inner = leaves(error)
        within = busy.tally.begun > 0
        wrong = None if [type(leaf) for leaf in inner] == [KeyboardInterrupt] else f"ended with {error!r}"
    else:
        within, wrong = True, "it went on"
    for sock in busy.sockets:
        sock._sock.close()  # in case that the run never began
    if busy.tally.begun != busy.tally.ended:
        wrong = wrong or f"{busy.tally.begun} tasks began, {busy.tally.ended} ended"
    del busy
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        wrong = wrong or "the handler of SIGINT was not restored"
    if trio.lowlevel.in_trio_run():
        wrong = wrong or "the thread believes that it is in a run"
    return within, wrong or leftovers(before)


def leftovers(before: dict[int, str]) -> Optional[str]:
    """Descriptors that are still open, once worker threads have had a moment."""
    for _ in range(100):
        now = descriptors()
        if now.items() <= before.items():  # an earlier run's thread may just have let go of something
            return None
        gc.collect()
        time.sleep(0.005)
    return f"left open: { {fd: what for fd, what in now.items() if before.get(fd) != what} }"


def batch(seed: int, count: int) -> None:
    """Strike so often, in a process of its own, and print what was found."""
    complaints: list[str] = []
    sys.unraisablehook = lambda event: complaints.append(f"{event.exc_value!r} in {event.object!r}")
    warnings.simplefilter("ignore")  # what was about to be awaited when the signal came never is
    signal.signal(signal.SIGINT, signal.default_int_handler)
    outside, chance = Outside(), random.Random(seed)
    trio.run(in_order)
    collect()
    gc.freeze()
    hits, wrongs = 0, []
    for number in range(count):
        delay = chance.uniform(1e-6, LATEST)
        within, wrong = strike(outside, delay)
        hits += within
        if wrong is not None:
            wrongs.append(f"no. {number}, after {delay * 1e6:.0f} us: {wrong}")
    collect()
    alive = sum(type(item) is trio.lowlevel.Task for item in gc.get_objects())
    works = trio.run(in_order) == 0
    print(json.dumps({"hits": hits, "wrong": wrongs, "alive": alive, "works": works, "complaints": complaints}))


def study(book: Book) -> None:
    """Many strikes, in batches; a batch that does not end counts as one strike that did not end."""
    reason = why_not()
    if reason:
        book.skip(reason)
        return
    hits = 0
    for number in range(book.amount(1, 100)):
        seed = book.seed * 1000 + number
        script = f"from tests.reliability.interrupts import batch; batch({seed}, {BATCH})"
        try:
            done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            book.check("a run that was struck ends", False, f"one of the strikes with seed {seed}", cases=BATCH)
            continue
        book.check("a run that was struck ends", done.returncode == 0, f"seed {seed}: {done.stderr[-800:]}", cases=BATCH)
        if done.returncode:
            continue
        found = json.loads(done.stdout)
        hits += found["hits"]
        wrong = found["wrong"]
        book.check("one KeyboardInterrupt, nothing lost", not wrong, f"seed {seed}: {wrong[:3]}", cases=BATCH)
        book.check("no task lives on", found["alive"] == 0, f"seed {seed}: {found['alive']}")
        book.check("the next run works", found["works"], f"seed {seed}")
        complaints = found["complaints"]
        book.check("nobody complains behind the scenes", not complaints, f"seed {seed}: {complaints[:3]}")
    book.figure("strikes that hit a run in progress", hits)


if __name__ == "__main__":
    run(study)
