"""Reference counts, and everything else that interpreters and builds can check by themselves.

The package's own tests are run on a build with debug assertions under ``-X dev``; and, where the machine has a debug build of
CPython (Debian's ``python3-dbg``), on a build for that: it checks counts, the state of exceptions around destructors, what
functions return, and the memory of objects that are gone.  It also adds up all references that there are, and a program that is
repeated must not change the sum.
"""

from __future__ import annotations

import json
import subprocess
import sys

import trio
import trio.testing

from . import builds, essentials
from .book import Book, collect, run

TESTS = ["tests/core", "tests/sync", "tests/channel"]
ROUNDS, REPETITIONS, WARM_UP = 8, 50, 100
COUNT = "from tests.reliability import references; references.print_sums()"


def sums_of_references(program: essentials.Program) -> list[int]:
    """How many references there are after each of some rounds."""
    for _ in range(WARM_UP):
        trio.run(program)
    sums = [0] * ROUNDS
    for number in range(ROUNDS):
        for _ in range(REPETITIONS):
            trio.run(program)
        collect()
        sums[number] = sys.gettotalrefcount()  # type: ignore[attr-defined]
    return sums


def print_sums() -> None:
    """For each program, on a debug build of CPython."""
    print(json.dumps({name: sums_of_references(program) for name, program in essentials.PROGRAMS.items()}))


def check_sums(book: Book, inner: str) -> None:
    """Have each program repeated; a reference that is lost each time would show as many as there were repetitions."""
    command = [inner, "-c", COUNT]
    done = subprocess.run(command, cwd=builds.PROJECT, capture_output=True, text=True, timeout=builds.LIMIT)
    if not book.check("references are counted", done.returncode == 0, done.stderr[-2000:]):
        return
    repetitions = (ROUNDS - 1) * REPETITIONS
    for name, sums in json.loads(done.stdout).items():
        grown = sums[-1] - sums[0]
        book.check(f"references of {name} stay", abs(grown) < repetitions // 4, f"{sums}", cases=repetitions)
        book.figure(f"{name}: change of the sum of references in {repetitions} runs", f"{grown:+d}")


def study(book: Book) -> None:
    """The tests on both builds, then the sums."""
    if not book.long:
        book.skip("other builds of the package are made in the long set only")
        return
    inner = builds.checking_environment(builds.this_python())
    builds.enter(book, "own tests, debug assertions, -X dev", builds.run_tests([], inner, TESTS))
    python = builds.debug_python()
    if python is None:
        book.skip("there is no debug build of CPython on this machine")
        return
    inner = builds.checking_environment(python)
    book.figure("debug build of CPython", python.version)
    builds.enter(book, "own tests, debug build of CPython", builds.run_tests([], inner, TESTS))
    check_sums(book, inner)


if __name__ == "__main__":
    run(study)
