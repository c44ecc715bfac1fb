"""Crossing between the event loop and worker threads, in both directions.

**Into a thread.**  `to_thread_run_sync` takes a token from a limiter, hands a function to the thread cache and puts its
task to sleep.  Everything the two sides share about that call is in one `_Call`::

    task                                   worker thread
    ----                                   -------------
    start_thread_soon(...)   ------->      runs sync_fn in a copy of the task's context
    sleeps                                     |
      wakes, serves, sleeps  <-------          |  from_thread.run, run_sync: any number of messages
      wakes, returns         <-------          deliver: an outcome

**Out of a thread.**  `from_thread_run` and `from_thread_run_sync` wrap a function into a message, `Run` or `RunSync`, and block
until it has been answered.  Who serves it depends on whether the task that started the thread can be relied on:

* it sleeps in `to_thread_run_sync` and cannot leave before the thread does: the task itself serves the message, so that the
  function sees its cancel scopes and is in the same `current_task`;
* a token was given, or the task may abandon the thread: the loop's entry queue serves it, in a system task if the function
  is asynchronous.

Everything that a thread has to tell the loop goes through `TrioToken.run_sync_soon`.  A `_Call` is only written in the loop's
thread; the worker reads ``raise_cancel``.  A thread has at most one message under way, because it waits for the answer.

Invariant: the limiter's token is given back exactly once, in the loop's thread, and not before the thread has finished,
however the task fared.
"""

from __future__ import annotations

from _thread import allocate_lock
from contextvars import copy_context
from functools import partial
from itertools import count
from threading import local
from types import CoroutineType

from . import _core
from ._core import disable_ki_protection, enable_ki_protection, start_thread_soon
from ._native import coroutine
from ._sync import CapacityLimiter, Event
from ._util import coroutine_or_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextvars import Context
    from typing import Any, TypeVar

    from outcome import Outcome
    from typing_extensions import TypeVarTuple, Unpack

    from ._core import Abort, RaiseCancelT, Task, TrioToken

    Ts = TypeVarTuple("Ts")
    RetT = TypeVar("RetT")

# Tokens of a run's default limiter.
DEFAULT_LIMIT = 40


class _WorkerData(local):
    """What a thread knows about the `to_thread_run_sync` it works for; ``None`` in threads that Trio did not start."""

    call: _Call | None = None


_worker_data = _WorkerData()


class _RunThreads:
    """The thread bookkeeping of one run."""

    __slots__ = ("active", "all_completed", "library_cvar", "limiter", "token")

    def __init__(self) -> None:
        from sniffio import current_async_library_cvar

        self.token = _core.current_trio_token()
        self.limiter = CapacityLimiter(DEFAULT_LIMIT)
        self.active = 0  # calls of to_thread_run_sync that wait for their thread
        self.all_completed: Event | None = None  # set, and forgotten, when active drops to zero
        self.library_cvar = current_async_library_cvar

    def context_for_thread(self) -> Context:
        """A copy of the current context in which no async library is running."""
        context = copy_context()
        if context.get(self.library_cvar) is not None:
            context.run(self.library_cvar.set, None)
        return context

    def finish_one(self) -> None:
        self.active -= 1
        if self.active == 0 and self.all_completed is not None:
            self.all_completed.set()
            self.all_completed = None


_run_threads: _core.RunVar[_RunThreads] = _core.RunVar("trio threads")


def _threads_of_this_run() -> _RunThreads:
    try:
        return _run_threads.get()
    except LookupError:
        threads = _RunThreads()
        _run_threads.set(threads)
        return threads


def current_default_thread_limiter() -> CapacityLimiter:
    """The `~trio.CapacityLimiter` that `trio.to_thread.run_sync` uses when none is passed.

    There is one per run, made on first use, with 40 tokens. Assign to its
    `~trio.CapacityLimiter.total_tokens` to change how many threads run at once. Raises `RuntimeError` outside of a run.
    Not a checkpoint.

    Reference documentation: "Trio's philosophy about managing worker threads" under "Threads (if you must)".
    """
    return _threads_of_this_run().limiter


def active_thread_count() -> int:
    """How many calls of `trio.to_thread.run_sync` in this run are waiting for their thread.

    A thread that was abandoned on cancellation does not count, nor do threads made in other ways. Raises
    `RuntimeError` outside of a run. Not a checkpoint.
    """
    return _threads_of_this_run().active


async def wait_all_threads_completed() -> None:
    """Block until `active_thread_count` is, or once has been, zero.

    For tests which have to be sure that nothing goes on behind their back. A new thread may have been started by the
    time this returns. Always a checkpoint; raises `RuntimeError` outside of a run.
    """
    await _core.checkpoint()
    threads = _threads_of_this_run()
    if threads.active:
        if threads.all_completed is None:
            threads.all_completed = Event()
        await threads.all_completed.wait()


