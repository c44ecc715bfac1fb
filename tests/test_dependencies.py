"""The check of dependencies finds what the policy forbids."""

from __future__ import annotations

import socket
import sys
from typing import Any

import pytest
from tools import advisories
from tools.dependencies import CRATES_IO, Policy, complaints, is_allowed, linked, read_policy
from tools.steps import Count

POLICY = Policy(frozenset({"MIT", "Apache-2.0", "Unicode-3.0"}), frozenset({"tokio"}))
LOCK = f'name = "good"\nversion = "1.0.0"\nsource = "{CRATES_IO}"\nchecksum = "{"0" * 64}"\n'


def package(**changes: Any) -> dict[str, Any]:
    return {"name": "good", "version": "1.0.0", "source": CRATES_IO, "license": "MIT OR Apache-2.0", **changes}


def test_what_keeps_to_the_policy() -> None:
    assert complaints(POLICY, [package()], LOCK) == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"source": "git+https://example.org/good"}, "comes from"),
        ({"name": "other"}, "has no checksum"),
        ({"license": "GPL-3.0-only"}, "has the licence"),
        ({"license": None}, "has the licence"),
        ({"name": "tokio"}, "is banned"),
    ],
)
def test_what_does_not(changes: dict[str, Any], complaint: str) -> None:
    assert any(complaint in found for found in complaints(POLICY, [package(**changes)], LOCK))


def test_two_versions_of_one_crate() -> None:
    found = complaints(POLICY, [package(), package(version="2.0.0")], LOCK)
    assert found == ["good is there twice: 1.0.0 and 2.0.0"]


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MIT/Apache-2.0", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only", False),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", True),
        ("(MIT OR Apache-2.0) AND GPL-3.0-only", False),
    ],
)
def test_licence_expressions(expression: str, allowed: bool) -> None:
    assert is_allowed(expression, POLICY.licences) == allowed


def test_only_what_is_shipped_counts() -> None:
    def node(name: str, **deps: str) -> dict[str, Any]:
        return {"id": name, "deps": [{"pkg": pkg, "dep_kinds": [{"kind": kind or None}]} for pkg, kind in deps.items()]}

    nodes = [node("root", a="", b="dev", c="build"), node("a", d=""), node("b"), node("c"), node("d")]
    metadata = {"resolve": {"root": "root", "nodes": nodes}, "packages": [{"id": name} for name in ("root", "a", "b", "c", "d")]}
    assert [package["id"] for package in linked(metadata)] == ["a", "c", "d"]


def test_the_policy_is_read() -> None:
    text = '[licenses]\n# "No"\nallow = ["A", "B"]\n[bans]\ndeny = [\n    { name = "x" },\n]\n'
    assert read_policy(text) == Policy(frozenset("AB"), frozenset("x"))
    with pytest.raises(ValueError, match="no list"):
        read_policy("[licenses]\n")


class Osv:
    """Stands in for the database: knows one advisory, about one version of one crate."""

    def __init__(self, **advisory: Any) -> None:
        self.advisory = {"id": "RUSTSEC-2026-0001", "summary": "reads what it should not", **advisory}

    def __call__(self, path: str, question: dict[str, Any] | None) -> Any:
        if question is None:
            assert path == f"vulns/{self.advisory['id']}"
            return self.advisory
        assert path == "querybatch"
        bad = {"package": {"ecosystem": "crates.io", "name": "bad"}, "version": "1.0.0"}
        return {"results": [{"vulns": [{"id": self.advisory["id"]}]} if query == bad else {} for query in question["queries"]]}


def test_advisories_are_told() -> None:
    packages = [package(), package(name="bad"), package(name="bad", version="1.0.1")]
    found = advisories.complaints(packages, {}, Osv())
    assert found == ["bad 1.0.0: RUSTSEC-2026-0001: reads what it should not"]


@pytest.mark.parametrize("name", ["RUSTSEC-2026-0001", "CVE-2026-1"])
def test_advisories_are_ignored_with_a_reason(name: str) -> None:
    policy = f'[bans]\nignore = []\n[advisories]\n# {{ id = "X", reason = "y" }}\nignore = [{{ id = "{name}", reason = "no" }}]\n'
    ignore = advisories.ignored(policy)
    assert ignore == {name: "no"}
    assert advisories.complaints([package(name="bad")], ignore, Osv(aliases=["CVE-2026-1"])) == []


def test_withdrawn_advisories_do_not_count() -> None:
    assert advisories.complaints([package(name="bad")], {}, Osv(withdrawn="2026-01-01T00:00:00Z")) == []


def test_a_database_that_cannot_be_reached() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(advisories.Unreachable, match=rf"^{address} could not be reached: "):
            advisories.ask_osv("querybatch", {"queries": []}, address)


def test_a_database_that_talks_nonsense() -> None:
    with pytest.raises(advisories.Unreachable, match="asked about 1 crates and got 0 answers"):
        advisories.complaints([package()], {}, lambda path, question: {"results": []})


@pytest.mark.parametrize(("required", "status", "counted"), [(False, 0, Count(skipped=1)), (True, 1, Count(failed=1))])
def test_an_open_question_is_no_answer(
    required: bool, status: int, counted: Count, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def complaints(*args: object) -> list[str]:
        raise advisories.Unreachable("nobody there")

    monkeypatch.setattr(
        advisories, "metadata", lambda: {"packages": [], "resolve": {"root": "a", "nodes": [{"id": "a", "deps": []}]}}
    )
    monkeypatch.setattr(advisories, "complaints", complaints)
    monkeypatch.setattr(sys, "argv", ["advisories", *["--required"] * required])
    assert advisories.main() == status
    output = capsys.readouterr().out
    assert "nobody there" in output
    assert advisories.count(output) == counted
