"""Faults inside the loop itself.

Whatever it is that breaks, the promise to the user is the same: the run ends with `trio.TrioInternalError` whose cause
is the fault, in a run of its own as well as in a guest run, on whichever side of the poll it happens; and the thread is
left in a state in which the next run works.

The faults are real ones: a clock that fails, an abort function that breaks its contract, a failing call from outside, and
an epoll instance (epoll_wait(2)) that is pulled out from under the loop, in the loop's thread and in the thread in which a
guest run waits.
"""

from __future__ import annotations

import gc
import os
import queue
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import sniffio

import trio
import trio.lowlevel
import trio.testing
from trio._core import _thread_cache

Main = Callable[[], Awaitable[object]]
Runner = Callable[..., object]


def run_as_guest(main: Main, **options: Any) -> object:
    """Run ``main`` as the guest of a host loop that does nothing else."""
    calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
    outcomes: list[Any] = []
    trio.lowlevel.start_guest_run(main, run_sync_soon_threadsafe=calls.put, done_callback=outcomes.append, **options)
    while not outcomes:
        calls.get(timeout=10)()
    return outcomes.pop().unwrap()


@pytest.fixture(params=[trio.run, run_as_guest], ids=["run", "guest"])
def run(request: pytest.FixtureRequest) -> Runner:
    """Both ways to run Trio."""
    runner: Runner = request.param
    return runner


def descriptors() -> dict[int, str]:
    """What is open, by number, as the kernel names it."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            pass  # the directory itself, while it was being listed
    return found


def epoll_instances() -> set[int]:
    return {fd for fd, what in descriptors().items() if what == "anon_inode:[eventpoll]"}


def collect_all() -> None:
    """A coroutine that is collected may come back to life once, and with it all that it refers to."""
    for _ in range(2):
        gc.collect()


@pytest.fixture(autouse=True)
def nothing_stays_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After a crash the thread is as it was, and ready for another run."""
    # Tasks that a crash leaves suspended complain when they are collected, and they are right.
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    collect_all()
    before, handler, hooks = (
        descriptors(),
        signal.getsignal(signal.SIGINT),
        sys.get_asyncgen_hooks(),
    )
    yield
    collect_all()
    assert signal.getsignal(signal.SIGINT) is handler
    assert sys.get_asyncgen_hooks() == hooks
    assert sniffio.thread_local.name is None
    assert not trio.lowlevel.in_trio_run()
    assert descriptors() == before

    async def add(a: int, b: int) -> int:
        await trio.lowlevel.checkpoint()
        return a + b

    assert trio.run(add, 1, 2) == 3


class Fault(Exception):
    """What goes wrong on purpose."""


class FaultyClock(trio.abc.Clock):
    """A clock that stands still, until it is told which of its methods is to fail."""

    def __init__(self, broken: str = "") -> None:
        self.broken = broken

    def _check(self, method: str) -> None:
        if self.broken == method:
            raise Fault(method)

    def start_clock(self) -> None:
        self._check("start_clock")

    def current_time(self) -> float:
        self._check("current_time")
        return 0.0

    def deadline_to_sleep_time(self, deadline: float) -> float:
        self._check("deadline_to_sleep_time")
        return 0.0  # so that the loop asks again at once


def crash(run: Runner, main: Main, **options: Any) -> BaseException:
    """The cause of the internal error that running ``main`` ends in, without groups around it."""
    with pytest.raises(trio.TrioInternalError) as caught:
        run(main, **options)
    cause = caught.value.__cause__
    while hasattr(cause, "exceptions"):
        (cause,) = cause.exceptions
    assert cause is not None
    return cause


async def sleep_long() -> None:
    await trio.sleep(1000)


def test_clock_that_does_not_start(run: Runner) -> None:
    async def main() -> None:
        raise AssertionError("not reached")

    assert str(crash(run, main, clock=FaultyClock("start_clock"))) == "start_clock"


@pytest.mark.parametrize("method", ["current_time", "deadline_to_sleep_time"])
def test_clock_that_stops_working(run: Runner, method: str) -> None:
    clock = FaultyClock()

    async def main() -> None:
        with trio.move_on_after(1000):
            clock.broken = method
            await trio.sleep_forever()

    assert str(crash(run, main, clock=clock)) == method


@pytest.mark.parametrize(
    ("answer", "kind", "complaint"),
    [
        ("soon", TypeError, r"^deadline_to_sleep_time of <Sundial> must return a number, not str$"),
        (None, TypeError, r"^deadline_to_sleep_time of <Sundial> must return a number, not NoneType$"),
        (float("nan"), ValueError, r"^deadline_to_sleep_time of <Sundial> returned NaN$"),
    ],
)
def test_clock_that_gives_no_number(run: Runner, answer: Any, kind: type[Exception], complaint: str) -> None:
    class Sundial(FaultyClock):
        def __repr__(self) -> str:
            return "<Sundial>"

        def deadline_to_sleep_time(self, deadline: float) -> float:
            return answer  # type: ignore[no-any-return]

    cause = crash(run, sleep_long, clock=Sundial())
    assert type(cause) is kind
    assert re.match(complaint, str(cause))


