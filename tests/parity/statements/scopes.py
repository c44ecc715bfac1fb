"""Cancel scopes: opened in order and out of order, cancelled, shielded, given deadlines."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager

import trio

from ..machine import Place, pick
from ..program import BLOCK, FLAG, INDEX, REASON, SECONDS, Block, choice, statement

SCOPES = choice("plain", "move_on_after", "fail_after", "move_on_at", "fail_at", "deadline", "relative")


def make(kind: str, seconds: float, shield: bool) -> AbstractContextManager[trio.CancelScope]:
    """A scope that is not entered yet."""
    if kind == "plain":
        return trio.CancelScope(shield=shield)
    if kind == "deadline":
        return trio.CancelScope(deadline=trio.current_time() + seconds, shield=shield)
    if kind == "relative":
        return trio.CancelScope(relative_deadline=seconds, shield=shield)
    base = trio.current_time() if kind.endswith("at") else 0
    made: AbstractContextManager[trio.CancelScope] = getattr(trio, kind)(base + seconds, shield=shield)
    return made


@statement("scopes", SCOPES, SECONDS, FLAG, BLOCK)
async def scope(place: Place, kind: str, seconds: float, shield: bool, block: Block) -> None:
    inner = None
    try:
        with make(kind, seconds, shield) as inner:
            place.stock.scopes.append(inner)
            await place.block(block)
    finally:
        if inner is not None:
            place.log("left", inner.cancel_called, inner.cancelled_caught, trio.current_time())


@statement("cancel", INDEX, REASON)
async def cancel(place: Place, index: int, reason: str) -> bool:
    chosen = pick(place.stock.scopes, index)
    chosen.cancel(reason)
    return chosen.cancel_called


@statement("cancel", INDEX, FLAG)
async def set_shield(place: Place, index: int, shield: bool) -> None:
    pick(place.stock.scopes, index).shield = shield


@statement("cancel", INDEX, SECONDS)
async def set_deadline(place: Place, index: int, seconds: float) -> None:
    pick(place.stock.scopes, index).deadline = trio.current_time() + seconds


@statement("cancel", INDEX)
async def set_no_deadline(place: Place, index: int) -> None:
    pick(place.stock.scopes, index).deadline = float("inf")


@statement("odd scopes", INDEX, choice("shield", "nan", "relative", "enter"))
async def misuse_scope(place: Place, index: int, how: str) -> None:
    chosen = pick(place.stock.scopes, index)
    if how == "shield":
        chosen.shield = 1  # type: ignore[assignment]
    elif how == "nan":
        chosen.deadline = float("nan")
    elif how == "relative":
        chosen.relative_deadline = 2
    else:
        with chosen:
            pass


@statement("look", INDEX)
async def look_at_scope(place: Place, index: int) -> list[object]:
    found = pick(place.stock.scopes, index)
    relative: object = None
    try:
        relative = found.relative_deadline
    except RuntimeError as error:
        relative = error
    return [found.deadline, found.shield, found.cancel_called, found.cancelled_caught, found.is_relative, relative, repr(found)]


@statement("look")
async def look_at_deadline(place: Place) -> float:
    return trio.current_effective_deadline()


@statement("odd scopes", SCOPES, SECONDS, FLAG)
async def open_scope(place: Place, kind: str, seconds: float, shield: bool) -> None:
    if kind.startswith("fail"):
        kind = "relative"
    entered = make(kind, seconds, shield).__enter__()
    place.stock.scopes.append(entered)
    place.stock.open_scopes.append(entered)


@statement("odd scopes", INDEX)
async def close_scope(place: Place, index: int) -> object:
    chosen = pick(place.stock.open_scopes, index)
    place.stock.open_scopes.remove(chosen)
    return chosen.__exit__(*sys.exc_info())
