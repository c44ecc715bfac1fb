"""`trio.from_thread`: who serves a call into the loop, what it sees, and what comes back."""

from __future__ import annotations

import contextvars
import functools
import gc
import queue
import threading
import weakref
from typing import Any

import pytest
import sniffio

import trio
import trio.testing


class Boom(Exception):
    pass


async def echo(value: object) -> object:
    await trio.lowlevel.checkpoint()
    return value


def in_foreign_thread(fn: Any) -> Any:
    """Run `fn` in a thread that Trio did not make; return what it returns."""
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put((fn(), None))
        except BaseException as exc:
            answers.put((None, exc))

    thread = threading.Thread(target=work)
    thread.start()
    value, error = answers.get(timeout=10)
    thread.join()
    if error is not None:
        raise error
    return value


@pytest.mark.parametrize("abandon", [False, True])
@pytest.mark.parametrize("with_token", [False, True])
def test_values_and_exceptions_cross(abandon: bool, with_token: bool) -> None:
    async def raises() -> None:
        raise Boom("async")

    def raises_sync() -> None:
        raise Boom("sync")

    async def main() -> None:
        token = trio.lowlevel.current_trio_token() if with_token else None

        def work() -> None:
            assert trio.from_thread.run(echo, 3, trio_token=token) == 3
            assert trio.from_thread.run_sync(max, 4, 9, trio_token=token) == 9
            with pytest.raises(Boom, match=r"^async$"):
                trio.from_thread.run(raises, trio_token=token)
            with pytest.raises(Boom, match=r"^sync$"):
                trio.from_thread.run_sync(raises_sync, trio_token=token)

        await trio.to_thread.run_sync(work, abandon_on_cancel=abandon)

    trio.run(main)


def test_wrong_kind_of_function() -> None:
    async def main() -> None:
        def work() -> None:
            with pytest.raises(TypeError, match=r"^Trio expected a synchronous function, but 'echo' appears"):
                trio.from_thread.run_sync(echo, 1)
            with pytest.raises(TypeError, match=r"^Trio expected an async function, but 'max' appears to be synchronous$"):
                trio.from_thread.run(max, 1, 2)  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="not callable"):
                trio.from_thread.run(None)  # type: ignore[arg-type]
            coroutine = echo(1)
            with pytest.raises(TypeError, match="instead it got a coroutine object"):
                trio.from_thread.run(coroutine)  # type: ignore[arg-type]

        await trio.to_thread.run_sync(work)

    trio.run(main)


def test_the_waiting_task_serves() -> None:
    async def main() -> None:
        async def current_async() -> trio.lowlevel.Task:
            await trio.lowlevel.checkpoint()
            return trio.lowlevel.current_task()

        def work() -> set[trio.lowlevel.Task]:
            return {
                trio.from_thread.run(current_async),
                trio.from_thread.run_sync(trio.lowlevel.current_task),
            }

        assert await trio.to_thread.run_sync(work) == {trio.lowlevel.current_task()}

    trio.run(main)


def test_somebody_else_serves_if_the_task_may_leave() -> None:
    async def main() -> None:
        async def current_async() -> trio.lowlevel.Task:
            return trio.lowlevel.current_task()

        def work() -> tuple[trio.lowlevel.Task, trio.lowlevel.Task]:
            return trio.from_thread.run(current_async), trio.from_thread.run_sync(trio.lowlevel.current_task)

        for task in await trio.to_thread.run_sync(work, abandon_on_cancel=True):
            assert task is not trio.lowlevel.current_task()
            assert task.name != trio.lowlevel.current_task().name

    trio.run(main)


def test_functions_of_users_are_interruptible() -> None:
    async def protected_async() -> bool:
        return trio.lowlevel.currently_ki_protected()

    def protected() -> bool:
        return trio.lowlevel.currently_ki_protected()

    async def main() -> None:
        token = trio.lowlevel.current_trio_token()
        for chosen in (None, token):

            def work(chosen: trio.lowlevel.TrioToken | None = chosen) -> list[bool]:
                return [
                    trio.from_thread.run(protected_async, trio_token=chosen),
                    trio.from_thread.run_sync(protected, trio_token=chosen),
                ]

            assert await trio.to_thread.run_sync(work) == [False, False]

    trio.run(main)


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


