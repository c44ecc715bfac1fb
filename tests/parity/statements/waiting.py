"""Events and parking lots: one waits until another calls."""

from __future__ import annotations

import trio

from ..machine import Place, pick
from ..program import INDEX, choice, statement


@statement("events", INDEX)
async def wait_event(place: Place, index: int) -> None:
    await pick(place.stock.events, index).wait()


@statement("events", INDEX)
async def set_event(place: Place, index: int) -> None:
    pick(place.stock.events, index).set()


@statement("events", INDEX)
async def new_event(place: Place, index: int) -> None:
    place.stock.events[index % len(place.stock.events)] = trio.Event()


@statement("events", INDEX)
async def look_at_event(place: Place, index: int) -> list[object]:
    found = pick(place.stock.events, index)
    return [found.is_set(), repr(found.statistics()), repr(found)]


@statement("parking", INDEX)
async def park(place: Place, index: int) -> None:
    await pick(place.stock.lots, index).park()


@statement("parking", INDEX, choice(1, 0, 2, "inf", 1.5))
async def unpark(place: Place, index: int, count: float) -> list[str]:
    return [task.name for task in pick(place.stock.lots, index).unpark(count=float(count) if count == "inf" else count)]


@statement("parking", INDEX)
async def unpark_all(place: Place, index: int) -> list[str]:
    return [task.name for task in pick(place.stock.lots, index).unpark_all()]


@statement("parking", INDEX, choice(1, 2, "inf"))
async def repark(place: Place, index: int, count: float) -> None:
    pick(place.stock.lots, index).repark(pick(place.stock.lots, index + 1), count=float(count))


@statement("parking", INDEX)
async def look_at_lot(place: Place, index: int) -> list[object]:
    found = pick(place.stock.lots, index)
    return [repr(found.statistics()), len(found), bool(found), len(found.broken_by)]


@statement("breakers", INDEX, INDEX)
async def break_lot(place: Place, index: int, who: int) -> None:
    pick(place.stock.lots, index).break_lot(pick(place.stock.tasks, who))


@statement("breakers", INDEX, INDEX)
async def add_breaker(place: Place, index: int, who: int) -> None:
    trio.lowlevel.add_parking_lot_breaker(pick(place.stock.tasks, who), pick(place.stock.lots, index))


@statement("breakers", INDEX, INDEX)
async def remove_breaker(place: Place, index: int, who: int) -> None:
    trio.lowlevel.remove_parking_lot_breaker(pick(place.stock.tasks, who), pick(place.stock.lots, index))
