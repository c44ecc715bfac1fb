"""The compatibility command, on packages that are made up for the purpose.

What matters is that no test can get lost: a crash, a hang or a module that
cannot be imported has to end up as errors of exactly the tests concerned.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.compat import backport, fetch
from tests.compat.exclusions import Exclusion, parse
from tests.compat.overlay import SETTINGS
from tests.compat.runner import Session
from tests.compat.tally import Tally

CRASHING = """\
import os, signal, time, pytest
def test_first(): pass
def test_crash(): os.kill(os.getpid(), signal.SIGSEGV)
def test_between(): assert 0
def test_hang(): time.sleep(1000)
def test_interrupt(): raise KeyboardInterrupt
@pytest.mark.xfail
def test_expected(): assert 0
@pytest.fixture
def bad(): raise ValueError("in set-up")
def test_setup(bad): pass
def test_last(): pass
"""


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A tree of upstream's shape with the module above in it."""
    root = tmp_path / "ours"
    tests = root / "trio" / "_tests"
    (root / "trio" / "_core" / "_tests").mkdir(parents=True)
    tests.mkdir()
    for package in ("trio", "trio/_core", "trio/_core/_tests", "trio/_tests"):
        (root / package / "__init__.py").touch()
    (tests / "pytest_plugin.py").touch()
    (tests / "test_wild.py").write_text(CRASHING)
    (tests / "test_broken.py").write_text("import no_such_module\n")
    (tests / "test_absent.py").write_text("import pytest\npytest.skip('not here', allow_module_level=True)\n")
    (root / "pytest.ini").write_text(SETTINGS.read_text())
    return Session(sys.executable, root, tmp_path, stall=3.0)


def run_to_the_end(session: Session) -> Tally:
    tally = Tally()
    for _ in range(6):
        tally.finished = False
        ending = session.watch(tally.take, [], [], list(tally.results), subprocess.DEVNULL)
        if tally.finished and ending.status != 2:
            return tally
        tally.take_crash(str(ending))
    raise AssertionError("no end")


def test_every_test_is_accounted_for(session: Session) -> None:
    tally = run_to_the_end(session)
    wild = "trio/_tests/test_wild.py::"
    others = ["test_broken.py::test_x", "test_absent.py::test_y", "test_gone.py::test_z"]
    reference = [f"trio/_tests/{name}" for name in others] + list(tally.results)
    exclusions = [Exclusion("trio/_tests/test_gone.py", "of no use")]
    assert tally.reconcile(reference, exclusions) == []
    columns = {test.rpartition("::")[2]: result.column for test, result in tally.results.items()}
    assert columns == {
        "test_first": "passed",
        "test_crash": "errors",
        "test_between": "failed",
        "test_hang": "errors",
        "test_interrupt": "errors",
        "test_expected": "skipped",
        "test_setup": "errors",
        "test_last": "passed",
        "test_x": "errors",
        "test_y": "skipped",
        "test_z": "excluded",
    }
    assert "SIGSEGV" in tally.results[wild + "test_crash"].text
    assert "too long" in tally.results[wild + "test_hang"].text
    assert "in set-up" in tally.results[wild + "test_setup"].text
    assert tally.line == "compat: 2 passed, 1 failed, 5 errors, 2 skipped, 1 excluded of 11"


def test_what_was_not_collected_is_an_error() -> None:
    tally = Tally()
    tally.reconcile(["a.py::test"], [])
    assert tally.results["a.py::test"].column == "errors"


def test_what_upstream_does_not_have_is_named() -> None:
    tally = Tally()
    tally.take(["phase", "a.py::test", "call", "passed", "", 0.1])
    assert tally.reconcile([], []) == ["a.py::test"]


def test_the_worst_phase_counts() -> None:
    tally = Tally()
    for when, outcome in (("setup", "passed"), ("call", "failed"), ("teardown", "passed")):
        tally.take(["phase", "a", when, outcome, when, 0.5])
    assert tally.results["a"] == ("failed", "call", 1.5)
    for when, outcome in (("call", "passed"), ("teardown", "failed")):
        tally.take(["phase", "b", when, outcome, when, 0.5])
    assert tally.results["b"].column == "errors"


@pytest.mark.parametrize(
    ("pattern", "test", "covered"),
    [
        ("t/test_a.py", "t/test_a.py::test_x", True),
        ("t", "t/test_a.py::test_x", True),
        ("t/test_a.py::test_x", "t/test_a.py::test_x[1]", True),
        ("t/test_a.py::test_x", "t/test_a.py::test_xy", False),
        ("t/test_a.py::test_x*", "t/test_a.py::test_xy", True),
        ("t/test_a.py::test_x[1]", "t/test_a.py::test_x[2]", False),
    ],
)
def test_exclusion_patterns(pattern: str, test: str, covered: bool) -> None:
    assert Exclusion(pattern, "why").covers(test) is covered


def test_an_exclusion_needs_a_reason(tmp_path: Path) -> None:
    file = tmp_path / "exclusions.txt"
    file.write_text("# comment\n\na.py::test[#1]  # because\n")
    assert parse(file) == [Exclusion("a.py::test[#1]", "because")]
    file.write_text("a.py::test[#1]\n")
    with pytest.raises(fetch.CannotRun, match=r"exclusions\.txt:1"):
        parse(file)


def test_the_hash_is_checked(tmp_path: Path) -> None:
    (tmp_path / fetch.WHEEL_NAME).write_bytes(b"something else")
    with pytest.raises(fetch.CannotRun, match="SHA-256"):
        fetch.genuine_wheel(sys.executable, tmp_path)


def test_respelling_keeps_meaning_and_lines() -> None:
    source = """\
from __future__ import annotations
from typing import (
    TYPE_CHECKING, TypeAlias)
def f(x: int | str) -> int | None: return 1
Either: TypeAlias = (int
    | str) | None
flags = 1 | 2; text = f"{1 | 4}"
"""
    respelt = backport.respell(source)
    assert respelt.count("\n") == source.count("\n")
    assert "x: int | str) -> int | None" in respelt
    shim: dict[str, object] = {"__name__": backport.SHIM_NAME}
    exec(backport.SHIM, shim)
    either = shim["either"]
    assert callable(either)
    assert either(1, 2) == 3
    assert either(either(int, str), None) in (either(int, either(str, None)),)
    assert respelt.count(".either(") == 3
    assert f"from {backport.SHIM_NAME} import (" in respelt