@pytest.mark.parametrize("abandon", [False, True])
def test_context_travels_from_the_thread_and_not_back(abandon: bool) -> None:
    async def main() -> None:
        variable.set("task")

        async def change_async() -> str:
            await trio.lowlevel.checkpoint()
            before = variable.get()
            variable.set("async")
            await trio.lowlevel.checkpoint()
            assert variable.get() == "async"
            return before

        def change() -> str:
            before = variable.get()
            variable.set("sync")
            assert sniffio.current_async_library() == "trio"
            return before

        def work() -> list[str]:
            variable.set("thread")
            return [
                trio.from_thread.run(change_async),
                variable.get(),
                trio.from_thread.run_sync(change),
                variable.get(),
            ]

        assert await trio.to_thread.run_sync(work, abandon_on_cancel=abandon) == ["thread"] * 4
        assert variable.get() == "task"
        await trio.lowlevel.checkpoint()
        assert variable.get() == "task"

    trio.run(main)


def test_foreign_threads_need_a_token() -> None:
    async def main() -> None:
        token = trio.lowlevel.current_trio_token()

        def work() -> None:
            for call in (
                functools.partial(trio.from_thread.run, echo, 1),
                functools.partial(trio.from_thread.run_sync, int),
            ):
                with pytest.raises(RuntimeError, match=r"this thread wasn't created by Trio, pass kwarg trio_token=\.\.\."):
                    call()
                with pytest.raises(RuntimeError, match="Passed kwarg trio_token is not of type TrioToken"):
                    call(trio_token="a token")
            with pytest.raises(RuntimeError, match="this thread wasn't created by Trio, can't check for cancellation"):
                trio.from_thread.check_cancelled()
            assert trio.from_thread.run(echo, "e", trio_token=token) == "e"
            assert trio.from_thread.run_sync(threading.get_ident, trio_token=token) != threading.get_ident()

        await trio.to_thread.run_sync(in_foreign_thread, work)

    trio.run(main)


def test_never_from_a_task() -> None:
    async def main() -> None:
        token = trio.lowlevel.current_trio_token()
        with pytest.raises(RuntimeError, match="this is a blocking function; call it from a thread"):
            trio.from_thread.run_sync(int, trio_token=token)
        with pytest.raises(RuntimeError, match="this is a blocking function; call it from a thread"):
            trio.from_thread.run(echo, 1, trio_token=token)

    trio.run(main)


def test_the_token_of_a_finished_run() -> None:
    async def main() -> trio.lowlevel.TrioToken:
        return trio.lowlevel.current_trio_token()

    token = trio.run(main)
    with pytest.raises(trio.RunFinishedError):
        trio.from_thread.run_sync(int, trio_token=token)
    with pytest.raises(trio.RunFinishedError):
        trio.from_thread.run(echo, 1, trio_token=token)


def test_system_task_is_cancelled_with_the_run() -> None:
    outcomes: list[str] = []
    started = threading.Event()

    async def forever() -> None:
        started.set()
        await trio.sleep_forever()

    def work(token: trio.lowlevel.TrioToken) -> None:
        try:
            trio.from_thread.run(forever, trio_token=token)
        except trio.Cancelled as exc:
            outcomes.append(str(exc))

    async def main() -> threading.Thread:
        thread = threading.Thread(target=work, args=(trio.lowlevel.current_trio_token(),))
        thread.start()
        while not started.is_set():
            await trio.sleep(0.001)
        return thread

    trio.run(main).join()
    assert len(outcomes) == 1
    assert outcomes[0].startswith("cancelled due to shutdown")


