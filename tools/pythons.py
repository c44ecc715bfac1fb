"""The CPython interpreters of this machine, one for each version that is supported."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

SUPPORTED = ("3.9", "3.10", "3.11", "3.12", "3.13")

PROBE = """\
import platform, sys
if platform.python_implementation() == "CPython":
    print("%d.%d" % sys.version_info[:2])
"""


class Python(NamedTuple):
    """One interpreter: its version as ``3.13``, and its path."""

    version: str
    path: str


def candidates() -> Iterator[str]:
    """Paths worth a look: the running one, pyenv's (newest first), then what PATH has."""
    yield sys.executable
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    for version in SUPPORTED:
        found = glob.glob(os.path.join(root, "versions", f"{version}.*", "bin", "python"))
        yield from sorted(found, key=patch_release, reverse=True)
    for version in SUPPORTED:
        path = shutil.which(f"python{version}")
        if path:
            yield path


def patch_release(path: str) -> tuple[int, ...]:
    """Sort key of a pyenv folder such as ``.../versions/3.13.1/bin/python``."""
    version = path.split(os.sep)[-3]
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def version_of(path: str) -> str:
    """The version that an interpreter reports, or an empty string when it does not work."""
    try:
        probe = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return probe.stdout.strip() if probe.returncode == 0 else ""


def available() -> list[Python]:
    """One interpreter per supported version that this machine has, oldest first."""
    found: dict[str, str] = {}
    for path in candidates():
        version = version_of(path)
        if version in SUPPORTED:
            found.setdefault(version, path)
    return [Python(version, found[version]) for version in SUPPORTED if version in found]


def choose(wanted: list[str]) -> list[Python]:
    """The interpreters of the given versions, or the newest one when none are given."""
    have = available()
    if not wanted:
        wanted = [have[-1].version] if have else ["3.13"]
    missing = [version for version in wanted if version not in {python.version for python in have}]
    if missing:
        raise SystemExit(f"no CPython {', '.join(missing)} on this machine")
    return [python for python in have if python.version in wanted]
