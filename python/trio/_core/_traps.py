"""The traps in their Python dress: how low-level code puts its own task to sleep.

The functions here stay ``async def`` because debuggers and greenlet bridges recognise them by their code objects. Each
announces what it wants to the native core and then yields one of its messages; only when the loop sees the message does
anything happen.
"""

from __future__ import annotations

import types
from enum import Enum

from .. import _native
from .._native import Trap, announce_abort, current_task, reschedule, wait_for_reschedule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, NoReturn

    import outcome

    from .._native import Task

    RaiseCancelT = Callable[[], NoReturn]
else:

    def __getattr__(name: str) -> object:
        if name == "RaiseCancelT":
            import typing

            return globals().setdefault(name, typing.Callable[[], typing.NoReturn])
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Abort(Enum):
    """What an abort function answers: is the sleep over?

    ``SUCCEEDED``: the operation was stopped, the task may be woken with the cancellation. ``FAILED``: it cannot be stopped
    (or not yet); the task sleeps on until it is rescheduled as if nothing had been asked.
    """

    SUCCEEDED = 1
    FAILED = 2


ABORT_MEMBERS = (Abort.SUCCEEDED, Abort.FAILED)


@types.coroutine
def _yield(message: object) -> Generator[object, Any, Any]:
    return (yield message)


async def cancel_shielded_checkpoint() -> None:
    """Let other tasks run, without a look at cancellation.

    A schedule point but not a cancel point: together with `checkpoint_if_cancelled` it makes a whole checkpoint, for
    operations that have to act between the two.
    """
    await _native.cancel_shielded_checkpoint()


async def wait_task_rescheduled(abort_func: Callable[[RaiseCancelT], Abort]) -> Any:
    """Sleep until somebody calls `reschedule` for this task.

    The foundation of everything that waits. Before calling it, arrange for exactly one call of
    ``trio.lowlevel.reschedule(task, outcome)``; what the outcome holds is returned or raised here. It is a schedule point,
    and a cancel point if the abort succeeds.

    Args:
      abort_func: called, at most once and with a function ``raise_cancel``, if the task is cancelled while it sleeps. It
          either undoes the arrangement and returns `Abort.SUCCEEDED`: then ``raise_cancel`` is what the sleep ends with; or it
          returns `Abort.FAILED`: then the sleep goes on, and the arrangement stands. In the second case it may keep
          ``raise_cancel`` and reschedule the task with what that raises.

    Raises:
      Cancelled: after a successful abort.

    See "Low-level blocking" in the reference of ``trio.lowlevel``.
    """
    return await wait_for_reschedule(abort_func)


async def permanently_detach_coroutine_object(final_outcome: outcome.Outcome[object]) -> object:
    """Take the coroutine of this task away from Trio for good.

    The task ends with ``final_outcome``; the coroutine object stays suspended, for another loop to go on with. What that
    loop sends is returned.

    Raises:
      RuntimeError: if the task has nurseries open.
    """
    if current_task().child_nurseries:
        raise RuntimeError("can't permanently detach a coroutine object with open nurseries")
    return await _yield(Trap.detach(final_outcome))


async def temporarily_detach_coroutine_object(abort_func: Callable[[RaiseCancelT], Abort]) -> object:
    """Lend the coroutine of this task to another loop, until `reattach_detached_coroutine_object` brings it back.

    As far as Trio knows, the task sleeps meanwhile. What the other loop sends first is returned.

    Args:
      abort_func: as in `wait_task_rescheduled`, but it has to return `Abort.FAILED` and see to it that the coroutine
          returns to Trio soon.
    """
    announce_abort(abort_func)
    return await _yield(Trap.park())


async def reattach_detached_coroutine_object(task: Task, yield_value: object) -> None:
    """Return a coroutine that was lent to another loop.

    Called in the coroutine while the other loop runs it.

    Args:
      task: the Trio task that the coroutine belongs to.
      yield_value: what the other loop gets to see as the coroutine's last message.

    Raises:
      RuntimeError: if the calling coroutine is not that of ``task``.
    """
    if not task.coro.cr_running:
        raise RuntimeError("given task does not match calling coroutine")
    reschedule(task)
    await _yield(yield_value)
