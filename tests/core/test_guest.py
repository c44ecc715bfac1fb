"""Runs that are guests of another loop."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import trio

ENDING_EARLY = """
import queue, sys, time
import trio

calls = queue.SimpleQueue()

def call_soon_threadsafe(function):
    calls.put(function)
    time.sleep(0.2)  # in the worker thread, whose call returns when the interpreter is being finalised

def done(outcome):
    calls.put(None)

class Late:
    def __del__(self, sleep=time.sleep):
        sleep(0.6)  # meanwhile the worker thread wakes up

sys.late = Late()  # this module would be kept alive by the worker thread
trio.lowlevel.start_guest_run(
    trio.sleep, 0.01,
    run_sync_soon_threadsafe=call_soon_threadsafe, run_sync_soon_not_threadsafe=calls.put, done_callback=done,
)
while (function := calls.get()) is not None:
    function()
print("done")
"""


def test_the_interpreter_may_end_while_a_worker_thread_calls_the_host() -> None:
    finished = subprocess.run([sys.executable, "-c", ENDING_EARLY], capture_output=True, text=True, timeout=30)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "done\n", "")


REFUSED_FOR_GOOD = """
import functools, sys
import trio

calls, kept, outcomes = [], [], []

def call_soon(function):
    if kept:
        raise ValueError("no more calls")
    calls.append(function)

async def main():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        kept.append(trio.lowlevel.current_root_task())
        await trio.lowlevel.checkpoint()

trio.lowlevel.start_guest_run(main, run_sync_soon_threadsafe=call_soon, done_callback=outcomes.append)
try:
    while True:
        calls.pop()()
except ValueError:
    print(type(outcomes[0].error).__name__)
# The interpreter lets go of these when it has been taken apart but for the last collection.
sys.set_asyncgen_hooks(firstiter=functools.partial(print, kept))
del calls, kept, outcomes, main, call_soon
"""


class Host:
    """A loop that refuses calls from a certain one on."""

    def __init__(self, accepted: int) -> None:
        self.accepted = accepted
        self.calls: deque[Callable[[], object]] = deque()
        self.outcomes: list[Any] = []

    def call_soon(self, function: Callable[[], object]) -> None:
        if not self.accepted:
            raise LookupError("no more calls")
        self.accepted -= 1
        self.calls.append(function)

    def run(self) -> None:
        while not self.outcomes:
            self.calls.popleft()()


async def busy() -> None:
    while True:
        await trio.lowlevel.checkpoint()


@pytest.fixture
def without_complaints(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For tasks that are left: their nurseries wait for each other even when the interpreter closes them."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    yield
    for _ in range(5):  # they come back to life at first
        gc.collect()
        trio.lowlevel.in_trio_run()  # what native code lets go of outside of a run is dropped when it is called next


@pytest.mark.usefixtures("without_complaints")
@pytest.mark.parametrize("accepted", [1, 2, 5])
def test_a_host_that_refuses_a_call_sees_its_error_and_is_told_that_the_run_has_ended(accepted: int) -> None:
    host = Host(accepted)
    trio.lowlevel.start_guest_run(busy, run_sync_soon_threadsafe=host.call_soon, done_callback=host.outcomes.append)
    with pytest.raises(LookupError, match="no more calls"):
        host.run()
    (outcome,) = host.outcomes
    with pytest.raises(trio.TrioInternalError) as told:
        outcome.unwrap()
    assert isinstance(told.value.__cause__, LookupError)
    assert not trio.lowlevel.in_trio_run()
    trio.run(trio.sleep, 0)


@pytest.mark.usefixtures("without_complaints")
def test_a_host_that_refuses_the_first_call_has_no_run() -> None:
    host = Host(0)
    with pytest.raises(LookupError, match="no more calls"):
        trio.lowlevel.start_guest_run(trio.sleep, 0, run_sync_soon_threadsafe=host.call_soon, done_callback=host.outcomes.append)
    assert host.outcomes == []
    assert not trio.lowlevel.in_trio_run()
    trio.run(trio.sleep, 0)


def test_tasks_of_a_run_that_could_not_go_on_may_live_until_the_interpreter_ends() -> None:
    finished = subprocess.run([sys.executable, "-c", REFUSED_FOR_GOOD], capture_output=True, text=True, timeout=30)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "TrioInternalError\n", "")
