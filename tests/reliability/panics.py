"""A panic in the native core ends the run with `trio.TrioInternalError`, and nothing else.

The wheel that users install cannot be made to panic.  This study needs one that was built with debug assertions: it has
tripwires (``src/kernel/tripwires.rs``), of which one can be armed.  Each is armed under each program, in a run of its own and
in a guest run, to go off at the first visit or at a later one.  Whatever the program does with the exception that it may get
to see, the run has to end with `trio.TrioInternalError` that says where the panic was; and afterwards the thread has to be as
it was before, and the next run has to work.

A panic in an idle worker thread is nobody's run: the thread ends, and whoever needs one gets another.
"""

from __future__ import annotations

import gc
import importlib.metadata
import signal
import sys
import threading
import time
import types
from typing import Any, Awaitable, Callable, Iterator, Optional

import sniffio

import trio
import trio._native
import trio.testing
from trio._core import _thread_cache

from . import programs
from .book import Book, collect, descriptors, run

Main = Callable[[], Awaitable[None]]
Way = Callable[..., Any]

# Has functions that the stub does not know, because only a build with debug assertions has them.
NATIVE: Any = trio._native
BUILD = "a build with debug assertions"
# Where a panic hits a thread that has nothing to do with a run.
NOBODYS = "an idle worker thread waits for a job"
INTERRUPT = "Ctrl-C is delivered"


