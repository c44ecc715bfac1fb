"""The language of the programs: what a statement is, and the table of them all.

A statement is a list: its name, then its arguments.  Each is defined once, as
an async function that carries out the statement, under a decorator that says to
which *feature* it belongs and what *kinds* of arguments it takes.  From the
kinds the generator knows what to draw; an argument of kind `BLOCK` is a list of
statements.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

Block = list[Any]
Run = Callable[..., Awaitable[object]]


class Kind(NamedTuple):
    """What may stand for an argument, the simplest first; empty for a block."""

    choices: tuple[object, ...]


def choice(*choices: object) -> Kind:
    """One of these."""
    return Kind(choices)


BLOCK = Kind(())
INDEX = choice(0, 1, 2, 3)
FLAG = choice(False, True)
VALUE = choice(0, 1, 2)
SECONDS = choice(0, 1, 2, 0.5, 1.5, 3)
REASON = choice(None, "why", "over")


class Statement(NamedTuple):
    """A row of the table."""

    name: str
    feature: str
    kinds: tuple[Kind, ...]
    run: Run
    silent: bool

    @property
    def nests(self) -> bool:
        """Whether it has a block among its arguments."""
        return BLOCK in self.kinds


TABLE: dict[str, Statement] = {}


def statement(feature: str, *kinds: Kind, silent: bool = False) -> Callable[[Run], Run]:
    """Enter a function into the table; what a silent one raises is meant to spread."""

    def enter(function: Run) -> Run:
        name = function.__name__.rstrip("_")
        assert name not in TABLE, name
        TABLE[name] = Statement(name, feature, kinds, function, silent or BLOCK in kinds)
        return function

    return enter


def walk(block: Block) -> Iterator[Statement]:
    """Every statement below a block."""
    for name, *arguments in block:
        row = TABLE[name]
        yield row
        for kind, argument in zip(row.kinds, arguments):
            if kind is BLOCK:
                yield from walk(argument)


def statements_of(program: dict[str, Any]) -> Iterator[Statement]:
    """Every statement of a program."""
    for block in program["tasks"]:
        yield from walk(block)
