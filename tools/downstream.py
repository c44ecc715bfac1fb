"""Other packages' tests on this project's wheel: ``tests.downstream`` on one interpreter, as a step.

Four suites are part of CI, and must have the counts that are known. With ``--more``, about twenty others are run on ours and
on genuine Trio in turn (``tests.downstream.compare``); they take the newest of what they depend on, so CI leaves them out.
"""

from __future__ import annotations

import re
import sys
from typing import Optional

from . import environments
from .pythons import Python, available
from .steps import Count, Report

MORE = "3.12"  # on which the others are run, if nothing else is asked for
LISTED = ("3.9", "3.10", "3.12", "3.13")  # on which some suite is to be run


def pythons() -> list[str]:
    """Those of them that this machine has."""
    return [python.version for python in available() if python.version in LISTED]


def count_suites(output: str) -> Optional[Count]:
    """Read the closing line of ``tests.downstream``."""
    line = re.search(r"^downstream: (\d+) passed, (\d+) failed, (\d+) skipped$", output, re.MULTILINE)
    return Count(*map(int, line.groups())) if line else None


def run_suites(report: Report, python: Python, profile: str, arguments: list[str], more: bool = False) -> None:
    """Run the suites, or the others, on one interpreter."""
    name = f"Python {python.version}: downstream"
    module = "tests.downstream"
    if more:
        name, module = f"{name}, more", f"{module}.compare"
    wheel = report.attempt(f"{name}: build", lambda: str(environments.wheel(python, profile)))
    if wheel is None:
        return
    command = [sys.executable, "-m", module, "--python", python.path, "--version", python.version, "--trio", wheel]
    report.step(name, [*command, *arguments], count_suites)
