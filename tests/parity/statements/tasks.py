"""Nurseries, tasks, and the protocol of ``start`` and ``started``."""

from __future__ import annotations

from typing import Any, Optional

import trio

from ..machine import VARIABLE, Machine, Place, pick
from ..program import BLOCK, FLAG, INDEX, VALUE, Block, choice, statement

STRICT = choice(None, True, False)


@statement("nurseries", STRICT, BLOCK)
async def nursery(place: Place, strict: Optional[bool], block: Block) -> None:
    inner = None
    try:
        async with trio.open_nursery(strict_exception_groups=strict) as inner:
            place.stock.nurseries.append(inner)
            place.stock.scopes.append(inner.cancel_scope)
            await place.block(block)
            place.log("waits", len(inner.child_tasks))
    finally:
        if inner is not None:
            place.log("closed", inner.cancel_scope.cancel_called, inner.cancel_scope.cancelled_caught, trio.current_time())


@statement("nurseries", INDEX, BLOCK)
async def spawn(place: Place, index: int, block: Block) -> None:
    child = place.child()
    pick(place.stock.nurseries, index).start_soon(child.task, block)


@statement("nurseries", INDEX, BLOCK, choice("named", "", 3))
async def spawn_named(place: Place, index: int, block: Block, name: object) -> None:
    child = place.child()
    pick(place.stock.nurseries, index).start_soon(child.task, block, name=name)


@statement("starts", INDEX, BLOCK, VALUE, BLOCK)
async def start(place: Place, index: int, before: Block, value: int, after: Block) -> object:
    child = place.child()
    block = [*before, ["started", value], *after]
    return await pick(place.stock.nurseries, index).start(child.task, block)


@statement("starts", INDEX, BLOCK)
async def start_only(place: Place, index: int, block: Block) -> object:
    child = place.child()
    return await pick(place.stock.nurseries, index).start(child.task, block, name="starter")


@statement("starts", VALUE)
async def started(place: Place, value: int) -> None:
    place.status.started(value)


@statement("system tasks", BLOCK)
async def spawn_system_task(place: Place, block: Block) -> None:
    child = place.child()
    trio.lowlevel.spawn_system_task(guarded, child, block)


async def guarded(place: Place, block: Block) -> None:
    """A system task must not fail."""
    try:
        await place.task(block)
    except Exception as error:
        place.log("system task failed", error)


@statement("odd nurseries", INDEX, choice("sync", "coroutine", "generator", "number", "with", "arguments", "future"))
async def misuse_nursery(place: Place, index: int, how: str) -> None:
    chosen: Any = pick(place.stock.nurseries, index)
    if how == "sync":
        chosen.start_soon(ordinary, 3)
    elif how == "coroutine":
        chosen.start_soon(nothing())
    elif how == "generator":
        chosen.start_soon(generates)
    elif how == "number":
        chosen.start_soon(7)
    elif how == "arguments":
        chosen.start_soon(nothing, 1, 2)
    elif how == "future":
        chosen.start_soon(Future)
    else:
        with trio.open_nursery():  # type: ignore[attr-defined]
            pass


@statement("odd nurseries", INDEX, choice("sync", "silent", "number", "coroutine", "future"))
async def misuse_start(place: Place, index: int, how: str) -> object:
    chosen: Any = pick(place.stock.nurseries, index)
    if how == "coroutine":
        coroutine = nothing()
        try:
            return await chosen.start(coroutine)
        finally:
            coroutine.close()
    if how == "sync":
        return await chosen.start(ordinary, 3)
    return await chosen.start({"silent": silent, "number": 7, "future": Future}[how])


def ordinary(number: int) -> int:
    """Not a function that tasks can run."""
    return number


async def nothing() -> None:
    """Take no argument."""


async def silent(task_status: Any) -> None:
    """Forget to say that it has started."""


async def generates() -> Any:
    """Not a function that tasks can run, either."""
    yield 1


class Future:
    """Look like another library's future."""

    _asyncio_future_blocking = False


@statement("look", INDEX)
async def look_at_nursery(place: Place, index: int) -> list[object]:
    found = pick(place.stock.nurseries, index)
    names = sorted(repr(task) for task in found.child_tasks)
    return [names, found.parent_task.name, repr(found.cancel_scope)]


@statement("look", INDEX)
async def look_at_task(place: Place, index: int) -> list[object]:
    found = pick(place.stock.tasks, index)
    parent, eventual = found.parent_nursery, found.eventual_parent_nursery
    return [
        repr(found),
        parent and parent.parent_task.name,
        eventual and eventual.parent_task.name,
        len(found.child_nurseries),
        found is trio.lowlevel.current_task(),
    ]


@statement("context", VALUE)
async def set_variable(place: Place, value: int) -> int:
    before = VARIABLE.get()
    VARIABLE.set(value)
    return before


@statement("context", VALUE, FLAG)
async def set_run_variable(place: Place, value: int, back: bool) -> int:
    variable = run_variable(place.machine)
    before = variable.get()
    token = variable.set(value)
    if back:
        variable.reset(token)
    return before


def run_variable(machine: Machine) -> Any:
    """The program's variable that lives as long as the run."""
    stock = machine.stock.more("run variables")
    if not stock:
        stock.append(trio.lowlevel.RunVar("program", default=0))
    return stock[0]
