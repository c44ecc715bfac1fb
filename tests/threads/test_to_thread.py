"""`trio.to_thread.run_sync`: results, names, capacity, cancellation, context variables, promptness of garbage."""

from __future__ import annotations

import contextvars
import functools
import gc
import sys
import threading
import time
import traceback
import weakref
from typing import Any

import pytest
import sniffio

import trio
import trio.testing


class Boom(Exception):
    pass


def in_trio(async_fn: Any, *args: Any) -> Any:
    return trio.run(async_fn, *args)


def test_value_and_arguments() -> None:
    async def main() -> None:
        assert await trio.to_thread.run_sync(divmod, 17, 5) == (3, 2)
        assert await trio.to_thread.run_sync(lambda: None) is None

    in_trio(main)


def test_runs_elsewhere_in_a_daemon_thread() -> None:
    async def main() -> None:
        thread = await trio.to_thread.run_sync(threading.current_thread)
        assert thread is not threading.current_thread()
        assert thread.daemon
        assert thread in threading.enumerate()

    in_trio(main)


@pytest.mark.parametrize("error", [Boom("x"), KeyboardInterrupt("x"), SystemExit(4), trio.Cancelled])
def test_exceptions_come_back_as_they_are(error: Any) -> None:
    async def main() -> None:
        exc = error if isinstance(error, BaseException) else error._create()

        def fail() -> None:
            raise exc

        with pytest.raises(type(exc)) as info:
            await trio.to_thread.run_sync(fail)
        assert info.value is exc
        assert info.value.__context__ is None
        assert info.traceback[-1].name == "fail"

    in_trio(main)


@pytest.mark.skipif(not hasattr(trio, "_native"), reason="genuine Trio leaves this to the garbage collector")
def test_an_exception_does_not_linger_in_a_cycle() -> None:
    async def main() -> None:
        def fail() -> None:
            raise Boom

        gc.collect()
        gc.disable()
        try:
            try:
                await trio.to_thread.run_sync(fail)
            except Boom as exc:
                ref = weakref.ref(exc)
            await trio.sleep(0.01)  # the worker lets go of it as well
            assert ref() is None
        finally:
            gc.enable()

    in_trio(main)


def test_async_function_is_refused_by_name() -> None:
    async def not_sync() -> None:
        raise AssertionError

    async def main() -> None:
        with pytest.raises(TypeError, match=r"^Trio expected a sync function, but .*not_sync' appears to be asynchronous$"):
            await trio.to_thread.run_sync(not_sync)
        with pytest.raises(TypeError, match="appears to be asynchronous"):
            await trio.to_thread.run_sync(functools.partial(not_sync))
        with pytest.raises(TypeError, match=r"^Trio expected a sync function, but 'sleep' appears to be asynchronous$"):
            await trio.to_thread.run_sync(trio.sleep, 0)
        with pytest.raises(TypeError, match=r"^Trio expected a synchronous function, but 'sleep' appears to be asynchronous$"):
            await trio.to_thread.run_sync(trio.from_thread.run_sync, trio.sleep, 0)
        # Objects that are merely produced by a function are none of our business.
        generator = await trio.to_thread.run_sync(lambda: (n for n in "ab"))
        assert list(generator) == ["a", "b"]

    in_trio(main)


def test_a_bad_callable_gives_the_token_back() -> None:
    async def main() -> None:
        limiter = trio.CapacityLimiter(1)
        for _ in range(3):
            with pytest.raises(TypeError, match="not callable"):
                await trio.to_thread.run_sync(None, limiter=limiter)  # type: ignore[arg-type]
        assert limiter.borrowed_tokens == 0

    in_trio(main)


def test_thread_names() -> None:
    def name() -> str:
        return threading.current_thread().name

    class Callable:
        def __call__(self) -> str:
            return name()

    async def job() -> None:
        assert await trio.to_thread.run_sync(name) == f"name from {trio.lowlevel.current_task().name}"
        assert await trio.to_thread.run_sync(Callable()) == f"None from {trio.lowlevel.current_task().name}"
        assert await trio.to_thread.run_sync(name, thread_name="given") == "given"
        assert await trio.to_thread.run_sync(name, thread_name="") == ""
        thread = await trio.to_thread.run_sync(threading.current_thread, thread_name="given")
        assert thread.name.startswith("Trio thread ")

    in_trio(job)


def test_kernel_sees_the_name() -> None:
    def comm() -> str:
        with open(f"/proc/self/task/{threading.get_native_id()}/comm") as file:
            return file.read().rstrip("\n")

    async def main() -> None:
        assert await trio.to_thread.run_sync(comm, thread_name="a name that is too long") == "a name that is "
        assert await trio.to_thread.run_sync(comm, thread_name="naïve") == "na?ve"
        native_id = await trio.to_thread.run_sync(threading.get_native_id, thread_name="busy")
        with open(f"/proc/self/task/{native_id}/comm") as file:
            assert file.read().startswith("Trio thread ")

    in_trio(main)


