"""``produce | sort -r | read``: two child processes and a task, connected by streams.

    python examples/pipeline.py

`run_process` is started with `nursery.start` to get at the pipes of a child
while it runs.  Nothing waits for a whole output: each part copies what is there.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import trio
from trio.abc import ReceiveStream, SendStream

PROGRAM = "for n in range(1000): print(f'{n:03}')"


async def start(nursery: trio.Nursery, command: list[str], stdin: int | None = None) -> trio.Process:
    process: trio.Process = await nursery.start(partial(trio.run_process, command, stdin=stdin, stdout=subprocess.PIPE))
    return process


async def copy(source: ReceiveStream, sink: SendStream) -> None:
    """From a child's output to another child's input, and then say that this was all."""
    async with source, sink:
        async for data in source:
            await sink.send_all(data)


async def count_lines(source: ReceiveStream) -> None:
    text = b"".join([data async for data in source]).decode().split()
    print(f"{len(text)} lines, from {text[0]} to {text[-1]}")


async def main() -> None:
    async with trio.open_nursery() as nursery:
        producer = await start(nursery, [sys.executable, "-c", PROGRAM])
        sorter = await start(nursery, ["sort", "-r"], stdin=subprocess.PIPE)
        assert producer.stdout and sorter.stdin and sorter.stdout
        nursery.start_soon(copy, producer.stdout, sorter.stdin)
        nursery.start_soon(count_lines, sorter.stdout)
    print("exit statuses:", producer.returncode, sorter.returncode)


trio.run(main)
