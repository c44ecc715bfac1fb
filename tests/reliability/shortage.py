"""Every allocation of a program fails, one after the other.

CPython's own tests have a switch that makes the interpreter's allocators fail from the n-th call on
(``_testcapi.set_nomemory``).  Each program of `essentials` is run once to count its allocations, then once for each of them,
which fails.  Every attempt has a process of its own, forked for it: crash and hang are ends like others, and nothing is carried
over.  It is forked once from a process in which no run has been (what is made once and kept is made under shortage then), and once
from one in which all programs have run.

The program may not notice, because somebody could do without; or it ends with `MemoryError`: alone, in groups, as a cause or
context of what somebody made of it, which is `trio.TrioInternalError` where the loop itself was hit.  And always: the process
lives, the run ends, no descriptor stays open, no task lives on, and the same program then works.
"""

from __future__ import annotations

import gc
import json
import os
import re
import select
import signal
import sys
import tempfile
import threading
import time
import warnings
from typing import IO, Any, Callable, Iterator, NamedTuple, Optional

import trio
import trio.testing

from . import essentials
from .book import Book, collect, descriptors, run
from .syscalls import is_crash, living_tasks

try:
    import _testcapi
except ImportError:
    _testcapi = None

FAR = 300_000
LIMIT = 5.0
# What CPython (and PyO3, where it makes an object on first use) say in some places instead of MemoryError.
OTHER_WORDS = re.compile(
    "can't (allocate lock|start new thread)|without (setting an exception|exception set)|PyObject pointer is null"
)


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
    how = f"exit status {os.waitstatus_to_exitcode(status)}" if in_time else "it hangs"
    return None, f"{how}: {said.read()[-1500:]}"


def count_allocations(program: essentials.Program) -> int:
    """How many allocations a program makes, more or less."""
    left = 1000  # beyond the numbers that the interpreter keeps, so that each new one is an allocation
    _testcapi.set_nomemory(FAR, 0)
    try:
        trio.run(program)
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


def suffer(program: essentials.Program, plan: Plan) -> Attempt:
    """Run a program while allocations fail; see how it ends, and what is left of the interpreter."""
    sys.unraisablehook = lambda event: None
    threading.excepthook = lambda event: None
    before = descriptors()
    crashed, attempt = False, Attempt("unnoticed")
    _testcapi.set_nomemory(plan.start - 1, plan.start - 1 + plan.count)
    try:
        trio.run(program)
    except BaseException as error:
        _testcapi.remove_mem_hooks()
        crashed = is_crash(error)
        attempt = judge(error)
    finally:
        _testcapi.remove_mem_hooks()
    return attempt._replace(wrong=attempt.wrong or aftermath(program, before, crashed))


def judge(error: BaseException) -> Attempt:
    """Was that an end that a program may see?"""
    name = type(error).__name__
    parts = list(ancestry(error))
    if any(isinstance(part, MemoryError) or OTHER_WORDS.search(str(part)) for part in parts):
        return Attempt(name)
    return Attempt(name, " / ".join(repr(part) for part in parts))


def aftermath(program: essentials.Program, before: dict[int, str], crashed: bool) -> str:
    """What was left behind?"""
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        vars(sys).pop(name, None)
    deadline = time.monotonic() + 1
    while True:  # worker threads may hold on to something for a moment
        collect()
        left = left_behind(before, crashed and program is essentials.thread)
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    try:
        trio.run(program)
    except BaseException as error:
        return left or f"afterwards it fails: {error!r}"
    return left


def left_behind(before: dict[int, str], thread_waits: bool) -> str:
    """What is there that should not be there?  A thread that waits for a run that has crashed waits for ever."""
    if trio.lowlevel.in_trio_run():
        return "the thread believes that it is in a run"
    now = descriptors()
    if now != before:
        return f"left open: { {fd: what for fd, what in now.items() if before.get(fd) != what} }"
    tasks = living_tasks()
    return f"{tasks} tasks live on" if tasks and not thread_waits else ""


def plans_for(book: Book, total: int) -> list[Plan]:
    """Which allocations fail: all in the long set; in the quick set some, left to chance."""
    if book.long:
        return [Plan(start, count) for count in (1, 3) for start in range(1, total + 1)]
    starts = sorted(book.random.sample(range(1, total + 1), min(20, total)))
    return [Plan(start, book.random.choice((1, 1, 3))) for start in starts]


def explore(book: Book, state: str, said: IO[str], ends: dict[str, int]) -> None:
    """All programs, each with all its plans."""
    for name, program in essentials.PROGRAMS.items():
        total, wrong = in_a_fork(lambda program=program: count_allocations(program), said)
        book.check(f"{name} ({state}) without shortage", total is not None, wrong)
        for plan in plans_for(book, total or 0):
            found, wrong = in_a_fork(lambda program=program, plan=plan: suffer(program, plan), said)
            ended, wrong = found or ("the process ended", wrong)
            ends[ended] = ends.get(ended, 0) + 1
            book.check(f"{name} ({state})", not wrong, f"{plan} fails: {wrong}")


def study(book: Book) -> None:
    """All programs, in a fresh and in a used interpreter."""
    if _testcapi is None:
        book.skip("this CPython was built without the module _testcapi")
        return
    warnings.simplefilter("ignore")  # about forks
    ends: dict[str, int] = {}
    with tempfile.TemporaryFile("w+") as said:
        gc.freeze()
        explore(book, "fresh", said, ends)
        for program in essentials.PROGRAMS.values():
            trio.run(program)
        collect()
        gc.freeze()
        explore(book, "used", said, ends)
    for ended, count in sorted(ends.items(), key=lambda item: -item[1]):
        book.figure(f"ended with {ended}" if ended != "unnoticed" else ended, count)


if __name__ == "__main__":
    run(study)
