"""Workers, and the order in which they are asked.

`compare` measures one case: it finds for each side how many operations fill a
round, and then takes rounds in which every side has its turn, the first one
being another each time.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple, Optional

from .case import Case

PROJECT = Path(__file__).resolve().parents[1]
MOST_OPERATIONS = 1 << 22


class Figures(NamedTuple):
    """What the rounds of one side gave, per operation and in the case's unit."""

    median: float
    low: float  # first quartile
    high: float  # third quartile
    rounds: int
    number: int  # operations per round


class SideFailed(Exception):
    """A worker died or could not run a case."""


class Worker:
    """One side's process, started when it is first asked."""

    def __init__(self, side: str, python: str) -> None:
        self.side = side
        self.python = python
        self.process: Optional[subprocess.Popen[str]] = None
        self.hello: dict[str, str] = {}

    def start(self) -> subprocess.Popen[str]:
        """Start the process if there is none, and read what it says about itself."""
        if self.process is None:
            self.process = subprocess.Popen(
                [self.python, "-m", "benchmarks.worker", self.side],
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self.hello = json.loads(self.read(self.process))
        return self.process

    def read(self, process: subprocess.Popen[str]) -> str:
        """One answer of the process."""
        assert process.stdout is not None
        line: str = process.stdout.readline()
        if not line:
            self.stop()
            raise SideFailed(f"the worker of {self.side} has died")
        return line

    def measure(self, case: Case, n: int) -> Optional[float]:
        """The amount that ``n`` operations took; None if the side does not have the case."""
        if case.fresh:
            self.stop()
        process = self.start()
        assert process.stdin is not None
        process.stdin.write(json.dumps({"case": case.name, "n": n}) + "\n")
        process.stdin.flush()
        amount: Optional[float] = json.loads(self.read(process))
        return amount

    def stop(self) -> None:
        """End the process, which any further question starts again."""
        process, self.process = self.process, None
        if process is not None:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.close()
            process.wait()
            process.stdout.close()


def fitting_number(worker: Worker, case: Case, seconds: float) -> Optional[int]:
    """How many operations fill a round on this side; None if it does not have the case."""
    if case.number is not None:
        return None if worker.measure(case, 1) is None else case.number
    n = 16
    while True:
        amount = worker.measure(case, n)
        if amount is None:
            return None
        if amount >= seconds or n >= MOST_OPERATIONS:
            return max(1, round(n * seconds / amount)) if amount else n
        n *= 8 if amount * 8 < seconds else 2


def compare(case: Case, workers: list[Worker], rounds: int, seconds: float) -> dict[str, Optional[Figures]]:
    """Measure one case on all sides, in turn."""
    numbers = {worker.side: fitting_number(worker, case, seconds) for worker in workers}
    taking_part = [worker for worker in workers if numbers[worker.side] is not None]
    taken: dict[str, list[float]] = {worker.side: [] for worker in taking_part}
    scale = {"ns": 1e9, "ms": 1e3, "B": 1.0}[case.unit]
    for turn in range(rounds):
        first = turn % max(1, len(taking_part))
        for worker in taking_part[first:] + taking_part[:first]:
            n = numbers[worker.side]
            assert n is not None
            amount = worker.measure(case, n)
            assert amount is not None
            taken[worker.side].append(amount / n * scale)
    figures: dict[str, Optional[Figures]] = dict.fromkeys(worker.side for worker in workers)
    for side, values in taken.items():
        low, _, high = quantiles(values, n=4) if len(values) > 1 else values * 3
        number = numbers[side]
        assert number is not None
        figures[side] = Figures(median(values), low, high, len(values), number)
    return figures
