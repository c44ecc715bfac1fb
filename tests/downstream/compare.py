"""``python -m tests.downstream.compare``: the second tier, about twenty other packages, ours and genuine Trio in turn.

For each of `packages.PACKAGES` a virtual environment is made with genuine Trio and the newest of everything that the
package asks for. Its tests are run there; then our wheel takes genuine Trio's place, as it does where users move, and
they are run again. Nothing else differs between the two runs, so a test that ends otherwise is ours to explain. Tests
that fail on both sides say something about the package and its other dependencies, or about this machine.

A test that ends in more than one way is not rare in suites that count milliseconds. So where a test differs, both runs
are done once more: what is *different* ended in ways that the other side did not show at all, what is *unsteady* did not.
A difference that is there by design is *known*: the package's entry gives the reason.

Prints a line per package; the last one is ``downstream: N passed, N failed, N skipped``, where a package counts as one.
Exit status: 0 if no package has different tests, else 1. ``--write`` keeps the counts for the documentation.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Optional

from . import environment, results, sources
from .packages import PACKAGES
from .results import Outcomes
from .sources import CannotRun
from .suites import PYTEST, Suite

GENUINE = "trio==0.35.0"
FIGURES = Path(__file__).resolve().parents[2] / "docs" / "figures" / "ecosystem.json"
SIDES = ("genuine", "ours")
VERSION_OF = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"


class Verdict(NamedTuple):
    """What two sides have, by test."""

    different: list[str]
    unsteady: list[str]
    known: list[str]


def judge(genuine: list[Outcomes], ours: list[Outcomes], reasons: Mapping[str, str]) -> Verdict:
    """Compare the rounds of both sides; there are reasons for some differences."""
    different, unsteady, known = [], [], []
    for name in sorted(set().union(*genuine, *ours)):
        theirs = [outcomes.get(name, "absent") for outcomes in genuine]
        own = [outcomes.get(name, "absent") for outcomes in ours]
        if {*theirs} == {*own} and len({*own}) == 1:
            continue
        line = f"{name}: genuine {', '.join(theirs)}; ours {', '.join(own)}"
        if {*theirs} & {*own}:
            unsteady.append(line)
        elif name in reasons:
            known.append(f"{line}: {reasons[name]}")
        else:
            different.append(line)
    return Verdict(different, unsteady, known)


class Trial:
    """One package's environment, whose trio is exchanged."""

    def __init__(self, suite: Suite, options: argparse.Namespace, folder: Path) -> None:
        self.suite = suite
        self.python: str = options.python
        self.folder = folder
        self.inner = str(folder / "venv" / "bin" / "python")
        self.packages = {"genuine": options.genuine, "ours": options.trio}
        self.rounds: dict[str, list[Outcomes]] = {side: [] for side in SIDES}
        self.versions: dict[str, str] = {}
        self.seconds: dict[str, float] = {}

    def prepare(self) -> None:
        """Install genuine Trio and what the package needs; nothing may bring another Trio."""
        environment.succeed(self.python, "-m", "venv", str(self.folder / "venv"))
        self.pip(self.packages["genuine"])
        installed = self.version("trio")
        keep = self.folder / "constraints.txt"
        keep.write_text(f"trio=={installed}\n", encoding="utf-8")
        self.pip("--prefer-binary", "--constraint", str(keep), *PYTEST, self.suite.package, *self.suite.requires)
        self.versions["package"] = self.version(self.suite.name)

    def pip(self, *arguments: str) -> None:
        """Install something."""
        environment.succeed(self.inner, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)

    def version(self, package: str) -> str:
        """Which version of a package is installed."""
        return environment.succeed(self.inner, "-c", VERSION_OF, package)

    def run(self, side: str, log: Path) -> None:
        """One more round of one side."""
        self.pip("--force-reinstall", "--no-deps", self.packages[side])
        self.versions[side] = self.version("trio")
        started = time.monotonic()
        outcomes = environment.run_tests(self.suite, self.python, self.inner, self.folder, log)
        self.seconds[side] = time.monotonic() - started
        self.rounds[side].append(outcomes)

    def verdict(self) -> Verdict:
        """What is known so far."""
        return judge(self.rounds["genuine"], self.rounds["ours"], self.suite.known)


