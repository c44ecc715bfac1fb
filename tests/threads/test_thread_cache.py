"""`trio.lowlevel.start_thread_soon` and the cache of workers behind it."""

from __future__ import annotations

import contextvars
import gc
import os
import queue
import subprocess
import sys
import threading
import time
import warnings
import weakref
from typing import Any

import pytest

import trio
import trio.testing
from trio.lowlevel import start_thread_soon


class Mailbox:
    """Collects what is delivered, from whatever thread."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def __call__(self, outcome: Any) -> None:
        self.queue.put(outcome)

    def get(self) -> Any:
        return self.queue.get(timeout=10).unwrap()


def test_outcome_is_delivered_in_the_same_thread() -> None:
    where: queue.SimpleQueue[int] = queue.SimpleQueue()
    results = []

    def deliver(outcome: Any) -> None:
        results.append(outcome)
        where.put(threading.get_ident())

    start_thread_soon(threading.get_ident, deliver)
    assert where.get(timeout=10) == results[0].unwrap() != threading.get_ident()


def test_exceptions_are_outcomes_too() -> None:
    mailbox = Mailbox()
    for error in (ValueError(), KeyboardInterrupt(), SystemExit(), GeneratorExit()):

        def fail(error: BaseException = error) -> None:
            raise error

        start_thread_soon(fail, mailbox)
        with pytest.raises(type(error)) as info:
            mailbox.get()
        assert info.value is error


def test_works_without_a_run_and_from_any_thread() -> None:
    mailbox = Mailbox()
    start_thread_soon(lambda: start_thread_soon(lambda: "nested", mailbox), lambda outcome: None)
    assert mailbox.get() == "nested"


def test_a_job_started_on_delivery_reuses_the_thread() -> None:
    idents: list[int] = []
    done = threading.Event()

    def deliver(outcome: Any) -> None:
        idents.append(outcome.unwrap())
        if len(idents) < 5:
            start_thread_soon(threading.get_ident, deliver)
        else:
            done.set()

    start_thread_soon(threading.get_ident, deliver)
    assert done.wait(10)
    assert len(set(idents)) == 1


def test_busy_workers_are_left_alone() -> None:
    gate = threading.Event()
    mailbox = Mailbox()

    def work() -> int:
        gate.wait()
        return threading.get_ident()

    for _ in range(5):
        start_thread_soon(work, mailbox)
    gate.set()
    assert len({mailbox.get() for _ in range(5)}) == 5


def test_error_in_deliver_is_printed_and_survived(capfd: pytest.CaptureFixture[str]) -> None:
    done = threading.Event()

    def deliver(outcome: Any) -> None:
        done.set()
        raise ZeroDivisionError("in deliver")

    start_thread_soon(int, deliver)
    assert done.wait(10)
    mailbox = Mailbox()
    err = ""
    for _ in range(100):
        start_thread_soon(int, mailbox)
        assert mailbox.get() == 0
        err += capfd.readouterr().err
        if "in deliver" in err:
            break
        time.sleep(0.01)
    assert "Exception while delivering result of thread" in err
    assert "ZeroDivisionError: in deliver" in err


def test_names_end_with_the_job() -> None:
    mailbox = Mailbox()
    start_thread_soon(threading.current_thread, mailbox, "just now")
    thread = mailbox.get()
    assert thread.name.startswith("Trio thread ")
    start_thread_soon(lambda: threading.current_thread().name, mailbox, name="just now")
    assert mailbox.get() == "just now"
    start_thread_soon(lambda: threading.current_thread().name, mailbox)
    assert mailbox.get().startswith("Trio thread ")


def test_odd_names() -> None:
    mailbox = Mailbox()
    for name in ("", "\0", "\udc80", "é" * 40):
        start_thread_soon(lambda: threading.current_thread().name, mailbox, name)
        assert mailbox.get() == name


def test_thread_does_not_inherit_the_context() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    variable.set("starter's")
    gate = threading.Event()
    mailbox = Mailbox()

    def work() -> str:
        gate.wait()
        return variable.get()

    for _ in range(3):  # some of them surely on a new thread
        start_thread_soon(work, mailbox)
    gate.set()
    assert [mailbox.get() for _ in range(3)] == ["unset"] * 3


def test_idle_worker_refers_to_nothing_of_its_last_job() -> None:
    class Thing:
        def __call__(self, *args: object) -> Thing:
            return self

    fn, deliver = Thing(), Thing()
    refs = [weakref.ref(fn), weakref.ref(deliver)]
    start_thread_soon(fn, deliver)
    del fn, deliver
    deadline = time.monotonic() + 10
    while any(ref() is not None for ref in refs) and time.monotonic() < deadline:
        time.sleep(0.001)
        gc.collect()
    assert [ref() for ref in refs] == [None, None]


def test_idle_workers_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    from trio._core import _thread_cache

    monkeypatch.setattr(_thread_cache, "IDLE_TIMEOUT", 0.01)
    mailbox = Mailbox()
    cache = _thread_cache.ThreadCache()
    cache.start_thread_soon(threading.current_thread, mailbox)
    thread = mailbox.get()
    thread.join(10)
    assert not thread.is_alive()
    # Nobody is at home, so this needs a new one.
    cache.start_thread_soon(threading.current_thread, mailbox)
    assert mailbox.get() is not thread


def test_leaving_and_being_chosen_do_not_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that come just when workers give up waiting: none may be lost."""
    from trio._core import _thread_cache

    monkeypatch.setattr(_thread_cache, "IDLE_TIMEOUT", 0.0005)
    mailbox = Mailbox()
    cache = _thread_cache.ThreadCache()
    for n in range(300):
        cache.start_thread_soon(lambda n=n: n, mailbox)  # type: ignore[misc]
        assert mailbox.get() == n
        time.sleep(0.0001 * (n % 10))


