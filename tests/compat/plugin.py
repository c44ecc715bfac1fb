"""The end of the pipe that lives inside the pytest process.

The command copies this module into a folder on the interpreter's path; it
imports nothing of the project.  ``COMPAT_PLAN`` in the environment is a JSON
object: ``root`` (the tree to test), ``drop`` (test ids not to run) and ``pipe``
(a file descriptor).  Every event is one JSON list on a line of its own, written
with a single system call, so whatever happened before a crash has arrived:

    ["collected", [id, ...]]    what is going to run, also when only collecting
    ["broken", file, text]      a module that cannot be imported
    ["absent", file, reason]    a module that skips itself
    ["start", id]  ["phase", id, when, outcome, text, seconds]  ["end", id]
    ["finish", pytest's exit status]
"""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

PLAN = json.loads(os.environ["COMPAT_PLAN"])
PIPE: int = PLAN["pipe"]
DROP = frozenset(PLAN["drop"])
OWNER = os.getpid()
LONGEST_TEXT = 20_000

os.set_inheritable(PIPE, False)


def emit(*event: Any) -> None:
    """Send one event, unless this is a forked child that a test left running."""
    if os.getpid() == OWNER:
        data = json.dumps(event).encode() + b"\n"
        while data:
            data = data[os.write(PIPE, data) :]


def pytest_configure(config: pytest.Config) -> None:
    import trio

    tested = os.path.realpath(trio.__path__[0])
    if tested != os.path.realpath(os.path.join(PLAN["root"], "trio")):
        raise pytest.UsageError(f"{tested} would be tested, which is not the prepared tree")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if item.nodeid not in DROP]


def pytest_collection_finish(session: pytest.Session) -> None:
    emit("collected", [item.nodeid for item in session.items])


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        emit("broken", report.nodeid, str(report.longrepr)[-LONGEST_TEXT:])
    elif report.skipped:
        emit("absent", report.nodeid, str(report.longrepr))


def pytest_runtest_logstart(nodeid: str) -> None:
    emit("start", nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    text = report.longreprtext
    if report.skipped and isinstance(report.longrepr, tuple):
        text = report.longrepr[2]
    if report.failed:
        text += "".join(f"\n--- {title} ---\n{body}" for title, body in report.sections)
    emit("phase", report.nodeid, report.when, report.outcome, text[-LONGEST_TEXT:], report.duration)


def pytest_runtest_logfinish(nodeid: str) -> None:
    emit("end", nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(exitstatus: int) -> None:
    emit("finish", int(exitstatus))
