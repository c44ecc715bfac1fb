"""The house rules that a compiler does not check.

Folders under ``src`` are layers and name each other strictly downwards;
``unsafe`` lives in one of them; the pure data structures know nothing of
Python; files and functions stay readable.  The rules are the tables below, each
check is a function from a source tree to a list of complaints, and each has a
test that shows it a tiny tree which breaks the rule: a check that cannot fail
is worth nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]

# From top to bottom. A folder may name those of lower rows only.
LAYERS = (
    ("lib",),
    ("run",),
    ("nursery", "sync", "channel", "io", "time", "wake"),
    ("task", "trap", "cancel"),
    ("core",),
    ("interop",),
    ("kernel",),  # at the very bottom: interop traverses its containers, it knows nobody
)
# Folders of one row which are two halves of one thing and may name each other.
NEIGHBOURS: frozenset[str] = frozenset({"task", "trap", "cancel"})
# Upward arrows that may carry types (CamelCase names), to store them; never functions.
TYPES_ONLY = {"core": {"task", "cancel"}}

UNSAFE_ALLOWED = {"interop"}
NO_PYTHON = {"kernel"}
LONGEST_FILE = 600
LONGEST_FUNCTION = 60

RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row}


def strip_rust(source: str) -> str:
    """Blank out comments and string literals; line numbers stay."""
    token = re.compile(
        r"//[^\n]*|/\*.*?\*/|b?r(#*)\".*?\"\1|b?\"(?:\\.|[^\"\\])*\"|'(?:\\.[^']*|[^'\\])'",
        re.DOTALL,
    )
    return token.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), source)


def rust_files(src: Path) -> Iterator[tuple[str, Path, str]]:
    """(layer, file, stripped source) for each Rust file."""
    for file in sorted(src.rglob("*.rs")):
        first = file.relative_to(src).parts[0]
        yield (
            first[: -len(".rs")] if first.endswith(".rs") else first,
            file,
            strip_rust(file.read_text(encoding="utf-8")),
        )


def split_group(text: str) -> list[str]:
    """The members of ``{a, b::{c, d}}``, given what follows the opening brace."""
    members, depth, current = [], 1, ""
    for char in text:
        depth += (char == "{") - (char == "}")
        if depth == 0 or (depth == 1 and char == ","):
            members.append(current.strip())
            current = ""
            if depth == 0:
                break
        else:
            current += char
    return [member for member in members if member]


def arrows(source: str, depth: int) -> Iterator[tuple[int, str]]:
    """(line, path below the crate root) for each ``crate::`` path, imported or inline.

    ``depth`` is how many modules the file is below the root, so that a chain of
    ``super::`` which climbs out of its layer is seen as well.
    """
    climb = r"super\s*::\s*" * (depth + 1)
    for match in re.finditer(rf"(?:\bcrate\s*::\s*|\b{climb})(\{{)?", source):
        line = source.count("\n", 0, match.start()) + 1
        rest = source[match.end() :]
        if match[1]:
            for member in split_group(rest):
                yield line, member
        else:
            path = re.match(r"[\w:\s]*\w(?:\s*::\s*\{[^}]*\})?", rest)
            yield line, path[0] if path else ""


def names_only_types(path: str) -> bool:
    """Whether a path such as ``task::Task`` or ``task::{Task, Flags}`` ends in types."""
    leaves = re.split(r"[{},]", path)
    ends = [leaf.split("::")[-1].strip() for leaf in leaves if leaf.strip(" :")]
    # "task::{Task}" splits into the prefix "task::" (ends in nothing) and "Task".
    return all(not end or end[0].isupper() for end in ends)


def upward_arrows(src: Path) -> list[str]:
    """Each path that names a layer which is not below the file's own."""
    complaints = []
    for layer, file, source in rust_files(src):
        where = file.relative_to(src).as_posix()
        if layer not in RANK:
            complaints.append(f"{where}: {layer} is not a layer")
            continue
        modules = [part for part in file.relative_to(src).with_suffix("").parts if part != "mod"]
        for line, path in arrows(source, len(modules) - 1):
            target = re.split(r"\W", path, maxsplit=1)[0]
            if target not in RANK or target == layer:
                continue
            if RANK[target] > RANK[layer] or {layer, target} <= NEIGHBOURS:
                continue
            if target in TYPES_ONLY.get(layer, ()) and names_only_types(path):
                continue
            complaints.append(f"{where}:{line}: {layer} names {path.strip()}")
    return complaints


def unsafe_outside(src: Path) -> list[str]:
    """Each use of ``unsafe`` where it is not allowed."""
    return [
        f"{file.relative_to(src).as_posix()}:{number}: unsafe"
        for layer, file, source in rust_files(src)
        if layer not in UNSAFE_ALLOWED
        for number, line in enumerate(source.splitlines(), 1)
        if re.search(r"\bunsafe\b(?!_)", line) and not line.strip().startswith("#")
    ]


