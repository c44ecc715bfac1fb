"""``python -m benchmarks``: measure, print, and write reports."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path

from . import report
from .case import SIDES, Case, all_cases
from .rounds import PROJECT, SideFailed, Worker, compare

DOCUMENTED = PROJECT / "docs" / "figures" / "benchmarks.json"
QUICK = (5, 0.005)  # rounds, seconds per round
FULL = (25, 0.03)


def options_from_command_line() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--ours", default=sys.executable, metavar="PYTHON", help="environment with this project")
    add("--genuine", metavar="PYTHON", help="environment with genuine Trio and uvloop")
    add("--side", action="append", choices=SIDES, help="measure only this side; repeatable")
    add("--quick", action="store_true", help="few and short rounds: does it work at all?")
    add("--rounds", type=int, help=f"rounds per case (default: {FULL[0]})")
    add("--list", action="store_true", help="name the cases and stop")
    add("--json", type=Path, metavar="FILE", help="write all figures there")
    add("--markdown", type=Path, metavar="FILE", help="write the table there")
    add("--readme", action="store_true", help="write the table into README.md")
    add("--docs", action="store_true", help=f"write all figures to {DOCUMENTED.relative_to(PROJECT)}, for the charts")
    add(
        "cases",
        nargs="*",
        metavar="CASE",
        help="names or patterns such as 'timeout*' (default: all)",
    )
    options = parser.parse_args()
    if options.docs and (options.cases or options.side):
        parser.error("the documentation shows all cases and all sides")
    return options


def chosen(patterns: list[str]) -> list[Case]:
    """The cases that the command line asks for."""
    cases = all_cases()
    for pattern in patterns:
        if not any(fnmatch(name, pattern) for name in cases):
            raise SystemExit(f"no case {pattern}; there are: {', '.join(cases)}")
    return [case for name, case in cases.items() if not patterns or any(fnmatch(name, pattern) for pattern in patterns)]


def workers(options: argparse.Namespace) -> list[Worker]:
    """One worker per side, with the interpreter that has what the side needs."""
    genuine = options.genuine or options.ours
    sides = options.side or (SIDES if options.genuine else ("ours", "asyncio"))
    found = []
    for side in sides:
        python = options.ours if side == "ours" else genuine
        path = shutil.which(python)
        if path is None:
            raise SystemExit(f"there is no interpreter {python}")
        found.append(Worker(side, os.path.abspath(path)))
    return found


def main() -> int:
    """Run the command; the exit status is 1 if a case could not be measured."""
    options = options_from_command_line()
    cases = chosen(options.cases)
    if options.list:
        for case in cases:
            print(f"{case.name:24} {case.title}")
        return 0
    rounds, seconds = QUICK if options.quick else FULL
    rounds = options.rounds or rounds
    rows: list[report.Row] = []
    failed = False
    sides = workers(options)
    print(report.text_heading())
    for case in cases:
        try:
            row = report.Row(case, compare(case, sides, rounds, seconds))
        except SideFailed as error:
            print(f"{case.title:40} {error}", flush=True)
            failed = True
            continue
        rows.append(row)
        print(report.text_line(row), flush=True)
    versions = {worker.side: worker.hello.get("version", "?") for worker in sides}
    python = sides[0].hello.get("python", "?")
    for worker in sides:
        worker.stop()
    setting = report.describe(versions, python, rounds)
    print(setting.sentence)
    write(options, rows, setting)
    return int(failed)


def write(options: argparse.Namespace, rows: list[report.Row], setting: report.Setting) -> None:
    """The reports that were asked for."""
    for file in [options.json, DOCUMENTED if options.docs else None]:
        if file:
            file.write_text(report.as_json(rows, setting), encoding="utf-8")
    table = report.as_markdown(rows, setting)
    if options.markdown:
        options.markdown.write_text(table + "\n", encoding="utf-8")
    if options.readme:
        report.put_into(PROJECT / "README.md", table)


if __name__ == "__main__":
    sys.exit(main())