def test_clock_whose_time_is_no_number(run: Runner) -> None:
    class Sundial(FaultyClock):
        def current_time(self) -> float:
            return "noon" if self.broken else 0.0  # type: ignore[return-value]

    clock = Sundial()

    async def main() -> None:
        with trio.move_on_after(1000):
            clock.broken = "the weather"
            await trio.sleep_forever()

    cause = crash(run, main, clock=clock)
    assert isinstance(cause, TypeError)
    assert "current_time of" in str(cause)


def test_times_below_zero_are_zero(run: Runner) -> None:
    async def main() -> None:
        await trio.testing.wait_all_tasks_blocked(-1)
        await trio.sleep(1)

    run(main, clock=trio.testing.MockClock(autojump_threshold=-1))


def test_abort_function_that_returns_none(run: Runner) -> None:
    async def main() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await trio.lowlevel.wait_task_rescheduled(lambda _: None)  # type: ignore[arg-type,return-value]

    with pytest.raises(trio.TrioInternalError):
        run(main)


def test_abort_function_that_raises(run: Runner) -> None:
    def abort(_: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        raise Fault("abort")

    async def main() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await trio.lowlevel.wait_task_rescheduled(abort)

    assert str(crash(run, main)) == "abort"


def test_abort_function_that_raises_at_a_deadline(run: Runner) -> None:
    def abort(_: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        raise Fault("abort")

    async def main() -> None:
        with trio.move_on_after(0.01):
            await trio.lowlevel.wait_task_rescheduled(abort)

    assert str(crash(run, main)) == "abort"


@pytest.mark.parametrize("idempotent", [False, True])
def test_call_from_outside_that_raises(run: Runner, idempotent: bool) -> None:
    def call() -> None:
        raise Fault("call")

    async def main() -> None:
        token = trio.lowlevel.current_trio_token()
        token.run_sync_soon(call, idempotent=idempotent)
        await trio.sleep_forever()

    assert str(crash(run, main)) == "call"


def test_system_task_that_raises(run: Runner) -> None:
    async def system_task() -> None:
        raise Fault("system task")

    async def main() -> None:
        trio.lowlevel.spawn_system_task(system_task)
        await trio.sleep_forever()

    assert str(crash(run, main)) == "system task"


class Saboteur:
    """Finds the run's epoll instance and replaces it by something that cannot be polled."""

    def __init__(self) -> None:
        self._others = epoll_instances()

    def strike(self) -> None:
        found = epoll_instances() - self._others
        assert found
        with open(os.devnull, "rb") as unpollable:
            for fd in found:
                os.dup2(unpollable.fileno(), fd, inheritable=False)


def test_poll_that_fails(run: Runner) -> None:
    saboteur = Saboteur()

    async def main() -> None:
        saboteur.strike()
        await trio.sleep(1000)

    assert isinstance(crash(run, main), OSError)


def test_poll_that_fails_while_tasks_are_runnable(run: Runner) -> None:
    saboteur = Saboteur()

    async def main() -> None:
        saboteur.strike()
        while True:
            await trio.lowlevel.checkpoint()

    assert isinstance(crash(run, main), OSError)


def test_poll_that_fails_in_the_waiting_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a guest run the fault of another thread crosses over to the host's."""
    saboteur = Saboteur()
    struck_in: list[object] = []

    class SabotagedCache(_thread_cache.ThreadCache):
        def start_thread_soon(
            self,
            fn: Callable[[], Any],
            deliver: Callable[[Any], object],
            name: str | None = None,
        ) -> None:
            def sabotaged() -> Any:
                struck_in.append(trio.lowlevel.in_trio_run())
                saboteur.strike()
                return fn()

            super().start_thread_soon(sabotaged, deliver, name)

    async def main() -> None:
        monkeypatch.setattr(_thread_cache, "THREAD_CACHE", SabotagedCache())
        await trio.sleep(1000)

    assert isinstance(crash(run_as_guest, main), OSError)
    assert struck_in == [False]


def test_other_tasks_do_not_swallow_the_fault(run: Runner) -> None:
    """There is no scope, no ``except`` and no ``finally`` between a broken loop and the caller."""
    clock = FaultyClock()

    async def stubborn() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stubborn)
            try:
                with trio.move_on_after(1000):
                    await trio.lowlevel.checkpoint()
                    clock.broken = "deadline_to_sleep_time"
                    await trio.sleep_forever()
            except Exception:
                pass

    assert str(crash(run, main, clock=clock)) == "deadline_to_sleep_time"


def test_what_a_crash_leaves_dies_amid_the_next_run(run: Runner) -> None:
    """Scopes and nurseries of the one run, whose blocks end in the other, must not be taken for that one's."""
    clock = FaultyClock()
    refused: list[str] = []

    async def first() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                with trio.move_on_after(1000):
                    await trio.lowlevel.checkpoint()
                    clock.broken = "deadline_to_sleep_time"
                    await trio.sleep_forever()
            finally:
                try:
                    nursery.start_soon(trio.sleep_forever)
                except RuntimeError as error:
                    refused.append(str(error))

    gc.disable()
    try:
        with pytest.raises(trio.TrioInternalError) as caught:
            run(first, clock=clock)
        kept = [caught.value]
        del caught

        async def second() -> int:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(trio.sleep, 0)
                    kept.clear()
                    collect_all()
                    assert nursery.child_tasks
                await trio.lowlevel.checkpoint()
            assert not scope.cancelled_caught
            return 1

        assert run(second) == 1
        assert run(second) == 1
    finally:
        gc.enable()
    assert refused == ["Nursery is closed to new arrivals"]
