"""Every system call of the poller and of the sockets fails, at each place where it is made, in turn.

Each program of `programs` is run once to count its calls, then once per call and error: the n-th ``recvfrom`` with
ECONNRESET, and so on.  What may happen depends on the error:

* "try again" (EINTR, EAGAIN) is nobody's business: the program must not notice;
* others reach the program as an `OSError` with their number, as the cause of an error of a stream, or as
  `trio.ClosedResourceError`, which is what EBADF means; or the peer sees what became of the connection;
* those of waiting itself (epoll_wait) end the run with `trio.TrioInternalError`.  The tasks are then suspended for good,
  and a thread that waits for an answer from such a run waits for ever, under genuine Trio, too; its task is given up.

And always: the run ends, nothing stays open, no task lives on, nobody complains behind the scenes, and the next run works.
"""

from __future__ import annotations

import errno
import gc
import signal
import sys
import threading
import time
from typing import Any, Callable, Optional

import trio
import trio.testing

from . import programs
from .book import Book, collect, descriptors, leaves, run
from .outside import CALLS, Outside, why_not

STORM = 30
NO_ROOM = (errno.ENOMEM, errno.ENOBUFS)
TOO_MANY = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
ERRORS: dict[str, tuple[int, ...]] = {
    "epoll_create1": TOO_MANY,
    "epoll_ctl": (errno.ENOMEM, errno.ENOSPC, errno.EBADF),
    "epoll_wait": (errno.EINTR, errno.EBADF),
    "epoll_pwait": (errno.EINTR, errno.EBADF),
    "eventfd2": TOO_MANY,
    "socket": (*TOO_MANY, errno.EACCES),
    "socketpair": TOO_MANY,
    "pipe2": TOO_MANY,
    "accept": (errno.EINTR, errno.EAGAIN, errno.ECONNABORTED, *TOO_MANY),
    "accept4": (errno.EINTR, errno.EAGAIN, errno.ECONNABORTED, *TOO_MANY),
    "connect": (errno.ECONNREFUSED, errno.ENETUNREACH, errno.EADDRNOTAVAIL),
    "bind": (errno.EADDRINUSE, errno.EACCES),
    "listen": (errno.EADDRINUSE,),
    "recvfrom": (errno.EINTR, errno.EAGAIN, errno.ECONNRESET, errno.ENOMEM, errno.EBADF),
    "recvmsg": (errno.EINTR, errno.EAGAIN, errno.ECONNRESET, errno.ENOMEM),
    "sendto": (errno.EINTR, errno.EAGAIN, errno.ECONNRESET, errno.EPIPE, *NO_ROOM),
    "sendmsg": (errno.EINTR, errno.EAGAIN, errno.ECONNRESET, errno.EPIPE, *NO_ROOM),
    "getsockopt": NO_ROOM,
    "setsockopt": NO_ROOM,
    "getsockname": NO_ROOM,
    "getpeername": (errno.ENOTCONN, *NO_ROOM),
    "shutdown": (errno.ENOTCONN,),
    "fcntl": (errno.EBADF, errno.ENOMEM),
    "ioctl": (errno.EBADF, errno.ENOMEM),
    "poll": (errno.EINTR, errno.ENOMEM),
    "ppoll": (errno.EINTR, errno.ENOMEM),
    "read": (errno.EINTR, errno.EAGAIN, errno.EIO),
    "write": (errno.EINTR, errno.EAGAIN, errno.EIO),
    "close": (errno.EINTR, errno.EIO),
}
UNNOTICED = {errno.EINTR, errno.EAGAIN}
# What the other tasks of a program may see instead; a registration that was lost looks like a descriptor that was closed.
CONNECTION_LOST = {errno.ECONNRESET, errno.EPIPE}
REGISTRATION_LOST = {*CONNECTION_LOST, errno.EBADF}
LIMIT = 10.0
PATIENCE = 100

Way = Callable[..., None]


async def within_limit(program: programs.Program) -> None:
    """A program that hangs is ended, and fails."""
    with trio.move_on_after(LIMIT) as scope:
        await program()
    if scope.cancelled_caught:
        raise AssertionError("it hangs")


def numbers_in(error: BaseException) -> set[Optional[int]]:
    """The numbers of the operating system's errors in an exception: its parts, and what caused them."""
    found: set[Optional[int]] = set()
    for leaf in leaves(error):
        at: Optional[BaseException] = leaf
        while at is not None:
            found |= {part.errno for part in leaves(at) if isinstance(part, OSError)}
            at = at.__cause__
    return found