def _not_a_coroutine(result: RetT, fn: object, expected: str) -> RetT:
    """Pass on what ``fn`` has returned, unless that shows that ``fn`` is an async function."""
    if isinstance(result, (CoroutineType, coroutine)):
        result.close()
        name = getattr(fn, "__qualname__", fn)
        raise TypeError(f"Trio expected a {expected} function, but {name!r} appears to be asynchronous")
    return result


# ---- out of a thread ----


class _Message:
    """A function that a thread wants to have called in the loop's thread, and the thread's wait for the answer.

    States: *pending*, then *answered* for good, once what came out of the function has been noted and ``answered`` released in
    the loop's thread. The function runs in a copy of the thread's context, whoever serves the message.

    The exception is kept here and in no local variable: its traceback leads back to the frames that served the message.
    """

    __slots__ = ("answered", "args", "context", "error", "fn", "value")

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.fn = fn
        self.args = args
        self.context: Context = copy_context()
        self.value: Any = None
        self.error: BaseException | None = None
        self.answered = allocate_lock()
        self.answered.acquire()

    def wait(self) -> Any:
        """Block this thread until the answer is there: return the value or raise the exception."""
        self.answered.acquire()
        try:
            if self.error is not None:
                raise self.error
            return self.value
        finally:
            self.error = None

    def serve_in_loop(self) -> None:
        """Serve the message from the entry queue, where it has no task of its own."""
        raise NotImplementedError


class RunSync(_Message):
    """The message of `from_thread_run_sync`."""

    __slots__ = ()

    @disable_ki_protection
    def unprotected_fn(self) -> Any:
        return _not_a_coroutine(self.fn(*self.args), self.fn, "synchronous")

    def run_sync(self) -> None:
        """Call the function here and now."""
        try:
            self.value = self.context.run(self.unprotected_fn)
        except BaseException as exc:
            self.error = exc
        self.answered.release()

    serve_in_loop = run_sync


class Run(_Message):
    """The message of `from_thread_run`."""

    __slots__ = ()

    @disable_ki_protection
    async def unprotected_afn(self) -> Any:
        return await coroutine_or_error(self.fn, *self.args)

    # Tools that show stacks leave out `run`, `run_system` and `unprotected_afn`, and would show any other function.

    async def run_system(self) -> None:
        """Run the function in the current task, which was made for it."""
        try:
            self.value = await self.unprotected_afn()
        except BaseException as exc:
            self.error = exc
        self.answered.release()

    async def run(self) -> None:
        """Run the function in the current task, which waits for the thread.

        A task enters its context when it is resumed, hence the schedule points: the first puts the message's context in
        force and the second the task's own.  The answer comes last, because the thread may finish the moment it has it,
        and would wake a task that is not yet back at its post.
        """
        task = _core.current_task()
        own_context = task.context
        task.context = self.context
        await _core.cancel_shielded_checkpoint()
        try:
            self.value = await self.unprotected_afn()
        except BaseException as exc:
            self.error = exc
        task.context = own_context
        await _core.cancel_shielded_checkpoint()
        self.answered.release()

    def serve_in_loop(self) -> None:
        try:
            _core.spawn_system_task(self.run_system, name=self.fn, context=self.context)
        except RuntimeError:  # the nursery of the system tasks is closed; nothing else can go wrong here
            self.error = _core.RunFinishedError("system nursery is closed")
            self.answered.release()


def _send_message_to_trio(trio_token: TrioToken | None, message_to_trio: Run | RunSync) -> Any:
    call = _worker_data.call
    if trio_token is not None and not isinstance(trio_token, _core.TrioToken):
        raise RuntimeError("Passed kwarg trio_token is not of type TrioToken")
    if trio_token is None and call is None:
        raise RuntimeError("this thread wasn't created by Trio, pass kwarg trio_token=...") from None
    if _core.in_trio_task():
        raise RuntimeError("this is a blocking function; call it from a thread")

    if trio_token is None and call is not None:
        call.send(message_to_trio)
    elif trio_token is not None:
        trio_token.run_sync_soon(message_to_trio.serve_in_loop)
    return message_to_trio.wait()


