"""Find the task that holds up the loop: an instrument that times every step.

    python examples/slow_steps.py

Between two checkpoints a task has the loop to itself, and everybody else waits.
A step that takes long is a blocking call that belongs into a worker thread.
The instrument names the task and says where it was; put it into a program with
``trio.run(main, instruments=[SlowSteps(0.1)])`` while looking for one.
"""

from __future__ import annotations

import time
import traceback

import trio


class SlowSteps(trio.abc.Instrument):
    """Reports steps that take longer than a limit, in seconds."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.begun = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.begun = time.perf_counter()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if time.perf_counter() - self.begun > self.limit:
            stack = traceback.StackSummary.extract(task.iter_await_frames())
            place = f"before line {stack[0].lineno} of {stack[0].name}" if stack else "before its end"
            print(f"{task.name} held up the loop {place}")


async def considerate() -> None:
    await trio.to_thread.run_sync(time.sleep, 0.3)


async def rude() -> None:
    time.sleep(0.3)
    await trio.sleep(0)


async def main() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(considerate)
        nursery.start_soon(rude)


trio.run(main, instruments=[SlowSteps(0.1)])
