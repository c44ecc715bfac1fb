"""Ctrl-C: where it strikes at once, where it waits, and who gets it."""

from __future__ import annotations

import functools
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import trio
import trio.testing
from trio._core import _asyncgens, _run
from trio.lowlevel import currently_ki_protected, disable_ki_protection, enable_ki_protection

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


@enable_ki_protection
def protected(fn: Any) -> Any:
    return fn()


@disable_ki_protection
def unprotected(fn: Any) -> Any:
    return fn()


def test_outside_of_tasks() -> None:
    assert currently_ki_protected()
    assert protected(currently_ki_protected)
    assert not unprotected(currently_ki_protected)
    assert protected(lambda: unprotected(currently_ki_protected)) is False
    assert unprotected(lambda: protected(currently_ki_protected)) is True


def test_tasks() -> None:
    async def system(seen: list[bool]) -> None:
        seen.append(currently_ki_protected())

    async def main() -> None:
        assert not currently_ki_protected()
        assert protected(currently_ki_protected)
        assert not currently_ki_protected()
        seen: list[bool] = []
        trio.lowlevel.spawn_system_task(system, seen)
        trio.lowlevel.current_trio_token().run_sync_soon(lambda: seen.append(currently_ki_protected()))
        await trio.testing.wait_all_tasks_blocked()
        assert seen == [True, True]
        seen.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system, seen)  # an ordinary task this time
            nursery.start_soon(enable_ki_protection(functools.partial(system, seen).func), seen)
        # The mark is on the code, and the second spawn set it before either ran.
        assert seen == [True, True]

    trio.run(main)


def test_marks_survive_suspension() -> None:
    @enable_ki_protection
    async def generator() -> AsyncIterator[bool]:
        for _ in range(2):
            await trio.lowlevel.checkpoint()
            yield currently_ki_protected()

    @disable_ki_protection
    async def coroutine() -> bool:
        await trio.lowlevel.checkpoint()
        return currently_ki_protected()

    @enable_ki_protection
    def iterator() -> Iterator[bool]:
        yield currently_ki_protected()

    @enable_ki_protection
    async def main() -> None:
        assert currently_ki_protected()
        assert await coroutine() is False
        assert currently_ki_protected()

    async def plain() -> None:
        async for value in generator():
            assert value is True
            assert not currently_ki_protected()
        assert list(iterator()) == [True]

    trio.run(main)
    trio.run(plain)


def test_finalizers_are_protected() -> None:
    seen: list[bool] = []

    class Dying:
        def __del__(self) -> None:
            seen.append(currently_ki_protected())

    async def main() -> None:
        Dying()
        unprotected(Dying)

    trio.run(main)
    assert seen == [True, True]


def test_only_python_functions_can_be_marked() -> None:
    for builtin in (len, functools.partial(len), print):
        with pytest.raises(AttributeError, match="__code__"):
            enable_ki_protection(builtin)
        with pytest.raises(AttributeError, match="__code__"):
            disable_ki_protection(builtin)


def test_marks_return_the_function_itself() -> None:
    def function() -> None: ...

    assert enable_ki_protection(function) is function
    assert disable_ki_protection(function) is function
    assert not hasattr(function, "__wrapped__")


def test_other_threads_are_protected() -> None:
    async def main() -> None:
        assert await trio.to_thread.run_sync(currently_ki_protected)

    trio.run(main)


def test_strikes_at_once_in_a_task() -> None:
    reached: list[str] = []

    async def main() -> None:
        ctrl_c()
        reached.append("after")

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert reached == []


def test_waits_for_a_checkpoint_of_the_main_task() -> None:
    reached: list[str] = []

    @enable_ki_protection
    async def child() -> None:
        ctrl_c()
        reached.append("child goes on")
        await trio.sleep(0)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)
            try:
                await trio.sleep_forever()
            except KeyboardInterrupt:
                reached.append("main is told")
                raise

    with pytest.raises(BaseExceptionGroup) as info:
        trio.run(main)
    assert [type(exc) for exc in info.value.exceptions] == [KeyboardInterrupt]
    assert reached == ["child goes on", "main is told"]


def test_restricted_to_checkpoints() -> None:
    async def main() -> str:
        ctrl_c()
        ctrl_c()
        try:
            await trio.lowlevel.checkpoint()
        except KeyboardInterrupt:
            await trio.lowlevel.checkpoint()  # both have become one
            return "at the checkpoint"
        return "never"

    assert trio.run(main, restrict_keyboard_interrupt_to_checkpoints=True) == "at the checkpoint"


def test_never_delivered_means_raised_at_the_end() -> None:
    @enable_ki_protection
    async def main() -> None:
        ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)


