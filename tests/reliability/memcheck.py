"""The package's own tests under valgrind's memcheck.

memcheck runs the program on a simulated processor and knows of every byte whether it may be used and whether it was ever
written.  The package is a build with debug assertions and symbols; CPython takes all its memory from malloc, where memcheck
sees each object (``PYTHONMALLOC=malloc``).  Leaks are not looked for, as an interpreter leaves much behind when it ends; see the
studies `steady`, `cycles` and `references`.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from . import builds
from .book import Book, run

TESTS = ("core", "channel", "sync")
SLOWER = 30


def command(report: Path) -> list[str]:
    """What is put before the interpreter."""
    return [
        "valgrind",
        "--tool=memcheck",
        "--error-limit=no",
        "--num-callers=40",
        "--child-silent-after-fork=yes",
        "--xml=yes",
        f"--xml-file={report}",
    ]


def errors_in(report: Path) -> tuple[list[str], int]:
    """The errors that concern the package, each with the functions on the stack; and how many do not.

    Memory that must not be touched counts wherever it is touched.  A value that nobody has written counts where the package uses
    it: CPython makes numbers of the kernel's random octets, of which memcheck does not know that the kernel has written them.
    """
    found, others = [], 0
    for error in ElementTree.parse(report).iter("error"):
        kind = error.findtext("kind", "?")
        if kind.startswith("Leak_"):
            continue
        frames = [(frame.findtext("fn", "?"), frame.findtext("obj", "?")) for frame in error.iterfind("stack/frame")]
        nearest = list(itertools.takewhile(lambda frame: frame[0] != "_PyEval_EvalFrameDefault", frames))
        if kind.startswith("Uninit") and not any("/trio/_native" in library for _, library in nearest):
            others += 1
            continue
        found.append(f"{kind}: {' < '.join(function for function, _ in frames[:25])}")
    return found, others


def study(book: Book) -> None:
    """Folder by folder."""
    if not book.long:
        book.skip("memcheck takes many minutes: in the long set only")
        return
    if shutil.which("valgrind") is None:
        book.skip("there is no valgrind on this machine")
        return
    inner = builds.checking_environment(builds.this_python())
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        for name in TESTS:
            arguments = [f"tests/{name}", f"--limit-factor={SLOWER}"]
            outcome = builds.run_tests(command(report), inner, arguments, {"PYTHONMALLOC": "malloc"})
            builds.enter(book, f"tests/{name} under memcheck", outcome)
            errors, others = errors_in(report)
            book.check(f"tests/{name} without errors of memory", not errors, "\n".join(errors[:5]), cases=outcome.count.passed)
            book.figure(f"tests/{name}: errors found by memcheck", str(len(errors)))
            book.figure(f"tests/{name}: values unknown to memcheck, used by CPython alone", str(others))


if __name__ == "__main__":
    run(study)
