"""The source archives that have the tests in them: downloaded once with pip, checked by hash at every use."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from pathlib import Path
from typing import Optional

from .suites import Suite

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "downstream"


class CannotRun(Exception):
    """A suite could not be started; says nothing about the package under test."""


def find(suite: Suite, cache: Path) -> Optional[Path]:
    """The suite's archive, if it is there."""
    return next((cache / name for name in (suite.archive, suite.old_archive) if (cache / name).is_file()), None)


def fetch(suite: Suite, python: str, cache: Path = CACHE) -> Path:
    """Return the path of the suite's verified archive, downloading it if it is not cached."""
    archive = find(suite, cache)
    if archive is None:
        cache.mkdir(parents=True, exist_ok=True)
        command = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += [f"--no-binary={suite.package.partition('==')[0]}", "--dest", str(cache), suite.package]
        finished = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
        archive = find(suite, cache)
        if finished.returncode != 0 or archive is None:
            raise CannotRun(f"pip could not download {suite.archive}")
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != suite.sha256:
        raise CannotRun(f"{archive.name} has the SHA-256 {found}, expected {suite.sha256}")
    return archive


def unpack(suite: Suite, archive: Path, folder: Path) -> None:
    """Put the suite's files, and nothing else of its archive, into a folder."""
    top = archive.name[: -len(".tar.gz")] + "/"
    wanted = tuple(top + file for file in suite.files)
    with tarfile.open(archive) as tar:
        for member in tar:
            path = member.name[len(top) :]
            if not member.isfile() or ".." in Path(path).parts or not member.name.startswith(wanted):
                continue
            content = tar.extractfile(member)
            assert content is not None
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read())
