"""The process that runs programs: a request per line, and an answer.

A request is a list of programs as JSON, the answer a list of their traces.  One
process runs many programs, so nothing of one may reach the next: the garbage
collector runs between two programs only, and whatever is warned, logged or
reported by finalizers until then belongs to the trace.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import logging
import queue
import sys
import warnings
from typing import Any

import trio
import trio._core._run as scheduler
import trio.testing

from . import statements
from .machine import Machine
from .trace import HERE, tree

PATIENCE = 10.0
EVERY = 50

assert statements.ALL


class Listener(logging.Handler):
    """Write what is logged into the trace."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self.machine = machine

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info and record.exc_info[1]
        self.machine.log("log", record.name, record.levelname, record.getMessage(), tree(error or None))


def run_program(program: dict[str, Any]) -> list[Any]:
    """The trace of a program."""
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[attr-defined]
    scheduler._r.seed(program["seed"])  # type: ignore[attr-defined]
    clock = trio.testing.MockClock(autojump_threshold=0)
    machine = Machine(program, clock)
    listener = Listener(machine)
    logging.getLogger("trio").addHandler(listener)

    def show(message: Any, category: type[Warning], filename: str, line: int, *rest: object) -> None:
        where = "in the program" if filename.startswith(HERE) else "elsewhere"
        machine.log("warning", category.__name__, str(message), where)

    def unraisable(what: Any) -> None:
        machine.log("unraisable", tree(what.exc_value), what.err_msg)

    before, sys.unraisablehook = sys.unraisablehook, unraisable
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = show  # type: ignore[assignment]
            finish(machine)
    finally:
        sys.unraisablehook = before
        logging.getLogger("trio").removeHandler(listener)
    return machine.trace


class Regular(trio.abc.Instrument):
    """Makes the loop look for events in every turn, as ours does not if nobody watches."""

    def before_io_wait(self, timeout: float) -> None:
        pass


def start(machine: Machine) -> object:
    """Run the machine, by itself or as a guest."""
    options: dict[str, Any] = {"clock": machine.clock, "strict_exception_groups": machine.program["strict"]}
    if machine.program.get("regular"):
        options["instruments"] = [Regular()]
    if not machine.program.get("guest"):
        return trio.run(machine.main, **options)
    calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
    done: list[Any] = []
    trio.lowlevel.start_guest_run(machine.main, run_sync_soon_threadsafe=calls.put, done_callback=done.append, **options)
    while not done:
        calls.get()()
    return done.pop().unwrap()


def finish(machine: Machine) -> None:
    """Run the machine and add how it ended."""
    try:
        machine.log("result", start(machine))
    except BaseException as error:
        machine.trace.append(["error", tree(error)])
    machine.log("at the end", machine.clock.current_time(), machine.steps)


def hurried() -> Any:
    """A checkpoint that lets nobody else run."""
    return trio.lowlevel.checkpoint_if_cancelled()


def perturb(how: str) -> None:
    """Spoil this side, so that it can be seen that the comparison notices."""
    if how == "checkpoint":
        trio.lowlevel.checkpoint = hurried
    elif how == "order":
        shuffle = scheduler._r.shuffle  # type: ignore[attr-defined]
        scheduler._r.shuffle = lambda batch: (shuffle(batch), batch.reverse())  # type: ignore[attr-defined]
    elif how:
        raise SystemExit(f"unknown perturbation {how}")


def serve() -> None:
    """Answer requests until there are no more."""
    perturb(sys.argv[1] if len(sys.argv) > 1 else "")
    gc.disable()
    gc.collect()
    gc.freeze()
    done = 0
    for line in sys.stdin:
        traces = []
        for program in json.loads(line):
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
            traces.append(run_program(program))
            done += 1
            if done % EVERY == 0:
                gc.collect()
        faulthandler.cancel_dump_traceback_later()
        sys.stdout.write(json.dumps(traces) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
