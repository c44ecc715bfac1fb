"""Locks, semaphores, limiters, conditions: what is acquired and released."""

from __future__ import annotations

from typing import Any

import trio

from ..machine import Place, pick
from ..program import BLOCK, INDEX, Block, choice, statement
from ..trace import describe

HOW = choice("acquire", "acquire_nowait", "release", "statistics", "repr")


async def use(thing: Any, how: str) -> object:
    """Call a method of one of them."""
    if how == "acquire":
        return await thing.acquire()
    if how == "statistics":
        return statistics(thing)
    if how == "repr":
        return repr(thing)
    result: object = getattr(thing, how)()
    return result


def statistics(thing: Any) -> object:
    """Its statistics; who has borrowed from a limiter is a set, whose order says nothing."""
    found = thing.statistics()
    if isinstance(thing, trio.CapacityLimiter):
        borrowers = sorted(describe(who) for who in found.borrowers)
        return [found.borrowed_tokens, found.total_tokens, borrowers, found.tasks_waiting]
    return repr(found)


@statement("locks", INDEX, HOW)
async def lock(place: Place, index: int, how: str) -> object:
    return await use(pick(place.stock.locks, index), how)


@statement("semaphores", INDEX, HOW)
async def semaphore(place: Place, index: int, how: str) -> object:
    return await use(pick(place.stock.semaphores, index), how)


@statement("limiters", INDEX, HOW)
async def limiter(place: Place, index: int, how: str) -> object:
    return await use(pick(place.stock.limiters, index), how)


@statement("conditions", INDEX, choice("wait", "notify", "notify_all", *HOW.choices))
async def condition(place: Place, index: int, how: str) -> object:
    chosen = pick(place.stock.conditions, index)
    if how == "wait":
        return await chosen.wait()
    return await use(chosen, how)


@statement("conditions", INDEX, choice(0, 2, 3))
async def notify(place: Place, index: int, count: int) -> None:
    pick(place.stock.conditions, index).notify(count)


@statement("locks", INDEX, BLOCK)
async def with_lock(place: Place, index: int, block: Block) -> None:
    async with pick(place.stock.locks, index):
        await place.block(block)


@statement("semaphores", INDEX, BLOCK)
async def with_semaphore(place: Place, index: int, block: Block) -> None:
    async with pick(place.stock.semaphores, index):
        await place.block(block)


@statement("limiters", INDEX, BLOCK)
async def with_limiter(place: Place, index: int, block: Block) -> None:
    async with pick(place.stock.limiters, index):
        await place.block(block)


@statement("conditions", INDEX, BLOCK)
async def with_condition(place: Place, index: int, block: Block) -> None:
    async with pick(place.stock.conditions, index):
        await place.block(block)


@statement("limiters", INDEX, choice(1, 2, 0, "inf", -1, 1.5))
async def set_tokens(place: Place, index: int, tokens: Any) -> float:
    chosen = pick(place.stock.limiters, index)
    chosen.total_tokens = float(tokens) if tokens == "inf" else tokens
    return chosen.available_tokens


@statement("limiters", INDEX, choice("a", "b"), choice("acquire", "nowait", "release"))
async def on_behalf_of(place: Place, index: int, who: str, how: str) -> object:
    chosen = pick(place.stock.limiters, index)
    if how == "acquire":
        await chosen.acquire_on_behalf_of(who)
    elif how == "nowait":
        chosen.acquire_on_behalf_of_nowait(who)
    else:
        chosen.release_on_behalf_of(who)
    return [chosen.borrowed_tokens, chosen.available_tokens]


@statement("semaphores", INDEX)
async def look_at_semaphore(place: Place, index: int) -> list[object]:
    chosen = pick(place.stock.semaphores, index)
    return [chosen.value, chosen.max_value]


@statement("wrong", choice("semaphore", "maximum", "limiter", "condition", "channel", "event"))
async def make_wrongly(place: Place, what: str) -> object:
    if what == "semaphore":
        return trio.Semaphore(-1)
    if what == "maximum":
        return trio.Semaphore(3, max_value=2)
    if what == "limiter":
        return trio.CapacityLimiter(1.5)
    if what == "condition":
        return trio.Condition(3)  # type: ignore[arg-type]
    if what == "channel":
        return trio.open_memory_channel[int](1.5)
    return bool(trio.Event())
