"""The checks of wheels have to notice what is wrong with one."""

from __future__ import annotations

import importlib.metadata
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.wheels import audit, build, matrix, table
from tools.wheels.matrix import GENUINE, OURS, Cell
from tools.wheels.targets import GLIBC, MUSL, Target, wheel_pattern

INFO = "trio-0.35.0+rust.1.dist-info"


def good_files() -> dict[str, str]:
    """A wheel's files by name, as far as the checks of content and metadata look."""
    installed = importlib.metadata.distribution("trio")
    files = {"trio/__init__.py": "", "trio/py.typed": "", "trio/_native.pyi": "", "trio/_native.cpython-313.so": ""}
    for name in ("METADATA", "entry_points.txt"):
        files[f"{INFO}/{name}"] = installed.read_text(name) or ""
    for name in audit.LICENCES:
        files[f"{INFO}/licenses/{name}"] = "licence"
    return files


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "a.whl"


def findings(path: Path, files: dict[str, str]) -> list[str]:
    """What the checks of content and metadata say about a wheel with these files."""
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    with zipfile.ZipFile(path) as wheel:
        return [*audit.content(wheel), *audit.metadata(wheel)]


def test_a_good_wheel_has_no_complaints(archive: Path) -> None:
    assert findings(archive, good_files()) == []


@pytest.mark.parametrize("missing", ["trio/py.typed", "trio/_native.pyi", f"{INFO}/licenses/LICENSE.MIT"])
def test_a_missing_file_is_noticed(archive: Path, missing: str) -> None:
    files = good_files()
    del files[missing]
    assert len(findings(archive, files)) == 1


@pytest.mark.parametrize("wired", [False, True])
def test_a_build_with_debug_assertions_is_noticed(archive: Path, wired: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"needed": ["libc.so.6", "libgcc_s.so.1"], "exported": ["PyInit__native"], "stripped": True}
    monkeypatch.setattr(audit, "described", lambda binary: {**facts, "search_path": "", "executable_stack": False})
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr("trio/_native.cpython-313.so", "ELF" + "tripwire: a batch begins" * wired)
    with zipfile.ZipFile(archive) as wheel:
        found = list(audit.extension(wheel))
    assert [text.rpartition(" and ")[2] for text in found] == ["can be made to panic"] * wired


@pytest.mark.parametrize("extra", ["trio/_tests/test_x.py", "trio/lib.rs", "tests/test_x.py", "trio/other.so"])
def test_a_superfluous_file_is_noticed(archive: Path, extra: str) -> None:
    assert findings(archive, {**good_files(), extra: ""})


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("Name: trio", "Name: trio-native", "Name"),
        ("Version: 0.35.0+rust.1", "Version: 0.35.0", "version"),
        ("Requires-Python: >=3.9", "Requires-Python: >=3.8", "Requires-Python"),
        ("Requires-Dist: idna", "Requires-Dist: attrs", "dependencies"),
        ("Classifier: Programming Language :: Python :: 3.11\n", "", "3.11"),
        ("License-Expression: MIT OR Apache-2.0", "License-Expression: MIT", "License-Expression"),
    ],
)
def test_wrong_metadata_is_noticed(archive: Path, old: str, new: str, word: str) -> None:
    files = good_files()
    assert old in files[f"{INFO}/METADATA"]
    files[f"{INFO}/METADATA"] = files[f"{INFO}/METADATA"].replace(old, new)
    (complaint,) = findings(archive, files)
    assert word in complaint


def test_a_missing_entry_point_is_noticed(archive: Path) -> None:
    (complaint,) = findings(archive, {**good_files(), f"{INFO}/entry_points.txt": ""})
    assert "hypothesis" in complaint


def test_patterns_tell_wheels_apart() -> None:
    glibc = Path("trio-0.35.0+rust.1-cp39-cp39-manylinux2014_x86_64.manylinux_2_17_x86_64.whl")
    musl = Path("trio-0.35.0+rust.1-cp39-cp39-musllinux_1_2_x86_64.whl")
    assert glibc.match(wheel_pattern("3.9", Target(GLIBC, "x86_64")))
    assert musl.match(wheel_pattern("3.9", Target(MUSL, "x86_64")))
    assert not musl.match(wheel_pattern("3.9", Target(GLIBC, "x86_64")))
    assert not glibc.match(wheel_pattern("3.9", Target(GLIBC, "aarch64")))
    assert not glibc.match(wheel_pattern("3.10", Target(GLIBC, "x86_64")))


def test_the_promises_are_held_against_the_figures() -> None:
    genuine = Cell("3.13", GLIBC, GENUINE, 1.0, 0.150, 5.0)
    assert matrix.failure([Cell("3.13", GLIBC, OURS, 1.0, 0.020, 4.0), genuine]) is None
    assert "import" in (matrix.failure([Cell("3.13", GLIBC, OURS, 1.0, 0.060, 4.0), genuine]) or "")
    assert "MB" in (matrix.failure([Cell("3.13", GLIBC, OURS, 1.0, 0.020, 6.0), genuine]) or "")


def test_the_table_has_every_cell_and_says_why_one_is_empty(tmp_path: Path) -> None:
    cells = [Cell("3.13", GLIBC, OURS, 1.25, 0.0125, 3.5), Cell("3.12", MUSL, OURS, reason="no interpreter")]
    text = table.render(cells, 3)
    assert "| 3.13, glibc | 1.25 | — | 12.5 | — | 3.50 | — |" in text
    assert "- musl 3.12, ours: no interpreter" in text
    assert sum(line.startswith("| 3.") for line in text.splitlines()) == 10
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nwas here\n{table.END}\nafter\n", encoding="utf-8")
    table.write(text, page)
    written = page.read_text(encoding="utf-8")
    assert written.startswith("before\n")
    assert written.endswith("\nafter\n")
    assert "was here" not in written
    page.write_text("no markers", encoding="utf-8")
    with pytest.raises(ValueError, match="markers"):
        table.write(text, page)


def test_files_of_two_builds_are_compared_by_content(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("same")
    other.write_text("same")
    assert build.fingerprint(one) == build.fingerprint(other)
    other.write_text("different")
    assert build.fingerprint(one) != build.fingerprint(other)
    assert build.fingerprint(tmp_path / "none") == ""
