"""The system task that works off calls from outside the run, and what happens when such a call fails."""

from __future__ import annotations

from .._native import (
    Cancelled,
    TrioToken as TrioToken,
    cancel_shielded_checkpoint,
    checkpoint,
    run_entry_calls,
    spawn_in_nursery,
    wait_for_entry_calls,
)
from ._run_context import GLOBAL_RUN_CONTEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .._native import Nursery


async def work_off_calls() -> None:
    """Call what is queued, again and again, until cancelled; then refuse new calls and finish the rest."""
    try:
        while True:
            if run_entry_calls():
                # Callbacks that queue further callbacks must not keep the others from running.
                await checkpoint()
            else:
                await wait_for_entry_calls()
    except Cancelled:
        # Calls that are queued by the calls that are left are refused, so this ends.
        while run_entry_calls(close=True):
            pass


async def _raise(error: BaseException) -> NoReturn:
    # Raised in a task of its own so that the task working off the queue survives.
    await cancel_shielded_checkpoint()
    raise error


def crash_run(error: BaseException) -> None:
    """End the run with the error that a queued call has raised."""
    runner = GLOBAL_RUN_CONTEXT.runner
    nursery: Nursery | None = runner.system_nursery
    if nursery is None or nursery._closed:
        nursery = GLOBAL_RUN_CONTEXT.task.parent_nursery
        assert nursery is not None, "calls are made by a task of the run, and it is not the root"
    spawn_in_nursery(nursery, _raise, (error,), "crash_run", True, runner.system_context.copy())
