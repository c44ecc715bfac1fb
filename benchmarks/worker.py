"""A process that runs cases on one side.

``python -m benchmarks.worker SIDE`` reads one JSON request per line,
``{"case": NAME, "n": COUNT}``, and answers each with the measured amount.  The
first line it writes says which versions it has.  It ends at the end of input.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version

from .case import TRIO_SIDES, Measured, all_cases

Run = Callable[[Measured, int], float]


def run_trio(measured: Measured, n: int) -> float:
    import trio

    return trio.run(measured, n)


def run_asyncio(measured: Measured, n: int) -> float:
    async def main() -> float:
        return await measured(n)

    return asyncio.run(main())


def run_uvloop(measured: Measured, n: int) -> float:
    import uvloop

    async def main() -> float:
        return await measured(n)

    loop = uvloop.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        result: float = loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return result


RUN: dict[str, Run] = {
    "ours": run_trio,
    "genuine": run_trio,
    "asyncio": run_asyncio,
    "uvloop": run_uvloop,
}


def version_of(side: str) -> str:
    """The version of what a side measures."""
    if side in TRIO_SIDES:
        return version("trio")
    if side == "uvloop":
        return version("uvloop")
    return platform.python_version()


def main(side: str) -> None:
    """Answer requests until there are no more."""
    cases = all_cases()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a case or its children print is not an answer
    hello = {"version": version_of(side), "python": platform.python_version()}
    print(json.dumps(hello), file=answers)
    for line in sys.stdin:
        request = json.loads(line)
        case = cases[request["case"]]
        measured = case.trio if side in TRIO_SIDES else case.asyncio
        amount = None
        if measured is not None:
            gc.collect()
            amount = RUN[side](measured, request["n"])
        print(json.dumps(amount), file=answers)


if __name__ == "__main__":
    main(sys.argv[1])
