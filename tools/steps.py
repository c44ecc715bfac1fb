"""One step is one command; a report adds up what the steps say.

A step counts tests when its runner tells (pytest's JUnit file, the closing
lines of cargo test and of ``tests.compat``), and else as one test that passed
or failed.  A step that fails without a failed test counts as one failure, so
nothing that goes wrong is lost on the way to the last line.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Optional
from xml.etree import ElementTree

from . import CACHE, PROJECT
from .environments import without_settings


class Count(NamedTuple):
    """Tests by outcome."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def count_junit(file: Path) -> Optional[Count]:
    """Read pytest's JUnit file."""
    if not file.is_file():
        return None
    suite = ElementTree.parse(file).getroot().find("testsuite")
    if suite is None:
        return None
    total, failures, errors, skipped = (int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped"))
    return Count(total - failures - errors - skipped, failures + errors, skipped)


def count_cargo(output: str) -> Optional[Count]:
    """Add up the closing lines of cargo test, one per test binary."""
    lines = re.findall(r"test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", output)
    if not lines:
        return None
    return Count(*(sum(int(line[column]) for line in lines) for column in range(3)))


def count_compat(output: str) -> Optional[Count]:
    """Read the closing line of ``tests.compat``; exclusions count as skipped."""
    line = re.search(
        r"^compat: (\d+) passed, (\d+) failed, (\d+) errors, (\d+) skipped, (\d+) excluded",
        output,
        re.MULTILINE,
    )
    if line is None:
        return None
    passed, failed, errors, skipped, excluded = map(int, line.groups())
    return Count(passed, failed + errors, skipped + excluded)


class Report:
    """The steps taken so far."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, Count, float]] = []

    def add(self, title: str, count: Count, seconds: float = 0.0) -> None:
        """Enter one step."""
        self.rows.append((title, count, seconds))
        print(f"== {title}: {count} ({seconds:.0f} s)", flush=True)

    def step(
        self,
        title: str,
        command: list[str],
        counter: Callable[[str], Optional[Count]] = lambda output: None,
        env: Optional[dict[str, str]] = None,
    ) -> None:
        """Run one command, show what it prints, and enter its count."""
        print(f"== {title}\n+ {' '.join(command)}", flush=True)
        started = time.monotonic()
        variables = {**without_settings(), **(env or {})}
        output, status = run_shown(command, variables)
        count = counter(output)
        if count is None:
            count = Count(passed=int(status == 0))
        if status != 0 and not count.failed:
            count = count._replace(failed=1)
        self.add(title, count, time.monotonic() - started)

    def pytest(self, title: str, inner: str, arguments: list[str]) -> None:
        """Run pytest in an environment and count by its JUnit file."""
        file = CACHE / "junit.xml"
        file.unlink(missing_ok=True)
        command = [inner, "-m", "pytest", f"--junitxml={file}", "-p", "no:cacheprovider"]
        self.step(title, command + arguments, lambda output: count_junit(file))

    def attempt(self, title: str, work: Callable[[], str]) -> Optional[str]:
        """Do some preparation; a failure is entered and costs only what depends on it."""
        started = time.monotonic()
        try:
            return work()
        except (OSError, subprocess.CalledProcessError, StopIteration) as error:
            print(f"{title}: {error!r}", file=sys.stderr)
            self.add(title, Count(failed=1), time.monotonic() - started)
            return None

    def close(self) -> int:
        """Print every step and, alone on the last line, the sum; return the exit status."""
        print("\n== summary")
        for title, count, seconds in self.rows:
            print(f"{title:42} {count} ({seconds:.0f} s)")
        total = Count(*(sum(row[1][column] for row in self.rows) for column in range(3)))
        print(total, flush=True)
        return 1 if total.failed or not total.passed else 0


def run_shown(command: list[str], env: dict[str, str]) -> tuple[str, int]:
    """Run a command, pass its output on line by line, and return that and the status."""
    try:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        print(error, flush=True)
        return "", 127
    lines = []
    assert process.stdout is not None
    with process.stdout as stream:
        for line in stream:
            lines.append(line)
            sys.stdout.write(line)
            sys.stdout.flush()
    return "".join(lines), process.wait()