def test_async_calls_after_the_main_task() -> None:
    """While async generators are closed, system tasks are gone, but a waiting task still serves."""
    kept: list[Any] = []
    results: list[str] = []

    async def main(with_token: bool) -> None:
        token = trio.lowlevel.current_trio_token() if with_token else None

        async def generator() -> Any:
            try:
                yield
            finally:
                with trio.CancelScope(shield=True):
                    try:
                        await trio.to_thread.run_sync(functools.partial(trio.from_thread.run, echo, 1, trio_token=token))
                    except trio.RunFinishedError as exc:
                        results.append(str(exc))
                    else:
                        results.append("served")

        kept.append(generator())
        await kept[-1].asend(None)

    trio.run(main, False)
    trio.run(main, True)
    assert results == ["served", "system nursery is closed"]


@pytest.mark.parametrize("abandon", [False, True])
def test_check_cancelled(abandon: bool) -> None:
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()

    def work(scope: trio.CancelScope) -> None:
        trio.from_thread.check_cancelled()
        answers.put("not yet")
        trio.from_thread.run_sync(scope.cancel, "enough")
        try:
            while True:
                trio.from_thread.check_cancelled()
        except trio.Cancelled as exc:
            answers.put(str(exc))
            raise

    async def main() -> None:
        with trio.CancelScope() as scope:
            await trio.to_thread.run_sync(work, scope, abandon_on_cancel=abandon)
        assert scope.cancelled_caught
        assert answers.get(timeout=5) == "not yet"
        assert answers.get(timeout=5).startswith("cancelled due to explicit with reason 'enough'")

    trio.run(main)


def test_check_cancelled_is_about_the_current_call() -> None:
    async def main() -> None:
        with trio.CancelScope() as scope:
            await trio.to_thread.run_sync(scope.cancel)
            with trio.CancelScope(shield=True):
                # The same thread, presumably, with a call that is not cancelled.
                await trio.to_thread.run_sync(trio.from_thread.check_cancelled)

    trio.run(main)


def test_cancellation_reaches_functions_served_by_the_task() -> None:
    async def main() -> None:
        def work(scope: trio.CancelScope) -> None:
            trio.from_thread.run_sync(scope.cancel)
            trio.from_thread.run_sync(int)  # no checkpoint, not cancelled
            with pytest.raises(trio.Cancelled):
                trio.from_thread.run(echo, 1)
            answers.append("thread went on")

        answers: list[str] = []
        with trio.CancelScope() as scope:
            await trio.to_thread.run_sync(work, scope)
            answers.append("task went on")
        assert answers == ["thread went on", "task went on"]
        assert not scope.cancelled_caught

    trio.run(main)


def test_there_and_back_again_and_again() -> None:
    def down(depth: int) -> int:
        return 0 if depth == 0 else 1 + trio.from_thread.run(up, depth - 1)

    async def up(depth: int) -> int:
        return await trio.to_thread.run_sync(down, depth)

    assert trio.run(up, 12) == 12


def test_several_foreign_threads_at_once() -> None:
    async def main() -> None:
        token = trio.lowlevel.current_trio_token()
        total = 0

        def add() -> None:
            nonlocal total
            total += 1

        def work() -> None:
            for _ in range(200):
                trio.from_thread.run_sync(add, trio_token=token)

        def race() -> None:
            threads = [threading.Thread(target=work) for _ in range(5)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        await trio.to_thread.run_sync(race)
        assert total == 1000

    trio.run(main)


@pytest.mark.skipif(not hasattr(trio, "_native"), reason="genuine Trio leaves this to the garbage collector")
@pytest.mark.parametrize("abandon", [False, True])
def test_exceptions_do_not_linger_in_cycles(abandon: bool) -> None:
    async def fail_async() -> None:
        raise Boom

    def fail() -> None:
        raise Boom

    def work() -> list[weakref.ref[Boom]]:
        refs = []
        try:
            trio.from_thread.run(fail_async)
        except Boom as exc:
            refs.append(weakref.ref(exc))
        try:
            trio.from_thread.run_sync(fail)
        except Boom as exc:
            refs.append(weakref.ref(exc))
        return refs

    async def main() -> None:
        gc.collect()
        gc.disable()
        try:
            refs = await trio.to_thread.run_sync(work, abandon_on_cancel=abandon)
            await trio.lowlevel.checkpoint()
            assert [ref() for ref in refs] == [None, None]
        finally:
            gc.enable()

    trio.run(main)
