"""Every allocation of a program fails, one after the other.

CPython's own tests have a switch that makes the interpreter's allocators fail from the n-th call on
(``_testcapi.set_nomemory``).  Each program of `essentials` is run once to count its allocations, then once for each of them,
which fails.  Every attempt has a process of its own, forked for it: crash and hang are ends like others, and nothing is carried
over.  It is forked from a process in which no run has been (what is made once and kept is made under shortage), and from one in
which all programs have run; there it is run as a guest, too.

The program may not notice, because somebody could do without; or it ends with `MemoryError`: alone, in groups, as a cause or
context of what somebody made of it, which is `trio.TrioInternalError` where the loop itself was hit.  And always: the process
lives, the run ends, no descriptor stays open, no task lives on, and the same program then works.
"""

from __future__ import annotations

import collections
import functools
import gc
import json
import os
import platform
import re
import select
import signal
import socket as stdlib_socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from typing import IO, Any, Callable, Iterator, NamedTuple, Optional

from tools import environments
from tools.pythons import available

import trio
import trio.testing

from . import builds, essentials
from .book import Book, collect, descriptors, run
from .syscalls import is_crash, living_tasks

try:
    import _testcapi
except ImportError:
    _testcapi = None

Way = Callable[[essentials.Program], object]

FAR = 300_000
LIMIT = 5.0
HANGS = "it hangs"
# What CPython (and PyO3, where it makes an object on first use) say in some places instead of MemoryError.
OTHER_WORDS = re.compile(
    "can't allocate (read )?lock|can't start new thread|without setting an exception|without exception set|but none was set|"
    "PyObject pointer is null"
)


# What is said if a thread had no memory to say that it is done: nobody ever hears of it then, and so it is with genuine Trio.
DEAF = re.compile("a worker has died|Exception while delivering result of thread")

# Where CPython 3.11 itself crashes: `warnings.warn` looks into a frame that it had no memory for, and a new context is
# deallocated before it is complete. These are the functions of ours that call them.
CRASH_OF_CPYTHON = re.compile(r"exit status -11: .*?\n\n[^\n]*\n[^\n]* in (_collected|make_runner)\n", re.DOTALL)

# CPython 3.12.1 and 3.13.0 crash when they had no memory for a function: they call what is not there.
BEFORE_THE_FAULT = ("3.9", "3.10", "3.11")


class Plan(NamedTuple):
    """Which allocations fail: ``count`` of them, beginning with the ``start``-th."""

    start: int
    count: int = 1

    def __str__(self) -> str:
        others = f" and {self.count - 1} more" if self.count > 1 else ""
        return f"allocation no. {self.start}{others}"


class Attempt(NamedTuple):
    """How a program ended, and what was wrong with that."""

    ended: str
    wrong: str = ""


class Excuses(NamedTuple):
    """What may be left behind, because it is nothing that a library could do something about."""

    tasks: bool = False
    """A thread that waits for a run that has crashed waits for ever, and its task with it."""
    open_socket: bool = False
    """CPython's module loses the number of a socket between making the socket and making an object for it."""


def in_a_fork(work: Callable[[], Any], said: IO[str]) -> tuple[Any, str]:
    """Do something in a forked process: its result, or a word about how the process ended.

    What it says on stderr goes into a file.
    """
    reader, writer = os.pipe()
    said.seek(0)
    said.truncate()
    child = os.fork()
    if child == 0:
        try:
            os.dup2(said.fileno(), 2)
            os.close(reader)
            answer = json.dumps(work()).encode()
            os.write(writer, answer)
            os._exit(0)
        except BaseException as error:
            os.write(2, repr(error).encode())
        finally:
            os._exit(1)
    os.close(writer)
    with open(reader, "rb", buffering=0) as pipe:
        in_time = bool(select.select([pipe], [], [], LIMIT)[0])
        answer = pipe.read() if in_time else b""
    if not in_time:
        os.kill(child, signal.SIGABRT)  # faulthandler tells where it was
    _, status = os.waitpid(child, 0)
    if answer:
        return json.loads(answer), ""
    said.seek(0)
    how = f"exit status {os.waitstatus_to_exitcode(status)}" if in_time else HANGS
    return None, f"{how}: {said.read()[-1500:]}"