def test_refusal_to_start_a_thread_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    from trio._core import _thread_cache

    def refuse(self: object) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        limiter = trio.CapacityLimiter(1)
        gate = threading.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, gate.wait)
            await trio.testing.wait_all_tasks_blocked()
            with monkeypatch.context() as patch:
                patch.setattr(threading.Thread, "start", refuse)
                patch.setattr(_thread_cache, "THREAD_CACHE", _thread_cache.ThreadCache())
                with pytest.raises(RuntimeError, match="can't start new thread"):
                    await trio.to_thread.run_sync(int, limiter=limiter)
            assert limiter.borrowed_tokens == 0
            assert trio.testing.active_thread_count() == 1
            gate.set()
        assert await trio.to_thread.run_sync(int, limiter=limiter) == 0

    trio.run(main)


def test_forked_child_starts_afresh() -> None:
    mailbox = Mailbox()
    start_thread_soon(threading.get_ident, mailbox)
    mailbox.get()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            start_thread_soon(lambda: "alive", mailbox)
            os._exit(0 if mailbox.get() == "alive" else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_interpreter_exits_past_idle_and_busy_workers() -> None:
    code = (
        "import trio, time\n"
        "trio.lowlevel.start_thread_soon(lambda: time.sleep(60), print)\n"
        "async def main():\n"
        "    await trio.to_thread.run_sync(int)\n"
        "trio.run(main)\n"
        "print('end')\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (result.returncode, result.stdout, result.stderr) == (0, "end\n", "")


@pytest.fixture
def gate() -> Any:
    """A new gate; genuine Trio has none."""
    return pytest.importorskip("trio._native").Gate()


def test_a_gate_lets_one_pass_per_opening(gate: Any) -> None:
    assert gate.acquire()  # open at first
    assert not gate.acquire(0)
    gate.release()
    gate.release()  # open is open
    assert gate.acquire(timeout=0.01)
    assert not gate.acquire(timeout=0.01)


@pytest.mark.parametrize("timeout", [10, -1, 1e300])
def test_a_gate_wakes_the_thread_that_waits(gate: Any, timeout: float) -> None:
    gate.acquire()
    passed: queue.SimpleQueue[bool] = queue.SimpleQueue()
    waiting = threading.Thread(target=lambda: passed.put(gate.acquire(timeout)))
    waiting.start()
    with pytest.raises(queue.Empty):
        passed.get(timeout=0.02)
    gate.release()
    assert passed.get(timeout=10)
    waiting.join()


def test_worker_that_ends_of_an_error_is_not_chosen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from trio._core import _thread_cache

    class BrokenGate:
        """Cannot be waited at."""

        def acquire(self, timeout: float = -1) -> bool:
            if timeout > 0:
                raise OSError("broken gate")
            return True

        def release(self) -> None:
            pass

    complaints: queue.SimpleQueue[Any] = queue.SimpleQueue()
    monkeypatch.setattr(threading, "excepthook", complaints.put)
    monkeypatch.setattr(_thread_cache, "Lock", BrokenGate)
    cache, mailbox = _thread_cache.ThreadCache(), Mailbox()
    for _ in range(3):
        cache.start_thread_soon(threading.current_thread, mailbox)
        mailbox.get().join(timeout=10)
        assert str(complaints.get(timeout=10).exc_value) == "broken gate"
