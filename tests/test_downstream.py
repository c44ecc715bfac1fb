"""The bookkeeping of ``tests.downstream``: a suite that gives other results must not pass for one that does not."""

from __future__ import annotations

import io
import json
import re
import tarfile
import time
from pathlib import Path

import pytest
from tools.downstream import LISTED, count_suites

from tests.downstream import __main__ as command, compare, environment, hosts, results, sources
from tests.downstream.packages import NOT_HERE, PACKAGES
from tests.downstream.suites import SUITES, Expected, Suite

REPORT = """\
<testsuites><testsuite>
<testcase classname="m" name="good"/>
<testcase classname="m" name="bad"><failure/></testcase>
<testcase classname="m" name="torn"/>
<testcase classname="m" name="torn"><error/></testcase>
<testcase classname="m" name="left"><skipped type="pytest.xfail"/></testcase>
</testsuite></testsuites>
"""
SUITE = Suite(name="some", requires=(), arguments=(), expected={"3.12": Expected(2, skipped=1)}, package="some-thing==1.0")


def test_outcomes_are_read(tmp_path: Path) -> None:
    file = tmp_path / "outcomes.xml"
    assert results.read(file) is None
    file.write_text(REPORT)
    outcomes = results.read(file)
    assert outcomes == {"m::good": "passed", "m::bad": "failed", "m::torn": "failed", "m::left": "skipped"}
    assert results.count(outcomes) == (1, 2, 1)
    file.write_text(REPORT[:-20])
    assert results.read(file) is None


def test_differences_name_the_test() -> None:
    before, after = {"a": "passed", "b": "passed"}, {"a": "failed", "c": "passed"}
    assert results.differences(before, after) == [
        "a: passed before, failed now",
        "b: passed before, absent now",
        "c: absent before, passed now",
    ]
    assert results.differences(before, before) == []


