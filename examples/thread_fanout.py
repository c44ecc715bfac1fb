"""Blocking work in threads, four at a time, with progress in the event loop.

    python examples/thread_fanout.py [FOLDER]

Every file below a folder is hashed in a worker thread.  The threads report
what they have read through `from_thread`, so only the loop's thread touches
the numbers and no lock is needed.  Ctrl-C, or the time limit, ends the run at
the next block: `from_thread.check_cancelled` raises in the thread.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import trio

BLOCK = 1 << 16


class Progress:
    """What has been done so far; only touched in the event loop."""

    def __init__(self) -> None:
        self.files = 0
        self.bytes = 0

    def add(self, size: int) -> None:
        self.bytes += size

    async def show(self) -> None:
        while True:
            await trio.sleep(0.1)
            print(f"... {self.files} files, {self.bytes} bytes", file=sys.stderr)


def hash_file(path: Path, progress: Progress) -> str:
    """Runs in a thread."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            trio.from_thread.check_cancelled()
            state.update(block)
            trio.from_thread.run_sync(progress.add, len(block))
    return state.hexdigest()


async def hash_one(path: Path, results: dict[Path, str], progress: Progress, limiter: trio.CapacityLimiter) -> None:
    results[path] = await trio.to_thread.run_sync(hash_file, path, progress, limiter=limiter)
    progress.files += 1


async def main(folder: Path) -> None:
    progress = Progress()
    results: dict[Path, str] = {}
    limiter = trio.CapacityLimiter(4)
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(progress.show)
            async with trio.open_nursery() as workers:
                for path in sorted(folder.rglob("*")):
                    if path.is_file():
                        workers.start_soon(hash_one, path, results, progress, limiter)
            nursery.cancel_scope.cancel()
    for path in sorted(results):
        print(results[path][:16], path.relative_to(folder))
    print(f"{progress.files} files, {progress.bytes} bytes")


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1] if len(sys.argv) > 1 else "."))