def test_default_limiter_is_per_run_and_adjustable() -> None:
    async def main() -> trio.CapacityLimiter:
        limiter = trio.to_thread.current_default_thread_limiter()
        assert limiter is trio.to_thread.current_default_thread_limiter()
        assert limiter.total_tokens == 40
        limiter.total_tokens = 1
        seen: list[float] = []
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(trio.to_thread.run_sync, lambda: seen.append(limiter.borrowed_tokens))
        assert seen == [1, 1, 1]
        assert limiter.borrowed_tokens == 0
        return limiter

    assert in_trio(main) is not in_trio(main)
    for outside in (trio.to_thread.current_default_thread_limiter, trio.testing.active_thread_count):
        with pytest.raises(RuntimeError):
            outside()


def test_threads_are_among_the_borrowers() -> None:
    async def main() -> None:
        limiter = trio.CapacityLimiter(2)
        names = await trio.to_thread.run_sync(lambda: [repr(b) for b in limiter.statistics().borrowers], limiter=limiter)
        assert len(names) == 1
        assert "trio.to_thread.run_sync" in names[0]

    in_trio(main)


def test_limiter_queue_is_fair_and_cancellable() -> None:
    async def main() -> None:
        limiter = trio.CapacityLimiter(1)
        gate = threading.Event()
        order: list[int] = []

        async def job(n: int) -> None:
            await trio.to_thread.run_sync(order.append, n, limiter=limiter)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(functools.partial(trio.to_thread.run_sync, gate.wait, limiter=limiter))
            await trio.testing.wait_all_tasks_blocked()
            for n in range(3):
                nursery.start_soon(job, n)
                await trio.testing.wait_all_tasks_blocked()
            with trio.move_on_after(0.01) as scope:
                await job(99)
            assert scope.cancelled_caught
            assert limiter.statistics().tasks_waiting == 3
            gate.set()
        assert order == [0, 1, 2]

    in_trio(main)


def test_custom_limiter_sees_every_call() -> None:
    class Journal:
        def __init__(self) -> None:
            self.lines: list[str] = []

        async def acquire_on_behalf_of(self, borrower: object) -> None:
            await trio.sleep(0)
            self.lines.append("acquire")
            self.borrower = borrower

        def release_on_behalf_of(self, borrower: object) -> None:
            assert borrower is self.borrower
            self.lines.append("release")

    async def main() -> None:
        journal = Journal()
        await trio.to_thread.run_sync(journal.lines.append, "work", limiter=journal)  # type: ignore[arg-type]
        assert journal.lines == ["acquire", "work", "release"]

    in_trio(main)


def test_cancelled_before_it_starts() -> None:
    async def main() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await trio.to_thread.run_sync(pytest.fail, "must not run")
        assert scope.cancelled_caught

    in_trio(main)


def test_is_a_checkpoint() -> None:
    async def main() -> None:
        with trio.testing.assert_checkpoints():
            await trio.to_thread.run_sync(int)
        with trio.testing.assert_checkpoints(), pytest.raises(ZeroDivisionError):
            await trio.to_thread.run_sync(divmod, 1, 0)

    in_trio(main)


def test_cancellation_waits_for_the_thread_by_default() -> None:
    async def main() -> None:
        gate = threading.Event()
        threading.Timer(0.05, gate.set).start()
        with trio.move_on_after(0.01) as scope:
            assert await trio.to_thread.run_sync(gate.wait)
            # The thread finished in its own time, and its result is not thrown away.
            assert gate.is_set()
        assert scope.cancel_called
        assert not scope.cancelled_caught

    in_trio(main)


def test_abandoned_thread_keeps_its_token_until_it_ends() -> None:
    async def main() -> None:
        gate, ended = threading.Event(), threading.Event()
        limiter = trio.CapacityLimiter(1)

        def work() -> None:
            gate.wait()
            ended.set()
            raise Boom  # nobody will know

        with trio.move_on_after(0.01) as scope:
            await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)
        assert scope.cancelled_caught
        assert not ended.is_set()
        assert limiter.borrowed_tokens == 1
        assert trio.testing.active_thread_count() == 0
        gate.set()
        with trio.fail_after(5):
            async with limiter:
                assert ended.is_set()

    in_trio(main)


def test_abandoned_thread_may_outlive_the_run() -> None:
    gate, ended = threading.Event(), threading.Event()

    def work() -> None:
        gate.wait()
        ended.set()

    async def main() -> None:
        with trio.move_on_after(0.01):
            await trio.to_thread.run_sync(work, abandon_on_cancel=True)

    in_trio(main)
    gate.set()
    assert ended.wait(5)


def test_faulty_limiter_cannot_hurt_the_loop_once_abandoned() -> None:
    class Faulty:
        async def acquire_on_behalf_of(self, borrower: object) -> None: ...

        def release_on_behalf_of(self, borrower: object) -> None:
            released.set()
            raise Boom

    released = threading.Event()

    async def main() -> None:
        with trio.move_on_after(0.01):
            await trio.to_thread.run_sync(time.sleep, 0.03, abandon_on_cancel=True, limiter=Faulty())  # type: ignore[arg-type]
        with trio.fail_after(5):
            while not released.is_set():
                await trio.sleep(0.01)
        await trio.testing.wait_all_tasks_blocked()

    in_trio(main)


