"""`trio.run`: how a run begins and ends.

The loop itself is native. What happens once per run stays here, where it can be read in one piece: the thread's run
context, Ctrl-C, the hooks for async generators, sniffio, and the root task, whose nurseries hold everything else::

    <init>
      nursery: the task that works off calls from outside
        nursery: system tasks
          nursery: the main task

The main task's end unwinds this from the inside: system tasks are cancelled, what async generators are left is closed, the last
calls from outside are made.

Names with an underscore that look unused are used: by test frameworks (`_r`, `_ALLOW_DETERMINISTIC_SCHEDULING`,
`_hypothesis_plugin_setup`), by typing packages (`_TaskStatus`), by introspection tools (`GLOBAL_RUN_CONTEXT`).
"""

from __future__ import annotations

import random
from contextvars import copy_context

from .. import _native
from .._native import (
    LOOSE_GROUP_NOTE as NONSTRICT_EXCEPTIONGROUP_NOTE,  # noqa: F401
    CancelScope as CancelScope,
    GuestRun,
    Nursery as Nursery,
    NurseryManager as NurseryManager,
    Runner as Runner,
    SystemClock as SystemClock,
    Task as Task,
    begin_run,
    drive,
    end_run,
    open_nursery,
    spawn_in_nursery,
)
from ._asyncgens import AsyncGenerators
from ._entry_queue import work_off_calls
from ._ki import KIHandler, enable_ki_protection
from ._nursery import TaskStatus as _TaskStatus, warn_loose_groups  # noqa: F401
from ._readiness import TheIOManager as TheIOManager
from ._run_context import GLOBAL_RUN_CONTEXT as GLOBAL_RUN_CONTEXT
from ._wakeup_socketpair import WakeupSocketpair

TYPE_CHECKING = False
if TYPE_CHECKING:
    import contextvars
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Any, TypeVar

    import outcome
    from typing_extensions import TypeVarTuple, Unpack

    from .._abc import Clock, Instrument
    from ._statistics import RunStatistics

    RetT = TypeVar("RetT")
    PosArgsT = TypeVarTuple("PosArgsT")

_r = random.Random()
# Switched on by test frameworks: batches are then shuffled by `_r` from a defined order.
_ALLOW_DETERMINISTIC_SCHEDULING = False
# Upstream's lazy heap of deadlines is pruned beyond this size. Ours never holds a dead entry.
DEADLINE_HEAP_MIN_PRUNE_THRESHOLD = 1000


def _count_context_run_tb_frames() -> int:
    """How many frames the loop leaves at the top of a task's tracebacks: none, it is native."""
    return 0


class _LiveRun:
    """Everything around the native loop that has to be set up for a run and taken down after it.

    The handler of Ctrl-C is the first to come and the last to go: Python's own could strike between any two of the other steps
    and leave the thread in half a run.
    """

    __slots__ = ("_handler", "_struck_early", "_wakeup", "runner")

    runner: Runner

    def __init__(self, restrict_keyboard_interrupt_to_checkpoints: bool) -> None:
        self._wakeup: WakeupSocketpair | None = None
        self._struck_early = False
        self._handler = KIHandler()
        self._handler.install(self._deliver_interrupt, restrict_keyboard_interrupt_to_checkpoints)

    @enable_ki_protection
    def begin(self, make_runner: Callable[[], Runner]) -> None:
        """Make the run and install it as this thread's."""
        try:
            self.runner = make_runner()
        except BaseException:
            self._handler.close()
            if self._struck_early:
                raise KeyboardInterrupt from None
            raise
        try:
            if self._struck_early:
                _native.deliver_interrupt(self.runner)
            _native.current_trio_token()
            self.runner.asyncgens = AsyncGenerators(self.runner)
            self.runner.asyncgens.install()
        except BaseException:
            self.close()
            raise

    @enable_ki_protection
    def _deliver_interrupt(self) -> None:
        try:
            runner = self.runner
        except AttributeError:
            self._struck_early = True
        else:
            _native.deliver_interrupt(runner)

    def claim_signals(self) -> None:
        """Have signals wake the loop."""
        self._wakeup = WakeupSocketpair()
        self._wakeup.wakeup_on_signals(self.runner._wakeup_fd)

    @enable_ki_protection
    def close(self) -> None:
        """Take everything down, in the reverse order, and leave the thread without a run."""
        asyncgens, self.runner.asyncgens = self.runner.asyncgens, None
        try:
            try:
                if self._wakeup is not None:
                    self._wakeup.close()
            finally:
                end_run(self.runner)
        finally:
            GLOBAL_RUN_CONTEXT.__dict__.clear()
            try:
                if asyncgens is not None:
                    asyncgens.uninstall()
            finally:
                self._handler.close()
            if self.runner.ki_pending:
                # Ctrl-C came so late that no task could get it.
                interrupt = KeyboardInterrupt()
                interrupt.__context__ = self.runner._main_error
                self.runner._main_error = interrupt


