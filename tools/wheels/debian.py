"""Debian's packages and sources, unpacked into private folders.

Some things are in no registry of Rust or Python: musl's libc, the sources of
CPython, OpenSSL and their like, interpreters newer than the machine's.  Debian has
them.  Each suite asked gets an apt of its own below ``.cache`` (lists, downloads,
settings), so that the system's sources and packages stay as they are, and nobody
has to be root.  It needs a Debian with ``apt-get``, whose mirror it asks.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

from .. import CACHE

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

SETTINGS = """\
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "{folder}/lists";
Dir::Cache "{folder}/cache";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Sandbox::User "root";
Debug::NoLocking "true";
"""


class CannotHave(Exception):
    """Something that a step needs is not to be had here; the text says what, and how else to get it."""


@functools.cache
def mirror() -> str:
    """The address of the Debian archive that this machine is set up for."""
    if not shutil.which("apt-get") or not os.path.exists(KEYRING):
        raise CannotHave("this is not a Debian with apt-get and debian-archive-keyring")
    command = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian")
    for attempt in range(2):
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        if found:
            break
        if attempt == 0:  # a new machine has no lists yet
            subprocess.run(("apt-get", "-qq", "update"), stdin=subprocess.DEVNULL, check=False)
    else:
        raise CannotHave("apt knows no Debian archive here; an `apt-get update` as root may help")
    return found[0]


@functools.cache
def apt(kind: str, suite: str) -> dict[str, str]:
    """The environment in which ``apt-get`` knows one suite only; ``kind`` is ``deb`` or ``deb-src``."""
    folder = CACHE / "debian" / f"{suite}-{kind}"
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    line = f"{kind} [signed-by={KEYRING}] {mirror()} {suite} main\n"
    (folder / "sources.list").write_text(line, encoding="utf-8")
    (folder / "apt.conf").write_text(SETTINGS.format(folder=folder), encoding="utf-8")
    env = {**os.environ, "APT_CONFIG": str(folder / "apt.conf")}
    subprocess.run(("apt-get", "-qq", "update"), env=env, check=True)
    return env


def packages(folder: Path, suite: str, *names: str) -> Path:
    """Unpack binary packages of a suite below a folder, once."""
    done = folder / ".unpacked"
    if done.is_file() and done.read_text(encoding="utf-8").split() == [suite, *names]:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    archives = folder / ".archives"
    archives.mkdir(parents=True)
    command = ("apt-get", "-qq", "download", *names)
    if subprocess.run(command, env=apt("deb", suite), cwd=archives, check=False).returncode:
        raise CannotHave(f"Debian {suite} has no {' '.join(names)} for this machine")
    unpack(archives, folder)
    done.write_text("\n".join((suite, *names)), encoding="utf-8")
    return folder


def unpack(archives: Path, folder: Path) -> None:
    """Unpack all packages of one folder below another one, and remove them."""
    for archive in sorted(archives.glob("*.deb")):
        subprocess.run(("dpkg", "-x", str(archive), str(folder)), check=True)
    shutil.rmtree(archives)


def source(suite: str, package: str) -> Path:
    """The original tarball of a source package."""
    folder = CACHE / "debian" / "sources" / f"{suite}-{package}"
    found = sorted(folder.glob("*.orig.tar.*"))
    if not found:
        folder.mkdir(parents=True, exist_ok=True)
        command = ("apt-get", "-qq", "source", "--download-only", package)
        # The description of a version may be gone while its tarball is there: judged by the tarball.
        subprocess.run(command, env=apt("deb-src", suite), cwd=folder, check=False)
        found = sorted(folder.glob("*.orig.tar.*"))
    found = [file for file in found if not file.name.endswith(".asc")]
    if not found:
        raise CannotHave(f"Debian {suite} has no source of {package}")
    return found[0]


def with_dependencies(folder: Path, *names: str) -> bool:
    """Unpack packages of the machine's own suites, with what they need and the machine lacks.

    Returns whether these suites have them.
    """
    done = folder / ".unpacked"
    if done.is_file():
        return done.read_text(encoding="utf-8").split() == list(names)
    if not shutil.which("apt-get"):
        raise CannotHave("this is not a Debian with apt-get")
    archives, lists = folder / ".archives", folder / ".lists"
    for place in (archives, lists):
        (place / "partial").mkdir(parents=True, exist_ok=True)
    settings = [f"Dir::Cache::archives={archives}", f"Dir::State::lists={lists}"]
    settings += ["Debug::NoLocking=true", "APT::Sandbox::User=root"]
    command = ["apt-get", "-qq", *(part for setting in settings for part in ("-o", setting))]
    subprocess.run([*command, "update"], stdin=subprocess.DEVNULL, check=False)
    install = ["--yes", "--no-install-recommends", "--download-only", "install", *names]
    if subprocess.run([*command, *install], stdin=subprocess.DEVNULL, check=False).returncode:
        return False
    unpack(archives, folder)
    done.write_text("\n".join(names), encoding="utf-8")
    return True
