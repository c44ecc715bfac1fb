"""The installed distribution: what a drop-in's metadata has to say, and which files are there."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

import pytest

import trio
import trio._native

DISTRIBUTION = importlib.metadata.distribution("trio")


def test_the_version_tells_which_implementation_it_is() -> None:
    assert re.fullmatch(r"0\.35\.0\+rust\.\d+", DISTRIBUTION.version)
    assert trio.__version__ == DISTRIBUTION.version


def test_the_native_half_is_an_extension() -> None:
    assert trio._native.__file__.endswith(".so")


def test_requirements_are_those_that_the_package_imports() -> None:
    given = set(DISTRIBUTION.requires or [])
    assert {requirement for requirement in given if ";" not in requirement} == {"idna", "outcome", "sniffio>=1.3.0"}
    assert DISTRIBUTION.metadata["Requires-Python"] == ">=3.9"


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="newer than what a release promises")
def test_this_python_is_among_the_classifiers() -> None:
    classifiers = DISTRIBUTION.metadata.get_all("Classifier") or []
    assert f"Programming Language :: Python :: {sys.version_info[0]}.{sys.version_info[1]}" in classifiers
    assert "Framework :: Trio" in classifiers


def test_hypothesis_finds_its_entry_point() -> None:
    (entry,) = (point for point in DISTRIBUTION.entry_points if point.group == "hypothesis")
    assert entry.name == "trio"
    assert callable(entry.load())


def test_type_checkers_and_lawyers_find_what_they_look_for() -> None:
    files = {str(file) for file in DISTRIBUTION.files or []}
    assert {"trio/py.typed", "trio/_native.pyi"} <= files
    licences = {Path(file).name for file in files if ".dist-info/licenses/" in file}
    assert licences == {"LICENSE", "LICENSE.APACHE2", "LICENSE.MIT"}


def test_every_listed_file_is_there_and_nothing_else_is_shipped() -> None:
    for file in DISTRIBUTION.files or []:
        assert Path(str(file.locate())).is_file(), file
        assert str(file).split("/")[0] == "trio" or ".dist-info/" in str(file), file
        assert not str(file).endswith((".rs", ".toml", ".lock")), file
