"""The library that makes system calls fail does so, and what was found with it stays mended.

Each test has a process of its own: a seccomp filter stays until the process ends.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.reliability.outside import why_not

PROJECT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")

OPENING = """
import errno, os, signal, socket, time
from tests.reliability.outside import EVER, Outside
outside = Outside()
"""


def in_a_process(script: str) -> None:
    command = [sys.executable, "-c", OPENING + script]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")


def test_calls_fail_by_plan_and_are_counted() -> None:
    in_a_process("""
outside.watch()
left, right = socket.socketpair()
outside.plan("sendto", errno.ECONNRESET, start=2, times=2)
left.send(b"1")
for _ in range(2):
    try:
        left.send(b"x")
    except ConnectionResetError:
        continue
    raise AssertionError
left.send(b"4")
assert outside.counts() == {"sendto": 4}
assert outside.end_plan() == 2
assert right.recv(10) == b"14"
""")


def test_after_a_false_eagain_there_is_an_edge() -> None:
    in_a_process("""
import select
left, right = socket.socketpair()
right.setblocking(False)
outside.watch()
poller = select.epoll()
poller.register(right, select.EPOLLIN | select.EPOLLET)
left.send(b"x")
assert len(poller.poll(0)) == 1 and poller.poll(0) == []
outside.plan("recvfrom", errno.EAGAIN)
try:
    right.recv(1)
except BlockingIOError:
    assert len(poller.poll(0)) == 1
assert right.recv(1) == b"x"
""")


def test_signals_come_when_they_should() -> None:
    in_a_process("""
arrived = []
signal.signal(signal.SIGUSR1, lambda *args: arrived.append(time.monotonic()))
started = time.monotonic()
outside.signal_in(signal.SIGUSR1, 0.05)
while not arrived and time.monotonic() < started + 5:
    time.sleep(0.001)
assert arrived and arrived[0] - started >= 0.05
outside.signal_in(signal.SIGUSR1, 0.05)
outside.signal_in(signal.SIGUSR1, 0)
time.sleep(0.1)
assert len(arrived) == 1
""")


# With no memory for either of the two ways to wake the loop there is none.
@pytest.mark.parametrize(("error", "times"), [("EINTR", 1), ("EINTR", 10), ("EAGAIN", 1), ("EAGAIN", 10), ("ENOMEM", 1)])
def test_a_wake_up_is_not_lost(error: str, times: int) -> None:
    """The loop sleeps; a thread's attempt to write to its event counter fails."""
    in_a_process(f"""
import trio

async def main():
    token = trio.lowlevel.current_trio_token()
    arrived = trio.Event()

    def call():
        time.sleep(0.05)  # until the loop sleeps
        outside.plan("write", errno.{error}, times={times})
        token.run_sync_soon(arrived.set)

    trio.lowlevel.start_thread_soon(call, lambda outcome: outcome.unwrap())
    with trio.fail_after(10):
        await arrived.wait()
    assert outside.end_plan() == {times}

outside.watch()
trio.run(main)
""")