@pytest.mark.parametrize(
    ("outcomes", "closing"),
    [
        ({"a": "passed", "b": "passed", "c": "skipped"}, "2 passed, 0 failed, 1 skipped"),
        ({"a": "passed", "b": "passed"}, "2 passed, 1 failed, 0 skipped"),
        ({"a": "passed", "b": "skipped", "c": "skipped"}, "1 passed, 1 failed, 2 skipped"),
    ],
    ids=["equal", "too few", "skipped instead"],
)
def test_other_counts_are_a_failure(
    outcomes: results.Outcomes,
    closing: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(suite: Suite, python: str, trio: str, log: Path) -> results.Outcomes:
        log.write_text("what pytest said\n")
        return outcomes

    monkeypatch.setattr(environment, "run", run)
    monkeypatch.setattr(sources, "CACHE", tmp_path)
    monkeypatch.setattr(command, "SUITES", (SUITE,))
    failed = " 0 failed" not in closing
    assert command.main(["--python", "p", "--version", "3.12", "--trio", "t"]) == failed
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == f"downstream: {closing}"
    assert count_suites(printed) == tuple(map(int, re.findall(r"\d+", closing)))
    assert ("what pytest said" in printed) == failed


def test_an_archive_is_checked_and_only_what_is_wanted_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / SUITE.archive
    assert archive.name == "some_thing-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("tests/test_a.py", "tests/../../escaped.py", "src/some.py"):
            tar.addfile(tarfile.TarInfo(f"some_thing-1.0/{name}"), io.BytesIO(b""))
    with pytest.raises(sources.CannotRun, match="SHA-256"):
        sources.fetch(SUITE._replace(sha256="0"), "no-python-needed", tmp_path)
    folder = tmp_path / "work"
    sources.unpack(SUITE._replace(files=("tests",)), archive, folder)
    assert [file.name for file in tmp_path.rglob("*.py")] == ["test_a.py"]


def test_archives_are_found_under_either_name(tmp_path: Path) -> None:
    assert sources.find(SUITE, tmp_path) is None
    old = tmp_path / "some-thing-1.0.tar.gz"
    old.touch()
    assert sources.find(SUITE, tmp_path) == old
    (tmp_path / SUITE.archive).touch()
    assert sources.find(SUITE, tmp_path) == tmp_path / SUITE.archive


def test_tests_may_need_a_program(tmp_path: Path) -> None:
    with pytest.raises(sources.CannotRun, match="needs the program no-such-program"):
        environment.run_tests(SUITE._replace(within=("no-such-program",)), "", "", tmp_path, tmp_path / "log")


def lives(process: int) -> bool:
    """Whether a process is there, and no mere entry that nobody has asked for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def test_tests_are_ended_with_what_they_have_started(tmp_path: Path) -> None:
    script = tmp_path / "hangs"
    script.write_text("#!/bin/sh\nsleep 100 & echo $! > ../child; wait\n")
    script.chmod(0o755)
    with pytest.raises(sources.CannotRun, match="more than 1 seconds"):
        environment.run_tests(SUITE._replace(within=(str(script),), limit=1), "", "", tmp_path, tmp_path / "log")
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while lives(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not lives(child)


def test_a_command_is_wrapped_only_if_localhost_lacks_the_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hosts, "localhost_has_ipv6", lambda: True)
    assert hosts.with_ipv6_name(["command"], tmp_path) == ["command"]
    monkeypatch.setattr(hosts, "localhost_has_ipv6", lambda: False)
    monkeypatch.setattr(hosts.os, "geteuid", lambda: 0)
    monkeypatch.setattr(hosts.shutil, "which", lambda name: name)
    wrapped = hosts.with_ipv6_name(["command"], tmp_path)
    assert (wrapped[0], wrapped[-1]) == ("unshare", "command")
    assert "::1 localhost" in (tmp_path / "hosts").read_text().splitlines()


def test_every_suite_is_run_somewhere_and_says_what_it_leaves_out() -> None:
    assert {version for suite in SUITES for version in suite.expected} == set(LISTED)
    pinned = {line.partition("==")[0] for line in environment.PINS.read_text().splitlines()}
    for suite in SUITES:
        assert set(suite.requires) <= pinned
        assert all(reason for reason in suite.left_out.values())
        assert suite.sha256 or not suite.package


def test_rounds_are_judged_by_what_both_sides_can_end_in() -> None:
    good, bad = {"a": "passed", "b": "passed"}, {"a": "passed", "b": "failed"}
    assert compare.judge([good], [good], {}) == ([], [], [])
    assert compare.judge([bad], [bad], {}) == ([], [], [])
    assert compare.judge([good], [bad], {}) == (["b: genuine passed; ours failed"], [], [])
    assert compare.judge([bad], [good], {}) == (["b: genuine failed; ours passed"], [], [])
    assert compare.judge([good, good], [bad, good], {}) == ([], ["b: genuine passed, passed; ours failed, passed"], [])
    assert compare.judge([good, good], [bad, bad], {}).different == ["b: genuine passed, passed; ours failed, failed"]
    assert compare.judge([good], [{"a": "passed"}], {}).different == ["b: genuine passed; ours absent"]
    assert compare.judge([good], [bad], {"a": "?", "b": "by design"}) == ([], [], ["b: genuine passed; ours failed: by design"])


@pytest.mark.parametrize(
    ("rounds", "status", "said"),
    [
        ({"genuine": ["passed"], "ours": ["passed"]}, 0, "alike"),
        ({"genuine": ["failed"], "ours": ["failed"]}, 1, "cannot run: some passes no test"),
        ({"genuine": ["passed", "passed"], "ours": ["failed", "failed"]}, 1, "DIFFERENT: 1"),
        ({"genuine": ["passed", "failed"], "ours": ["failed", "failed"]}, 0, "alike, unsteady: 1"),
        ({"genuine": [], "ours": []}, 1, "cannot run: no results"),
    ],
    ids=["alike", "nothing passes", "different", "unsteady", "no results"],
)
def test_packages_are_compared(
    rounds: dict[str, list[str]],
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def prepare(trial: compare.Trial) -> None:
        trial.versions["package"] = "1.0"

    def run(trial: compare.Trial, side: str, log: Path) -> None:
        if not rounds[side]:
            raise sources.CannotRun("no results")
        trial.versions[side], trial.seconds[side] = "0.35.0", 1.0
        trial.rounds[side].append({"test": rounds[side].pop(0)})

    monkeypatch.setattr(compare.Trial, "prepare", prepare)
    monkeypatch.setattr(compare.Trial, "run", run)
    monkeypatch.setattr(compare, "PACKAGES", (SUITE,))
    monkeypatch.setattr(sources, "CACHE", tmp_path)
    assert compare.main(["--python", "p", "--version", "3.12", "--trio", "t"]) == status
    printed = capsys.readouterr().out
    assert said in printed.splitlines()[0]
    assert count_suites(printed) == (1 - status, status, 0)
    assert rounds == {"genuine": [], "ours": []}


def test_rows_of_packages_that_were_not_run_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "ecosystem.json"
    first, second = (suite.name for suite in PACKAGES[:2])
    compare.keep([{"package": first, "counts": 1}, {"package": second, "counts": 2}, {"package": "gone", "counts": 3}], file)
    compare.keep([{"package": second, "counts": 4}, {"package": first, "counts": {}}], file)
    rows = json.loads(file.read_text())["packages"]
    assert rows == [{"package": first, "counts": 1}, {"package": second, "counts": 4}]


def test_every_package_is_pinned_and_says_what_it_is_and_leaves_out() -> None:
    assert len({suite.name for suite in PACKAGES}) == len(PACKAGES) >= 20
    for suite in PACKAGES:
        assert suite.package.partition("==")[0] == suite.name and suite.package.partition("==")[2]
        assert bool(suite.sha256) == bool(suite.files)
        assert suite.about and suite.arguments and not suite.expected
        assert all(reason for reason in (*suite.left_out.values(), *suite.known.values()))
    assert all(NOT_HERE.values()) and not NOT_HERE.keys() & {suite.name for suite in PACKAGES}
