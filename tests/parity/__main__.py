"""Compare the two sides on drawn programs: ``python -m tests.parity --ours PYTHON --genuine PYTHON``.

`python -m tools parity` makes the environments and calls this.  It replays the
kept programs first, then draws new ones, seed by seed; what differs is shrunk,
shown, and kept if ``--keep`` gives it a name.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Flaky

from .generate import programs
from .program import TABLE, statements_of
from .sides import Side, Sides, difference

CHUNK = 1000
REGRESSIONS = Path(__file__).parent / "regressions"


class Different(AssertionError):
    """The traces of a program differ."""


class Comparison:
    """A run of many programs."""

    def __init__(self, sides: Sides) -> None:
        self.sides = sides
        self.programs = 0
        self.steps = 0
        self.left_open = 0
        self.statements: Counter[str] = Counter()
        self.features: Counter[str] = Counter()
        self.failure: Optional[tuple[Any, Any, str]] = None

    def compare(self, program: dict[str, Any]) -> bool:
        """One program; the last one that fails is remembered, Hypothesis ends with the smallest."""
        ours, genuine = self.sides.traces(program)
        found = difference(ours, genuine)
        if found and self.sides.is_left_open(program, ours):
            self.left_open += 1
        elif found:
            self.failure = program, genuine, found
            return False
        self.programs += 1
        self.steps += len(genuine)
        rows = list(statements_of(program))
        self.statements.update(row.name for row in rows)
        self.features.update({row.feature for row in rows})
        return True

    def replay(self) -> bool:
        """The kept programs, live."""
        for file in sorted(REGRESSIONS.glob("*.json")):
            if not self.compare(json.loads(file.read_text())["program"]):
                print(f"kept program {file.stem}")
                return False
        return True

    def draw(self, number: int, examples: int) -> bool:
        """Programs of one seed; false if there was a difference."""

        @seed(number)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )
        @given(programs())
        def check(program: dict[str, Any]) -> None:
            if not self.compare(program):
                raise Different

        try:
            check()
        except (Different, Flaky) as error:
            print(f"seed {number}: {type(error).__name__}")
            return False
        return True


def explain(failure: tuple[Any, Any, str], name: str) -> None:
    """Show a program that differs, and keep it if it is to have a name."""
    program, genuine, found = failure
    print(f"{json.dumps(program)}\n{found}", flush=True)
    if name:
        kept = {"program": program, "trace": genuine}
        (REGRESSIONS / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")


def result(comparison: Comparison, options: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """What a run has shown, for the reliability report."""
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "ours": comparison.sides.ours.version(),
        "genuine": comparison.sides.genuine.version(),
        "seeds": [options.seed, options.seed + chunks(options) - 1],
        "programs": comparison.programs,
        "trace_lines": comparison.steps,
        "seconds": round(seconds),
        "differences": int(comparison.failure is not None),
        "left_open_by_genuine": comparison.left_open,
        "kinds_of_statements": len(TABLE),
        "kinds_of_statements_used": len(comparison.statements),
        "statements": sum(comparison.statements.values()),
        "programs_per_feature": dict(sorted(comparison.features.items())),
    }


def chunks(options: argparse.Namespace) -> int:
    """How many seeds a run takes."""
    return -(-options.examples // CHUNK)


def record(file: Path, entry: dict[str, Any]) -> None:
    """Put a result in the place of the last one on the same minor version of Python."""
    version = entry["python"].rsplit(".", 1)[0]
    kept = json.loads(file.read_text()) if file.is_file() else {}
    kept[version] = entry
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(dict(sorted(kept.items())), indent=2) + "\n")


def command_line() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m tests.parity", description=__doc__)
    parser.add_argument("--ours", required=True, metavar="PYTHON", help="an interpreter with this project's Trio")
    parser.add_argument("--genuine", required=True, metavar="PYTHON", help="one with genuine Trio")
    parser.add_argument("--examples", type=int, default=3000, help="how many programs to draw")
    parser.add_argument("--seed", type=int, default=0, help=f"the first seed; each gives {CHUNK} programs")
    parser.add_argument("--keep", default="", metavar="NAME", help="keep a program that differs as a regression test")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the result into a JSON file")
    parser.add_argument("--perturb", default="", help="spoil our side on purpose, to see that it is found")
    return parser


def main() -> int:
    """Compare until the first difference."""
    options = command_line().parse_args()
    comparison = Comparison(Sides(Side(options.ours, options.perturb), Side(options.genuine)))
    started = time.monotonic()
    try:
        if comparison.replay():
            for number in range(chunks(options)):
                left = options.examples - number * CHUNK
                if not comparison.draw(options.seed + number, min(CHUNK, left)):
                    break
        if comparison.failure is not None:
            explain(comparison.failure, options.keep)
        if options.write:
            record(options.write, result(comparison, options, time.monotonic() - started))
    finally:
        comparison.sides.close()
    failed = int(comparison.failure is not None)
    print(f"{comparison.programs} programs without a difference in {time.monotonic() - started:.0f} s")
    print(f"parity: {comparison.programs} passed, {failed} failed", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
