"""The task runner's bookkeeping: what goes wrong has to show in the last line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tools import environments, pythons
from tools.steps import Count, Report, count_cargo, count_compat, count_junit


def script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_a_plain_step_counts_as_one(capfd: pytest.CaptureFixture[str]) -> None:
    report = Report()
    report.step("good", script("print('hello')"))
    assert report.close() == 0
    report.step("bad", script("raise SystemExit(3)"))
    report.step("missing", ["/no/such/program"])
    assert report.close() == 1
    printed = capfd.readouterr().out
    assert "hello\n" in printed
    assert printed.splitlines()[-1] == "1 passed, 2 failed, 0 skipped"


def test_a_step_that_fails_without_a_failed_test_counts_as_failed() -> None:
    report = Report()
    report.step("step", script("raise SystemExit(1)"), lambda output: Count(passed=5))
    assert report.rows[0][1] == (5, 1, 0)


def test_nothing_passed_is_no_success() -> None:
    report = Report()
    report.add("not on this machine", Count(skipped=1))
    assert report.close() == 1


def test_preparation_that_fails_is_entered() -> None:
    report = Report()

    def prepare() -> str:
        environments.run(*script("raise SystemExit(1)"))
        raise AssertionError

    assert report.attempt("build", prepare) is None
    assert report.rows[0][1].failed == 1


def test_counting_cargo() -> None:
    output = (
        "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n"
        "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n"
    )
    assert count_cargo(output) == (4, 2, 1)
    assert count_cargo("error: could not compile") is None


def test_counting_compat() -> None:
    line = "compat: 5 passed, 1 failed, 2 errors, 3 skipped, 4 excluded of 15\n"
    assert count_compat("compat: 9 passed\n" + line) == (5, 3, 7)
    assert count_compat("compat: cannot run: no wheel") is None


def test_counting_junit(tmp_path: Path) -> None:
    file = tmp_path / "junit.xml"
    assert count_junit(file) is None
    file.write_text('<testsuites><testsuite tests="10" failures="1" errors="2" skipped="3"/></testsuites>')
    assert count_junit(file) == (4, 3, 3)


def test_requirement_files_are_followed(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "b.txt").write_text("# comment\nb==1\n\n")
    (tmp_path / "a.txt").write_text("-r inner/b.txt\na==1 ; python_version < '3'\n")
    assert environments.requirement_lines(tmp_path / "a.txt") == [
        "b==1",
        "a==1 ; python_version < '3'",
    ]


def test_pyenv_folders_sort_by_number() -> None:
    folders = [f"/x/versions/3.13.{patch}/bin/python" for patch in (9, 10, 2)]
    newest = max(folders, key=pythons.patch_release)
    assert newest == "/x/versions/3.13.10/bin/python"


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="newer than what a release promises")
def test_this_interpreter_is_found() -> None:
    version = "{}.{}".format(*sys.version_info[:2])
    assert pythons.version_of(sys.executable) == version
    assert pythons.version_of("/no/such/program") == ""
    assert [python.version for python in pythons.choose([version])] == [version]
    with pytest.raises(SystemExit, match=r"3\.1 "):
        pythons.choose(["3.1"])


def test_it_is_said_that_no_interpreter_brings_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "available", lambda: [pythons.Python("3.13", sys.executable)])
    monkeypatch.setattr(environments, "brings_pip", lambda python: False)
    with pytest.raises(SystemExit, match=r"^no CPython on this machine brings pip"):
        environments.builder()
