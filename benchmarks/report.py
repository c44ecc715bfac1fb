"""The figures as text, as JSON, and as the table in README.md.

The README's table is written by this module between two markers and by nobody
else, so every speed that the project claims has been measured, and says on
which machine, with which versions, and when.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
from pathlib import Path
from typing import Any, NamedTuple, Optional

from .case import SIDES, Case
from .rounds import Figures

BEGIN = "<!-- benchmarks: begin (written by `python -m tools bench -- --readme`) -->"
END = "<!-- benchmarks: end -->"
PEERS = SIDES[1:]


class Row(NamedTuple):
    """One case with the figures of each side."""

    case: Case
    figures: dict[str, Optional[Figures]]

    def ratio(self, peer: str) -> Optional[float]:
        """How many times what ours takes the peer takes."""
        ours, theirs = self.figures.get("ours"), self.figures.get(peer)
        if ours is None or theirs is None or ours.median <= 0:
            return None
        return theirs.median / ours.median


class Setting(NamedTuple):
    """What the figures depend on besides the programs."""

    machine: str
    python: str
    versions: dict[str, str]
    date: str
    rounds: int

    @property
    def sentence(self) -> str:
        """One sentence for people."""
        versions = f"Trio {self.versions.get('genuine', '-')}, uvloop {self.versions.get('uvloop', '-')}"
        return (
            f"{self.date}, CPython {self.python}, ours {self.versions.get('ours', '-')}, genuine"
            f" {versions}; {self.machine}; medians of {self.rounds} interleaved rounds"
        )


def describe(versions: dict[str, str], python: str, rounds: int) -> Setting:
    """Look at the machine."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    machine = f"{os.cpu_count()} x {model}, {platform.system()} {platform.release()}"
    return Setting(machine, python, versions, datetime.date.today().isoformat(), rounds)


def amount(figures: Optional[Figures], unit: str) -> str:
    """A figure with its unit, to three digits or so."""
    if figures is None:
        return "-"
    value = figures.median
    if unit == "ns" and value >= 100_000:
        value, unit = value / 1000, "µs"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:,.1f} {unit}"


def times(ratio: Optional[float]) -> str:
    """A ratio; below 1 ours is behind."""
    return "-" if ratio is None else f"{ratio:.1f}x" if ratio < 10 else f"{ratio:.0f}x"


def cells(row: Row) -> list[str]:
    """The cells of one line of either table."""
    peers = [f"{amount(row.figures.get(p), row.case.unit)} ({times(row.ratio(p))})" for p in PEERS]
    peers = ["-" if cell == "- (-)" else cell for cell in peers]
    return [row.case.title, amount(row.figures.get("ours"), row.case.unit), *peers]


def text_line(row: Row) -> str:
    """One line of the text report."""
    title, ours, *peers = cells(row)
    return f"{title:40} {ours:>14}" + "".join(f"{cell:>22}" for cell in peers)


def text_heading() -> str:
    """The heading above those lines."""
    return f"{'per operation':40} {'ours':>14}" + "".join(f"{peer:>22}" for peer in PEERS)


def as_json(rows: list[Row], setting: Setting) -> str:
    """Everything, for other programs."""
    cases: dict[str, Any] = {}
    for row in rows:
        cases[row.case.name] = {
            "title": row.case.title,
            "unit": row.case.unit,
            "sides": {s: f._asdict() if f else None for s, f in row.figures.items()},
            "ratios": {peer: row.ratio(peer) for peer in PEERS},
        }
    return json.dumps({"setting": setting._asdict(), "cases": cases}, indent=1) + "\n"


def as_markdown(rows: list[Row], setting: Setting) -> str:
    """The table for README.md."""
    lines = [
        "| per operation | ours | genuine Trio | asyncio | uvloop |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    note = "In brackets: how many times ours. Lower figures are better, a ratio below 1 means that ours is behind."
    return "\n".join([*lines, "", f"{setting.sentence}.", note])


def put_into(readme: Path, table: str) -> None:
    """Replace what is between the markers; raises ValueError when they are not there."""
    before, begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme.name} has no markers for the benchmarks")
    text = f"{before}{begin}\n\n{table}\n\n{end}{after}"
    readme.write_text(text, encoding="utf-8")
