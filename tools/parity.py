"""``python -m tools parity``: compare with genuine Trio on random programs.

See ``tests/parity``. A quick run takes fixed seeds, for CI; ``--long`` draws
many programs and writes what it has shown for the reliability report.
"""

from __future__ import annotations

import argparse
import re
import sys
from typing import Optional

from . import environments
from .pythons import Python, choose
from .steps import Count, Report

REQUIREMENTS = "tests/parity/requirements.txt"
RESULTS = "docs/reliability/parity.json"
QUICK = ["--examples", "3000"]
LONG = ["--examples", "20000", "--seed", "1000", "--write", RESULTS]


def sides(python: Python) -> tuple[str, str]:
    """Two environments alike, one with this project's wheel and one with genuine Trio."""
    ours = environments.environment(python, "parity-ours", REQUIREMENTS)
    environments.install(ours, environments.wheel(python))
    return ours, environments.environment(python, "parity-genuine", REQUIREMENTS, "trio==0.35.0")


def count(output: str) -> Optional[Count]:
    """Read the closing line of ``tests.parity``."""
    line = re.search(r"^parity: (\d+) passed, (\d+) failed", output, re.MULTILINE)
    return Count(int(line[1]), int(line[2])) if line else None


def parity_on(report: Report, python: Python, arguments: list[str]) -> None:
    """Compare on one interpreter."""
    name = f"Python {python.version}: parity"
    pair: list[str] = []
    if report.attempt(f"{name}: build", lambda: pair.extend(sides(python)) or "") is not None:
        ours, genuine = pair
        command = [ours, "-m", "tests.parity", "--ours", ours, "--genuine", genuine, *arguments]
        report.step(name, command, count)


def check_parity(report: Report, python: Python) -> None:
    """The quick run: fixed seeds, and the kept programs live."""
    parity_on(report, python, QUICK)


def parity(options: argparse.Namespace) -> int:
    """Compare with genuine Trio on random programs (which needs Python 3.10 or later)."""
    report = Report()
    arguments = (LONG if options.long else QUICK) + options.arguments
    for python in choose(options.python):
        if python.version == "3.9":
            sys.exit("genuine Trio needs Python 3.10 or later")
        parity_on(report, python, arguments)
    return report.close()
