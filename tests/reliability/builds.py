"""Other builds than users have: with debug assertions and symbols, also for debug builds of CPython.

And the package's own tests, run on them.  Building takes a minute, so the studies that need this do it in the long set only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple, Optional
from xml.etree import ElementTree

from tools import environments
from tools.pythons import SUPPORTED, Python
from tools.steps import Count, count_junit

from .book import Book

PROJECT = Path(__file__).resolve().parents[2]
LIMIT = 2400


def this_python() -> Python:
    """The interpreter that runs the studies, outside of its environment."""
    return Python("{}.{}".format(*sys.version_info), os.path.realpath(sys.executable))


def debug_python() -> Optional[Python]:
    """A debug build of CPython (which counts references and checks itself), the newest that there is."""
    for version in reversed(SUPPORTED):
        for name in (f"python{version}-dbg", f"python{version}d"):
            path = shutil.which(name)
            if path:
                return Python(f"{version}d", path)
    return None


def checking_environment(python: Python) -> str:
    """An environment with a build that has debug assertions, and its symbols."""
    inner = environments.environment(python, "checking", "tests/requirements.txt")
    os.environ["MATURIN_STRIP"] = "false"
    environments.install(inner, environments.wheel(python, "dev"))
    return inner


class Outcome(NamedTuple):
    """What pytest has found, and what it said in the end."""

    count: Count
    names: list[str]
    """The tests that failed."""
    said: str


def run_tests(before: list[str], inner: str, arguments: list[str], env: Optional[dict[str, str]] = None) -> Outcome:
    """Run some of the package's own tests, ``before`` being put before the interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "junit.xml"
        command = [*before, inner, "-X", "dev", "-m", "pytest", f"--junitxml={file}", "-p", "no:cacheprovider", *arguments]
        variables = {**environments.without_settings(), **(env or {})}
        done = subprocess.run(
            command,
            cwd=PROJECT,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT,
        )
        said = done.stdout[-3000:]
        count = count_junit(file)
        if count is None:
            return Outcome(Count(failed=1), [f"exit status {done.returncode}"], said)
        failed = [case.get("name", "") for case in ElementTree.parse(file).iter("testcase") if len(case) and is_failure(case)]
        return Outcome(count, failed, said)


def is_failure(case: ElementTree.Element) -> bool:
    """Did this test fail?"""
    return case.find("failure") is not None or case.find("error") is not None


def enter(book: Book, name: str, outcome: Outcome) -> None:
    """Enter how tests went as cases of one check."""
    count = outcome.count
    if count.passed:
        book.check(name, True, cases=count.passed)
    for failed in outcome.names:
        book.check(name, False, f"{failed}\n{outcome.said}")