def from_thread_run(
    afn: Callable[[Unpack[Ts]], Awaitable[RetT]],
    *args: Unpack[Ts],
    trio_token: TrioToken | None = None,
) -> RetT:
    """Run the async function ``afn(*args)`` in Trio's thread, from another thread, and block until it is done.

    In a thread made by `trio.to_thread.run_sync`, the function runs in the task that waits for the thread: it is affected by
    the cancel scopes around that call and sees that task as the current one.  If that task may abandon the thread, or
    if ``trio_token`` is given, it runs in a system task instead, which is cancelled when the main task exits.

    Arguments: ``trio_token`` says which event loop to use, see `trio.lowlevel.current_trio_token`. It is needed in
    threads that Trio did not make.

    Returns what ``afn`` returns, and raises what it raises. Moreover:

    * `trio.RunFinishedError` if the event loop has finished, or is about to and takes no more work;
    * `trio.Cancelled` if the task that runs the function is cancelled, and the function reaches a checkpoint;
    * `RuntimeError` if called from a Trio task, which would deadlock, or if it is unclear which loop is meant;
    * `TypeError` if ``afn`` is not an async function.

    Context variables: the function sees those of the thread, in a copy.

    Reference documentation: "Getting back into the Trio thread from another thread" under "Threads (if you must)".
    """
    return _send_message_to_trio(trio_token, Run(afn, args))  # type: ignore[no-any-return]


def from_thread_run_sync(
    fn: Callable[[Unpack[Ts]], RetT],
    *args: Unpack[Ts],
    trio_token: TrioToken | None = None,
) -> RetT:
    """Call the synchronous function ``fn(*args)`` in Trio's thread, from another thread, and block until it has returned.

    The counterpart of `trio.from_thread.run`, with the same arguments and choice of the task in which it happens, except that
    with ``trio_token``, or if the thread may be abandoned, the function is called by the event loop itself.

    Returns what ``fn`` returns, and raises what it raises. Moreover:

    * `trio.RunFinishedError` if the event loop has finished;
    * `RuntimeError` if called from a Trio task, which would deadlock, or if it is unclear which loop is meant;
    * `TypeError` if ``fn`` is an async function.

    Context variables: the function sees those of the thread, in a copy.

    Reference documentation: "Getting back into the Trio thread from another thread" under "Threads (if you must)".
    """
    return _send_message_to_trio(trio_token, RunSync(fn, args))  # type: ignore[no-any-return]


def from_thread_check_cancelled() -> None:
    """Raise `trio.Cancelled` if the `trio.to_thread.run_sync` that started this thread has been cancelled.

    Lets long computations stop early, whether or not they may be abandoned. In a call that is not abandonable the exception may
    be left to propagate out of the thread's function: the scope that was cancelled catches it as usual. Returns `None` when not
    cancelled. Raises `RuntimeError` in any thread that was not made by `trio.to_thread.run_sync`.

    Reference documentation: "Threads and task-local storage" and its neighbours under "Threads (if you must)".
    """
    call = _worker_data.call
    if call is None:
        raise RuntimeError("this thread wasn't created by Trio, can't check for cancellation") from None
    raise_cancel = call.raise_cancel
    if raise_cancel is not None:
        raise_cancel()


# ---- into a thread ----


class ThreadPlaceholder:
    """The borrower of a limiter's token on behalf of a thread; shown in `trio.CapacityLimiterStatistics`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"ThreadPlaceholder(name={self.name!r})"


_thread_counter = count()


class _Call:
    """One `to_thread_run_sync`, as far as both sides need it.

    ``task`` sleeps, or has been rescheduled and will look into ``mail``; it is ``None`` once it has abandoned the thread.
    """

    __slots__ = ("abandonable", "borrower", "limiter", "mail", "raise_cancel", "task", "token")

    def __init__(self, task: Task, token: TrioToken, limiter: CapacityLimiter, abandonable: bool) -> None:
        self.task: Task | None = task
        self.token = token
        self.limiter = limiter
        self.borrower = ThreadPlaceholder(f"trio.to_thread.run_sync-{next(_thread_counter)}")
        self.abandonable = abandonable
        self.raise_cancel: RaiseCancelT | None = None  # set when the task has been told to cancel
        self.mail: Run | RunSync | Outcome[Any] | None = None

    def borrow_nowait(self) -> bool:
        """Try to get a token without a schedule point: waiting for the thread is one anyway."""
        if not isinstance(self.limiter, CapacityLimiter):
            return False  # somebody's own limiter, which need not have such a method
        try:
            self.limiter.acquire_on_behalf_of_nowait(self.borrower)
        except _core.WouldBlock:
            return False
        return True

    def open_mail(self) -> Run | RunSync | Outcome[Any]:
        """What the task has been woken for."""
        mail, self.mail = self.mail, None
        assert mail is not None
        return mail

    def abort(self, raise_cancel: RaiseCancelT) -> Abort:
        """The task is cancelled while it sleeps."""
        self.raise_cancel = raise_cancel
        if not self.abandonable:
            return _core.Abort.FAILED
        self.task = None
        return _core.Abort.SUCCEEDED

    def post(self, mail: Run | RunSync | Outcome[Any]) -> None:
        """Wake the task, in the loop's thread, to look after ``mail``."""
        if self.task is None:  # it has failed since the message was sent
            assert isinstance(mail, _Message)
            mail.serve_in_loop()
            return
        self.mail = mail
        _core.reschedule(self.task)

    def send(self, message: Run | RunSync) -> None:
        """The thread has a message, in that thread."""
        if self.abandonable:
            self.token.run_sync_soon(message.serve_in_loop)
        else:
            self.token.run_sync_soon(self.post, message)

    def finish(self, result: Outcome[Any]) -> None:
        """The thread has finished, in the loop's thread."""
        if self.task is not None:
            self.post(result)
            return
        try:
            self.limiter.release_on_behalf_of(self.borrower)
        except Exception:
            pass  # nobody is left to be told, and the loop must not suffer from a faulty limiter

    def deliver(self, result: Outcome[Any]) -> None:
        """The thread has finished, in that thread."""
        try:
            self.token.run_sync_soon(self.finish, result)
        except _core.RunFinishedError:
            pass  # an abandoned thread outlived the run; so did its result


