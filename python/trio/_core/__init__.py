"""The core as the rest of the package sees it: the native loop and its Python half, under one roof.

Every public name of the core is here exactly once, whichever public module shows it to users. What a run does not need is
imported when it is first used.
"""

from .. import _lazy
from .._native import (
    CancelScope as CancelScope,
    Nursery as Nursery,
    Task as Task,
    TrioToken as TrioToken,
    add_instrument as add_instrument,
    checkpoint as checkpoint,
    checkpoint_if_cancelled as checkpoint_if_cancelled,
    current_clock as current_clock,
    current_effective_deadline as current_effective_deadline,
    current_root_task as current_root_task,
    current_task as current_task,
    current_time as current_time,
    current_trio_token as current_trio_token,
    in_trio_run as in_trio_run,
    in_trio_task as in_trio_task,
    open_nursery as open_nursery,
    remove_instrument as remove_instrument,
    reschedule as reschedule,
    wait_all_tasks_blocked as wait_all_tasks_blocked,
)
from ._exceptions import (
    BrokenResourceError as BrokenResourceError,
    BusyResourceError as BusyResourceError,
    Cancelled as Cancelled,
    ClosedResourceError as ClosedResourceError,
    EndOfChannel as EndOfChannel,
    RunFinishedError as RunFinishedError,
    TrioInternalError as TrioInternalError,
    WouldBlock as WouldBlock,
)
from ._ki import (
    currently_ki_protected as currently_ki_protected,
    disable_ki_protection as disable_ki_protection,
    enable_ki_protection as enable_ki_protection,
)
from ._nursery import TASK_STATUS_IGNORED as TASK_STATUS_IGNORED
from ._readiness import (
    notify_closing as notify_closing,
    wait_readable as wait_readable,
    wait_writable as wait_writable,
)
from ._run import (
    current_statistics as current_statistics,
    run as run,
    spawn_system_task as spawn_system_task,
    start_guest_run as start_guest_run,
)

TYPE_CHECKING = bool(0)  # False, but completion engines cannot know
if TYPE_CHECKING:
    from ._local import RunVar as RunVar, RunVarToken as RunVarToken
    from ._mock_clock import MockClock as MockClock
    from ._parking_lot import (
        ParkingLot as ParkingLot,
        ParkingLotStatistics as ParkingLotStatistics,
        add_parking_lot_breaker as add_parking_lot_breaker,
        remove_parking_lot_breaker as remove_parking_lot_breaker,
    )
    from ._statistics import RunStatistics as RunStatistics
    from ._task_status import TaskStatus as TaskStatus
    from ._thread_cache import start_thread_soon as start_thread_soon
    from ._traps import (
        Abort as Abort,
        RaiseCancelT as RaiseCancelT,
        cancel_shielded_checkpoint as cancel_shielded_checkpoint,
        permanently_detach_coroutine_object as permanently_detach_coroutine_object,
        reattach_detached_coroutine_object as reattach_detached_coroutine_object,
        temporarily_detach_coroutine_object as temporarily_detach_coroutine_object,
        wait_task_rescheduled as wait_task_rescheduled,
    )
    from ._unbounded_queue import (
        UnboundedQueue as UnboundedQueue,
        UnboundedQueueStatistics as UnboundedQueueStatistics,
    )

enable_ki_protection(_lazy.import_late)
_lazy.install(
    __name__,
    {
        "Abort": "_traps",
        "MockClock": "_mock_clock",
        "ParkingLot": "_parking_lot",
        "ParkingLotStatistics": "_parking_lot",
        "RaiseCancelT": "_traps",
        "RunStatistics": "_statistics",
        "RunVar": "_local",
        "RunVarToken": "_local",
        "TaskStatus": "_task_status",
        "UnboundedQueue": "_unbounded_queue",
        "UnboundedQueueStatistics": "_unbounded_queue",
        "add_parking_lot_breaker": "_parking_lot",
        "cancel_shielded_checkpoint": "_traps",
        "permanently_detach_coroutine_object": "_traps",
        "reattach_detached_coroutine_object": "_traps",
        "remove_parking_lot_breaker": "_parking_lot",
        "start_thread_soon": "_thread_cache",
        "temporarily_detach_coroutine_object": "_traps",
        "wait_task_rescheduled": "_traps",
    },
)
del TYPE_CHECKING
