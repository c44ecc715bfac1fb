"""The check of dependencies finds what the policy forbids."""

from __future__ import annotations

from typing import Any

import pytest
from tools.dependencies import CRATES_IO, Policy, complaints, is_allowed, linked, read_policy

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
