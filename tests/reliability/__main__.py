"""Run studies: ``python -m tests.reliability --ours PYTHON [--genuine PYTHON] [--long] [STUDY ...]``.

Each study has a process of its own, with the interpreter of ours.  One that crashes or does not end in time has failed,
whatever it had found until then.  The last line counts checks.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import report
from .catalogue import STUDIES, Entry

PROJECT = Path(__file__).resolve().parents[2]
TIME_FOR_QUICK, TIME_FOR_LONG = 240, 3000


def perform(entry: Entry, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run one study; what it has found, or that it did not get there."""
    file = folder / f"{entry.name}.json"
    # Without such a build, the study itself says that it is left out.
    interpreter = options.assertions if entry.build == "assertions" and options.assertions else options.ours
    command = [interpreter, "-m", f"tests.reliability.{entry.name}", "--result", str(file), "--seed", str(options.seed)]
    command += ["--long"] * options.long + (["--genuine", options.genuine] if options.genuine else [])
    limit = TIME_FOR_LONG if options.long else TIME_FOR_QUICK
    log = folder / f"{entry.name}.log"
    started = time.monotonic()
    with log.open("w") as output:
        try:
            run = subprocess.run(command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=limit)
            end = "" if run.returncode == 0 else f"exit status {run.returncode}"
        except subprocess.TimeoutExpired:
            end = f"not done after {limit} seconds"
    if not end:
        found: dict[str, Any] = json.loads(file.read_text())
        return found
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
    print(tail)
    failure = {"cases": 1, "failed": 1, "details": [end]}
    return {
        "study": entry.name,
        "set": "long" if options.long else "quick",
        "date": "",
        "seed": options.seed,
        "seconds": round(time.monotonic() - started, 1),
        "python": "",
        "trio": "",
        "checks": {"comes to its end": failure},
        "figures": [],
        "skipped": [],
    }


def show(book: dict[str, Any]) -> tuple[int, int, int]:
    """Print what a study has found; checks that passed, failed, and were left out."""
    failed = 0
    for name, check in book["checks"].items():
        if check["failed"]:
            failed += 1
            print(f"  FAILED {name}: {check['failed']} of {check['cases']} cases")
            for detail in check["details"]:
                print(f"    {detail}")
    for name, value in book["figures"]:
        print(f"  {name}: {value}")
    for reason in book["skipped"]:
        print(f"  left out: {reason}")
    cases = sum(check["cases"] for check in book["checks"].values())
    print(f"== {book['study']}: {len(book['checks'])} checks, {cases} cases, {book['seconds']} s", flush=True)
    return len(book["checks"]) - failed, failed, len(book["skipped"])


def main() -> int:
    """Run what was asked for, or everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("--ours", default=sys.executable, metavar="PYTHON", help="an interpreter with this project's trio")
    parser.add_argument("--assertions", default="", metavar="PYTHON", help="one with a build that has debug assertions")
    parser.add_argument("--genuine", default="", metavar="PYTHON", help="an interpreter with genuine Trio")
    parser.add_argument("--long", action="store_true", help="the long set")
    parser.add_argument("--write", action="store_true", help="keep the results below docs and make the page")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=", ".join(entry.name for entry in STUDIES))
    options = parser.parse_args()
    wanted = [entry for entry in STUDIES if not options.studies or entry.name in options.studies]
    total = (0, 0, 0)
    with tempfile.TemporaryDirectory() as folder:
        for entry in wanted:
            print(f"== {entry.name}: {entry.title}", flush=True)
            book = perform(entry, options, Path(folder))
            counts = show(book)
            total = (total[0] + counts[0], total[1] + counts[1], total[2] + counts[2])
            if options.write:
                report.keep(book)
    if options.write:
        report.write_page()
    print("reliability: {} passed, {} failed, {} skipped".format(*total))
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
