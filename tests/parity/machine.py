"""The interpreter: runs one program on the trio at hand and writes its trace.

A program has ``tasks``, one block for each, which one nursery starts together.
All share the machine's stock of events, locks, channels and so on, and refer to
them, and to the scopes and nurseries that came to be on the way, by small
numbers that count back from the newest; so every program means something.

Time is virtual and jumps when all are blocked.  At `LIMIT` a watchdog takes the
shield from every scope and cancels it, which ends programs that wait for ever.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

import trio
import trio.testing

from .program import TABLE, Block
from .trace import brief, describe, tree

T = TypeVar("T")

LIMIT = 1000.0
STEPS = 600
VARIABLE: ContextVar[int] = ContextVar("VARIABLE", default=0)


class NothingThere(Exception):
    """A statement refers to something of which there is nothing yet."""


class OutOfSteps(Exception):
    """The program has taken as many steps as it may."""


def pick(stock: Sequence[T], index: int) -> T:
    """One of a stock, counted back from the newest."""
    if not stock:
        raise NothingThere
    return stock[-1 - index % len(stock)]


class Stock:
    """What the statements of a program share; see the modules of ``statements``."""

    def __init__(self) -> None:
        self.scopes: list[trio.CancelScope] = []
        self.open_scopes: list[trio.CancelScope] = []
        self.nurseries: list[trio.Nursery] = []
        self.statuses: list[Any] = []
        self.tasks: list[trio.lowlevel.Task] = []
        self.events = [trio.Event() for _ in range(3)]
        self.locks: list[Any] = [trio.Lock(), trio.StrictFIFOLock()]
        self.limiters = [trio.CapacityLimiter(1), trio.CapacityLimiter(2)]
        self.semaphores = [trio.Semaphore(1), trio.Semaphore(0, max_value=2)]
        self.conditions = [trio.Condition(self.locks[0]), trio.Condition()]
        self.lots = [trio.lowlevel.ParkingLot() for _ in range(2)]
        self.senders: list[Any] = []
        self.receivers: list[Any] = []
        for size in (0, 1, 2, math.inf):
            sender, receiver = trio.open_memory_channel[int](size)
            self.senders.append(sender)
            self.receivers.append(receiver)
        self.others: dict[str, list[Any]] = {}

    def more(self, name: str) -> list[Any]:
        """A collection that a topic needs for itself."""
        return self.others.setdefault(name, [])


class Machine:
    """One run of one program."""

    def __init__(self, program: dict[str, Any], clock: trio.testing.MockClock) -> None:
        self.program = program
        self.clock = clock
        self.trace: list[Any] = []
        self.steps = 0
        self.stock = Stock()
        self.labels = 0

    def log(self, *entry: Any) -> None:
        """Write a line of the trace."""
        self.trace.append([describe(item) for item in entry])

    def label(self) -> int:
        """The number of the next task."""
        self.labels += 1
        return self.labels

    async def main(self) -> object:
        """The main task."""
        trio.lowlevel.spawn_system_task(self.watchdog, name="watchdog")
        try:
            return await self.tasks()
        finally:
            self.close()

    async def tasks(self) -> object:
        """What the main task does."""
        with trio.CancelScope() as scope:
            self.stock.scopes.append(scope)
            async with trio.open_nursery() as nursery:
                self.stock.nurseries.append(nursery)
                self.stock.scopes.append(nursery.cancel_scope)
                for block in self.program["tasks"]:
                    nursery.start_soon(Place(self, self.label()).task, block)
        self.log("main", scope.cancelled_caught, trio.current_time())
        return "done"

    async def watchdog(self) -> None:
        """End what would wait for ever."""
        for round in range(4):
            await trio.sleep_until(LIMIT * (round + 1))
            self.log("watchdog", len(self.stock.scopes))
            for task in self.stock.more("parked"):
                trio.lowlevel.reschedule(task)
            self.stock.more("parked").clear()
            for scope in self.stock.scopes:
                scope.shield = False
                scope.cancel("watchdog")
        self.log("stuck")
        raise AssertionError("stuck")

    def close(self) -> None:
        """Close what the operating system knows of."""
        for end in self.stock.more("sockets"):
            end.close()


class Place:
    """Where a statement runs: the machine, and the task."""

    def __init__(self, machine: Machine, label: int, status: Any = None) -> None:
        self.machine = machine
        self.stock = machine.stock
        self.label = label
        self.status = status

    def log(self, *entry: Any) -> None:
        """Write a line of the trace that says which task it is of."""
        self.machine.log(self.label, *entry)

    def child(self, status: Any = None) -> Place:
        """A place in a new task."""
        return Place(self.machine, self.machine.label(), status)

    async def task(self, block: Block, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        """The body of a task."""
        self.status = task_status
        self.stock.tasks.append(trio.lowlevel.current_task())
        self.log("task", trio.lowlevel.current_task().name, VARIABLE.get())
        try:
            await self.block(block)
        except BaseException as error:
            self.log("task fails", tree(error))
            raise
        finally:
            del self.status
            self.log("task ends", trio.current_time())

    async def block(self, block: Block) -> None:
        """Statement after statement."""
        for statement in block:
            await self.statement(statement)

    async def statement(self, statement: list[Any]) -> None:
        """One statement; what goes wrong in a simple one is a value to be noted, unless the program says not."""
        name, *arguments = statement
        row = TABLE[name]
        self.machine.steps += 1
        if self.machine.steps > STEPS:
            raise OutOfSteps
        self.log(name)
        try:
            value: Any = await row.run(self, *arguments)
        except NothingThere:
            self.log(name, "nothing there")
        except Exception as error:
            self.log(name, "raises", brief(error))
            if row.silent or not self.machine.program["tolerant"]:
                raise
        except BaseException as error:
            self.log(name, "raises", brief(error))
            raise
        else:
            self.log(name, "gives", value)
