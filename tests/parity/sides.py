"""The two sides, each a worker process that is started anew when it dies, and what counts as a difference."""

from __future__ import annotations

import json
import subprocess
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple, Optional

# The trace of a worker that died, and its status if it did so because a program waits for ever. Where ours ends like that the
# genuine one has to end, too; with which status does not matter, as CPython sometimes crashes over the report of the stacks.
ENDED = "the process ended"
OUT_OF_TIME = 1
PROJECT = Path(__file__).resolve().parents[2]


class Side:
    """One worker."""

    def __init__(self, python: str, perturbation: str = "") -> None:
        self.python = python
        self.command = [python, "-m", "tests.parity.worker", perturbation]
        self.process: Optional[subprocess.Popen[str]] = None

    def ask(self, programs: list[Any]) -> None:
        """Send programs to it."""
        if self.process is None:
            self.process = subprocess.Popen(self.command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(programs) + "\n")
        self.process.stdin.flush()

    def answer(self) -> list[Any]:
        """The traces; a worker that died has one trace that says so."""
        assert self.process is not None and self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            traces: list[Any] = json.loads(line)
            return traces
        status = self.process.wait()
        self.close()
        return [[[ENDED, status]]]

    def version(self) -> str:
        """The version of its Trio."""
        code = "import importlib.metadata as m; print(m.version('trio'))"
        return subprocess.run([self.python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()

    def close(self) -> None:
        """End the worker."""
        process, self.process = self.process, None
        if process is not None:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.close()
            process.kill()
            process.wait()
            process.stdout.close()


# How often the genuine Trio is asked again.
ATTEMPTS = 64


class Sides(NamedTuple):
    """This project's Trio and the genuine one."""

    ours: Side
    genuine: Side

    def traces(self, program: dict[str, Any]) -> tuple[Any, Any]:
        """Both traces of a program."""
        for side in self:
            side.ask([program])
        ours, genuine = (side.answer()[0] for side in self)
        return ours, genuine

    def is_left_open(self, program: dict[str, Any], trace: list[Any]) -> bool:
        """Does the genuine Trio, too, sometimes give this trace of a program?

        It keeps some tasks in sets, whose order follows from addresses. If tasks in one of them are woken together, the same
        program with the same seed takes one course or another. Ours is right then if it is one of those that are seen.
        """
        self.genuine.ask([program] * ATTEMPTS)
        return trace in self.genuine.answer()

    def close(self) -> None:
        """End both workers."""
        for side in self:
            side.close()


def difference(ours: list[Any], genuine: list[Any]) -> str:
    """Where two traces part, or nothing."""
    if ours == genuine or (ours == [[ENDED, OUT_OF_TIME]] and genuine[0][0] == ENDED):
        return ""
    shared: list[Any] = []
    for mine, other in zip_longest(ours, genuine):
        if mine != other:
            before = "".join(f"  {json.dumps(line)}\n" for line in shared[-8:])
            return f"{before}ours    {json.dumps(mine)}\ngenuine {json.dumps(other)}"
        shared.append(mine)
    return "equal as values only"