def python_in_kernel(src: Path) -> list[str]:
    """Each mention of PyO3 in a layer that has to do without."""
    return [
        f"{file.relative_to(src).as_posix()}:{number}: pyo3"
        for layer, file, source in rust_files(src)
        if layer in NO_PYTHON
        for number, line in enumerate(source.splitlines(), 1)
        if "pyo3" in line
    ]


def long_files(*roots: Path) -> list[str]:
    """Each source file above the limit; stubs are lists of signatures and do not count."""
    complaints = []
    for root in roots:
        for file in sorted(root.rglob("*")):
            if file.suffix in (".rs", ".py") and "__pycache__" not in file.parts:
                length = len(file.read_text(encoding="utf-8").splitlines())
                if length > LONGEST_FILE:
                    complaints.append(f"{file.relative_to(root.parent).as_posix()}: {length} lines")
    return complaints


def long_functions(root: Path) -> list[str]:
    """Each Python function above the limit, its docstring and decorators not counted."""
    complaints = []
    for file in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                if length > LONGEST_FUNCTION:
                    where = file.relative_to(root.parent).as_posix()
                    complaints.append(f"{where}:{node.lineno}: {node.name} has {length} lines")
    return complaints


def test_arrows_point_down() -> None:
    assert upward_arrows(PROJECT / "src") == []


def test_unsafe_stays_in_its_folder() -> None:
    assert unsafe_outside(PROJECT / "src") == []


def test_kernel_is_pure() -> None:
    assert python_in_kernel(PROJECT / "src") == []


def test_files_are_short() -> None:
    places = ("src", "python", "tests", "benchmarks", "tools", "examples")
    assert long_files(*(PROJECT / place for place in places)) == []


def test_functions_are_short() -> None:
    places = ("python", "tests", "benchmarks", "tools", "examples")
    assert [text for place in places for text in long_functions(PROJECT / place)] == []


def tree(root: Path, files: dict[str, str]) -> Path:
    """Write a source tree for a check to look at."""
    for name, text in files.items():
        file = root / "src" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root / "src"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("core/mod.rs", "use crate::run::tick;"),
        ("core/queue.rs", "use crate::{kernel::Heap, sync::Lock};"),
        ("core/queue.rs", "use crate::task::{Task, spawn};"),
        ("kernel/heap.rs", "pub fn f() { crate::interop::panic() }"),
        ("sync/lock.rs", "use crate::channel::Shared;"),
        ("io/epoll.rs", "use super::super::run::tick;"),
        ("task/mod.rs", "use super::nursery::Nursery;"),
        ("elsewhere/mod.rs", ""),
    ],
)
def test_an_upward_arrow_is_seen(tmp_path: Path, name: str, line: str) -> None:
    assert len(upward_arrows(tree(tmp_path, {name: line}))) == 1


def test_downward_arrows_are_fine(tmp_path: Path) -> None:
    src = tree(
        tmp_path,
        {
            "lib.rs": "mod run; use crate::run::entry;",
            "run/tick.rs": "use crate::{core::{Core, Token}, interop}; use super::step;",
            "core/mod.rs": "use crate::task::Task; use crate::cancel::{Scope, Reason}; // crate::run::x",
            "cancel/mod.rs": 'use crate::task::deliver; const A: &str = "crate::run::tick";',
            "io/poll.rs": "use super::Table; use crate::io::Waiter; fn f<'a>(c: char) -> bool { c == '\"' }",
        },
    )
    assert upward_arrows(src) == []


def test_unsafe_is_seen(tmp_path: Path) -> None:
    src = tree(
        tmp_path,
        {
            "lib.rs": "#![deny(unsafe_op_in_unsafe_fn)] // unsafe\n#![deny(\n    unsafe_code\n)]\n",
            "core/mod.rs": "fn f() {\n    unsafe { g() }\n}\n",
            "interop/mod.rs": "unsafe fn f() {}\n",
        },
    )
    assert unsafe_outside(src) == ["core/mod.rs:2: unsafe"]


def test_python_in_the_kernel_is_seen(tmp_path: Path) -> None:
    src = tree(tmp_path, {"kernel/heap.rs": "//! No pyo3.\nuse pyo3::Python;\n"})
    assert python_in_kernel(src) == ["kernel/heap.rs:2: pyo3"]


def test_long_files_are_seen(tmp_path: Path) -> None:
    src = tree(tmp_path, {"core/a.rs": "\n" * 600, "core/b.rs": "\n" * 601, "core/c.pyi": "\n" * 999})
    assert long_files(src) == ["src/core/b.rs: 601 lines"]


def test_long_functions_are_seen(tmp_path: Path) -> None:
    essay = '    """' + "\n" * 50 + '    """\n'
    src = tree(
        tmp_path,
        {
            "a.py": "def short():\n" + essay + "    x = 1\n" * 60,
            "b.py": "class C:\n    async def long(self):\n" + "        x = 1\n" * 61,
        },
    )
    assert long_functions(src) == ["src/b.py:2: long has 61 lines"]
