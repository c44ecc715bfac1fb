"""Hypothesis draws programs from the table of statements.

A program has a few tasks and knows a few *features* only: from all of them at
once, two statements that go together would seldom meet.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from . import statements
from .program import BLOCK, TABLE, Block, Kind, Statement

assert statements.ALL

DEPTH = 4
LENGTH = 5
BUDGET = 50
ALWAYS = ("time",)
FEATURES = tuple(sorted({row.feature for row in TABLE.values()} - set(ALWAYS)))


class Writer:
    """Writes one program with what ``draw`` gives."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.left = BUDGET
        self.rows: list[Statement] = []
        self.leaves: list[Statement] = []

    def below(self, limit: int) -> int:
        """A number."""
        number: int = self.draw(NUMBERS[limit])
        return number

    def program(self) -> dict[str, Any]:
        """A whole program."""
        features = {*ALWAYS, *(FEATURES[self.below(len(FEATURES))] for _ in range(1 + self.below(5)))}
        if "threads" in features:
            # Their lock-step rests on waiting for all tasks to wait, and takes turns that instruments would see.
            features -= {"quiet", "sockets", "instruments"}
        self.rows = [row for row in TABLE.values() if row.feature in features]
        self.leaves = [row for row in self.rows if not row.nests]
        return {
            "seed": self.below(100),
            "strict": not self.below(4) == 3,
            "tolerant": not self.below(4) == 3,
            "guest": self.below(8) == 7,
            "regular": "sockets" in features or self.below(4) == 3,
            "tasks": [self.block(DEPTH) for _ in range(1 + self.below(4))],
        }

    def block(self, depth: int) -> Block:
        """Some statements; with no depth left, simple ones."""
        return [self.statement(depth) for _ in range(self.below(LENGTH + 1))]

    def statement(self, depth: int) -> list[Any]:
        """A statement with its arguments."""
        self.left -= 1
        rows = self.rows if depth and self.left > 0 else self.leaves
        row = rows[self.below(len(rows))]
        return [row.name, *(self.argument(kind, depth) for kind in row.kinds)]

    def argument(self, kind: Kind, depth: int) -> Any:
        """What stands for an argument."""
        if kind is BLOCK:
            return self.block(depth - 1)
        return kind.choices[self.below(len(kind.choices))]


NUMBERS = [st.integers(0, max(limit - 1, 0)) for limit in range(500)]


@st.composite
def programs(draw: Any) -> dict[str, Any]:
    """Any program."""
    return Writer(draw).program()
