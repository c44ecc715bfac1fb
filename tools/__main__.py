"""``python -m tools COMMAND``: set up, test, measure and check the project.

Every command makes what it needs: environments, wheels, upstream's tests.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys

from . import PROJECT, advisories, downstream as suites, environments, site
from .parity import check_parity, parity
from .pythons import SUPPORTED, Python, available, choose
from .reliability import run_studies
from .steps import Count, Report, count_cargo, count_compat
from .wheels import commands as packaging

MEASUREMENTS = (
    ("benchmarks", ["--readme", "--docs"]),
    ("benchmarks.http", ["--docs"]),
    ("benchmarks.http.program", ["--docs"]),
)


def setup(options: argparse.Namespace) -> int:
    """Make an environment with the project's wheel in it and say where it is."""
    for python in choose(options.python):
        inner = environments.test_environment(python, options.profile)
        print(f"{python.version}: {inner}")
    return 0


def test(options: argparse.Namespace) -> int:
    """Run the project's own tests, and upstream's unless arguments for pytest are given."""
    report = Report()
    for python in choose(options.python):
        test_on(report, python, options)
    return report.close()


def test_on(report: Report, python: Python, options: argparse.Namespace) -> None:
    """The tests on one interpreter."""
    name = f"Python {python.version}"
    inner = report.attempt(f"{name}: build", lambda: environments.test_environment(python, options.profile))
    if inner is None:
        return
    own = options.arguments or ["--run-slow", "tests"]
    report.pytest(f"{name}: own tests", inner, own)
    if not options.arguments:
        compat_on(report, python.version, inner, ["--run-slow"])


def compat(options: argparse.Namespace) -> int:
    """Run upstream's suite."""
    report = Report()
    for python in choose(options.python):
        inner = environments.test_environment(python, options.profile)
        compat_on(report, python.version, inner, options.arguments or ["--run-slow"])
    return report.close()


def compat_on(report: Report, version: str, inner: str, arguments: list[str]) -> None:
    """Upstream's suite in one environment."""
    command = [sys.executable, "-m", "tests.compat", "--python", inner, *arguments]
    report.step(f"Python {version}: upstream's tests", command, count_compat)


def downstream(options: argparse.Namespace) -> int:
    """Run the tests of packages that use Trio: four suites on the Pythons that they are listed for, or (--more) the others."""
    report = Report()
    for python in choose(options.python or ([suites.MORE] if options.more else suites.pythons())):
        suites.run_suites(report, python, options.profile, options.arguments, options.more)
    return report.close()


def bench(options: argparse.Namespace) -> int:
    """Measure ours, genuine Trio, asyncio and uvloop in turn."""
    return compare("benchmarks", options)


def compare(module: str, options: argparse.Namespace) -> int:
    """Run a module that compares ours with genuine Trio."""
    ours, genuine = environments.bench_environments(choose(options.python)[-1])
    command = [sys.executable, "-m", module, "--ours", ours, "--genuine", genuine]
    return subprocess.run([*command, *options.arguments], cwd=PROJECT, check=False).returncode


def bench_http(options: argparse.Namespace) -> int:
    """Measure an HTTP server on ours, genuine Trio, asyncio and uvloop; needs wrk."""
    return compare("benchmarks.http", options)


def profile_example(options: argparse.Namespace) -> int:
    """Where processor time and memory of an example go under load, on ours and genuine Trio; needs wrk."""
    return compare("benchmarks.http.program", options)


def measure(options: argparse.Namespace) -> int:
    """Take every measurement that README.md and the documentation show; takes a quarter of an hour, needs wrk."""
    status = 0
    for module, arguments in MEASUREMENTS:
        options.arguments = arguments
        status |= compare(module, options)
    return status


def docs(options: argparse.Namespace) -> int:
    """Build the documentation site, strictly, and test it."""
    report = Report()
    site.build(report, choose(options.python)[-1], options.profile)
    return report.close()


def reliability(options: argparse.Namespace) -> int:
    """Break things on purpose, and see what is left (with --long: a lot, and write docs/reliability.md)."""
    report = Report()
    run_studies(report, choose(options.python)[-1], options.arguments, options.long)
    return report.close()


def lint(options: argparse.Namespace) -> int:
    """Check the Rust and Python sources."""
    report = Report()
    check_rust(report)
    check_python(report)
    return report.close()


def cargo_environment(python: Python) -> dict[str, str]:
    """What a test binary needs to find the Python library it is linked to."""
    probe = "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))"
    found = subprocess.run([python.path, "-c", probe], capture_output=True, text=True, check=True)
    search = [found.stdout.strip(), os.environ.get("LD_LIBRARY_PATH", "")]
    return {
        "PYO3_PYTHON": python.path,
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, search)),
    }


