"""The two trees that pytest looks at, both thrown away afterwards.

``ours`` is a copy of the installed package, compiled extension included, with
upstream's test folders put in; ``genuine`` is the unpacked wheel, of which only
the test ids are wanted.  A copy, because upstream's tests are modules of the
package (``trio._tests.test_sync`` imports ``from .. import _core``), and what a
user has installed must not be written to.  The tree comes first on
``PYTHONPATH``, so interpreters and static tools that tests start see it too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

from . import backport
from .fetch import CannotRun

TEST_FOLDERS = (
    "trio/_core/_tests",
    "trio/_tests",
)  # in upstream's order: the last one reimports trio
SETTINGS = Path(__file__).with_name("upstream-pytest.ini")

PROBE = """\
import importlib.util, json, sys
spec = importlib.util.find_spec("trio")
places = list(spec.submodule_search_locations or []) if spec else []
print(json.dumps({"version": sys.version_info[:2], "places": places}))
"""

# Upstream wraps a method that pathlib does not have on 3.9; one of that name lets it be imported.
GENUINE_ON_39 = "\nimport pathlib\npathlib.Path.hardlink_to = pathlib.Path.link_to\n"


class Target:
    """The interpreter under test, and where its ``trio`` is installed."""

    def __init__(self, python: str, neutral: Path) -> None:
        """Ask the interpreter itself, from a folder that adds nothing to its path."""
        self.python = python
        probe = subprocess.run([python, "-c", PROBE], cwd=neutral, capture_output=True, text=True, check=False)
        if probe.returncode != 0:
            raise CannotRun(f"{python} cannot be asked about trio:\n{probe.stderr}")
        answer = json.loads(probe.stdout)
        self.version: tuple[int, ...] = tuple(answer["version"])
        folders = [Path(place) for place in answer["places"] if os.path.isdir(place)]
        if not folders:
            raise CannotRun(f"{python} has no package named trio")
        self.package = folders[0]

    @property
    def needs_backport(self) -> bool:
        """Whether this Python is older than the oldest that the tests are spelled for."""
        return self.version < (3, 10)


def unpack(wheel: Path, root: Path, folders: tuple[str, ...]) -> None:
    """Extract the given folders of the wheel below ``root``."""
    with zipfile.ZipFile(wheel) as archive:
        prefixes = tuple(folder + "/" for folder in folders)
        archive.extractall(root, [n for n in archive.namelist() if n.startswith(prefixes)])


def build_ours(target: Target, wheel: Path, root: Path) -> None:
    """Copy the installed package to ``root`` and give it upstream's tests."""
    shutil.copytree(target.package, root / "trio", ignore=shutil.ignore_patterns("__pycache__", "_tests"))
    for parent in ("trio", "trio/_core"):
        if not (root / parent / "__init__.py").is_file():
            raise CannotRun(f"the tests need a package directory {parent}, which is not installed")
    unpack(wheel, root, TEST_FOLDERS)
    if target.needs_backport:
        backport.respell_tree(root, TEST_FOLDERS)
    shutil.copy(SETTINGS, root / "pytest.ini")


def build_genuine(target: Target, wheel: Path, root: Path) -> None:
    """Unpack all of the wheel to ``root``, spelled so that this Python can import it."""
    unpack(wheel, root, ("trio",))
    if target.needs_backport:
        backport.respell_tree(root, ("trio",))
        with open(root / f"{backport.SHIM_NAME}.py", "a", encoding="utf-8") as shim:
            shim.write(GENUINE_ON_39)
    shutil.copy(SETTINGS, root / "pytest.ini")
