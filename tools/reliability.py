"""What the runtime survives: environments for ``tests.reliability``, and its two sets as steps.

The quick set is part of what CI does.  The long one is run by hand, with low priority, and leaves its results in the
documentation.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Optional

from . import environments
from .pythons import Python
from .steps import Count, Report


def count_checks(output: str) -> Optional[Count]:
    """Read the closing line of ``tests.reliability``."""
    line = re.search(r"^reliability: (\d+) passed, (\d+) failed, (\d+) skipped$", output, re.MULTILINE)
    return Count(*map(int, line.groups())) if line else None


def genuine_environment(python: Python) -> str:
    """An environment with genuine Trio, to compare with."""
    return environments.environment(python, "genuine", "trio==0.35.0")


def assertions_environment(python: Python) -> str:
    """An environment with a build that has debug assertions, and with them what tests break on purpose."""
    inner = environments.environment(python, "assertions", "trustme")
    environments.install(inner, environments.wheel(python, "dev"))
    return inner


def run_studies(report: Report, python: Python, arguments: list[str], long: bool = False) -> None:
    """Run the studies on one interpreter."""
    name = f"Python {python.version}: reliability"
    ours = report.attempt(f"{name}: build", lambda: environments.test_environment(python))
    genuine = report.attempt(f"{name}: genuine Trio", lambda: genuine_environment(python))
    assertions = report.attempt(f"{name}: build with debug assertions", lambda: assertions_environment(python))
    if ours is None or genuine is None or assertions is None:
        return
    command = [sys.executable, "-m", "tests.reliability", "--ours", ours, "--genuine", genuine, "--assertions", assertions]
    if long:
        os.nice(10)
        command += ["--long", "--write"]
    report.step(name, [*command, *arguments], count_checks)
