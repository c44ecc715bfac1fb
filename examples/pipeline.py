"""``produce | sort -r | read``: two child processes and a task, connected by streams.

    python examples/pipeline.py

`run_process` is started with `nursery.start` to get at the pipes of a child
while it runs.  Nothing waits for a whole output: each part copies what is there.
"""

import subprocess
import sys

import trio

PROGRAM = "for n in range(1000): print(f'{n:03}')"


async def start(nursery, command, **options):
    return await nursery.start(lambda task_status: trio.run_process(command, task_status=task_status, **options))


async def copy(source, sink):
    """From a child's output to another child's input, and then say that this was all."""
    async with source, sink:
        async for data in source:
            await sink.send_all(data)


async def count_lines(source):
    text = b"".join([data async for data in source]).decode().split()
    print(f"{len(text)} lines, from {text[0]} to {text[-1]}")


async def main():
    async with trio.open_nursery() as nursery:
        pipe = subprocess.PIPE
        producer = await start(nursery, [sys.executable, "-c", PROGRAM], stdout=pipe)
        sorter = await start(nursery, ["sort", "-r"], stdin=pipe, stdout=pipe)
        nursery.start_soon(copy, producer.stdout, sorter.stdin)
        nursery.start_soon(count_lines, sorter.stdout)
    print("exit statuses:", producer.returncode, sorter.returncode)


trio.run(main)
