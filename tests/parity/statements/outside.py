"""What watches the run, and what reaches into it: instruments, the token, waits of one's own."""

from __future__ import annotations

from typing import Any

import trio

from ..machine import Machine, Place, pick
from ..program import FLAG, INDEX, VALUE, choice, statement


class Watcher(trio.abc.Instrument):
    """Notes what the tasks do."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def note(self, what: str, task: trio.lowlevel.Task) -> None:
        """A line of the trace, unless it is about Trio's own tasks, which are no part of the promise."""
        if task.name[0] != "<":
            self.machine.log(what, task.name)

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        self.note("spawned", task)

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        self.note("exited", task)


class Stepper(Watcher):
    """Notes each step."""

    def task_scheduled(self, task: trio.lowlevel.Task) -> None:
        self.note("scheduled", task)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.note("before step", task)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.note("after step", task)


class Clumsy(Watcher):
    """Fails at the first task that ends."""

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        raise ValueError("clumsy")


KINDS = {"watcher": Watcher, "stepper": Stepper, "clumsy": Clumsy}


@statement("instruments", choice(*KINDS))
async def add_instrument(place: Place, kind: str) -> None:
    made = KINDS[kind](place.machine)
    place.stock.more("instruments").append(made)
    trio.lowlevel.add_instrument(made)


@statement("instruments", INDEX)
async def remove_instrument(place: Place, index: int) -> None:
    trio.lowlevel.remove_instrument(pick(place.stock.more("instruments"), index))


@statement("token", VALUE, FLAG)
async def call_soon(place: Place, value: int, idempotent: bool) -> None:
    callback = place.log if value else place.machine.log
    trio.lowlevel.current_trio_token().run_sync_soon(callback, "called", value, idempotent=idempotent)


@statement("own waits", choice("succeed", "refuse"))
async def wait_task_rescheduled(place: Place, abort: str) -> object:
    parked = place.stock.more("parked")
    task = trio.lowlevel.current_task()

    def abort_it(raise_cancel: Any) -> trio.lowlevel.Abort:
        place.log("abort", abort)
        if abort == "refuse":
            return trio.lowlevel.Abort.FAILED
        parked.remove(task)
        return trio.lowlevel.Abort.SUCCEEDED

    parked.append(task)
    return await trio.lowlevel.wait_task_rescheduled(abort_it)


@statement("own waits", INDEX)
async def reschedule(place: Place, index: int) -> None:
    parked = place.stock.more("parked")
    task = pick(parked, index)
    parked.remove(task)
    trio.lowlevel.reschedule(task)
