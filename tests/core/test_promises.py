"""What programs rely on most: scopes, nurseries and the errors for using them wrongly."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import warnings
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import trio
import trio.testing


def run_virtually(function: Callable[..., Awaitable[object]]) -> object:
    """Run on a clock that jumps whenever everybody waits."""
    return trio.run(function, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_relative_deadline_counts_from_entry() -> None:
    async def main() -> None:
        scope = trio.move_on_after(5)
        await trio.sleep(100)
        start = trio.current_time()
        with scope:
            await trio.sleep(60)
        assert trio.current_time() - start == 5
        assert scope.cancelled_caught

    run_virtually(main)


def test_scope_and_sleep_that_end_together_are_cancelled() -> None:
    async def main() -> None:
        with trio.move_on_after(3) as scope:
            await trio.sleep(3)
        assert scope.cancelled_caught

    run_virtually(main)


def test_cancellation_that_was_swallowed_comes_again() -> None:
    async def main() -> None:
        seen = 0
        with trio.CancelScope() as scope:
            scope.cancel("enough")
            for _ in range(3):
                try:
                    await trio.lowlevel.checkpoint()
                except trio.Cancelled as error:
                    assert error.source == "explicit"
                    assert error.reason == "enough"
                    seen += 1
        assert seen == 3
        assert not scope.cancelled_caught

    trio.run(main)


def test_cancelled_cannot_be_made_by_hand() -> None:
    with pytest.raises(TypeError, match=r"^trio\.Cancelled has no public constructor$"):
        trio.Cancelled()


def test_the_arguments_of_cancelled_are_its_attributes() -> None:
    async def main() -> None:
        with trio.CancelScope() as scope:
            scope.cancel(reason="enough")
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as error:
                assert error.args == ("explicit", repr(trio.lowlevel.current_task()), "enough")
                error.args = ("something else",)
                assert error.args == ("something else",)
                assert error.reason == "enough"
                raise

    trio.run(main)


def test_whether_a_scope_is_shielded_may_be_said_in_many_ways() -> None:
    for shield in (True, 1, "yes", [0]):
        assert trio.CancelScope(shield=shield).shield is True  # type: ignore[arg-type]
        assert trio.move_on_after(1, shield=shield).shield is True  # type: ignore[arg-type]
        assert trio.move_on_at(1, shield=shield).shield is True  # type: ignore[arg-type]
    for shield in (False, 0, "", None):
        assert trio.CancelScope(shield=shield).shield is False  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^shield must be a bool$"):
        trio.CancelScope().shield = 1  # type: ignore[assignment]


def test_native_classes_go_by_their_bare_names() -> None:
    things = (trio.Lock(), trio.Event(), trio.CancelScope(), trio.Semaphore(1), *trio.open_memory_channel[int](1))
    for thing in things:
        name = type(thing).__name__
        with pytest.raises(AttributeError, match=f"^'{name}' object has no attribute 'nonsense'$"):
            thing.nonsense  # type: ignore[union-attr]  # noqa: B018
        assert repr(type(thing)) == f"<class 'trio.{name}'>"
        assert type(thing).__final__ is True  # type: ignore[union-attr]


def test_how_far_a_native_coroutine_has_come() -> None:
    async def main() -> None:
        waiting: Any = trio.Event().wait()
        assert (waiting.cr_running, waiting.cr_suspended, waiting.cr_origin) == (False, False, None)
        waiting.send(None)
        assert (waiting.cr_running, waiting.cr_suspended) == (False, True)
        waiting.close()
        assert (waiting.cr_running, waiting.cr_suspended) == (False, False)

    trio.run(main)


def test_a_closed_nursery_takes_nobody_in() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            pass
        with pytest.raises(RuntimeError, match=r"^Nursery is closed to new arrivals$"):
            nursery.start_soon(trio.sleep, 0)

    trio.run(main)


def test_a_nursery_is_of_no_use_in_another_thread() -> None:
    async def main() -> None:
        errors: list[BaseException] = []

        def elsewhere() -> None:
            try:
                nursery.start_soon(trio.sleep, 0)
            except BaseException as error:
                errors.append(error)

        async with trio.open_nursery() as nursery:
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
        assert [type(error) for error in errors] == [AttributeError]

    trio.run(main)


def test_awaiting_something_of_asyncio_says_so() -> None:
    async def main() -> None:
        loop = asyncio.new_event_loop()
        try:
            await loop.create_future()
        finally:
            loop.close()

    with pytest.raises(TypeError, match="asyncio"):
        trio.run(main)


def test_calls_that_forget_the_function() -> None:
    async def main() -> None:
        pass

    with pytest.raises(TypeError, match="instead it got a coroutine object"):
        trio.run(main())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="appears to be synchronous"):
        trio.run(print)  # type: ignore[arg-type]


def test_forgotten_await_is_reported() -> None:
    async def main() -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            trio.sleep(1)
            gc.collect()
        assert ["never awaited" in str(warning.message) for warning in caught] == [True]

    trio.run(main)


class Thing:
    """Something that can be part of a cycle."""

    other: object


def test_cycles_through_nurseries_die() -> None:
    async def main() -> list[weakref.ref[Thing]]:
        references = []
        for _ in range(1000):
            thing = Thing()
            async with trio.open_nursery() as nursery:
                thing.other = nursery
                nursery.thing = thing  # type: ignore[attr-defined]
            references.append(weakref.ref(thing))
        return references

    references = trio.run(main)
    gc.collect()
    assert [reference for reference in references if reference() is not None] == []


def test_cycles_through_finished_tasks_die() -> None:
    async def main() -> list[weakref.ref[Thing]]:
        references = []

        async def child(thing: Thing) -> None:
            task = trio.lowlevel.current_task()
            thing.other = task
            task.custom_sleep_data = thing
            references.append(weakref.ref(thing))

        async with trio.open_nursery() as nursery:
            for _ in range(1000):
                nursery.start_soon(child, Thing())
        return references

    references = trio.run(main)
    gc.collect()
    assert [reference for reference in references if reference() is not None] == []


def test_cycles_through_unfinished_awaitables_die() -> None:
    references = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(1000):
            thing = Thing()
            thing.other = trio.lowlevel.wait_readable(thing)  # type: ignore[arg-type]
            references.append(weakref.ref(thing))
            del thing
        gc.collect()
    assert [reference for reference in references if reference() is not None] == []


@pytest.mark.parametrize("action", ["always", "error"])
def test_what_is_never_awaited_complains_beside_an_exception_that_is_on_its_way(
    action: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C, for one, can come between the call that makes an awaitable and its ``await``."""
    complaints: list[BaseException] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda event: complaints.append(event.exc_value))

    def let_go(exc: Exception) -> None:
        raise exc

    error = KeyError("on its way")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        with pytest.raises(KeyError) as info:
            print(trio.sleep(0), let_go(error))
    assert info.value is error
    if action == "error":
        assert [str(complaint) for complaint in complaints] == ["coroutine 'sleep' was never awaited"]
    else:
        assert [str(warning.message) for warning in caught] == ["coroutine 'sleep' was never awaited"]


@pytest.mark.parametrize(
    "call",
    [
        trio.current_time,
        trio.current_effective_deadline,
        trio.lowlevel.current_task,
        trio.lowlevel.current_clock,
        trio.lowlevel.current_root_task,
        trio.lowlevel.current_trio_token,
        trio.from_thread.check_cancelled,
        lambda: trio.from_thread.run_sync(int),
        lambda: trio.from_thread.run(trio.sleep, 0),
    ],
)
def test_errors_about_the_place_of_a_call_hide_what_was_handled_there(call: Callable[[], object]) -> None:
    with pytest.raises(RuntimeError, match=r"must be called from async context|wasn't created by Trio") as info:
        try:
            raise KeyError
        except KeyError:
            call()
    assert info.value.__suppress_context__ and info.value.__cause__ is None
