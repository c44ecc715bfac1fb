"""The genuine wheel: downloaded once with pip, checked by hash at every use.

The wheel is the single source both of the tests and of the list of test ids
that a result is counted against.  It is kept in the project's ignored cache
directory and never installed.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

VERSION = "0.35.0"
WHEEL_NAME = f"trio-{VERSION}-py3-none-any.whl"
SHA256 = "9a062a029487c1bdbcc1b2543b729a0bde857ce478b1512c84f391f628e0c5c9"

PROJECT = Path(__file__).resolve().parents[2]
CACHE = PROJECT / ".cache" / "compat"


class CannotRun(Exception):
    """The suite could not be started; says nothing about the package under test."""


def genuine_wheel(python: str, cache: Path = CACHE) -> Path:
    """Return the path of the verified wheel, downloading it if it is not cached.

    ``python`` is an interpreter whose pip may be used when the running one has none.
    """
    wheel = cache / WHEEL_NAME
    if not wheel.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        download(wheel, dict.fromkeys([sys.executable, python]))
    verify(wheel)
    return wheel


def download(wheel: Path, pythons: dict[str, None]) -> None:
    """Let the first interpreter that can do so put the wheel where it belongs."""
    arguments = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    # The release itself asks for 3.10; its tests are wanted on 3.9 too.
    arguments += ["--ignore-requires-python", "--dest", str(wheel.parent), f"trio=={VERSION}"]
    for python in pythons:
        finished = subprocess.run([python, *arguments], stdin=subprocess.DEVNULL, check=False)
        if finished.returncode == 0 and wheel.is_file():
            return
    raise CannotRun(f"pip could not download {WHEEL_NAME}")


def verify(wheel: Path) -> None:
    """Refuse a wheel that is not, bit by bit, the one this project was checked with."""
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != SHA256:
        raise CannotRun(f"{wheel.name} has the SHA-256 {found}, expected {SHA256}")