def check_rust(report: Report) -> None:
    """Formatting, lints, and the unit tests of the pure layers."""
    report.step("cargo fmt", ["cargo", "fmt", "--check"])
    python = choose([])[0]
    env = cargo_environment(python)
    command = ["cargo", "clippy", "--all-targets", "--locked", "--", "-D", "warnings"]
    report.step("cargo clippy", command, env=env)
    command = ["cargo", "test", "--locked", "--no-default-features"]
    report.step("cargo test", command, count_cargo, env)
    report.step("dependencies", [sys.executable, "-m", "tools.dependencies"])
    report.step("advisories", [sys.executable, "-m", "tools.advisories"], advisories.count)
    probe = subprocess.run(["cargo", "+nightly", "miri", "--version"], capture_output=True)
    if probe.returncode == 0:
        command = ["cargo", "+nightly", "miri", "test", "--no-default-features"]
        report.step("miri", [*command, "--lib", "kernel::"], count_cargo, env)
        few = {"PROPTEST_CASES": "4", "MIRIFLAGS": "-Zmiri-disable-isolation"}
        report.step("miri, models", [*command, "--test", "models"], count_cargo, {**env, **few})
    else:
        report.add("miri: not on this machine", Count(skipped=1))


def check_python(report: Report) -> None:
    """ruff, towncrier, mypy and pyright, as far as pyproject.toml configures them."""
    settings = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    python = choose([])[0]
    inner = report.attempt("checkers", lambda: environments.bare_test_environment(python))
    if inner is None:
        return
    if "[tool.ruff" in settings:
        report.step("ruff check", [inner, "-m", "ruff", "check", "."])
        report.step("ruff format", [inner, "-m", "ruff", "format", "--check", "."])
    if "[tool.towncrier" in settings:
        command = [inner, "-m", "towncrier", "build", "--draft", "--version", "next"]
        report.step("news fragments", command)
    if "[tool.mypy" in settings:
        report.step("mypy", [inner, "-m", "mypy"])
    if "[tool.pyright" in settings:
        report.step("pyright", [inner, "-m", "pyright", "--pythonpath", inner])


def ci(options: argparse.Namespace) -> int:
    """Everything: the checks, then all tests on every supported interpreter."""
    report = Report()
    check_rust(report)
    check_python(report)
    pythons = {python.version: python for python in available()}
    for version in SUPPORTED:
        if version in pythons:
            test_on(report, pythons[version], options)
        else:
            report.add(f"Python {version}: not on this machine", Count(skipped=1))
    for python in choose(suites.pythons()):
        suites.run_suites(report, python, options.profile, [])
    site.build(report, choose([])[-1], options.profile)
    run_studies(report, available()[-1], [])
    check_parity(report, available()[-1])
    packaging.ci(report)
    return report.close()


def command_line() -> argparse.ArgumentParser:
    """The commands and their options."""
    parser = argparse.ArgumentParser(prog="python -m tools", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in (
        setup,
        test,
        compat,
        downstream,
        bench,
        bench_http,
        profile_example,
        measure,
        docs,
        reliability,
        parity,
        lint,
        ci,
    ):
        text = command.__doc__ or ""
        sub = commands.add_parser(command.__name__.replace("_", "-"), help=text.rstrip("."), description=text)
        sub.set_defaults(run=command, arguments=[])
        if command not in (lint, ci):
            sub.add_argument(
                "--python",
                action="append",
                default=[],
                metavar="X.Y",
                choices=SUPPORTED,
                help="on which CPython; repeatable (default: the newest)",
            )
        sub.add_argument("--profile", default="release", help="cargo profile of the wheel ('dev' has assertions)")
        if command in (test, compat, downstream, bench, bench_http, profile_example, reliability, parity):
            sub.add_argument("arguments", nargs="*", help="after --: arguments for what is run")
        if command is downstream:
            sub.add_argument("--more", action="store_true", help="about twenty other packages, on ours and genuine Trio in turn")
        if command in (reliability, parity):
            sub.add_argument("--long", action="store_true", help="the long set (reliability: about an hour, parity: ten minutes)")
    for command in packaging.COMMANDS:
        text = command.__doc__ or ""
        name = command.__name__.replace("_", "-")
        sub = commands.add_parser(name, help=text.rstrip("."), description=text)
        sub.set_defaults(run=command)
        packaging.arguments(name, sub)
    return parser


def main() -> int:
    """Run one command; a command that a step depends on and that failed ends it."""
    # A shell's background job has SIGINT ignored, and the tests of Ctrl-C would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    options = command_line().parse_args()
    try:
        status: int = options.run(options)
    except subprocess.CalledProcessError as error:
        print(error, file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
