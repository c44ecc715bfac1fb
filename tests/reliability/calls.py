"""Calls from many threads, and signals, at once.

Eight threads call into a run that is busy, while the kernel sends a signal at short, random intervals whose handler
calls in, too.  Every call arrives once; those of one thread arrive in order; idempotent ones arrive at least once after the
last was made, and never more often than they were made.  A second part measures how many calls per second a run takes.
"""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import trio
import trio.testing

from .book import Book, run
from .outside import Outside, why_not

THREADS = 8
SLOTS = 50  # per second, in each of which a share of the calls is made


class Post:
    """Notes what arrives."""

    def __init__(self) -> None:
        self.latest = [-1] * THREADS
        self.disordered = 0
        self.idempotent = 0
        self.from_signals = 0

    def arrive(self, thread: int, number: int) -> None:
        self.disordered += number != self.latest[thread] + 1
        self.latest[thread] = number

    def arrive_once(self) -> None:
        self.idempotent += 1

    def arrive_from_signal(self) -> None:
        self.from_signals += 1


async def busy(stop: trio.Event) -> None:
    """Something that the run does besides."""
    while not stop.is_set():
        await trio.sleep(0.0001)


def call_from_threads(token: Any, post: Post, count: int) -> float:
    """Have the threads call, in this thread's absence; says how long they took."""

    def work(thread: int) -> None:
        for number in range(count):
            token.run_sync_soon(post.arrive, thread, number)
            if number % 8 == 0:
                token.run_sync_soon(post.arrive_once, idempotent=True)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


async def everything(book: Book, outside: Outside, count: int) -> None:
    """Threads and signals together."""
    post = Post()
    token = trio.lowlevel.current_trio_token()
    sent = 0

    def on_signal(*_: object) -> None:
        nonlocal sent
        sent += 1
        token.run_sync_soon(post.arrive_from_signal)
        outside.signal_in(signal.SIGUSR1, book.random.uniform(0.00005, 0.001))

    previous = signal.signal(signal.SIGUSR1, on_signal)
    stop = trio.Event()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(busy, stop)
            outside.signal_in(signal.SIGUSR1, 0.001)
            await trio.to_thread.run_sync(call_from_threads, token, post, count)
            outside.signal_in(signal.SIGUSR1, 0)
            stop.set()
    finally:
        signal.signal(signal.SIGUSR1, previous)
    await trio.testing.wait_all_tasks_blocked()
    total = THREADS * count
    book.check("every thread's calls arrive", post.latest == [count - 1] * THREADS, post.latest, cases=total)
    book.check("in the order of their thread", post.disordered == 0, post.disordered, cases=total)
    calls = THREADS * ((count + 7) // 8)
    book.check("idempotent calls arrive, and not too often", 1 <= post.idempotent <= calls, post.idempotent, cases=calls)
    book.check("calls from a signal handler arrive", post.from_signals == sent > 0, f"{post.from_signals} of {sent}", cases=sent)
    book.figure("signals handled meanwhile", sent)


async def rate(count: int) -> float:
    """Calls per second that arrive, with all threads calling as fast as they can."""
    post = Post()
    started = time.perf_counter()
    await trio.to_thread.run_sync(call_from_threads, trio.lowlevel.current_trio_token(), post, count)
    await trio.testing.wait_all_tasks_blocked()
    assert post.latest == [count - 1] * THREADS
    return THREADS * count / (time.perf_counter() - started)


async def paced(book: Book, per_second: int, seconds: float) -> None:
    """A given number of calls per second, for some time; how late does the latest come?"""
    token = trio.lowlevel.current_trio_token()
    delays: list[float] = []
    share = per_second // THREADS // SLOTS

    def arrive(sent: float) -> None:
        delays.append(time.perf_counter() - sent)

    def work() -> None:
        started = time.perf_counter()
        for slot in range(int(seconds * SLOTS)):
            for _ in range(share):
                token.run_sync_soon(arrive, time.perf_counter())
            time.sleep(max(0.0, started + (slot + 1) / SLOTS - time.perf_counter()))

    started = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(THREADS):
            nursery.start_soon(trio.to_thread.run_sync, work)
    await trio.testing.wait_all_tasks_blocked()
    lasted = time.perf_counter() - started
    total = THREADS * share * int(seconds * SLOTS)
    book.check("every call at a given pace arrives", len(delays) == total, f"{len(delays)} of {total}", cases=total)
    delays.sort()
    book.figure(f"calls per second, when {per_second:,} were asked for", total / lasted)
    book.figure("half of these calls arrived within", delays[len(delays) // 2] * 1e3, "ms")
    book.figure("and 99 of 100 within", delays[len(delays) * 99 // 100] * 1e3, "ms")


def study(book: Book) -> None:
    """Correctness, then speed."""
    reason = why_not()
    if reason:
        book.skip(reason)
    else:
        trio.run(everything, book, Outside(), book.amount(4_000, 100_000))
    trio.run(paced, book, 50_000, book.amount(1, 10))
    book.figure(f"calls per second, {THREADS} threads at full speed", trio.run(rate, book.amount(5_000, 50_000)))


if __name__ == "__main__":
    run(study)
