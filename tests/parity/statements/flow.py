"""Errors raised, caught, replaced and let through; repetition."""

from __future__ import annotations

import sys

import trio

from ..machine import Place
from ..program import BLOCK, FLAG, Block, choice, statement
from ..trace import tree

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup


class Failure(Exception):
    """What programs raise."""


class Deep(BaseException):
    """What ordinary handlers do not catch."""


def make(kind: str) -> BaseException:
    """A fresh error."""
    if kind == "group":
        return ExceptionGroup("several", [Failure("one"), KeyError("two")])
    if kind == "deep group":
        return BaseExceptionGroup("deep", [Deep("one"), ExceptionGroup("inner", [Failure("two")])])
    if kind == "cancelled":
        return trio.Cancelled._create(source="unknown")
    kinds: dict[str, type[BaseException]] = {
        "failure": Failure,
        "deep": Deep,
        "KeyboardInterrupt": KeyboardInterrupt,
        "SystemExit": SystemExit,
        "StopAsyncIteration": StopAsyncIteration,
        "StopIteration": StopIteration,
        "GeneratorExit": GeneratorExit,
    }
    return kinds[kind](kind)


ORDINARY = choice("failure", "deep", "group", "deep group")
ODD = choice("KeyboardInterrupt", "SystemExit", "StopAsyncIteration", "StopIteration", "GeneratorExit", "cancelled")
CAUGHT: dict[str, type[BaseException]] = {"Exception": Exception, "Cancelled": trio.Cancelled, "all": BaseException}
CATCHES = choice(*CAUGHT)
AFTERWARDS = choice("swallow", "reraise", "replace", "cause", "none")


@statement("errors", ORDINARY, FLAG, silent=True)
async def fail(place: Place, kind: str, noted: bool) -> None:
    error = make(kind)
    if noted and hasattr(error, "add_note"):
        error.add_note("noted")
    raise error


@statement("odd errors", ODD, silent=True)
async def fail_oddly(place: Place, kind: str) -> None:
    raise make(kind)


@statement("errors", BLOCK, CATCHES, AFTERWARDS, BLOCK)
async def attempt(place: Place, block: Block, catches: str, afterwards: str, handler: Block) -> None:
    try:
        await place.block(block)
    except CAUGHT[catches] as error:
        place.log("caught", tree(error))
        await place.block(handler)
        if afterwards == "reraise":
            raise
        if afterwards == "replace":
            raise Failure("instead")  # noqa: B904
        if afterwards == "cause":
            raise Failure("because") from error
        if afterwards == "none":
            raise Failure("from none") from None


@statement("errors", BLOCK, BLOCK)
async def finally_(place: Place, block: Block, cleanup: Block) -> None:
    try:
        await place.block(block)
    finally:
        place.log("cleanup")
        await place.block(cleanup)


@statement("flow", choice(2, 3), BLOCK)
async def repeat(place: Place, times: int, block: Block) -> None:
    for _ in range(times):
        await place.block(block)
