"""The table of the install matrix, between two markers of a Markdown file."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path
from typing import Optional

from .. import PROJECT
from ..pythons import SUPPORTED
from .matrix import GENUINE, OURS, Cell
from .targets import GLIBC, MUSL

FILE = PROJECT / "docs" / "packaging.md"
BEGIN = "<!-- install matrix: begin (written by `python -m tools install-matrix --write`) -->"
END = "<!-- install matrix: end -->"


def render(cells: list[Cell], rounds: int) -> str:
    """The table with its circumstances."""
    known = {(cell.version, cell.libc, cell.which): cell for cell in cells}
    lines = [
        "| Python, libc | install, s: ours | genuine | import, ms: ours | genuine | on disk, MB: ours | genuine |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for libc in (GLIBC, MUSL):
        for version in SUPPORTED:
            row = [known.get((version, libc, which)) for which in (OURS, GENUINE)]
            parts = [figure(cell, kind) for kind in ("install", "imported", "megabytes") for cell in row]
            lines.append(f"| {version}, {libc} | " + " | ".join(parts) + " |")
    reasons = sorted({f"{cell.libc} {cell.version}, {cell.which}: {cell.reason}" for cell in cells if cell.reason})
    today = datetime.date.today().isoformat()
    lines += [
        "",
        f"{today}, {platform.system()} {platform.release()}, {platform.machine()}; medians of {rounds} interleaved rounds,",
        f"{os.cpu_count()} cores with a load of {os.getloadavg()[0]:.1f}, the measurement included.",
        "Install: pip from a folder with the wheels. Import: `import trio` in a new process. On disk: what the",
        "installation added, with dependencies and the bytecode that pip makes.",
    ]
    if reasons:
        lines += ["", "Not measured:", "", *(f"- {reason}" for reason in reasons)]
    return "\n".join(lines)


def figure(cell: Optional[Cell], kind: str) -> str:
    """One entry."""
    if cell is None or cell.reason:
        return "—"
    value: float = getattr(cell, kind)
    return f"{value * 1000:.1f}" if kind == "imported" else f"{value:.2f}"


def write(text: str, file: Path = FILE) -> None:
    """Replace what is between the markers."""
    before, _, rest = file.read_text(encoding="utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{file} lacks the markers of the table")
    file.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
