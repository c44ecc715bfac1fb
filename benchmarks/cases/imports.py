"""The time that ``import`` adds to the start of an interpreter."""

from __future__ import annotations

import subprocess
import sys
from time import perf_counter

from ..case import Case

ORDER = 120


def started(statement: str) -> float:
    """Seconds from the start to the end of an interpreter with one statement to run."""
    begin = perf_counter()
    subprocess.run([sys.executable, "-I", "-c", statement], check=True)
    return perf_counter() - begin


def above_bare(statement: str, n: int) -> float:
    """Seconds that the statement adds to ``n`` starts, measured in turn."""
    return sum(started(statement) - started("pass") for _ in range(n))


async def import_trio(n: int) -> float:
    return above_bare("import trio", n)


async def import_asyncio(n: int) -> float:
    name = "uvloop" if "uvloop" in sys.modules else "asyncio"
    return above_bare(f"import {name}", n)


CASES = [Case("import", "import, above bare Python", import_trio, import_asyncio, 2, "ms")]
