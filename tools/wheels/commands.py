"""The commands ``wheels`` and ``install-matrix``, and this area's share of ``ci``."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .. import PROJECT, environments
from ..pythons import SUPPORTED, Python, available
from ..steps import Count, Report, count_compat
from . import audit, build, matrix, musl, newer, table
from .debian import CannotHave
from .targets import GLIBC, MUSL, PROCESSORS, Target, wheel_pattern

CI_MUSL = "3.13"
MUSL_EXCLUSIONS = ("tests/compat/exclusions-musl.txt", "tests/compat/exclusions-musl-{version}.txt")


def wheels(options: argparse.Namespace) -> int:
    """Build all wheels and the source distribution into dist/ and check them."""
    versions = tuple(options.python) or SUPPORTED
    if options.again and build.uncommitted():
        print(f"another build would be of the last commit, without these changes:\n{build.uncommitted()}", file=sys.stderr)
        return 1
    processors = options.processor or [Target(GLIBC).processor]
    targets = [Target(libc, processor) for processor in processors for libc in options.libc or (GLIBC, MUSL)]
    try:
        built = build.release(targets, versions)
    except CannotHave as error:
        print(error, file=sys.stderr)
        return 1
    report = Report()
    for file in built:
        check(report, file)
    if options.again:
        given = [argument for argument in sys.argv[2:] if argument != "--again"]
        different = build.differences(built, given)
        for file in built:
            count = Count(failed=1) if file in different else Count(passed=1)
            report.add(f"{file.name}: the same when built again", count)
    return report.close()


def check(report: Report, file: Path) -> None:
    """Enter whether a file of ``dist/`` is in order."""
    started = time.monotonic()
    found = audit.complaints(file) if file.suffix == ".whl" else audit.source_complaints(file)
    for complaint in found:
        print(f"{file.name}: {complaint}", flush=True)
    count = Count(failed=1) if found else Count(passed=1)
    report.add(f"{file.name} ({file.stat().st_size / 1e6:.2f} MB)", count, time.monotonic() - started)


def install_matrix(options: argparse.Namespace) -> int:
    """Install each wheel of dist/ in a fresh environment, use it, and measure it against genuine Trio."""
    cells = []
    for libc in options.libc or [GLIBC, MUSL]:
        versions = tuple(options.python) or SUPPORTED
        cells += matrix.measure(build.DIST, libc, versions, options.rounds)
    text = table.render(cells, options.rounds)
    print(text)
    if options.write:
        table.write(text)
    broken = matrix.failure(cells)
    if broken:
        print(f"not as promised: {broken}", file=sys.stderr)
    return 1 if broken else 0


def ci(report: Report) -> None:
    """The native wheels of all Pythons, the musl wheels, and one musl CPython with upstream's suite."""
    versions = tuple(python.version for python in available())
    attempt(report, "native wheels", lambda: check_and_try(report, GLIBC, versions, versions))
    attempt(report, "dependents", lambda: dependents(report, available()[-1]))
    attempt(report, "musl wheels", lambda: check_and_try(report, MUSL, SUPPORTED, (CI_MUSL,)))
    attempt(report, "upstream's tests on musl", lambda: upstream_on_musl(report, CI_MUSL))


def attempt(report: Report, title: str, work: Callable[[], None]) -> None:
    """Do one part; what it cannot do is a failure with its reason."""
    try:
        work()
    except (CannotHave, matrix.CannotInstall, OSError, subprocess.CalledProcessError) as error:
        print(f"{title}: {error}", file=sys.stderr)
        report.add(title, Count(failed=1))


def check_and_try(report: Report, libc: str, built: tuple[str, ...], tried: tuple[str, ...]) -> None:
    """Audit the wheels of some Pythons, and install those of others."""
    files = build.wheels(Target(libc), built)
    for file in files:
        check(report, file)
    for python in matrix.interpreters(libc, tried).values():
        started = time.monotonic()
        source = matrix.wheelhouse(matrix.OURS, files[0].parent, libc, python)
        matrix.one_round(python, libc, matrix.OURS, source)
        report.add(f"{libc} {python.version}: install and use", Count(passed=1), time.monotonic() - started)


def dependents(report: Report, python: Python) -> None:
    """Packages that require Trio have to be content with ours."""
    started = time.monotonic()
    files = build.wheels(Target(GLIBC), (python.version,))
    source = matrix.wheelhouse(matrix.OURS, files[0].parent, GLIBC, python)
    replaced = matrix.replaced_by_dependents(python, source)
    if replaced:
        print(f"{', '.join(matrix.DEPENDENTS)} brought Trio {replaced}", flush=True)
    count = Count(failed=1) if replaced else Count(passed=1)
    report.add(f"{', '.join(matrix.DEPENDENTS)} keep ours", count, time.monotonic() - started)


def upstream_on_musl(report: Report, version: str) -> None:
    """Upstream's suite with the musl wheel on a CPython linked with musl."""
    python = musl.pythons((version,))[0]
    inner = environments.environment(python, "musl", "tests/compat/requirements.txt")
    wheel = next(path for path in build.wheels(Target(MUSL)) if path.match(wheel_pattern(version, Target(MUSL))))
    environments.install(inner, wheel)
    command = [sys.executable, "-m", "tests.compat", "--python", inner, "--run-slow"]
    for name in MUSL_EXCLUSIONS:
        file = PROJECT / name.format(version=version)
        command += ["--exclude-file", str(file)] if file.exists() else []
    report.step(f"musl {version}: upstream's tests", command, count_compat)


def musl_tests(options: argparse.Namespace) -> int:
    """Run upstream's suite on CPythons linked with musl."""
    report = Report()
    for version in options.python or musl.SUITES:
        attempt(report, f"musl {version}", lambda version=version: upstream_on_musl(report, version))
    return report.close()


def new_pythons(options: argparse.Namespace) -> int:
    """Build for CPython 3.14 and 3.15, which a release does not promise yet, and run this project's tests there."""
    report = Report()
    for python in newer.pythons():
        attempt(report, f"Python {python.version}", lambda python=python: try_new(report, python))
    return report.close()


def try_new(report: Report, python: Python) -> None:
    """A user's first minutes and this project's tests on one new interpreter."""
    inner = newer.environment(python, environments.wheel(python))
    for program in matrix.PROGRAMS:
        report.step(f"Python {python.version}: {program}", [inner, program])
    report.pytest(f"Python {python.version}: own tests", inner, ["tests", *newer.LEFT_OUT])


COMMANDS = (wheels, install_matrix, musl_tests, new_pythons)


def arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """The options of one of these commands."""
    if name == "new-pythons":
        return
    if name == "musl-tests":
        parser.add_argument("--python", action="append", default=[], choices=tuple(musl.SUITES), help="repeatable")
        return
    parser.add_argument("--libc", action="append", choices=(GLIBC, MUSL), help="repeatable (default: both)")
    parser.add_argument("--python", action="append", default=[], choices=SUPPORTED, help="repeatable (default: all)")
    if name == "wheels":
        parser.add_argument("--processor", action="append", choices=PROCESSORS, help="default: this machine's")
        parser.add_argument("--again", action="store_true", help="build the commit once more elsewhere and compare")
        return
    parser.add_argument("--rounds", type=int, default=3, help="of installing and importing")
    parser.add_argument("--write", action="store_true", help=f"write the table into {table.FILE.name}")