def compare(suite: Suite, options: argparse.Namespace) -> dict[str, Any]:
    """Run one package's tests on both sides; return what is to be shown, with an empty ``counts`` if they cannot be run."""
    sources.CACHE.mkdir(parents=True, exist_ok=True)
    row: dict[str, Any] = {"package": suite.name, "about": suite.about, "counts": {}}
    with tempfile.TemporaryDirectory(prefix="downstream-") as name:
        trial = Trial(suite, options, Path(name).resolve())
        try:
            trial.prepare()
            for _ in range(2):
                for side in SIDES:
                    trial.run(side, sources.CACHE / f"{suite.name}-{options.version}.{side}.log")
                if not trial.verdict().different:
                    break
            if "passed" not in trial.rounds["genuine"][0].values():
                raise CannotRun(f"{suite.name} passes no test with genuine Trio")
        except CannotRun as error:
            return {**row, "reason": str(error)}
    row["counts"] = {side: results.count(trial.rounds[side][0]) for side in SIDES}
    row["seconds"] = {side: round(trial.seconds[side], 1) for side in SIDES}
    row["versions"] = {**trial.versions, "python": options.version}
    row["date"] = datetime.date.today().isoformat()
    return {**row, **trial.verdict()._asdict()}


def show(row: dict[str, Any]) -> bool:
    """Print a package's lines; return whether both sides were run, and are alike."""
    if not row["counts"]:
        print(f"{row['package']}: cannot run: {row['reason']}", flush=True)
        return False
    counts = [f"{side} " + "/".join(map(str, row["counts"][side])) + f" ({row['seconds'][side]:.0f} s)" for side in SIDES]
    verdict = f"DIFFERENT: {len(row['different'])}" if row["different"] else "alike"
    for kind in ("unsteady", "known"):
        if row[kind]:
            verdict += f", {kind}: {len(row[kind])}"
    print(f"{row['package']} {row['versions']['package']}: {', '.join(counts)}: {verdict}")
    for kind in Verdict._fields:
        for line in row[kind]:
            print(f"    {kind}: {line}")
    sys.stdout.flush()
    return not row["different"]


def keep(rows: list[dict[str, Any]], file: Path = FIGURES) -> None:
    """Put the rows into the file that the documentation's table is made from; others stay as they are."""
    known = {}
    if file.is_file():
        known = {row["package"]: row for row in json.loads(file.read_text(encoding="utf-8"))["packages"]}
    known.update({row["package"]: row for row in rows if row["counts"]})
    listed = [known[suite.name] for suite in PACKAGES if suite.name in known]
    machine = f"{os.cpu_count()} cores, Linux {platform.release().partition('-')[0]}, {' '.join(platform.libc_ver())}"
    text = json.dumps({"machine": machine, "packages": listed}, indent=1)
    file.write_text(text + "\n", encoding="utf-8")


def options_from(arguments: Optional[list[str]]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.downstream.compare", description=__doc__)
    parser.add_argument("--python", required=True, help="the interpreter to make environments from")
    parser.add_argument("--version", required=True, metavar="X.Y", help="its version")
    parser.add_argument("--trio", required=True, help="ours: a wheel")
    parser.add_argument("--genuine", default=GENUINE, help=f"what it is compared with (default: {GENUINE})")
    parser.add_argument("--write", action="store_true", help="keep the counts for the documentation")
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="names of packages (default: all)")
    options = parser.parse_args(arguments)
    unknown = {*options.packages} - {suite.name for suite in PACKAGES}
    if unknown:
        parser.error(f"no package {', '.join(sorted(unknown))}")
    return options


def main(arguments: Optional[list[str]] = None) -> int:
    """Run the command; see the module's text for the exit status."""
    # A shell's background job has SIGINT ignored, and tests of Ctrl-C would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    options = options_from(arguments)
    rows, alike = [], []
    for suite in PACKAGES:
        if not options.packages or suite.name in options.packages:
            row = compare(suite, options)
            rows.append(row)
            alike.append(show(row))
    if options.write:
        keep(rows)
    print(f"downstream: {sum(alike)} passed, {len(alike) - sum(alike)} failed, 0 skipped", flush=True)
    return 0 if all(alike) else 1


if __name__ == "__main__":
    sys.exit(main())
