"""Every program in README.md, in the documentation and in public docstrings runs, and prints what the text says.

A block marked ``python`` is a complete program, run in a process of its own.  A block
marked ``text`` directly after it is what it prints.  A comment ``<!-- Python 3.11 -->``
before a program says that older versions lack some of its syntax.  Blocks marked
``sh`` and ``console`` are for the reader's shell and are not run; others do not exist.  The blocks of
docstrings are programs, too.
"""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
MODULES = ["trio", "trio.abc", "trio.from_thread", "trio.lowlevel", "trio.socket", "trio.testing", "trio.to_thread"]
LIMIT = 30  # seconds

FENCE = re.compile(r"^(?P<fence>`{3,}|:{3,})(?P<tag>.*)\n(?P<body>(?:.*\n)*?)(?P=fence)$", re.MULTILINE)
SINCE = re.compile(r"<!-- Python 3\.(\d+) -->\s*$")
LITERAL = re.compile(r"::\n\n((?:(?: .*)?\n)+)")
PROGRAM_OUTSIDE = re.compile(r"^ {4,}(import|from|async def|def|class|async with|with) ", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its tag, what is in it, the line it begins at, and the text since the block before."""

    tag: str
    body: str
    line: int
    before: str


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, directives included."""
    end = 0
    for found in FENCE.finditer(text):
        yield Block(found["tag"].strip(), found["body"], text.count("\n", 0, found.start()) + 1, text[end : found.start()])
        end = found.end()


class Program(NamedTuple):
    """A program of a page, and what the page says that it prints."""

    name: str
    body: str
    line: int
    since: int
    output: Optional[str]


def programs(page: Path) -> Iterator[Program]:
    """The programs of a page."""
    found = list(blocks(page.read_text(encoding="utf-8")))
    for block, follower in zip(found, [*found[1:], None]):
        if block.tag == "python":
            says = follower is not None and follower.tag == "text" and not follower.before.strip()
            since = SINCE.search(block.before)
            yield Program(
                f"{page.relative_to(PROJECT)}:{block.line}",
                block.body,
                block.line,
                int(since[1]) if since else 9,
                follower.body if follower is not None and says else None,
            )


def described() -> Iterator[tuple[str, object]]:
    """Everything public that may have a docstring, methods included."""
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in dir(module):
            thing = getattr(module, name)
            if name.startswith("_") or not getattr(thing, "__module__", "").startswith("trio"):
                continue
            yield f"{module_name}.{name}", thing
            if isinstance(thing, type):
                yield from ((f"{module_name}.{name}.{method}", vars(thing)[method]) for method in vars(thing))


def programs_in_docstrings() -> Iterator[Program]:
    """The programs in docstrings."""
    for name, thing in described():
        for found in LITERAL.finditer((inspect.getdoc(thing) or "") + "\n"):
            yield Program(name, textwrap.dedent(found[1]), 0, 9, None)


ALL = [*(program for page in PAGES for program in programs(page)), *programs_in_docstrings()]


@pytest.mark.parametrize("program", ALL, ids=[program.name for program in ALL])
def test_a_program_runs(program: Program, tmp_path: Path) -> None:
    if sys.version_info < (3, program.since):
        pytest.skip(f"shows syntax of Python 3.{program.since}")
    file = tmp_path / "program.py"
    # Empty lines above make tracebacks name the line of the page.
    file.write_text("\n" * program.line + program.body, encoding="utf-8")
    finished = subprocess.run(
        [sys.executable, "-W", "error", str(file)],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    if program.output is not None:
        assert finished.stdout == program.output


def test_readme_and_pages_have_programs() -> None:
    assert any(program.name.startswith("README.md") for program in ALL)
    assert any(program.name.startswith("docs") for program in ALL)
    assert any(program.name == "trio.as_safe_channel" for program in ALL)


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(PROJECT)) for page in PAGES])
def test_no_program_escapes(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    strange = [
        (block.line, block.tag)
        for block in blocks(text)
        if block.tag not in {"python", "text", "sh", "console"} and block.tag[:1] != "{"
    ]
    assert strange == []
    assert [found[0] for found in PROGRAM_OUTSIDE.finditer(FENCE.sub("", text))] == []


def test_the_reference_has_no_programs() -> None:
    for page in (PROJECT / "docs").rglob("*.rst"):
        assert "::\n" not in page.read_text(encoding="utf-8").replace("toctree::\n", "")
