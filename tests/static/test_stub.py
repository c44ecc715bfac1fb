"""The package and the stub of its extension say what is there, and the type checkers agree on what users see."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import trio
import trio._native

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]


def checker(arguments: list[str], cwd: Path) -> None:
    """Run a type checker; its output is the message if it is not content."""
    result = subprocess.run([sys.executable, "-m", *arguments], cwd=cwd, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_what_the_package_says_is_there(tmp_path: Path) -> None:
    """Of every module, the native one included: names, signatures and kinds as type checkers and as programs find them."""
    options = ["--allowlist", str(HERE / "stubtest-allowlist.txt"), "--mypy-config-file", str(HERE / "stubtest.ini")]
    # Which names need allowing depends on the Python, and on the standard library that mypy knows.
    checker(["mypy.stubtest", "trio", *options, "--ignore-unused-allowlist", "--concise"], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "tool", [["mypy", "--strict", "--no-incremental"], ["pyright", "--pythonpath", sys.executable]], ids=["mypy", "pyright"]
)
def test_programs_have_the_types_that_they_should(tool: list[str], tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text((HERE / "program.py").read_text(encoding="utf-8"), encoding="utf-8")
    checker([*tool, str(program)], tmp_path)


@pytest.mark.slow
def test_every_public_name_has_a_type(tmp_path: Path) -> None:
    """pyright's measure for packages: 100 % of what can be reached from public modules."""
    # It looks for the package in the environment whose interpreter it finds first.
    search = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    command = [sys.executable, "-m", "pyright", "--verifytypes", "trio", "--ignoreexternal", "--outputjson"]
    result = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PATH": search}, capture_output=True, text=True)
    report = json.loads(result.stdout)["typeCompleteness"]
    assert Path(report["moduleRootDirectory"]) == Path(inspect.getfile(trio)).parent
    assert report["exportedSymbolCounts"]["withKnownType"] > 500
    incomplete = [symbol for symbol in report["symbols"] if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]]
    assert (report["completenessScore"], incomplete) == (1, [])


@pytest.mark.slow
def test_the_examples_are_typed_strictly(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "examples", tmp_path / "examples")
    checker(["mypy", "--strict", "--no-incremental", "examples"], tmp_path)


def test_the_package_says_that_it_is_typed() -> None:
    package = Path(inspect.getfile(trio)).parent
    assert (package / "py.typed").is_file()
    assert (package / "_native.pyi").is_file()


def test_functions_of_the_extension_can_be_told_from_synchronous_ones() -> None:
    """`inspect` believes the mark that they carry from Python 3.12 on, `asyncio` another one on all versions."""
    import asyncio.coroutines

    for name in ("checkpoint", "sleep", "sleep_forever", "wait_all_tasks_blocked"):
        function = getattr(trio._native, name)
        assert asyncio.coroutines._is_coroutine is function._is_coroutine  # type: ignore[attr-defined]
        assert inspect.iscoroutinefunction(function) == (sys.version_info >= (3, 12))
