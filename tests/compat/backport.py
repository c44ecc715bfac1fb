"""Spelling changes that let the release's tests be imported by Python 3.9.

The release needs 3.10 for two reasons of spelling only: it imports names that
`typing` gained there, and it writes unions of types as ``X | Y`` where they are
evaluated.  Both are rewritten in place, token by token, so that line numbers
and everything else in the file stay as they were:

* ``from typing import ..., TypeAlias`` reads from `SHIM_NAME` instead, which
  hands out `typing`'s names and stands in for the missing ones;
* ``a | b`` outside annotations becomes a call that still does ``a | b`` and
  falls back to ``typing.Union[a, b]`` when that is a TypeError.

No test changes its meaning, and what is under test is not touched.
"""

from __future__ import annotations

import ast
from pathlib import Path

SHIM_NAME = "spelling_of_310"
SHIM = '''\
"""Stand-ins for what Python 3.10 added to typing."""

import typing
from typing import *


def __getattr__(name):
    return getattr(typing, name, typing.Any)


def either(left, right):
    try:
        return left | right
    except TypeError:
        return typing.Union[left, right]
'''
NEW_IN_TYPING = {"Concatenate", "ParamSpec", "TypeAlias", "TypeGuard"}


class Edits(ast.NodeVisitor):
    """Collects (line, byte column, length removed, text inserted) for one module."""

    def __init__(self, source: str) -> None:
        self.lines = [line.encode() for line in source.splitlines(keepends=True)]
        self.found: list[tuple[int, int, int, str]] = []

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module == "typing" and NEW_IN_TYPING.intersection(a.name for a in node.names):
            column = self.lines[node.lineno - 1].index(b"typing", node.col_offset)
            self.found.append((node.lineno, column, len("typing"), SHIM_NAME))

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.BitOr):
            self.found.append((node.lineno, node.col_offset, 0, f"__import__('{SHIM_NAME}').either("))
            self.found.append((*self.operator_between(node.left, node.right), 1, ","))
            assert node.end_lineno is not None and node.end_col_offset is not None
            self.found.append((node.end_lineno, node.end_col_offset, 0, ")"))
        self.generic_visit(node)

    def operator_between(self, left: ast.expr, right: ast.expr) -> tuple[int, int]:
        """Position of the ``|`` between two operands, which may be on any line between."""
        assert left.end_lineno is not None and left.end_col_offset is not None
        for number in range(left.end_lineno, right.lineno + 1):
            begin = left.end_col_offset if number == left.end_lineno else 0
            column = self.lines[number - 1].find(b"|", begin)
            if column >= 0:
                return number, column
        raise AssertionError("no operator between two operands")

    # Annotations are never evaluated in these files, and positions inside an
    # f-string are not to be relied on before 3.12: leave both alone.

    def visit_arg(self, node: ast.arg) -> None:
        pass

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for child in (*node.decorator_list, node.args, *node.body):
            self.visit(child)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        for child in (*node.decorator_list, node.args, *node.body):
            self.visit(child)


def respell(source: str) -> str:
    """Return the module's source as Python 3.9 can evaluate it."""
    edits = Edits(source)
    edits.visit(ast.parse(source))
    lines = edits.lines
    for line, column, removed, inserted in sorted(edits.found, reverse=True):
        raw = lines[line - 1]
        lines[line - 1] = raw[:column] + inserted.encode() + raw[column + removed :]
    return b"".join(lines).decode()


def respell_tree(root: Path, below: tuple[str, ...]) -> int:
    """Rewrite the modules under these folders of ``root``; return how many changed."""
    changed = 0
    for folder in below:
        for file in sorted((root / folder).rglob("*.py")):
            before = file.read_text(encoding="utf-8")
            after = respell(before)
            if after != before:
                file.write_text(after, encoding="utf-8")
                changed += 1
    (root / f"{SHIM_NAME}.py").write_text(SHIM, encoding="utf-8")
    return changed
