"""Every change that users notice is written down, in a form that a release can take over."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def text(name: str) -> str:
    """A file of the project."""
    return (PROJECT / name).read_text(encoding="utf-8")


def test_fragments_have_a_text() -> None:
    for fragment in (PROJECT / "changes").glob("*.md"):
        assert fragment.name == "README.md" or re.fullmatch(r"\+[a-z0-9-]+\.[a-z-]+\.md", fragment.name)
        assert fragment.read_text(encoding="utf-8").strip(), fragment.name


def test_the_kinds_are_those_that_are_explained() -> None:
    explained = re.findall(r"^\| `([a-z-]+)` \|", text("changes/README.md"), re.MULTILINE)
    configured = re.findall(r'^directory = "([a-z-]+)"\nname', text("pyproject.toml"), re.MULTILINE)
    assert explained == configured != []


def test_the_newest_entry_is_the_version_of_the_package() -> None:
    version = re.search(r'^version = "(.+)"$', text("pyproject.toml"), re.MULTILINE)
    heading = re.search(r"^## (\S+)", text("CHANGELOG.md"), re.MULTILINE)
    assert version is not None and heading is not None
    assert heading[1] == version[1]
