"""``python -m tests.compat``: upstream's suite against an installed ``trio``.

Exit status: 0 when nothing failed, 1 when something did, 2 when the suite could
not be run.  The last line is always of the form
``compat: N passed, N failed, N errors, N skipped, N excluded of N``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Optional

from . import overlay
from .exclusions import Exclusion, first_match, parse
from .fetch import VERSION, CannotRun, genuine_wheel
from .runner import Session, restore_signals
from .tally import Tally

HERE = Path(__file__).resolve().parent
MOST_PROCESSES = 100
MOST_ALIKE = 20  # failures with the same last line that are listed one by one


def say(text: str) -> None:
    """Print a line of ours, recognisable between the lines of pytest."""
    print(f"compat: {text}", flush=True)


def options_from(arguments: Optional[list[str]]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.compat", description=__doc__)
    add = parser.add_argument
    add(
        "--python",
        default=sys.executable,
        help="interpreter whose trio is tested (default: this one)",
    )
    add("--run-slow", action="store_true", help="include what upstream marks as slow")
    add(
        "--only",
        action="append",
        default=[],
        metavar="ID",
        help="a folder, file or test id; repeatable",
    )
    add(
        "--exclude-file",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="further exclusions",
    )
    add("--stall", type=float, default=300.0, metavar="S", help="seconds without news before a kill")
    add("--dev", action="store_true", help="run the tests under python -X dev")
    add("--log", type=Path, metavar="FILE", help="write pytest's output there, not to stdout")
    add("--json", type=Path, metavar="FILE", help="write every result there")
    add("pytest", nargs="*", metavar="-- ARGUMENT", help="more arguments for pytest")
    options = parser.parse_args(arguments)
    found = shutil.which(options.python)
    if found is None:
        raise CannotRun(f"there is no interpreter {options.python}")
    options.python = os.path.abspath(found)  # a venv's link, not what it points to
    return options


def collect_reference(target: overlay.Target, wheel: Path, options: argparse.Namespace, work: Path) -> list[str]:
    """The test ids that the genuine wheel has under this interpreter."""
    root = work / "genuine"
    overlay.build_genuine(target, wheel, root)
    tally = Tally()
    session = Session(target.python, root, work)
    arguments = ["--collect-only", "-qq", *options.pytest]
    ending = session.watch(tally.take, arguments, options.only, [], subprocess.DEVNULL)
    if not tally.finished or not tally.collected:
        raise CannotRun(f"upstream's tests could not be listed: {ending}")
    for module, text in tally.broken.items():
        raise CannotRun(f"upstream's {module} cannot be imported here:\n{text}")
    return tally.collected


def run_all(
    session: Session,
    reference: list[str],
    exclusions: list[Exclusion],
    options: argparse.Namespace,
    output: Optional[int],
) -> tuple[Tally, list[str]]:
    """Run pytest until every test has a result; a crash costs the test that was running."""
    tally = Tally()
    problems: list[str] = []
    excluded = [test for test in reference if first_match(test, exclusions)]
    arguments = ["--run-slow"] if options.run_slow else []
    arguments += [f"--ignore={session.root / e.pattern}" for e in exclusions if e.pattern.endswith(".py")]
    for _ in range(MOST_PROCESSES):
        booked = len(tally.results)
        tally.finished = False
        drop = excluded + list(tally.results)
        ending = session.watch(tally.take, arguments + options.pytest, options.only, drop, output)
        victim = tally.take_crash(str(ending))
        if tally.finished and ending.status in (0, 1, 5):
            return tally, problems
        if tally.finished and ending.status != 2:
            return tally, [*problems, f"after the last test: {ending}"]
        say(f"{victim or 'between two tests'}: {ending}; going on in a new process")
        if victim is None:
            problems.append(f"between two tests: {ending}")
        if len(tally.results) == booked:
            return tally, [*problems, "a new process made no progress"]
    return tally, [*problems, f"gave up after {MOST_PROCESSES} processes"]


def report(tally: Tally, unknown: list[str], problems: list[str]) -> int:
    """Print what needs attention and the closing line; return the exit status."""
    alike: dict[tuple[str, str], list[str]] = {}
    for test, result in sorted(tally.results.items()):
        if result.column in ("failed", "errors"):
            alike.setdefault((result.column, result.summary[:160]), []).append(test)
    for (column, summary), tests in alike.items():
        if len(tests) > MOST_ALIKE:
            tests = [f"{len(tests)} tests, {tests[0]} the first"]
        for test in tests:
            say(f"{column}: {test}: {summary}")
    for problem in problems:
        say(f"problem: {problem}")
    if unknown:
        say(f"{len(unknown)} tests are not on upstream's list: {', '.join(unknown[:5])}")
    print(tally.line, flush=True)
    return 1 if problems or tally.count("failed") or tally.count("errors") else 0


def run(options: argparse.Namespace, work: Path) -> int:
    """The whole command, in a folder that is deleted afterwards."""
    target = overlay.Target(options.python, work)
    files = [HERE / "exclusions.txt", *options.exclude_file]
    if target.needs_backport:
        files.append(HERE / "exclusions-py39.txt")
    exclusions = [entry for file in files for entry in parse(file)]
    wheel = genuine_wheel(options.python)
    overlay.build_ours(target, wheel, work / "ours")
    reference = collect_reference(target, wheel, options, work)
    if not options.only and not options.pytest:
        for entry in exclusions:
            if not any(entry.covers(test) for test in reference):
                say(f"the exclusion {entry.pattern} matches no test")
    say(f"trio {VERSION}: {len(reference)} tests on Python {'.'.join(map(str, target.version))}")

    interpreter = ("-X", "dev") if options.dev else ()
    session = Session(target.python, work / "ours", work, options.stall, interpreter)
    output = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644) if options.log else None
    tally, problems = run_all(session, reference, exclusions, options, output)
    unknown = tally.reconcile(reference, exclusions)
    if options.json:
        results = {test: result._asdict() for test, result in sorted(tally.results.items())}
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    return report(tally, unknown, problems)


def main(arguments: Optional[list[str]] = None) -> int:
    """Run the command; see the module's text for the exit status."""
    restore_signals()
    try:
        options = options_from(arguments)
        with tempfile.TemporaryDirectory(prefix="compat-") as folder:
            return run(options, Path(folder).resolve())
    except CannotRun as error:
        say(f"cannot run: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