variable: contextvars.ContextVar[object] = contextvars.ContextVar("variable", default="unset")


def test_context_is_a_copy() -> None:
    async def main() -> None:
        variable.set("task")

        def work() -> object:
            before = variable.get()
            variable.set("thread")
            return before

        assert await trio.to_thread.run_sync(work) == "task"
        assert variable.get() == "task"

    in_trio(main)


def test_no_async_library_in_the_thread() -> None:
    def which() -> str:
        try:
            return sniffio.current_async_library()
        except sniffio.AsyncLibraryNotFoundError:
            return "none"

    async def main() -> None:
        assert await trio.to_thread.run_sync(which) == "none"
        # Even if some other library has marked the context.
        sniffio.current_async_library_cvar.set("other")
        assert await trio.to_thread.run_sync(which) == "none"
        assert sniffio.current_async_library() == "trio"

    contextvars.copy_context().run(in_trio, main)


def test_everything_is_released_when_the_call_returns() -> None:
    class Thing:
        def __call__(self, argument: object) -> None: ...

    async def main() -> None:
        function, argument, value = Thing(), Thing(), Thing()
        refs = [weakref.ref(o) for o in (function, argument, value)]
        token = variable.set(value)
        await trio.to_thread.run_sync(function, argument)
        variable.reset(token)
        del function, argument, value, token
        assert [ref() for ref in refs] == [None, None, None]

    in_trio(main)


def test_threads_are_reused_last_in_first_out() -> None:
    async def main() -> None:
        idents = {await trio.to_thread.run_sync(threading.get_ident) for _ in range(50)}
        assert len(idents) == 1

    in_trio(main)


def test_waiting_for_all_threads() -> None:
    async def main() -> None:
        gates = [threading.Event() for _ in range(3)]
        done = trio.Event()

        async def watch() -> None:
            await trio.testing.wait_all_threads_completed()
            done.set()

        async with trio.open_nursery() as nursery:
            for gate in gates:
                nursery.start_soon(trio.to_thread.run_sync, gate.wait)
            await trio.testing.wait_all_tasks_blocked()
            assert trio.testing.active_thread_count() == 3
            nursery.start_soon(watch)
            for gate in gates:
                assert not done.is_set()
                gate.set()
                while trio.testing.active_thread_count() == len(gates):
                    await trio.sleep(0.001)
                await trio.testing.wait_all_tasks_blocked(0.01)
            with trio.fail_after(5):
                await done.wait()
        assert trio.testing.active_thread_count() == 0

    in_trio(main)


def test_many_at_once() -> None:
    async def main() -> None:
        results: list[int] = []

        async def job(n: int) -> None:
            results.append(await trio.to_thread.run_sync(lambda: n * n))

        async with trio.open_nursery() as nursery:
            for n in range(200):
                nursery.start_soon(job, n)
        assert sorted(results) == [n * n for n in range(200)]
        assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0

    in_trio(main)


def test_a_run_inside_a_worker() -> None:
    async def inner() -> str:
        return await trio.to_thread.run_sync(lambda: "deep")

    async def main() -> None:
        assert await trio.to_thread.run_sync(trio.run, inner) == "deep"

    in_trio(main)


def test_in_guest_mode() -> None:
    import queue

    host: queue.SimpleQueue[Any] = queue.SimpleQueue()
    results: list[Any] = []

    async def main() -> object:
        def thread() -> object:
            return trio.from_thread.run(trio.sleep, 0.001), trio.from_thread.run_sync(threading.get_ident)

        return await trio.to_thread.run_sync(thread)

    trio.lowlevel.start_guest_run(main, run_sync_soon_threadsafe=host.put, done_callback=results.append)
    while not results:
        host.get(timeout=5)()
    assert results[0].unwrap() == (None, threading.get_ident())


def test_where_the_task_waits() -> None:
    """Tools that show where tasks wait show the call itself, and what it sleeps in."""
    begun, go_on = threading.Event(), threading.Event()

    def sync_fn() -> None:
        begun.set()
        go_on.wait()

    async def caller() -> None:
        await trio.to_thread.run_sync(sync_fn)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(caller)
            await trio.testing.wait_all_tasks_blocked()
            begun.wait()
            try:
                (task,) = nursery.child_tasks
                frames = [frame for frame, _ in task.iter_await_frames()]
                names = frames[1].f_locals
                # What stackscope looks for, to find the thread's own stack.
                worker = next(thread for thread in threading.enumerate() if thread.name is names["thread_name"])
                inside = sys._current_frames()[worker.ident or 0]
                codes = [frame.f_code for frame, _ in traceback.walk_stack(inside)]
            finally:
                go_on.set()
        assert [frame.f_code.co_name for frame in frames] == ["caller", "to_thread_run_sync", "wait_task_rescheduled"]
        assert names["sync_fn"] == sync_fn
        assert names["worker_fn"].__code__ in codes

    in_trio(main)
