"""What a case is, and where all of them are.

A case is one kind of operation.  Its functions take a count ``n``, do the
operation ``n`` times and return how much that took (seconds, or bytes), without
what it took to set the scene.  They import the library they measure inside, as
a worker has only one side's library to offer.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Optional

SIDES = ("ours", "genuine", "asyncio", "uvloop")
TRIO_SIDES = ("ours", "genuine")

Measured = Callable[[int], Awaitable[float]]


class Case(NamedTuple):
    """One row of the report."""

    name: str  # for the command line
    title: str  # for the table
    trio: Measured  # runs on ours and genuine
    asyncio: Optional[Measured]  # runs on asyncio and uvloop; None: this Python has no counterpart
    number: Optional[int] = None  # operations per round; None: as many as fill a round
    unit: str = "ns"  # or "B", or "ms"
    fresh: bool = False  # each round needs a process that has run nothing before


def all_cases() -> dict[str, Case]:
    """Every case of every module under ``cases``, in the order of the report."""
    from . import cases

    found: list[tuple[int, Case]] = []
    for info in pkgutil.iter_modules(cases.__path__):
        module = importlib.import_module(f"{cases.__name__}.{info.name}")
        found += [(module.ORDER, case) for case in module.CASES]
    return {case.name: case for _, case in sorted(found, key=lambda pair: pair[0])}
