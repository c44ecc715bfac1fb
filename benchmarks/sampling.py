"""Where a running process spends its time, by package.

py-spy looks at the process from outside, some hundred times per second, and notes the
stack.  Each sample counts for the package of the innermost Python function: what a
native function does, the loop's own turn and system calls included, counts
for the Python code that called it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

RATE = 250  # samples per second
FUNCTIONS = 15  # as many as are told by name
STANDARD = "standard library"
FRAME = re.compile(r"^.* \((?P<path>.*?)(?::\d+)?\)$")


def package_of(stack: list[str], own: str) -> str:
    """The package of the innermost function that comes from a file; ``own`` is what is in no package."""
    for frame in reversed(stack):
        found = FRAME.match(frame)
        path = found["path"] if found else frame
        if path.startswith("<frozen"):
            return STANDARD
        if path.startswith("<"):
            continue  # made by dataclasses or attrs, for the class that the caller is about
        top = path.partition("/")[0].removesuffix(".py")
        if top != "asyncio" and top in sys.stdlib_module_names:
            return STANDARD
        return own if "/" not in path or top in ("benchmarks", "examples") else top
    return STANDARD


def weighed(raw: str) -> Iterator[tuple[list[str], int]]:
    """The stacks in py-spy's output, each with its number of samples."""
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        yield stack.split(";"), int(count)


def shares(counts: Counter[str]) -> dict[str, float]:
    """Counts as parts of one, the largest first."""
    total = sum(counts.values())
    return {name: count / total for name, count in counts.most_common()}


def by_package(raw: str, own: str = "application") -> dict[str, float]:
    """Each package's share of the samples; ``own`` is the name for the program itself."""
    counts: Counter[str] = Counter()
    for stack, count in weighed(raw):
        counts[package_of(stack, own)] += count
    return shares(counts)


def by_function(raw: str) -> dict[str, float]:
    """Each function's share of the samples, as ``name (file)``."""
    counts: Counter[str] = Counter()
    for stack, count in weighed(raw):
        counts[re.sub(r":\d+\)$", ")", stack[-1])] += count
    return shares(counts)


class Profile(NamedTuple):
    """Shares of the time."""

    packages: dict[str, float]
    functions: dict[str, float]  # only those that take most


def profile(raw: str) -> Profile:
    """What py-spy's output says."""
    functions = list(by_function(raw).items())[:FUNCTIONS]
    return Profile(by_package(raw), dict(functions))


def sample(python: str, pid: int, seconds: int) -> Profile:
    """Watch a process for so long, with the py-spy of an environment."""
    program = Path(python).with_name("py-spy")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stacks"
        options = ["--format", "raw", "--rate", str(RATE), "--duration", str(seconds), "--output", str(file)]
        subprocess.run([str(program), "record", *options, "--pid", str(pid)], check=True, capture_output=True)
        return profile(file.read_text(encoding="utf-8"))