def test_handler_comes_and_goes_with_the_run() -> None:
    async def main() -> Any:
        return signal.getsignal(signal.SIGINT)

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert trio.run(main) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("theirs", [signal.SIG_IGN, signal.SIG_DFL, lambda *args: None])
def test_handlers_of_others_are_respected(theirs: Any) -> None:
    async def main(set_it: bool) -> Any:
        if set_it:
            signal.signal(signal.SIGINT, theirs)
        return signal.getsignal(signal.SIGINT)

    for set_before in (True, False):
        try:
            if set_before:
                signal.signal(signal.SIGINT, theirs)
            assert trio.run(main, not set_before) == theirs
            assert signal.getsignal(signal.SIGINT) == theirs
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def test_runs_in_other_threads_leave_signals_alone() -> None:
    async def main() -> Any:
        return signal.getsignal(signal.SIGINT)

    handlers: list[Any] = []
    thread = threading.Thread(target=lambda: handlers.append(trio.run(main)))
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]


def test_in_a_function_served_for_a_thread() -> None:
    caught: list[str] = []

    async def strike_async() -> None:
        ctrl_c()

    def work() -> None:
        for call in (
            functools.partial(trio.from_thread.run_sync, ctrl_c),
            functools.partial(trio.from_thread.run, strike_async),
        ):
            try:
                call()
            except KeyboardInterrupt:
                caught.append("thread")

    async def main() -> None:
        await trio.to_thread.run_sync(work)

    trio.run(main)
    assert caught == ["thread", "thread"]


def test_while_the_main_task_waits_for_a_thread() -> None:
    """The interrupt is deferred (the wait is protected) and reaches the thread through check_cancelled."""

    def work() -> None:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # type: ignore[arg-type]
        for _ in range(1000):
            trio.from_thread.check_cancelled()
            gate.wait(0.01)

    gate = threading.Event()

    async def main() -> None:
        await trio.to_thread.run_sync(work)

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)


@pytest.mark.parametrize("moment", ["install", "uninstall"])
def test_while_a_run_is_set_up_or_taken_down(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run gets to its end, or is not begun; either way the thread is ready for the next."""

    class Struck(_asyncgens.AsyncGenerators):
        pass

    def strike_too(self: Any) -> None:
        ctrl_c()
        getattr(super(Struck, self), moment)()

    setattr(Struck, moment, strike_too)

    async def main() -> None:
        with pytest.raises(KeyboardInterrupt):
            await trio.sleep(0)
        raise KeyboardInterrupt

    async def short() -> None:
        pass

    with monkeypatch.context() as patch:
        patch.setattr(_run, "AsyncGenerators", Struck)
        with pytest.raises(KeyboardInterrupt):
            trio.run(main if moment == "install" else short)
    assert not trio.lowlevel.in_trio_run()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    trio.run(short)


def test_while_a_run_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        ctrl_c()
        raise OSError("no more descriptors")

    monkeypatch.setattr(_run, "begin_run", fail)
    with pytest.raises(KeyboardInterrupt):
        trio.run(trio.sleep, 0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_at_the_end_of_a_nursery() -> None:
    """The interpreter may look for signals after it has called ``__aexit__``, and before it awaits the result."""
    reached: list[str] = []

    async def main() -> None:
        manager = trio.open_nursery()
        nursery = await manager.__aenter__()
        nursery.start_soon(trio.sleep_forever)
        leaving = manager.__aexit__(None, None, None)
        ctrl_c()
        reached.append("the wait")
        await leaving

    with pytest.raises(BaseExceptionGroup) as info:
        trio.run(main)
    assert [type(exc) for exc in info.value.exceptions] == [KeyboardInterrupt]
    assert reached == ["the wait"]


def struck_at(number: int, block: Any) -> tuple[bool, list[BaseException]]:
    """Call ``block`` with Ctrl-C before the n-th bytecode of what it calls: was there one, and what has been raised?

    Not in ``block`` itself: between the instructions that begin and end a ``with`` the interpreter looks for no signals.
    """
    seen = 0

    def trace(frame: Any, event: str, arg: object) -> Any:
        nonlocal seen
        frame.f_trace_opcodes = True
        if event == "opcode" and frame.f_code is not block.__code__:
            seen += 1
            if seen == number:
                ctrl_c()
        return trace

    raised: list[BaseException] = []
    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 wants to know before it is told to trace
    sys.settrace(trace)
    try:
        block()
    except KeyboardInterrupt as exc:
        raised.append(exc)  # and with it every frame that it has passed
    finally:
        sys.settrace(before)
    return seen >= number, raised


@pytest.mark.parametrize("limit", [trio.fail_after, trio.fail_at])
def test_timeouts_cannot_be_split(limit: Any) -> None:
    """Wherever it strikes, the scope is either not entered or left again, and does not depend on who collects what."""

    def block() -> None:
        with limit(1e9):
            pass

    async def main(number: int) -> bool:
        hit, raised = struck_at(number, block)
        left_open = trio.current_effective_deadline() != float("inf")
        if hit and not raised:
            with pytest.raises(KeyboardInterrupt):
                await trio.lowlevel.checkpoint()
        assert not left_open, number
        return hit

    number = 1
    while trio.run(main, number):
        number += 1
    assert number > 20