@enable_ki_protection  # a token must not be lost; sync_fn is out of reach for Ctrl-C in its thread anyway
async def to_thread_run_sync(
    sync_fn: Callable[[Unpack[Ts]], RetT],
    *args: Unpack[Ts],
    thread_name: str | None = None,
    abandon_on_cancel: bool = False,
    limiter: CapacityLimiter | None = None,
) -> RetT:
    """Run the synchronous function ``sync_fn(*args)`` in a worker thread, so that it may block.

    Arguments:

    * ``thread_name``: the name of the thread meanwhile; by default made of the names of the function and the current task.
    * ``abandon_on_cancel``: what to do when this call is cancelled. By default, nothing until the thread finishes;
      the function can look with `trio.from_thread.check_cancelled`. If true, `trio.Cancelled` is raised at once and the
      thread goes on unattended; its result or exception will be thrown away.
    * ``limiter``: an object with ``acquire_on_behalf_of`` and ``release_on_behalf_of`` methods, usually a
      `trio.CapacityLimiter`; by default that of `current_default_thread_limiter`. One token is held from before the thread
      starts until it has finished, abandoned or not.

    Returns what ``sync_fn`` returns, and raises what it raises, as well as what the limiter raises; `TypeError` if ``sync_fn``
    is an async function; `RuntimeError` if the system has no more threads. Always a checkpoint, and
    cancellable until the thread has been started.

    Context variables: the function sees those of the task, in a copy. `sniffio` reports no async library there.

    Reference documentation: "Threads (if you must)" and "Cancellation and threads" under "Trio's core functionality".
    """
    await _core.checkpoint_if_cancelled()
    threads = _threads_of_this_run()
    task = _core.current_task()
    if thread_name is None:
        thread_name = f"{getattr(sync_fn, '__name__', None)} from {task.name}"
    call = _Call(task, threads.token, threads.limiter if limiter is None else limiter, bool(abandon_on_cancel))
    context = threads.context_for_thread()

    # Tools that show where tasks wait find the thread's stack through the names `thread_name`, `worker_fn` and `sync_fn`.
    def worker_fn() -> RetT:
        _worker_data.call = call
        try:
            return _not_a_coroutine(sync_fn(*args), sync_fn, "sync")
        finally:
            _worker_data.call = None

    if not call.borrow_nowait():
        await call.limiter.acquire_on_behalf_of(call.borrower)
    try:
        start_thread_soon(partial(context.run, worker_fn), call.deliver, thread_name)
    except BaseException:
        # The thread may have started for all that. If so, it works for nobody.
        call.task, call.abandonable = None, True
        call.limiter.release_on_behalf_of(call.borrower)
        raise
    threads.active += 1
    try:
        while True:  # here and not in a coroutine of its own, which tools that show where tasks wait would show as well
            await _core.wait_task_rescheduled(call.abort)
            mail = call.open_mail()
            if isinstance(mail, RunSync):
                mail.run_sync()
            elif isinstance(mail, Run):
                await mail.run()
            else:
                break
    except BaseException:
        # The thread goes on, and must not wake a task that is not here any more.
        call.task, call.abandonable = None, True
        raise
    finally:
        threads.finish_one()
    try:
        return mail.unwrap()  # type: ignore[no-any-return]
    finally:
        del mail  # with an exception inside, it and this frame would refer to each other
        call.limiter.release_on_behalf_of(call.borrower)
