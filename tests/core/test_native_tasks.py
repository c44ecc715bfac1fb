"""Tasks of functions that are native: the loop runs them without a coroutine object, until somebody asks for it."""

from __future__ import annotations

import gc
import inspect
import sys
import traceback
import weakref
from contextvars import Context, ContextVar
from typing import Any

import pytest

import trio
import trio.testing
from trio.lowlevel import Task, current_task

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

variable: ContextVar[Any] = ContextVar("variable")


def newest_child(nursery: trio.Nursery) -> Task:
    return max(nursery.child_tasks, key=lambda task: task._counter)  # type: ignore[attr-defined, no-any-return]


def state(task: Task) -> str:
    return inspect.getcoroutinestate(task.coro)


def test_the_coroutine_is_in_the_state_that_it_should_be_in() -> None:
    async def main() -> None:
        event = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(event.wait)
            early = newest_child(nursery)
            nursery.start_soon(event.wait)
            late = newest_child(nursery)
            assert state(early) == "CORO_CREATED"
            await trio.testing.wait_all_tasks_blocked()
            assert state(early) == "CORO_SUSPENDED"
            assert state(late) == "CORO_SUSPENDED"
            assert late.coro is late.coro
            assert [frame.f_code.co_name for frame, _ in late.iter_await_frames()] == [late.coro.cr_code.co_name]
            nursery.start_soon(event.wait)
            ended = newest_child(nursery)
            await trio.testing.wait_all_tasks_blocked()
            event.set()
        for task in (early, late, ended):
            assert state(task) == "CORO_CLOSED"
            assert list(task.iter_await_frames()) == []
        assert early.coro.__qualname__ == "Event.wait"
        assert early.coro.__name__ == "wait"

    trio.run(main)


def test_a_task_goes_on_after_somebody_has_looked() -> None:
    async def main() -> None:
        send, receive = trio.open_memory_channel[int](0)
        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(send.send, number)
                assert number % 2 or newest_child(nursery).coro
            await trio.testing.wait_all_tasks_blocked()
            assert [task.coro for task in nursery.child_tasks]
            await trio.testing.wait_all_tasks_blocked()
            assert sorted([await receive.receive() for _ in range(4)]) == [0, 1, 2, 3]

    trio.run(main)


def test_a_coroutine_that_replaces_another_awaits_it() -> None:
    """What greenlet bridges do."""
    steps: list[str] = []

    async def around(coroutine: Any) -> None:
        steps.append("before")
        await coroutine
        steps.append("after")

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.lowlevel.checkpoint)
            task = newest_child(nursery)
            task.coro = around(task.coro)  # type: ignore[misc]
        assert steps == ["before", "after"]

    trio.run(main)


def test_an_error_says_where_it_comes_from() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, -1)

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(main)
    (error,) = caught.value.exceptions
    assert isinstance(error, ValueError)
    (frame,) = traceback.extract_tb(error.__traceback__)
    assert frame.line is not None
    assert "await" in frame.line


def test_cancellation_and_results() -> None:
    async def main() -> tuple[int, bool]:
        with trio.move_on_after(0) as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                nursery.start_soon(trio.Event().wait)
        send, receive = trio.open_memory_channel[int](1)
        send.send_nowait(5)
        return await receive.receive(), scope.cancelled_caught

    assert trio.run(main) == (5, True)


def test_the_function_of_a_run_may_be_native() -> None:
    send, receive = trio.open_memory_channel[int](1)
    send.send_nowait(5)
    assert trio.run(receive.receive) == 5  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must be non-negative"):
        trio.run(trio.sleep, -1)


class Witness:
    """An object whose end can be seen."""


def test_a_context_that_holds_its_own_task_dies_with_it() -> None:
    ends: list[weakref.ref[Witness]] = []

    async def child() -> None:
        witness = Witness()
        ends.append(weakref.ref(witness))
        variable.set((current_task(), witness))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(child)
        gc.collect()
        assert [end() for end in ends] == [None] * 10

    trio.run(main)


def test_a_context_outlives_its_task() -> None:
    kept: list[Context] = []

    async def child(number: int) -> None:
        variable.set(number)
        kept.append(current_task().context)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(child, number)

    trio.run(main)
    gc.collect()
    assert sorted(context[variable] for context in kept) == list(range(100))
    assert all(gc.is_tracked(context) for context in kept)
    del kept[:]
    gc.collect()


def test_a_context_can_be_replaced_while_the_task_runs() -> None:
    async def child() -> None:
        before, after = current_task().context, Context()
        after.run(variable.set, "after")
        variable.set("before")
        current_task().context = after
        await trio.lowlevel.checkpoint()
        assert variable.get() == "after"
        assert before[variable] == "before"
        assert gc.is_tracked(before)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)

    trio.run(main)
    gc.collect()


@pytest.mark.filterwarnings("ignore:.*:pytest.PytestUnraisableExceptionWarning")
def test_contexts_of_a_crashed_run_die_with_it() -> None:
    ends: list[weakref.ref[Witness]] = []

    async def child() -> None:
        witness = Witness()
        ends.append(weakref.ref(witness))
        variable.set((current_task(), witness))
        del witness
        await trio.sleep_forever()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)
            nursery.start_soon(child)
            await trio.testing.wait_all_tasks_blocked()
            trio.lowlevel.current_trio_token().run_sync_soon(crash)
            await trio.sleep_forever()

    def crash() -> None:
        raise ZeroDivisionError

    with pytest.raises(trio.TrioInternalError):
        trio.run(main)
    for _ in range(3):
        gc.collect()
    assert [end() for end in ends] == [None, None]
