"""Other packages' tests on this project's wheel: ``tests.downstream`` on one interpreter, as a step."""

from __future__ import annotations

import re
import sys
from typing import Optional

from . import environments
from .pythons import Python, available
from .steps import Count, Report

LISTED = ("3.9", "3.10", "3.12", "3.13")  # on which some suite is to be run


def pythons() -> list[str]:
    """Those of them that this machine has."""
    return [python.version for python in available() if python.version in LISTED]


def count_suites(output: str) -> Optional[Count]:
    """Read the closing line of ``tests.downstream``."""
    line = re.search(r"^downstream: (\d+) passed, (\d+) failed, (\d+) skipped$", output, re.MULTILINE)
    return Count(*map(int, line.groups())) if line else None


def run_suites(report: Report, python: Python, profile: str, arguments: list[str]) -> None:
    """Run the suites on one interpreter."""
    name = f"Python {python.version}: downstream"
    wheel = report.attempt(f"{name}: build", lambda: str(environments.wheel(python, profile)))
    if wheel is None:
        return
    command = [sys.executable, "-m", "tests.downstream", "--python", python.path, "--version", python.version]
    report.step(name, [*command, "--trio", wheel, *arguments], count_suites)