class Stage:
    """Runs programs with planned failures, and sees what else they did."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside
        self.complaints: list[str] = []
        self.lost = 0
        self.at_rest = descriptors()
        sys.unraisablehook = self.note
        threading.excepthook = lambda event: self.complaints.append(f"in a thread: {event.exc_value!r}")
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def note(self, event: Any) -> None:
        """Somebody complains; the interpreter itself may do so when it cannot tell the loop of a signal."""
        if "wakeup fd" not in (event.err_msg or ""):
            self.complaints.append(f"unraisable: {event.exc_value!r} in {event.object!r}")

    def perform(self, way: Way, program: programs.Program) -> Optional[BaseException]:
        """Run a program; say with what it ended."""
        try:
            way(within_limit, program)
        except BaseException as error:
            return error
        return None

    def rest(self) -> dict[int, str]:
        """What is open before a run, when worker threads of the one before have let go of everything."""
        for _ in range(PATIENCE):
            now = descriptors()
            if now == self.at_rest:
                break
            time.sleep(0.01)
            collect()
        self.at_rest = now
        return now

    def settle(self, before: dict[int, str], crashed: bool) -> Optional[str]:
        """After a run: what has stayed behind?  Worker threads may hold on to something for a moment."""
        for _ in range(PATIENCE):
            if crashed:
                self.clear_up()
            left = self.left_behind(before)
            if left is None:
                break
            time.sleep(0.01)
        return left

    def left_behind(self, before: dict[int, str]) -> Optional[str]:
        """What is there now that should not be there?"""
        collect()
        if self.complaints:
            return f"complaints: {self.complaints[:3]}"
        now = descriptors()
        if now != before:
            return f"left open: { {fd: what for fd, what in now.items() if before.get(fd) != what} }"
        if trio.lowlevel.in_trio_run():
            return "the thread believes that it is in a run"
        tasks = living_tasks() - self.lost
        return f"{tasks} tasks live on" if tasks else None

    def clear_up(self) -> None:
        """After a crash: the tasks that it has left complain, and rightly.  Handlers of signals may refer to them."""
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        collect()
        self.complaints.clear()


def living_tasks() -> int:
    """How many tasks there are, of whatever run."""
    return sum(type(item) is trio.lowlevel.Task for item in gc.get_objects())


def is_crash(ended: Optional[BaseException]) -> bool:
    """Was it the loop itself that failed?"""
    return ended is not None and any(isinstance(leaf, trio.TrioInternalError) for leaf in leaves(ended))


def judge(call: str, number: int, ended: Optional[BaseException]) -> Optional[str]:
    """Was that an end that a program may see?"""
    if ended is None:
        return None
    said = f"ended with {ended!r}"
    unnoticed = number in UNNOTICED and call != "close"
    if unnoticed or (is_crash(ended) and not call.startswith("epoll_")):
        return said
    known = number in numbers_in(ended) or numbers_in(ended) & (REGISTRATION_LOST if call == "epoll_ctl" else CONNECTION_LOST)
    closed = number == errno.EBADF and any(isinstance(leaf, trio.ClosedResourceError) for leaf in leaves(ended))
    cut_off = any(isinstance(leaf, trio.BrokenResourceError) for leaf in leaves(ended))
    return None if known or closed or cut_off else said


def one_case(stage: Stage, way: Way, program: programs.Program, plan: tuple[str, int, int, int]) -> tuple[int, Optional[str]]:
    """Run a program with one plan; say how many calls failed, and what was wrong."""
    call, number, start, times = plan
    before = stage.rest()
    stage.complaints.clear()
    stage.outside.plan(call, number, start, times)
    ended = stage.perform(way, program)
    injected = stage.outside.end_plan()
    wrong = judge(call, number, ended)
    crashed = is_crash(ended)
    del ended
    wrong = wrong or stage.settle(before, crashed)
    if crashed and program is programs.threads:
        wrong, stage.lost = None, living_tasks()
    if stage.perform(trio.run, still_works) is not None:
        wrong = wrong or "the next run fails"
    return injected, wrong


async def still_works() -> None:
    """A run of the usual things."""
    left, right = trio.socket.socketpair()
    with left, right:
        await left.send(b"x")
        assert await right.recv(1) == b"x"
    await trio.sleep(0)


def plans_for(book: Book, counts: dict[str, int]) -> list[tuple[str, int, int, int]]:
    """Which call fails how, and when: everywhere in the long set; in the quick set at some places, left to chance."""
    plans = []
    for call, numbers in ERRORS.items():
        for number in numbers:
            places = range(1, counts.get(call, 0) + 1)
            if not book.long:
                places = sorted(book.random.sample(places, min(2, len(places))))
            for start in places:
                plans.append((call, number, start, 1))
                if number == errno.EAGAIN:
                    plans.append((call, number, start, STORM))
    return plans


def study(book: Book) -> None:
    """All programs, as a run of their own and as a guest."""
    reason = why_not()
    if reason:
        book.skip(reason)
        return
    outside = Outside()
    stage = Stage(outside)
    ways: list[tuple[str, Way]] = [("run", trio.run), ("guest", programs.run_as_guest)]
    for program in programs.PROGRAMS.values():  # what is only done once is done
        for _, way in ways:
            assert stage.perform(way, program) is None, program
    collect()
    gc.freeze()  # what is there now is not looked at again
    outside.watch()
    failed = 0
    for name, program in programs.PROGRAMS.items():
        for kind, way in ways:
            outside.count_only()
            ended = stage.perform(way, program)
            book.check(f"{name} ({kind}) without faults", ended is None, repr(ended))
            for plan in plans_for(book, outside.counts()):
                injected, wrong = one_case(stage, way, program, plan)
                failed += injected
                call, number, start, times = plan
                place = f"{call} no. {start}" + (f" and {times - 1} more" if times > 1 else "")
                book.check(f"{name} ({kind})", wrong is None, f"{place} fails with {errno.errorcode[number]}: {wrong}")
    book.figure("system calls watched", len(CALLS))
    book.figure("system calls made to fail", failed)


if __name__ == "__main__":
    run(study)
