"""``python -m tests.downstream``: the suites of packages that use Trio, with ours.

Prints one line per suite, with its counts and what they should be. Exit status: 0 when every suite has exactly the
counts that it has with genuine Trio, else 1. The last line is ``downstream: N passed, N failed, N skipped``, where a
suite with other counts than it should have has at least one failed test.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from typing import Optional

from . import environment, results, sources
from .sources import CannotRun
from .suites import SUITES, Expected, Suite

MOST_LINES = 60  # of a log that is shown


def options_from(arguments: Optional[list[str]]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.downstream", description=__doc__)
    parser.add_argument("--python", required=True, help="the interpreter to make environments from")
    parser.add_argument("--version", required=True, metavar="X.Y", help="its version")
    parser.add_argument("--trio", required=True, help="what is tested: a wheel, or anything else that pip takes")
    parser.add_argument("--against", metavar="PACKAGE", help="run with that, too, and compare test by test")
    parser.add_argument("--all", action="store_true", help="also suites that this Python is not listed for")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="names of suites (default: all)")
    options = parser.parse_args(arguments)
    unknown = set(options.suites) - {suite.name for suite in SUITES}
    if unknown:
        parser.error(f"no suite {', '.join(sorted(unknown))}")
    return options


def describe(count: Expected) -> str:
    """Counts as pytest words them."""
    return f"{count.passed} passed, {count.failed} failed, {count.skipped} skipped"


def run_suite(suite: Suite, options: argparse.Namespace) -> Expected:
    """One suite and its line; what is not as it should be counts as failed."""
    log = sources.CACHE / f"{suite.name}-{options.version}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    title = f"{suite.name} on Python {options.version}"
    try:
        outcomes = environment.run(suite, options.python, options.trio, log)
        lines = []
        if options.against:
            before = environment.run(suite, options.python, options.against, log.with_suffix(".other.log"))
            lines = results.differences(before, outcomes)
    except CannotRun as error:
        print(f"{title}: cannot run: {error}", flush=True)
        return Expected(0, failed=1)
    found, wanted = results.count(outcomes), suite.expected.get(options.version)
    verdict = "as with genuine Trio"
    if wanted is None:
        verdict = "no counts to compare with"
    elif found != wanted:
        verdict = f"EXPECTED {describe(wanted)}"
    print(f"{title}: {describe(found)} ({time.monotonic() - started:.0f} s, {verdict})", flush=True)
    for line in lines:
        print(f"    {line}")
    if found.failed or (wanted is not None and found != wanted):
        text = log.read_text(encoding="utf-8", errors="replace").splitlines()
        print("\n".join(text[-MOST_LINES:]), flush=True)
        return found._replace(failed=max(found.failed, 1))
    return found


def main(arguments: Optional[list[str]] = None) -> int:
    """Run the command; see the module's text for the exit status."""
    # A shell's background job has SIGINT ignored, and tests of Ctrl-C would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    options = options_from(arguments)
    wanted = options.suites or [suite.name for suite in SUITES]
    chosen = [
        suite for suite in SUITES if suite.name in wanted and (options.all or options.suites or options.version in suite.expected)
    ]
    counts = [run_suite(suite, options) for suite in chosen]
    total = Expected(*(sum(count[column] for count in counts) for column in range(3)))
    print(f"downstream: {describe(total)}", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
