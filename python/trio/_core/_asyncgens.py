"""Async generators that nobody finishes.

A suspended async generator may need to await something when it is cleaned up, so it cannot simply be collected. The
interpreter offers two hooks per thread: one when a generator is first iterated, one when an unfinished one is collected. A run
installs its own for its duration:

* generators first iterated in a task are *ours*: kept in `AsyncGenerators.alive`, weakly; when one is collected, a system
  task closes it inside a scope that is cancelled, so that it cannot take long;
* others are *foreign* and are left to the hooks that were there before.

At the end of the run everything that is still alive is closed, in batches, because closing one may finish or create others.
From that moment on `alive` is an ordinary set, so that nothing can disappear in between.
"""

from __future__ import annotations

import sys
from weakref import WeakSet

from .._native import CancelScope, Event, RunFinishedError, spawn_in_nursery
from ._run_context import GLOBAL_RUN_CONTEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import AsyncGeneratorType
    from typing import Any

    from .._native import Runner

    Agen = AsyncGeneratorType[Any, Any]


class AsyncGenerators:
    """The async generators of one run."""

    __slots__ = ("_foreign", "_late", "_previous", "_runner", "alive")

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.alive: WeakSet[Agen] | set[Agen] = WeakSet()
        # Identities are enough: the finalizer of a foreign generator takes them out before they can be used again.
        self._foreign: set[int] = set()
        # Ours that were collected when no system task could be spawned any more.
        self._late: set[Agen] = set()
        self._previous: Any = sys.get_asyncgen_hooks()

    def install(self) -> None:
        """Put our hooks in place of this thread's."""
        sys.set_asyncgen_hooks(firstiter=self._first_iterated, finalizer=self._collected)  # type: ignore[arg-type]

    def uninstall(self) -> None:
        """Put the previous hooks back."""
        sys.set_asyncgen_hooks(*self._previous)

    def _first_iterated(self, agen: Agen) -> None:
        if hasattr(GLOBAL_RUN_CONTEXT, "task"):
            self.alive.add(agen)
            return
        self._foreign.add(id(agen))
        if self._previous.firstiter is not None:
            self._previous.firstiter(agen)

    def _collected(self, agen: Agen) -> None:
        from .._util import name_asyncgen

        if id(agen) in self._foreign:
            self._foreign.discard(id(agen))
            self._let_previous_finalize(agen)
            return
        name = name_asyncgen(agen)
        try:
            self._runner.trio_token.run_sync_soon(self._close_soon, agen, name)
        except RunFinishedError:
            # The run is over; there is nobody left who could await the clean-up.
            pass
        import warnings

        # Last, because a filter may turn it into an exception.
        warnings.warn(
            f"Async generator {name!r} was garbage collected before it had been exhausted. Surround its use in"
            " 'async with aclosing(...):' to ensure that it gets cleaned up as soon as you're done using it.",
            ResourceWarning,
            stacklevel=2,
            source=agen,
        )

    def _let_previous_finalize(self, agen: Agen) -> None:
        from .._util import name_asyncgen

        if self._previous.finalizer is not None:
            self._previous.finalizer(agen)
            return
        # What the interpreter does where no hooks are installed.
        closing = agen.aclose()
        try:
            closing.send(None)
        except StopIteration:
            return
        raise RuntimeError(
            f"Non-Trio async generator {name_asyncgen(agen)!r} awaited something during finalization; install a"
            " finalization hook to support this, or wrap it in 'async with aclosing(...):'",
        )

    def _close_soon(self, agen: Agen, name: str) -> None:
        runner = self._runner
        if runner.system_nursery._closed:
            self._late.add(agen)
            return
        label = f"close asyncgen {name} (abandoned)"
        spawn_in_nursery(runner.system_nursery, _close, (agen, name), label, True, runner.system_context.copy())

    async def finalize_remaining(self) -> None:
        """Close every generator that is left, at the end of the run, in the root task."""
        from .._util import name_asyncgen

        # One more turn for calls that are queued: their generators are closed like the others.
        await _let_queued_calls_run(self._runner)
        self.alive = set(self.alive)
        # Nothing is collected from here on; what has been so far is in `_late` when its call has had its turn.
        await _let_queued_calls_run(self._runner)
        while self.alive or self._late:
            batch = self.alive | self._late
            self._late.clear()
            self.alive = set()
            for agen in batch:
                await _close(agen, name_asyncgen(agen))


async def _let_queued_calls_run(runner: Runner) -> None:
    done = Event()
    runner.trio_token.run_sync_soon(done.set)
    await done.wait()  # cancelled if the task that makes the calls has failed


async def _close(agen: Agen, name: str) -> None:
    """Close one generator, in a scope that is cancelled already; log what it raises."""
    try:
        with CancelScope(shield=True) as scope:
            scope.cancel("disallow async work when closing async generators during trio shutdown")
            await agen.aclose()
    except BaseException:
        import logging

        logging.getLogger("trio.async_generator_errors").exception(
            "Exception ignored during finalization of async generator %r -- surround your use of the generator in"
            " 'async with aclosing(...):' to raise exceptions like this in the context where they're generated",
            name,
        )
