"""Runs that are guests of another loop."""

from __future__ import annotations

import subprocess
import sys

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
