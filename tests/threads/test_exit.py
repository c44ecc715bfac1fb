"""The interpreter may end while worker threads of Trio sleep or wait for its lock."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """\
import trio

async def main():
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(trio.to_thread.run_sync, int)

trio.run(main)
"""


def test_threads_that_are_left_do_not_harm_the_end_of_the_process() -> None:
    # Whether a thread asks for the lock at the wrong moment is chance: about one time in two.
    processes = [subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=subprocess.PIPE) for _ in range(12)]
    endings = [(process.communicate()[1], process.returncode) for process in processes]
    assert endings == [(b"", 0)] * len(processes)
