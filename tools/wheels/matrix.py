"""Install each wheel where a user would, use it, and measure what a user sees first.

A *cell* is an interpreter, a C library, and one of the two implementations.  Both
are installed by pip into fresh environments, from folders with nothing but the wheels
that this cell needs, so that no network is measured.  What is tried in ours:
the quickstart, a TCP connection, threads there and back (``tests/packaging/journey.py``).
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, Optional

from .. import CACHE, PROJECT, environments
from ..pythons import SUPPORTED, Python, available
from . import musl
from .debian import CannotHave
from .targets import GLIBC, Target, wheel_pattern

OURS, GENUINE = "ours", "genuine"
GENUINE_TRIO = "trio==0.35.0"
DEPENDENTS = ("anyio[trio]", "pytest-trio", "trio-websocket")
HOME = CACHE / "matrix"
PROGRAMS = ("examples/quickstart.py", "tests/packaging/journey.py")

IMPORT = "import time; start = time.perf_counter(); import trio; print(time.perf_counter() - start)"
IMPORTS = 11


class Cell(NamedTuple):
    """What a user of one implementation sees; without figures there is a reason."""

    version: str
    libc: str
    which: str
    install: float = 0.0
    imported: float = 0.0
    megabytes: float = 0.0
    reason: str = ""


class CannotInstall(Exception):
    """A cell is empty for a reason that is not ours."""


def interpreters(libc: str, versions: tuple[str, ...]) -> dict[str, Python]:
    """The interpreters with a C library that can be had here."""
    if libc == GLIBC:
        return {python.version: python for python in available() if python.version in versions}
    return {python.version: python for python in musl.pythons(tuple(v for v in versions if v in musl.SUITES))}


def measure(dist: Path, libc: str, versions: tuple[str, ...] = SUPPORTED, rounds: int = 3) -> list[Cell]:
    """All cells with a C library."""
    missing = ""
    try:
        pythons = interpreters(libc, versions)
    except CannotHave as error:
        pythons, missing = {}, str(error)
    cells = []
    for version in versions:
        if version in pythons:
            cells += pair(dist, libc, pythons[version], rounds)
        else:
            reason = missing or f"no {libc} CPython {version} to be had; the wheel is checked by auditwheel"
            cells += [Cell(version, libc, which, reason=reason) for which in (OURS, GENUINE)]
    return cells


def pair(dist: Path, libc: str, python: Python, rounds: int) -> list[Cell]:
    """Ours and genuine Trio on one interpreter, in turn."""
    sources: dict[str, Path] = {}
    reasons: dict[str, str] = {}
    for which in (OURS, GENUINE):
        try:
            sources[which] = wheelhouse(which, dist, libc, python)
        except CannotInstall as error:
            if which == OURS:
                raise
            reasons[which] = str(error)
    figures: dict[str, list[tuple[float, float, float]]] = {which: [] for which in sources}
    for _ in range(rounds):
        for which, source in sources.items():
            figures[which].append(one_round(python, libc, which, source))
    cells = [
        Cell(python.version, libc, which, *(statistics.median(column) for column in zip(*rows)))
        for which, rows in figures.items()
    ]
    return cells + [Cell(python.version, libc, which, reason=reason) for which, reason in reasons.items()]


def wheelhouse(which: str, dist: Path, libc: str, python: Python) -> Path:
    """A folder with an implementation's wheel and those of its dependencies."""
    folder = HOME / "wheelhouse" / f"{which}-{libc}-{python.version}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if which == OURS:
        found = list(dist.glob(wheel_pattern(python.version, Target(libc))))
        if len(found) != 1:
            raise FileNotFoundError(f"{dist} has not one wheel for CPython {python.version} and {libc}")
        wanted = str(found[0])
    else:
        wanted = GENUINE_TRIO
    inner = environments.environment(python, f"pip-{libc}", "pip")
    command = [inner, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest", str(folder), wanted]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        lines = result.stderr.strip().splitlines()
        raise CannotInstall(f"pip: {lines[-1] if lines else result.returncode}")
    return folder


def one_round(python: Python, libc: str, which: str, source: Path) -> tuple[float, float, float]:
    """Install, try, import, weigh."""
    folder = HOME / f"venv-{os.getpid()}"
    environments.fresh(python, folder)
    inner = str(folder / "bin" / "python")
    before = weight(folder)
    started = time.perf_counter()
    pip = [inner, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    # Settings of this machine's pip must not add folders to the one that is given here.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    subprocess.run([*pip, "--find-links", str(source), "trio"], env={**variables, "PIP_CONFIG_FILE": os.devnull}, check=True)
    seconds = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as elsewhere:
        if which == OURS:
            for program in PROGRAMS:
                subprocess.run([inner, str(PROJECT / program)], cwd=elsewhere, stdout=subprocess.DEVNULL, check=True)
        else:
            subprocess.run([inner, "-c", "import trio; assert trio.__version__ == '0.35.0'"], cwd=elsewhere, check=True)
        times = [import_seconds(inner, elsewhere) for _ in range(IMPORTS)]
    megabytes = (weight(folder) - before) / 1e6
    shutil.rmtree(folder)
    print(f"{libc} {python.version} {which}: {seconds:.2f} s, {statistics.median(times):.4f} s, {megabytes:.2f} MB", flush=True)
    return seconds, statistics.median(times), megabytes


def replaced_by_dependents(python: Python, source: Path) -> str:
    """Install packages that require Trio after ours, from the index; what they left instead of ours, or nothing."""
    folder = HOME / f"venv-{os.getpid()}"
    environments.fresh(python, folder)
    inner = str(folder / "bin" / "python")
    environments.run(inner, "-m", "pip", "install", "--quiet", "--no-index", "--find-links", str(source), "trio")
    environments.run(inner, "-m", "pip", "install", "--quiet", *DEPENDENTS)
    environments.run(inner, "-m", "pip", "check")
    command = [inner, "-c", "import anyio, pytest_trio, trio_websocket, trio, trio._native; print(trio.__version__)"]
    version = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
    return "" if "+rust" in version else version


def import_seconds(inner: str, folder: str) -> float:
    """How long ``import trio`` takes in a new process."""
    command = [inner, "-c", IMPORT]
    return float(subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout)


def weight(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())


def failure(cells: list[Cell]) -> Optional[str]:
    """What the figures promise and do not keep: a third of the import time, not more disk."""
    known = {(cell.version, cell.libc, cell.which): cell for cell in cells if not cell.reason}
    for (version, libc, which), ours in known.items():
        genuine = known.get((version, libc, GENUINE))
        if which == OURS and genuine is not None:
            if ours.megabytes > genuine.megabytes:
                return f"{libc} {version}: {ours.megabytes:.2f} MB, genuine {genuine.megabytes:.2f} MB"
            if ours.imported * 3 > genuine.imported:
                return f"{libc} {version}: import {ours.imported:.3f} s, genuine {genuine.imported:.3f} s"
    return None
