"""What a program can see of the run as a whole."""

from __future__ import annotations

import trio

from ..machine import VARIABLE, Place
from ..program import statement


@statement("look")
async def look_at_run(place: Place) -> list[object]:
    found = trio.lowlevel.current_statistics()
    # A runnable task may have been cancelled in a sleep. Its deadline still counts in genuine Trio, until the task goes on.
    return [
        found.tasks_living,
        found.tasks_runnable,
        None if found.tasks_runnable else found.seconds_to_next_deadline,
        found.run_sync_soon_queue_size,
        trio.current_time(),
        VARIABLE.get(),
    ]


@statement("look")
async def look_at_tree(place: Place) -> list[object]:
    root = trio.lowlevel.current_root_task()
    return [] if root is None else below(root)


def below(task: trio.lowlevel.Task) -> list[object]:
    """A task with the nurseries and tasks below it; siblings have no order."""
    nurseries = []
    for nursery in task.child_nurseries:
        nurseries.append(sorted((below(child) for child in nursery.child_tasks), key=repr))
    return [task.name, nurseries]
