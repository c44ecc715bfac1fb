"""What every test of this project gets.

* A limit per test: after `LIMIT` seconds (the marker ``slow`` allows `SLOW_LIMIT`)
  faulthandler prints the stack of every thread and ends the process.  A hang in
  an event loop cannot be ended by an exception, so nothing softer would do.
  ``--limit-factor`` multiplies the limits, for tools that make everything slower.
* ``slow`` tests run with ``--run-slow`` only.
* The two clocks for tests that would otherwise wait in real time.

Async tests are written out (``trio.run(main)``): a test plugin would be one more
thing between a failing test and its cause.
"""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import trio.testing

LIMIT = 60.0
SLOW_LIMIT = 300.0
STDERR = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="run the tests marked as slow, too")
    parser.addoption("--limit-factor", type=float, default=1.0, metavar="N", help="let each test take N times as long")
    parser.addoption("--site", help="test the documentation site that was built in this folder (python -m tools docs)")


def pytest_configure(config: pytest.Config) -> None:
    # Capturing is not active here: this is the stderr that a person sees.
    config.stash[STDERR] = os.dup(2)


def pytest_unconfigure(config: pytest.Config) -> None:
    os.close(config.stash[STDERR])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--run-slow"):
        return
    skip = pytest.mark.skip(reason="slow, needs --run-slow")
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(skip)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    limit = SLOW_LIMIT if item.get_closest_marker("slow") else LIMIT
    limit *= item.config.getoption("--limit-factor")
    faulthandler.dump_traceback_later(limit, exit=True, file=item.config.stash[STDERR])
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def mock_clock() -> trio.testing.MockClock:
    """A clock that only moves when the test moves it."""
    import trio.testing

    return trio.testing.MockClock()


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    """A clock that jumps to the next deadline whenever every task is waiting."""
    import trio.testing

    return trio.testing.MockClock(autojump_threshold=0)
