"""Threads in lock-step with the run.

One thread works at a time, and only while every task waits; so nothing depends
on how fast it is.  The clock stands still meanwhile, except while the thread
itself waits for statements that it has sent into the run.
"""

from __future__ import annotations

import math

import trio
import trio.testing

from ..machine import Machine, Place
from ..program import BLOCK, Block, choice, statement
from ..trace import brief
from .flow import Failure


async def settle() -> None:
    """Wait until all tasks wait, cancelled or not."""
    with trio.CancelScope(shield=True):
        await trio.testing.wait_all_tasks_blocked()


async def in_the_run(place: Place, block: Block) -> str:
    """Statements that the thread waits for."""
    place.machine.clock.autojump_threshold = 0
    try:
        await place.block(block)
    finally:
        place.machine.clock.autojump_threshold = math.inf
        await settle()
    return "done"


def work(place: Place, block: Block, how: str) -> object:
    """The thread's part."""
    try:
        if how == "run":
            return trio.from_thread.run(in_the_run, place, block)
        if how == "call":
            return trio.from_thread.run_sync(trio.current_time)
        if how == "check":
            trio.from_thread.check_cancelled()
        elif how == "not async":
            trio.from_thread.run(trio.current_time)  # type: ignore[arg-type]
        elif how == "raise":
            raise Failure("from a thread")
    except BaseException as error:
        place.log("in the thread", brief(error))
        raise
    return None


def gate(machine: Machine) -> trio.Lock:
    """Held by the task whose thread works."""
    stock = machine.stock.more("gates")
    if not stock:
        stock.append(trio.Lock())
    lock: trio.Lock = stock[0]
    return lock


@statement("threads", BLOCK, choice("run", "call", "check", "raise", "not async"))
async def thread(place: Place, block: Block, how: str) -> object:
    async with gate(place.machine):
        place.machine.clock.autojump_threshold = math.inf
        try:
            await settle()
            return await trio.to_thread.run_sync(work, place, block, how)
        finally:
            place.machine.clock.autojump_threshold = 0


@statement("threads")
async def leave_the_run(place: Place) -> object:
    return trio.from_thread.run_sync(trio.current_time)
