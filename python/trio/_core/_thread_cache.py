"""Worker threads, kept warm.

Starting an operating system thread costs about ten times as much as waking one that sleeps, so threads that have finished a
job wait for another one for a while.  The cache belongs to the process, not to a run: several runs in several threads share
it, and it has no upper bound, because it cannot know how many threads are too many (that is what
`trio.CapacityLimiter` is for).

Life of a worker::

    started with its first job --> busy --> idle --> busy --> idle ... --> gone after IDLE_TIMEOUT seconds

A worker sleeps in ``_gate.acquire(timeout)``; whoever wants it takes it out of the table of idle workers, puts a job into
``_job`` and opens the gate.  Being in that table is the permission to assign a job *and* the permission to exit: both sides
remove the worker from the table first, and removal succeeds only once.  A worker whose wait timed out but who is no longer in
the table has been chosen and goes back to its gate.

The last worker to become idle is the first to be reused, so that in quiet times the others reach their timeout.  A worker
enters the table before it delivers its result: the receiver of the result may start its next job on the very same thread.

In a forked child none of the workers exists any more, and the table is emptied.
"""

from __future__ import annotations

import os
import sys
from contextvars import Context
from itertools import count
from threading import Thread

from .._native import Gate as Lock, set_os_thread_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from outcome import Outcome

    RetT = TypeVar("RetT")

    # What to call in the thread, what to do with its outcome, and the thread's name meanwhile.
    Job = tuple[Callable[[], Any], Callable[[Outcome[Any]], object], "str | None"]

# Seconds for which an idle worker stays around.
IDLE_TIMEOUT = 10.0

_numbers = count()


def get_os_thread_name_func() -> Callable[[bytes], None] | None:
    """The function that names the calling thread for the operating system; `None` where there is no such thing."""
    return set_os_thread_name


class WorkerThread:
    """One thread of a `ThreadCache`: the job it has been given, the gate behind which it sleeps, and its names."""

    __slots__ = ("_cache", "_default_name", "_gate", "_job", "_thread")

    def __init__(self, cache: ThreadCache, job: Job) -> None:
        self._cache = cache
        self._job: Job | None = job
        self._gate = Lock()
        self._gate.acquire()
        self._default_name = f"Trio thread {next(_numbers)}"
        self._thread = Thread(target=self._work, name=self._default_name, daemon=True)
        # Some builds of Python hand the starter's context to a thread, which would keep its values alive for as long as
        # the worker lives.
        Context().run(self._thread.start)

    def _rename(self, name: str) -> None:
        """Name the worker, from within it: the operating system knows the first 15 bytes, with question marks for non-ASCII."""
        self._thread.name = name
        set_os_thread_name(name.encode("ascii", "replace"))

    def _work(self) -> None:
        from outcome import capture

        self._rename(self._default_name)
        self._do_job(capture)
        idle = self._cache._idle_workers
        try:
            while True:
                if self._gate.acquire(timeout=IDLE_TIMEOUT):
                    self._do_job(capture)
                elif idle.pop(self, None) is not None:
                    return
        finally:
            # A worker that ends because of an error is not to be chosen, either.
            idle.pop(self, None)

    def _do_job(self, capture: Callable[[Callable[[], Any]], Outcome[Any]]) -> None:
        assert self._job is not None
        fn, deliver, name = self._job
        self._job = None
        if name is not None:
            self._rename(name)
        result = capture(fn)
        del fn  # what the job refers to ends with the job, not with the next one
        if name is not None:
            self._rename(self._default_name)
        self._cache._idle_workers[self] = self
        try:
            deliver(result)
        except BaseException:
            import traceback

            print("Exception while delivering result of thread", file=sys.stderr)
            traceback.print_exc()
        finally:
            del result  # the traceback of an exception in it leads back to this frame


class ThreadCache:
    """A stack of idle workers, in the order in which they became idle."""

    __slots__ = ("_idle_workers",)

    def __init__(self) -> None:
        self._idle_workers: dict[WorkerThread, WorkerThread] = {}

    def start_thread_soon(
        self,
        fn: Callable[[], RetT],
        deliver: Callable[[Outcome[RetT]], object],
        name: str | None = None,
    ) -> None:
        """Run a job on the worker that became idle last, or on a new one; see the function of the same name."""
        # A name that is no string fails here, in the face of the caller, if it fails.
        job = (fn, deliver, None if name is None else str(name))
        try:
            worker, _ = self._idle_workers.popitem()
        except KeyError:
            WorkerThread(self, job)
        else:
            worker._job = job
            try:
                worker._gate.release()
            except BaseException:
                # It sleeps on, and the job is not to live as long as it does.
                worker._job = None
                self._idle_workers[worker] = worker
                raise


THREAD_CACHE = ThreadCache()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=THREAD_CACHE._idle_workers.clear)


def start_thread_soon(
    fn: Callable[[], RetT],
    deliver: Callable[[Outcome[RetT]], object],
    name: str | None = None,
) -> None:
    """Run ``deliver(outcome.capture(fn))`` in a worker thread.

    Generally ``fn`` does some blocking work and ``deliver`` passes the result to whoever waits for it. Both are called in the
    worker; by the time ``deliver`` is called, the thread counts as idle, and a job that is started from there or in response
    may reuse it. An exception from ``fn`` ends up in the `outcome.Error`; one from ``deliver`` has nowhere to go and is
    printed to standard error.

    This is a low-level function that knows nothing of cancellation, capacity limits and context variables, and
    that may be called from any thread, with or without a running event loop; most programs want
    `trio.to_thread.run_sync`. Threads are daemonic and wait 10 seconds for another job before they exit.

    Arguments: ``fn`` is called without arguments, ``deliver`` with the `outcome.Outcome` of ``fn``. ``name``, unless `None`, is
    the name of the thread while it runs ``fn``, in Python and, shortened, for the operating system.

    Raises `RuntimeError` if the system refuses to start another thread. Not a checkpoint.

    Reference documentation: "Low-level blocking operations/threads" under ``trio.lowlevel``.
    """
    THREAD_CACHE.start_thread_soon(fn, deliver, name)