async def _init(runner: Runner, async_fn: Callable[..., Awaitable[object]], args: tuple[Any, ...]) -> None:
    """The root task."""
    async with open_nursery() as entry_nursery:
        context = runner.system_context
        async with open_nursery() as system_nursery:
            runner.system_nursery = system_nursery
            async with open_nursery() as main_nursery:
                try:
                    runner.main_task = spawn_in_nursery(main_nursery, async_fn, args, None, False, context.copy())
                except BaseException as exc:
                    # There is nothing to run; what was wrong with the call is the run's result.
                    runner._main_error = exc
                # After the main task: a deterministic schedule goes by the order in which tasks are made.
                spawn_in_nursery(entry_nursery, work_off_calls, (), "<TrioToken.run_sync_soon task>", True, context.copy())
            system_nursery.cancel_scope._cancel_for_shutdown("main task done, shutting down system tasks")
        await runner.asyncgens.finalize_remaining()
        entry_nursery.cancel_scope._cancel_for_shutdown("main task done, shutting down entry queue")


def _begin(
    clock: Clock | None,
    instruments: Sequence[Instrument],
    restrict_keyboard_interrupt_to_checkpoints: bool,
    strict_exception_groups: bool,
    is_guest: bool,
) -> _LiveRun:

    def make_runner() -> Runner:
        return begin_run(
            GLOBAL_RUN_CONTEXT,
            globals(),
            SystemClock(_r.uniform(10_000, 200_000)) if clock is None else clock,
            list(instruments),
            strict_exception_groups,
            copy_context(),
            is_guest,
        )

    live = _LiveRun(restrict_keyboard_interrupt_to_checkpoints)
    live.begin(make_runner)
    return live


@enable_ki_protection
def run(
    async_fn: Callable[[Unpack[PosArgsT]], Awaitable[RetT]],
    *args: Unpack[PosArgsT],
    clock: Clock | None = None,
    instruments: Sequence[Instrument] = (),
    restrict_keyboard_interrupt_to_checkpoints: bool = False,
    strict_exception_groups: bool = True,
) -> RetT:
    """Run an async function, and everything that it starts, to the end.

    Args:
      async_fn: the main function; called with ``args``.
      clock: a clock to use instead of the system's, such as `trio.testing.MockClock`.
      instruments: observers that see the run from its first moment, see `trio.abc.Instrument`.
      restrict_keyboard_interrupt_to_checkpoints: let Ctrl-C raise `KeyboardInterrupt` only at checkpoints of the main task,
          instead of anywhere in user code.
      strict_exception_groups: if false, nurseries raise a single exception without a group around it. Deprecated.

    Returns:
      what ``async_fn`` returns.

    Raises:
      TypeError: if ``async_fn`` is not an async function, or cannot be called with ``args``.
      RuntimeError: if a run is active in this thread.
      TrioInternalError: if the loop fails; its cause says why.
      BaseException: whatever ``async_fn`` raises.

    See "Entering Trio" in Trio's manual.
    """
    __tracebackhide__ = True
    if strict_exception_groups is not None and not strict_exception_groups:
        warn_loose_groups("trio.run(..., ", 3)
    import sniffio

    library = sniffio.thread_local
    previous = library.name
    live = _begin(clock, instruments, restrict_keyboard_interrupt_to_checkpoints, strict_exception_groups, False)
    try:
        library.name = "trio"
        live.claim_signals()
        drive(live.runner, _init, (live.runner, async_fn, args))
    finally:
        library.name = previous
        live.close()
    try:
        return live.runner._take_main_result()  # type: ignore[no-any-return]
    finally:
        # The exception's traceback refers to this frame.
        del live


