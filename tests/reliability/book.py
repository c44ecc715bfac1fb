"""What a study writes down, and the frame in which it runs.

``python -m tests.reliability.NAME --result FILE`` runs one study in this process and leaves its book as JSON.  A check
has a name and a number of cases; a case that fails leaves a text.  A figure is something that was measured, and proves
nothing.  The exit status is 0 if the study came to its end, whatever it found: what it found is in the book.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import importlib.metadata
import json
import os
import platform
import random
import sys
import time
from pathlib import Path
from typing import Any, Callable, Union

DETAILS_KEPT = 10
HANGS_AFTER = 3000


class Book:
    """The results of one study."""

    def __init__(self, name: str, *, long: bool = False, seed: int = 0, partner: str = "") -> None:
        self.name = name
        self.long = long
        self.seed = seed
        self.partner = partner
        """An interpreter with genuine Trio, or nothing."""
        self.random = random.Random(seed)
        self.checks: dict[str, dict[str, Any]] = {}
        self.figures: list[tuple[str, str]] = []
        self.skipped: list[str] = []
        self.seconds = 0.0

    def amount(self, quick: int, long: int) -> int:
        """A number that depends on which set is run."""
        return long if self.long else quick

    def check(self, name: str, good: bool, detail: object = "", cases: int = 1) -> bool:
        """Enter one case (or several that were judged together) of a check."""
        entry = self.checks.setdefault(name, {"cases": 0, "failed": 0, "details": []})
        entry["cases"] += cases
        if not good:
            entry["failed"] += 1
            if len(entry["details"]) < DETAILS_KEPT:
                entry["details"].append(str(detail))
        return good

    def figure(self, name: str, value: Union[float, str], unit: str = "") -> None:
        """Enter something measured."""
        text = value if isinstance(value, str) else f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
        self.figures.append((name, f"{text} {unit}".strip()))

    def skip(self, reason: str) -> None:
        """Say what could not be looked at, and why."""
        self.skipped.append(reason)

    def as_json(self) -> dict[str, Any]:
        """Everything, for `json`."""
        return {
            "study": self.name,
            "set": "long" if self.long else "quick",
            "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "python": platform.python_version(),
            "trio": importlib.metadata.version("trio"),
            "checks": self.checks,
            "figures": self.figures,
            "skipped": self.skipped,
        }


def run(study: Callable[[Book], None]) -> None:
    """Run a study as the command line says."""
    module = sys.modules[study.__module__]
    name = Path(module.__file__ or "study").stem
    parser = argparse.ArgumentParser(prog=f"python -m tests.reliability.{name}", description=module.__doc__)
    parser.add_argument("--long", action="store_true", help="the numbers of the long set")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is left to chance")
    parser.add_argument("--genuine", default="", metavar="PYTHON", help="an interpreter with genuine Trio")
    parser.add_argument("--result", type=Path, help="where to write the book (default: print it)")
    options = parser.parse_args()
    faulthandler.enable()
    faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
    book = Book(name, long=options.long, seed=options.seed, partner=options.genuine)
    started = time.monotonic()
    study(book)
    book.seconds = time.monotonic() - started
    faulthandler.cancel_dump_traceback_later()
    text = json.dumps(book.as_json(), indent=1)
    if options.result:
        options.result.write_text(text + "\n")
    else:
        print(text)


def descriptors() -> dict[int, str]:
    """What is open, by number, as the kernel names it."""
    found = {}
    for entry in os.listdir("/proc/self/fd"):
        try:
            found[int(entry)] = os.readlink(f"/proc/self/fd/{entry}")
        except FileNotFoundError:
            pass  # the folder itself, while it was being listed
    return found


def resident() -> int:
    """The memory of this process that is in use, in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def collect() -> None:
    """Have the collector take all it can; what comes back to life once needs a second time."""
    for _ in range(3):
        gc.collect()


def leaves(error: BaseException) -> list[BaseException]:
    """The exceptions in a group, at any depth; or the exception."""
    if hasattr(error, "exceptions"):
        return [leaf for part in error.exceptions for leaf in leaves(part)]
    return [error]
