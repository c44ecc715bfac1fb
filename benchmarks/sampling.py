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
from pathlib import Path

RATE = 250  # samples per second
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


def shares(raw: str, own: str) -> dict[str, float]:
    """Each package's share of the samples, the largest first; ``raw`` is py-spy's list of stacks and counts."""
    counts: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        counts[package_of(stack.split(";"), own)] += int(count)
    total = sum(counts.values())
    return {package: count / total for package, count in counts.most_common()}


def sample(python: str, pid: int, seconds: int, own: str = "application") -> dict[str, float]:
    """Watch a process for so long, with the py-spy of an environment."""
    program = Path(python).with_name("py-spy")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stacks"
        options = ["--format", "raw", "--rate", str(RATE), "--duration", str(seconds), "--output", str(file)]
        subprocess.run([str(program), "record", *options, "--pid", str(pid)], check=True, capture_output=True)
        return shares(file.read_text(encoding="utf-8"), own)