def count_allocations(program: essentials.Program, way: Way) -> int:
    """How many allocations a program makes, more or less."""
    left = 1000  # beyond the numbers that the interpreter keeps, so that each new one is an allocation
    _testcapi.set_nomemory(FAR, 0)
    try:
        way(program)
        while True:
            object()
            left += 1
    except MemoryError:
        pass
    finally:
        _testcapi.remove_mem_hooks()
    return FAR - 2 * (left - 1000)


def ancestry(error: BaseException) -> Iterator[BaseException]:
    """An exception, its parts, what caused it, and what it came after."""
    seen: set[int] = set()
    waiting: list[Optional[BaseException]] = [error]
    while waiting:
        at = waiting.pop()
        if at is None or id(at) in seen:
            continue
        seen.add(id(at))
        yield at
        waiting += [*getattr(at, "exceptions", ()), at.__cause__, at.__context__]


def run_as_guest(program: essentials.Program) -> None:
    """Run a program as the guest of a host that needs no luck with memory: where it has none, it tries again."""
    calls: collections.deque[Callable[[], object]] = collections.deque()
    outcomes: list[Any] = []

    def persist(append: Callable[[Any], None], item: Any) -> None:
        while True:
            try:
                return append(item)
            except MemoryError:
                pass

    ask, done = functools.partial(persist, calls.append), functools.partial(persist, outcomes.append)
    trio.lowlevel.start_guest_run(program, run_sync_soon_threadsafe=ask, done_callback=done)
    while not outcomes:
        while not calls:
            time.sleep(0.0001)
        calls.popleft()()
    outcomes.pop().unwrap()


def suffer(program: essentials.Program, plan: Plan, way: Way) -> Attempt:
    """Run a program while allocations fail; see how it ends, and what is left of the interpreter."""
    sys.unraisablehook = lambda event: None
    threading.excepthook = lambda event: os.write(2, b"a worker has died") and None
    if program is essentials.thread or way is run_as_guest:
        trio.run(essentials.thread)  # from here on there is a worker: a new thread without memory never tells its starter
    before = descriptors()
    excused, attempt = Excuses(), Attempt("unnoticed")
    _testcapi.set_nomemory(plan.start - 1, plan.start - 1 + plan.count)
    try:
        way(program)
    except BaseException as error:
        _testcapi.remove_mem_hooks()
        in_socket_module = any(map(raised_in_socket_module, ancestry(error)))
        # If more than one allocation fails, the traceback may have had no memory either.
        in_socket_module |= plan.count > 1 and program in (essentials.socket, essentials.stream)
        excused = Excuses((is_crash(error) or way is run_as_guest) and program is essentials.thread, in_socket_module)
        attempt = judge(error)
    finally:
        _testcapi.remove_mem_hooks()
    return attempt._replace(wrong=attempt.wrong or aftermath(program, before, excused))


def raised_in_socket_module(error: BaseException) -> bool:
    """Was the standard library's module at work?"""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_filename == stdlib_socket.__file__ for frame, _ in frames)


def judge(error: BaseException) -> Attempt:
    """Was that an end that a program may see?"""
    name = type(error).__name__
    parts = list(ancestry(error))
    if any(isinstance(part, MemoryError) or OTHER_WORDS.search(str(part)) for part in parts):
        return Attempt(name)
    return Attempt(name, " / ".join(repr(part) for part in parts))


def aftermath(program: essentials.Program, before: dict[int, str], excused: Excuses) -> str:
    """What was left behind?"""
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        vars(sys).pop(name, None)
    deadline = time.monotonic() + 1
    while True:  # worker threads may hold on to something for a moment
        collect()
        left = left_behind(before, excused)
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    try:
        trio.run(program)
    except BaseException as error:
        return left or f"afterwards it fails: {error!r}"
    return left


