"""Programs that end at an awkward moment, or fork.

Each is a process of its own.  It has to end by itself within its time, with the exit status that it asked for, and to say
nothing on stderr but what is expected; being ended by a signal, such as a crash, shows as another status.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from .book import Book, run

PROJECT = Path(__file__).resolve().parents[2]
LIMIT = 30
OPENING = "import os, sys, threading, time, trio\nfrom tests.reliability.endings import *\n"
QUIET = ""


class Case(NamedTuple):
    """A program, how it ends, and what it may say."""

    script: str
    status: int = 0
    says: str = QUIET
    """A pattern for the whole of stderr."""


def wait_for_child(pid: int) -> int:
    """Wait for a forked process; its exit status, or minus the number of the signal that ended it."""
    import os

    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


LIVE_RUN = """
started = threading.Event()

async def forever():
    started.set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        left, right = trio.socket.socketpair()
        nursery.start_soon(right.recv, 1)
        while True:
            await trio.sleep(0.0001)
            await trio.to_thread.run_sync(int)
"""

CASES = {
    "exit in the main task": Case("async def main():\n    sys.exit(7)\ntrio.run(main)", 7),
    "exit in a child task": Case(
        """
async def child():
    sys.exit(7)

async def main():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(child)
        await trio.sleep_forever()

try:
    trio.run(main)
except BaseException as error:
    assert [type(part) for part in error.exceptions] == [SystemExit]
""",
    ),
    "end at once in the main task": Case("async def main():\n    os._exit(7)\ntrio.run(main)", 7),
    "the main thread ends while a daemon thread runs": Case(
        LIVE_RUN + "threading.Thread(target=trio.run, args=(forever,), daemon=True).start()\nstarted.wait()\ntime.sleep(0.05)",
    ),
    "the main thread ends while many daemon threads run": Case(
        LIVE_RUN
        + """
for _ in range(8):
    started.clear()
    threading.Thread(target=trio.run, args=(forever,), daemon=True).start()
    started.wait()
time.sleep(0.05)
""",
    ),
    "the main thread ends before a thread that runs": Case(
        """
async def main():
    await trio.sleep(0.3)
    print("done")

threading.Thread(target=trio.run, args=(main,)).start()
""",
    ),
    "a thread is abandoned": Case(
        """
async def main():
    with trio.move_on_after(0.05):
        await trio.to_thread.run_sync(time.sleep, 60, abandon_on_cancel=True)

trio.run(main)
""",
    ),
    "a run in a function registered with atexit": Case(
        "import atexit\natexit.register(trio.run, trio.sleep, 0.01)\ntrio.run(trio.sleep, 0)",
    ),
    "a run in a destructor at the very end": Case(
        """
class Late:
    def __del__(self, run=trio.run, sleep=trio.sleep):
        run(sleep, 0)

sys.late = Late()
""",
        0,
        r"(?s)(Exception ignored .*)?",
    ),
    "a guest run that is abandoned": Case(
        """
import warnings
calls = []

async def main():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        await trio.sleep_forever()

trio.lowlevel.start_guest_run(main, run_sync_soon_threadsafe=calls.append, done_callback=print)
for _ in range(20):
    if calls:
        calls.pop(0)()
    time.sleep(0.005)
""",
        0,
        r"(?s)(.*Trio guest run got abandoned.*)?",
    ),
    "awaitables and scopes at the end": Case(
        """
import warnings
warnings.simplefilter("ignore")
keep = [trio.sleep(1), trio.Event().wait(), trio.CancelScope(), trio.Lock(), trio.open_memory_channel(1)]
sys.keep = keep
""",
    ),
    "a suspended task at the end": Case(
        """
async def main():
    try:
        await trio.lowlevel.wait_task_rescheduled(lambda raise_cancel: trio.lowlevel.Abort.SUCCEEDED)
    finally:
        pass

async def crash():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(main)
        await trio.lowlevel.checkpoint()
        trio.lowlevel.current_trio_token().run_sync_soon(lambda: 1 / 0)
        await trio.sleep_forever()

try:
    trio.run(crash)
except trio.TrioInternalError as error:
    sys.kept = error
else:
    raise AssertionError
""",
        0,
        r"(?s).*",
    ),
    "Ctrl-C at the end of a run": Case(
        """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)

async def main():
    signal.raise_signal(signal.SIGINT)

trio.run(main)
""",
        -2,
        r"(?s)Traceback.*KeyboardInterrupt\n",
    ),
    "fork outside of a run": Case(
        """
trio.run(trio.to_thread.run_sync, int)
pid = os.fork()
trio.run(trio.to_thread.run_sync, int)
if pid:
    assert wait_for_child(pid) == 0
""",
        0,
        r"(?s)(.*DeprecationWarning.*fork.*)?",
    ),
    "fork in a worker thread, outside of a run of its own": Case(
        """
def fork():
    pid = os.fork()
    if pid == 0:
        try:
            assert not trio.lowlevel.in_trio_task()
            assert trio.run(trio.to_thread.run_sync, lambda: 5) == 5
            os._exit(3)
        finally:
            os._exit(4)
    return wait_for_child(pid)

async def main():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 0.1)
        assert await trio.to_thread.run_sync(fork) == 3
        assert await trio.to_thread.run_sync(lambda: 6) == 6

trio.run(main)
""",
        0,
        r"(?s)(.*(DeprecationWarning.*fork|might have collided).*)?",
    ),
    "fork in a task, and another program in the child": Case(
        """
async def main():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 0.1)
        pid = os.fork()
        if pid == 0:
            os.execv(sys.executable, [sys.executable, "-c", "raise SystemExit(3)"])
        assert await trio.to_thread.run_sync(wait_for_child, pid) == 3
        left, right = trio.socket.socketpair()
        with left, right:
            await left.send(b"x")
            assert await right.recv(1) == b"x"

trio.run(main)
""",
        0,
        r"(?s)(.*DeprecationWarning.*fork.*)?",
    ),
    "fork in a task, and the end of the child": Case(
        """
async def main():
    for _ in range(5):
        pid = os.fork()
        if pid == 0:
            os._exit(3)
        assert await trio.to_thread.run_sync(wait_for_child, pid) == 3
        await trio.sleep(0.001)

trio.run(main)
""",
        0,
        r"(?s)(.*DeprecationWarning.*fork.*)?",
    ),
    "multiprocessing by fork, runs on both sides": Case(
        """
import multiprocessing

def work(number):
    async def main():
        await trio.sleep(0.01)
        return await trio.to_thread.run_sync(lambda: number * number)

    return trio.run(main)

if __name__ == "__main__":
    trio.run(trio.to_thread.run_sync, int)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(work, range(20)) == [number * number for number in range(20)]
""",
        0,
        r"(?s)(.*DeprecationWarning.*fork.*)?",
    ),
}


def perform(case: Case) -> str:
    """Run a program; what was wrong, or nothing."""
    command = [sys.executable, "-W", "default", "-c", OPENING + case.script]
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return "it does not end"
    if done.returncode != case.status:
        return f"exit status {done.returncode}: {done.stderr[-600:]}"
    if "Fatal" in done.stderr or not re.fullmatch(case.says, done.stderr):
        return f"it says {done.stderr[-600:]!r}"
    return ""


def study(book: Book) -> None:
    """Every program, several times."""
    for name, case in CASES.items():
        for _ in range(book.amount(2, 10)):
            wrong = perform(case)
            book.check(name, not wrong, wrong)


if __name__ == "__main__":
    run(study)
