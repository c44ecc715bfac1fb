"""Start a program that does nothing and wait for its end."""

from __future__ import annotations

import asyncio
import shutil
from subprocess import DEVNULL
from time import perf_counter

from ..case import Case

ORDER = 110
PROGRAM = shutil.which("true") or "true"


async def trio_process(n: int) -> float:
    import trio

    begin = perf_counter()
    for _ in range(n):
        await trio.run_process([PROGRAM], stdin=DEVNULL)
    return perf_counter() - begin


async def asyncio_process(n: int) -> float:
    begin = perf_counter()
    for _ in range(n):
        process = await asyncio.create_subprocess_exec(PROGRAM, stdin=DEVNULL)
        await process.wait()
    return perf_counter() - begin


CASES = [Case("process", "run_process", trio_process, asyncio_process, 10)]
