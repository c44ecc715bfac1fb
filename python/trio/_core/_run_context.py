"""Which run, and which task, a thread is in.

A module of its own, below everything that asks: whoever has imported it keeps asking the same object as the native loop, even
after a program has thrown `trio` out of `sys.modules` and imported it again.
"""

from __future__ import annotations

from _thread import _local as local  # what `threading.local` is, without the rest of that module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._native import Runner, Task


class RunContext(local):
    """What run and task this thread is in: `runner` while a run is active, `task` while a task's step is under way.

    The instance dictionary is the truth: programs that nest runs on one thread copy, clear and restore it. It holds the
    runner only, because the runner knows its current task.
    """

    runner: Runner

    @property
    def task(self) -> Task:
        try:
            task = self.runner._current_task
        except AttributeError:
            task = None
        if task is None:
            raise AttributeError("'RunContext' object has no attribute 'task'")
        return task

    @task.setter
    def task(self, task: Task) -> None:
        self.runner._current_task = task

    @task.deleter
    def task(self) -> None:
        self.runner._current_task = None


GLOBAL_RUN_CONTEXT = RunContext()
