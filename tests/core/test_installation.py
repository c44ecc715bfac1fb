"""``import trio`` where it cannot work: the error says why, and what to do."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import trio

INSTALLED = Path(inspect.getfile(trio)).parent


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """A copy of the installed package, without its native part."""
    folder = tmp_path / "trio"
    shutil.copytree(INSTALLED, folder, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    yield folder


def import_error(copy: Path, before: str = "") -> str:
    """The last line that an interpreter prints which imports the copy."""
    program = f"import sys; sys.path.insert(0, {str(copy.parent)!r}); {before}\nimport trio"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert finished.returncode == 1
    last = finished.stderr.splitlines()[-1]
    assert last.startswith("ImportError: ")
    return last


def test_the_native_part_is_missing(copy: Path) -> None:
    text = import_error(copy)
    assert str(copy) in text
    assert "python -m tools setup" in text
    assert "--force-reinstall" in text


def test_it_was_built_for_another_python(copy: Path) -> None:
    (copy / "_native.cpython-38-x86_64-linux-gnu.so").touch()
    text = import_error(copy)
    assert "installed for another Python (_native.cpython-38-x86_64-linux-gnu.so)" in text
    assert "this is CPython {}.{}".format(*sys.version_info) in text


def test_it_is_damaged(copy: Path) -> None:
    (library,) = INSTALLED.glob("_native.*.so")
    (copy / library.name).write_bytes(b"no library")
    assert "cannot be loaded" in import_error(copy)


@pytest.mark.parametrize(
    ("pretence", "text"),
    [
        ("sys.platform = 'win32'", "runs on Linux only, not on win32; the original Trio works there"),
        ("sys.implementation.name = 'pypy'", "needs CPython, not pypy; the original Trio works there"),
    ],
    ids=["platform", "implementation"],
)
def test_it_is_not_supported(copy: Path, pretence: str, text: str) -> None:
    assert text in import_error(copy, pretence)


def test_another_trio_is_in_the_process(copy: Path) -> None:
    for library in INSTALLED.glob("_native.*.so"):
        shutil.copy(library, copy)
    before = "import types; sys.modules['trio._core._generated_run'] = types.ModuleType('trio._core._generated_run')"
    text = import_error(copy, before)
    assert "cannot be mixed" in text
    assert "start Python anew" in text


@pytest.mark.parametrize("change", ["remove(file)", "utime(file, ns=(1, 1))"], ids=["removed", "replaced"])
@pytest.mark.parametrize("late", ["trio.Path", "trio.socket", "trio._ssl", "trio.lowlevel.FdStream"])
def test_files_are_exchanged_while_the_program_runs(copy: Path, change: str, late: str) -> None:
    for library in INSTALLED.glob("_native.*.so"):
        shutil.copy(library, copy)
    text = import_error(copy, f"import os, trio; file = trio._native.__file__; os.{change}; {late}")
    assert f"the files of Trio in {copy} have been replaced or removed" in text
    assert "start Python anew" in text


def test_names_that_are_there_do_not_need_the_files(copy: Path) -> None:
    for library in INSTALLED.glob("_native.*.so"):
        shutil.copy(library, copy)
    use = "trio.Path; import os; os.remove(trio._native.__file__); trio.Path; trio.run(trio.sleep, 0)"
    program = f"import sys; sys.path.insert(0, {str(copy.parent)!r}); import trio; {use}"
    subprocess.run([sys.executable, "-c", program], check=True)


INTERRUPTED_IMPORT = """
import signal, sys
import trio

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "trio._path":
            signal.raise_signal(signal.SIGINT)

async def main():
    try:
        print(trio.Path("imported"))
        await trio.lowlevel.checkpoint()
    except KeyboardInterrupt:
        print("interrupted")

sys.meta_path.insert(0, Finder())
trio.run(main)
"""


def test_an_interrupt_waits_for_a_late_import() -> None:
    run = subprocess.run([sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, timeout=30)
    assert (run.stdout, run.stderr) == ("imported\ninterrupted\n", "")