def left_behind(before: dict[int, str], excused: Excuses) -> str:
    """What is there that should not be there?"""
    if trio.lowlevel.in_trio_run():
        return "the thread believes that it is in a run"
    opened = {fd: what for fd, what in descriptors().items() if before.get(fd) != what}
    if opened and not excused.open_socket:
        return f"left open: {opened}"
    tasks = living_tasks()
    return f"{tasks} tasks live on" if tasks and not excused.tasks else ""


def plans_for(book: Book, total: int, state: str) -> list[Plan]:
    """Which allocations fail: in the quick set some, left to chance.

    In the long set all; in a fresh process, where most of them are of imports, and in guest runs every fifth.
    """
    if book.long and state != "used":
        return [Plan(start) for start in range(1 + book.random.randrange(5), total + 1, 5)]
    if book.long:
        return [Plan(start, count) for count in (1, 3) for start in range(1, total + 1)]
    counts = (1,) if state == "guest" else (1, 1, 3)  # its end begins with a failure already
    starts = sorted(book.random.sample(range(1, total + 1), min(20, total)))
    return [Plan(start, book.random.choice(counts)) for start in starts]


def elsewhere(book: Book) -> bool:
    """Have another interpreter do the study: the newest that does not have this fault."""
    others = [python for python in available() if python.version in BEFORE_THE_FAULT]
    if not others:
        return False
    inner = environments.test_environment(others[-1])
    with tempfile.NamedTemporaryFile("r") as file:
        command = [inner, "-m", "tests.reliability.shortage", "--seed", str(book.seed), "--result", file.name]
        subprocess.run(command + ["--long"] * book.long, cwd=builds.PROJECT, check=True)
        found = json.load(file)
    book.checks.update(found["checks"])
    book.figures += [tuple(figure) for figure in found["figures"]]
    book.skipped += found["skipped"]
    return True


def explore(book: Book, state: str, way: Way, said: IO[str], ends: dict[str, int]) -> None:
    """All programs, each with all its plans."""
    for name, program in essentials.PROGRAMS.items():
        total, wrong = in_a_fork(lambda program=program, way=way: count_allocations(program, way), said)
        book.check(f"{name} ({state}) without shortage", total is not None, wrong)
        for plan in plans_for(book, total or 0, state):
            found, wrong = in_a_fork(lambda program=program, plan=plan, way=way: suffer(program, plan, way), said)
            ended, wrong = found or ("the process ended", wrong)
            if wrong.startswith(HANGS) and (program is essentials.thread or DEAF.search(wrong)):
                ended, wrong = "a result that its thread could not deliver", ""
            if CRASH_OF_CPYTHON.match(wrong):
                ended, wrong = "a crash of the interpreter's own", ""
            ends[ended] = ends.get(ended, 0) + 1
            book.check(f"{name} ({state})", not wrong, f"{plan} fails: {wrong}")


def study(book: Book) -> None:
    """All programs, in a fresh and in a used interpreter."""
    if _testcapi is None:
        book.skip("this CPython was built without the module _testcapi")
        return
    warnings.simplefilter("ignore")  # about forks
    if builds.this_python().version not in BEFORE_THE_FAULT:
        if not elsewhere(book):
            book.skip("this CPython itself crashes if it has no memory for a function")
        return
    book.figure("CPython", platform.python_version())
    ends: dict[str, int] = {}
    with tempfile.TemporaryFile("w+") as said:
        gc.freeze()
        explore(book, "fresh", trio.run, said, ends)
        for program in essentials.PROGRAMS.values():
            trio.run(program)
        collect()
        gc.freeze()
        explore(book, "used", trio.run, said, ends)
        explore(book, "guest", run_as_guest, said, ends)
    for ended, count in sorted(ends.items(), key=lambda item: -item[1]):
        book.figure(f"ended with {ended}" if ended != "unnoticed" else ended, count)


if __name__ == "__main__":
    run(study)