async def busy() -> None:
    """Everything that needs no system call."""
    lock, event = trio.Lock(), trio.Event()
    send, receive = trio.open_memory_channel[int](2)
    narrow_send, narrow_receive = trio.open_memory_channel[int](0)

    async def produce() -> None:
        async with send, narrow_send:
            for number in range(5):
                await send.send(number)
                await narrow_send.send(number)

    async def hold(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with lock:
            task_status.started()
            await event.wait()

    async with trio.open_nursery() as nursery:
        await nursery.start(hold)
        nursery.start_soon(produce)
        for number in range(5):
            assert await receive.receive() == number
            assert await narrow_receive.receive() == number
        with trio.move_on_after(0.001) as scope:
            await lock.acquire()
        assert scope.cancelled_caught
        await trio.testing.wait_all_tasks_blocked()
        event.set()
        await trio.sleep(0.001)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        nursery.start_soon(trio.sleep, 60)
        await trio.sleep(0.001)
        nursery.cancel_scope.cancel()


async def stubborn() -> None:
    """Tasks that swallow whatever their operations raise, and go on."""

    async def task() -> None:
        for operation in (busy, programs.lent_descriptors, busy):
            try:
                await operation()
            except (trio.Cancelled, GeneratorExit):
                raise
            except BaseException:
                await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(task)


@types.coroutine
def foreign() -> Iterator[object]:
    """Awaits something that belongs to another library."""
    yield "what is this?"


async def misled() -> None:
    """A task that goes on from an error which the loop has thrown into it."""
    try:
        await foreign()
    except TypeError:
        await busy()


async def interrupted() -> None:
    """Ctrl-C that waits for a checkpoint."""
    try:
        signal.raise_signal(signal.SIGINT)
        await trio.sleep(1)
    except KeyboardInterrupt:
        pass


async def hop() -> None:
    """Into a worker thread, which then becomes idle."""
    await trio.to_thread.run_sync(int)


async def wait_until_alone() -> None:
    """Wait until no worker thread is left: those that idle go after a while."""
    for _ in range(1000):
        if not any(thread.name.startswith("Trio thread") for thread in threading.enumerate()):
            return
        await trio.sleep(0.01)


PROGRAMS: dict[str, Main] = {
    program.__name__: program
    for program in (busy, misled, stubborn, programs.tcp_echo, programs.threads, programs.signals, programs.closing)
}
WAYS: dict[str, Way] = {"run": trio.run, "guest": programs.run_as_guest}


def outcome(way: Way, main: Main) -> Optional[BaseException]:
    """What running a program ends with."""
    try:
        way(main)
    except BaseException as error:
        return error
    return None


def tells(error: Optional[BaseException], place: str) -> bool:
    """Is it the internal error that names the place?"""
    if not isinstance(error, trio.TrioInternalError):
        return False
    cause = error.__cause__
    while cause is not None:
        if f"tripwire: {place}" in str(cause):
            return True
        cause = cause.__cause__
    return False


class Surroundings:
    """The state of the thread and of the process that a run must not change."""

    def __init__(self) -> None:
        self.before = self.look()

    def look(self) -> dict[str, Any]:
        """The state now."""
        collect()
        return {
            "descriptors": descriptors(),
            "handler": signal.getsignal(signal.SIGINT),
            "hooks": sys.get_asyncgen_hooks(),
            "library": sniffio.thread_local.name,
            "inside": trio.lowlevel.in_trio_run(),
        }

    def changes(self) -> list[str]:
        """What is different since the last time.  Worker threads may hold on to something for a moment."""
        then, deadline = self.before, time.monotonic() + 1
        self.before = self.look()
        while self.before != then and time.monotonic() < deadline:
            time.sleep(0.01)
            self.before = self.look()
        return [f"{name}: {value!r} was {then[name]!r}" for name, value in self.before.items() if value != then[name]]


def strike(book: Book, surroundings: Surroundings, place: str, spared: int, way: str, main: Main) -> bool:
    """Run a program with a tripwire armed; did it go off?"""
    case = f"{main.__name__} ({way}), visit {spared + 1}"
    print(f"{place}: {case}", flush=True)
    NATIVE._arm_tripwire(place, spared)
    ended = outcome(WAYS[way], main)
    if NATIVE._disarm_tripwire():
        book.check("a run that meets no panic is unharmed", ended is None, f"{place}: {case}: {ended!r}")
        return False
    book.check(f"panic when {place}", tells(ended, place), f"{case}: {ended!r}")
    del ended
    check_afterwards(book, surroundings, f"{place}: {case}")
    return True


def check_afterwards(book: Book, surroundings: Surroundings, case: str) -> None:
    """Is everything as before, and does the next run work?"""
    changes = surroundings.changes()
    book.check("nothing stays behind", not changes, f"{case}: {changes}")
    for name, way in WAYS.items():
        ended = outcome(way, busy)
        book.check("the next run works", ended is None, f"{case}, then busy ({name}): {ended!r}")


def strike_interrupt(book: Book, surroundings: Surroundings) -> None:
    """The handler of the signal panics."""
    NATIVE._arm_tripwire(INTERRUPT)
    ended = outcome(lambda main: trio.run(main, restrict_keyboard_interrupt_to_checkpoints=True), interrupted)
    NATIVE._disarm_tripwire()
    book.check(f"panic when {INTERRUPT}", tells(ended, INTERRUPT), repr(ended))
    check_afterwards(book, surroundings, INTERRUPT)


def strike_idle_worker(book: Book, surroundings: Surroundings) -> None:
    """An idle worker panics: no run ends of that, and the next job gets another thread."""
    complaints: list[object] = []
    otherwise, threading.excepthook = threading.excepthook, complaints.append

    async def main() -> None:
        await hop()
        await wait_until_alone()
        await hop()

    try:
        trio.run(wait_until_alone)  # those of the programs before
        NATIVE._arm_tripwire(NOBODYS, 1)  # a gate is passed when it is made
        ended = outcome(trio.run, main)
    finally:
        threading.excepthook = otherwise
    went_off = not NATIVE._disarm_tripwire()
    book.check(f"panic when {NOBODYS}", went_off and len(complaints) == 1 and ended is None, f"{complaints} {ended!r}")
    complaints.clear()
    check_afterwards(book, surroundings, NOBODYS)


def study(book: Book) -> None:
    """Each tripwire under each program."""
    if not hasattr(NATIVE, "_arm_tripwire"):
        book.skip(f"{importlib.metadata.version('trio')} is not {BUILD}")
        return
    # Tasks that a crash leaves suspended complain when they are collected, and they are right.
    sys.unraisablehook = lambda _: None
    _thread_cache.IDLE_TIMEOUT = 1.0
    # A signal that has come and that nobody takes is delivered again, to whom it went before.
    signal.signal(signal.SIGUSR1, lambda *_: None)
    for way in WAYS.values():
        for main in PROGRAMS.values():
            way(main)
    surroundings = Surroundings()
    gc.disable()  # what is collected, and when, decides which visit is which
    visits = (0, 1, 5, 20, 100) if book.long else (0,)
    struck = set()
    places = [place for place in NATIVE._tripwires() if place not in (INTERRUPT, NOBODYS)]
    for place in places:
        for way in WAYS:
            for main in PROGRAMS.values():
                for spared in visits:
                    if not strike(book, surroundings, place, spared, way, main):
                        break  # nor does anybody come by more often
                    struck.add(place)
        book.check("each tripwire goes off", place in struck, place)
    strike_interrupt(book, surroundings)
    strike_idle_worker(book, surroundings)
    book.figure("places at which the core was made to panic", len(struck) + 2)


if __name__ == "__main__":
    run(study)
