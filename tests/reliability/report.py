"""The page ``docs/reliability.md``, made of the books below ``docs/reliability``."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from .catalogue import STUDIES

PROJECT = Path(__file__).resolve().parents[2]
BOOKS = PROJECT / "docs" / "reliability"
PAGE = PROJECT / "docs" / "reliability.md"

OPENING = """\
# What the runtime survives

<!-- Written by `python -m tools reliability --long`; do not edit. -->

The tests of this page are run from outside, on the binary that users install. They break things on purpose, repeat things
very often, or do very much at once, and look at what is left. A *check* is one promise, a *case* one attempt to break
it. Figures are measurements of one machine and promise nothing.

`python -m tools reliability` runs all of them with small numbers, as continuous integration does;
`python -m tools reliability --long` runs them with the numbers below and writes this page.
"""


def keep(book: dict[str, Any]) -> None:
    """Write a book to where the page is made from."""
    BOOKS.mkdir(parents=True, exist_ok=True)
    (BOOKS / f"{book['study']}.json").write_text(json.dumps(book, indent=1) + "\n", encoding="utf-8")


def machine() -> str:
    """This machine, in a line."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
    return f"{os.cpu_count()} cores ({model}), Linux {platform.release()}, {' '.join(platform.libc_ver())}"


def section(title: str, about: str, book: dict[str, Any]) -> list[str]:
    """What one study has found."""
    lines = [f"## {title[0].upper()}{title[1:]}", "", about, ""]
    lines += [f"*{book['date']}, Python {book['python']}, seed {book['seed']}, {book['seconds']:.0f} s.*", ""]
    if book["checks"]:
        lines += ["| check | cases | failed |", "|---|---:|---:|"]
        for name, check in book["checks"].items():
            lines.append(f"| {name} | {check['cases']:,} | {check['failed']} |")
        lines.append("")
    if book["figures"]:
        lines += ["| figure | |", "|---|---:|"]
        lines += [f"| {name} | {value} |" for name, value in book["figures"]]
        lines.append("")
    for reason in book["skipped"]:
        lines += [f"Left out: {reason}.", ""]
    return lines


def parity() -> list[str]:
    """What the comparison with genuine Trio has found; see ``tests/parity``."""
    file = BOOKS / "parity.json"
    if not file.is_file():
        return []
    lines = ["## Random programs compared with genuine Trio", ""]
    lines += ["Programs are drawn at random and run by both; whatever a program can see has to be the same.", ""]
    lines += ["`python -m tools parity --long` repeats the comparison. Each seed draws up to 1,000 programs.", ""]
    lines += [
        "Where genuine Trio itself takes one course or another, ours has to take one of those: these programs are *open*.",
        "",
    ]
    lines += [
        "| date | Python | ours | genuine | seeds | programs | open | differences |",
        "|---|---|---|---|---|---:|---:|---:|",
    ]
    books = json.loads(file.read_text(encoding="utf-8"))
    for version in sorted(books, key=lambda text: tuple(map(int, text.split(".")))):
        book = books[version]
        first, last = book["seeds"]
        lines.append(
            f"| {book['date']} | {book['python']} | {book['ours']} | {book['genuine']} | {first} to {last} "
            f"| {book['programs']:,} | {book['left_open_by_genuine']} | {book['differences']} |"
        )
    return [*lines, ""]


def write_page() -> None:
    """Make the page of all books that there are."""
    lines = [OPENING]
    books = {}
    for entry in STUDIES:
        file = BOOKS / f"{entry.name}.json"
        if file.is_file():
            books[entry.name] = json.loads(file.read_text(encoding="utf-8"))
    checks = [check for book in books.values() for check in book["checks"].values()]
    cases, failed = sum(check["cases"] for check in checks), sum(check["failed"] for check in checks)
    versions = ", ".join(sorted({f"trio {book['trio']}" for book in books.values() if book["trio"]}))
    last = max((book["date"] for book in books.values()), default="never")
    lines.append(f"Last run: {last}, {versions}, on {machine()}: ")
    lines.append(f"**{len(checks)} checks, {cases:,} cases, {failed} failed.**\n")
    for entry in STUDIES:
        if entry.name in books:
            lines += section(entry.title, entry.about, books[entry.name])
    lines += parity()
    PAGE.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
