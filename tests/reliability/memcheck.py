"""The package's own tests under valgrind's memcheck.

memcheck runs the program on a simulated processor and knows of every byte whether it may be used and whether it was ever
written.  The package is a build with debug assertions and symbols; CPython takes all its memory from malloc, where memcheck
sees each object (``PYTHONMALLOC=malloc``).  Leaks are not looked for, as an interpreter leaves much behind when it ends; see the
studies `steady`, `cycles` and `references`.  What is known of CPython itself is listed, with reasons, in ``memcheck.supp``.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from . import builds
from .book import Book, run

SUPPRESSIONS = Path(__file__).with_name("memcheck.supp")
# The core first; then what moves memory between the kernel, threads and Python.
TESTS = ("core", "sync", "channel", "sockets", "threads")
SLOWER = 30


def command(report: Path) -> list[str]:
    """What is put before the interpreter."""
    return [
        "valgrind",
        "--tool=memcheck",
        "--leak-check=no",
        "--error-limit=no",
        "--num-callers=40",
        "--child-silent-after-fork=yes",
        f"--suppressions={SUPPRESSIONS}",
        "--xml=yes",
        f"--xml-file={report}",
    ]


def errors_in(report: Path) -> list[str]:
    """The errors that memcheck has found, each with the functions on the stack."""
    found = []
    for error in ElementTree.parse(report).iter("error"):
        kind = error.findtext("kind", "?")
        frames = [frame.findtext("fn") or frame.findtext("obj") or "?" for frame in error.iterfind("stack/frame")]
        found.append(f"{kind}: {' < '.join(frames[:25])}")
    return found


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
            errors = errors_in(report)
            book.check(f"tests/{name} without errors of memory", not errors, "\n".join(errors[:5]), cases=outcome.count.passed)
            book.figure(f"tests/{name}: errors found by memcheck", str(len(errors)))


if __name__ == "__main__":
    run(study)