def start_guest_run(
    async_fn: Callable[..., Awaitable[RetT]],
    *args: object,
    run_sync_soon_threadsafe: Callable[[Callable[[], object]], object],
    done_callback: Callable[[outcome.Outcome[RetT]], object],
    run_sync_soon_not_threadsafe: Callable[[Callable[[], object]], object] | None = None,
    host_uses_signal_set_wakeup_fd: bool = False,
    clock: Clock | None = None,
    instruments: Sequence[Instrument] = (),
    restrict_keyboard_interrupt_to_checkpoints: bool = False,
    strict_exception_groups: bool = True,
) -> None:
    """Start a run as a guest of another event loop, which goes on running this thread.

    Returns when the run is set up; user code runs later, in callbacks from the host.

    Args:
      async_fn: the main function; called with ``args``.
      run_sync_soon_threadsafe: schedules a function without arguments to be called in the host's thread; will be called from
          other threads.
      done_callback: called in the host's thread, with the outcome of ``async_fn``, when the run has ended.
      run_sync_soon_not_threadsafe: like the first, but only called in the host's thread; often faster.
      host_uses_signal_set_wakeup_fd: leave `signal.set_wakeup_fd` to the host?
      clock, instruments, restrict_keyboard_interrupt_to_checkpoints, strict_exception_groups: as for `trio.run`.

    See 'Using "guest mode" to run Trio on top of other event loops' in the reference of ``trio.lowlevel``.
    """
    if strict_exception_groups is not None and not strict_exception_groups:
        warn_loose_groups("trio.start_guest_run(..., ", 3)
    live = _begin(clock, instruments, restrict_keyboard_interrupt_to_checkpoints, strict_exception_groups, True)
    schedule = run_sync_soon_not_threadsafe
    if schedule is None:
        schedule = run_sync_soon_threadsafe
    try:
        if not host_uses_signal_set_wakeup_fd:
            live.claim_signals()
        guest = GuestRun(live.runner, run_sync_soon_threadsafe, schedule, done_callback, live.close)
    except BaseException:
        live.close()
        raise
    guest.start(_init, (live.runner, async_fn, args))


def spawn_system_task(
    async_fn: Callable[[Unpack[PosArgsT]], Awaitable[object]],
    *args: Unpack[PosArgsT],
    name: object = None,
    context: contextvars.Context | None = None,
) -> Task:
    """Run an async function in a task that belongs to the run and not to any nursery of the program.

    System tasks are cancelled when the main task has ended, are protected from Ctrl-C, and must not raise: an exception ends the
    run with `TrioInternalError`.

    Args:
      async_fn: the function; called with ``args``.
      name: what to call the task; a string or an object to be named after.
      context: the context to run in, by default a copy of the one in which the run was started.

    Returns:
      the new task.

    See "Low-level spawning" in the reference of ``trio.lowlevel``.
    """
    runner = _current_runner()
    if context is None:
        context = runner.system_context.copy()
    return spawn_in_nursery(runner.system_nursery, async_fn, args, name, True, context)


def current_statistics() -> RunStatistics:
    """Figures about the current run, for debugging; see `RunStatistics`.

    Raises:
      RuntimeError: outside of a run.
    """
    from ._statistics import EpollStatistics, RunStatistics

    living, runnable, seconds, readers, writers, calls = _native.run_statistics(_current_runner())
    return RunStatistics(
        tasks_living=living,
        tasks_runnable=runnable,
        seconds_to_next_deadline=seconds,
        io_statistics=EpollStatistics(tasks_waiting_read=readers, tasks_waiting_write=writers),
        run_sync_soon_queue_size=calls,
    )


def _current_runner() -> Runner:
    try:
        return GLOBAL_RUN_CONTEXT.runner
    except AttributeError:
        raise RuntimeError("must be called from async context") from None


def _hypothesis_plugin_setup() -> None:
    """Called by Hypothesis: make runs depend on its random seed only."""
    global _ALLOW_DETERMINISTIC_SCHEDULING
    _ALLOW_DETERMINISTIC_SCHEDULING = True

    from hypothesis import register_random  # type: ignore[import-not-found,unused-ignore]

    register_random(_r)
