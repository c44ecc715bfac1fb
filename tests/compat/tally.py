"""Results by test id, booked against the ids of the genuine wheel.

A `Tally` takes events while pytest processes run (there may be several, one
after the other, when tests crash) and is closed once with `reconcile`, which
gives every reference id that has no result yet the column it belongs to.
Invariant after that: ``len(results)`` is the denominator, and the five columns
add up to it.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from .exclusions import Exclusion, first_match
from .runner import Event

COLUMNS = ("passed", "failed", "errors", "skipped", "excluded")


class Result(NamedTuple):
    """Where a test id is counted, and the text that explains it."""

    column: str
    text: str = ""
    seconds: float = 0.0

    @property
    def summary(self) -> str:
        """The last line of the text that says anything."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        return lines[-1] if lines else ""


class Tally:
    """One suite's results."""

    def __init__(self) -> None:
        self.results: dict[str, Result] = {}
        self.collected: list[str] = []
        self.broken: dict[str, str] = {}  # modules that could not be imported
        self.absent: dict[str, str] = {}  # modules that skipped themselves
        self.running: Optional[str] = None
        self.finished = False

    def take(self, event: Event) -> None:
        """Account for one event of a pytest process."""
        kind, *details = event
        if kind == "collected":
            self.collected = details[0]
        elif kind == "broken":
            self.broken[details[0]] = details[1]
        elif kind == "absent":
            self.absent[details[0]] = details[1]
        elif kind == "start":
            self.running = details[0]
        elif kind == "phase":
            self.take_phase(*details)
        elif kind == "end":
            self.running = None
        elif kind == "finish":
            self.finished = True

    def take_phase(self, test: str, when: str, outcome: str, text: str, seconds: float) -> None:
        """Merge one of set-up, call and tear-down; the worst column of the three stays."""
        before = self.results.get(test, Result("passed"))
        column = outcome
        if outcome == "failed" and when != "call":
            column = "errors"
        elif outcome == "skipped":
            column = "skipped"  # an expected failure is reported like this, too
        if column == "passed" or before.column in ("failed", "errors"):
            column, text = before.column, before.text
        self.results[test] = Result(column, text, before.seconds + seconds)

    def take_crash(self, why: str) -> Optional[str]:
        """Book the test that was running when its process ended; return its id."""
        victim, self.running = self.running, None
        if victim is not None:
            self.results[victim] = Result("errors", f"{why} during this test")
        return victim

    def reconcile(self, reference: list[str], exclusions: list[Exclusion]) -> list[str]:
        """Give each reference id a column; return the ids that are not upstream's."""
        for test in reference:
            if test not in self.results:
                self.results[test] = self.without_result(test, exclusions)
        known = set(reference)
        return [test for test in self.results if test not in known]

    def without_result(self, test: str, exclusions: list[Exclusion]) -> Result:
        """Why upstream has a test that has not run here."""
        entry = first_match(test, exclusions)
        if entry is not None:
            return Result("excluded", entry.reason)
        module = test.partition("::")[0]
        if module in self.absent:
            return Result("skipped", self.absent[module])
        if module in self.broken:
            return Result("errors", self.broken[module])
        return Result("errors", "upstream has this test, here it was not collected or not run")

    def count(self, column: str) -> int:
        """How many test ids a column has."""
        return sum(result.column == column for result in self.results.values())

    @property
    def line(self) -> str:
        """The line that closes a run."""
        columns = ", ".join(f"{self.count(column)} {column}" for column in COLUMNS)
        return f"compat: {columns} of {len(self.results)}"
