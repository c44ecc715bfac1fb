"""Whether a wheel is what its name says, and has what users need and nothing else.

``complaints`` looks at one wheel and returns what is wrong with it, as sentences.
"""

from __future__ import annotations

import configparser
import email
import json
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any

from .. import PROJECT, environments
from ..pythons import SUPPORTED
from .targets import POLICIES

BUDGET = 1_500_000
LIBC = (
    *("libc.so.6", "libpthread.so.0", "libdl.so.2", "libm.so.6"),
    "libgcc_s.so.1",  # glibc itself needs it to end threads
    *("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"),
    *("libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"),
)
REQUIRED = {"idna", "outcome", "sniffio>=1.3.0"}
LICENCES = {"LICENSE", "LICENSE.APACHE2", "LICENSE.MIT"}
UNWANTED = (".rs", ".c", ".h", ".toml", ".lock", ".pyc", ".so.dbg")


def complaints(wheel: Path) -> list[str]:
    """Everything that is wrong with a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        found = [*content(archive), *metadata(archive)]
        found += extension(archive)
    if wheel.stat().st_size > BUDGET:
        found.append(f"it has {wheel.stat().st_size} bytes, more than {BUDGET}")
    found += agreement(wheel)
    return found


def content(archive: zipfile.ZipFile) -> Iterator[str]:
    """Which files are there."""
    names = archive.namelist()
    for wanted in ("trio/__init__.py", "trio/py.typed", "trio/_native.pyi"):
        if wanted not in names:
            yield f"{wanted} is missing"
    for name in names:
        top = name.split("/")[0]
        if top != "trio" and not top.endswith(".dist-info"):
            yield f"{name} is outside of the package"
        if name.endswith(UNWANTED) or "/tests/" in name or "/_tests/" in name:
            yield f"{name} is of no use to a user"
    if len([name for name in names if name.endswith(".so")]) != 1:
        yield "there is not exactly one extension"


def dist_info(archive: zipfile.ZipFile, name: str) -> str:
    """The text of a file of the metadata; empty if there is none."""
    found = [entry for entry in archive.namelist() if entry.endswith(f".dist-info/{name}")]
    return archive.read(found[0]).decode() if found else ""


def metadata(archive: zipfile.ZipFile) -> Iterator[str]:
    """What pip, indexes and hypothesis read."""
    fields = email.message_from_string(dist_info(archive, "METADATA"))
    for name, value in (("Name", "trio"), ("Requires-Python", ">=3.9"), ("License-Expression", "MIT OR Apache-2.0")):
        if fields[name] != value:
            yield f"{name} is {fields[name]}, not {value}"
    if not str(fields["Version"]).startswith("0.35.0+rust."):
        yield f"the version {fields['Version']} has no local part that marks this implementation"
    yield from requirements(fields)
    classifiers = set(fields.get_all("Classifier", []))
    for version in SUPPORTED:
        if f"Programming Language :: Python :: {version}" not in classifiers:
            yield f"no classifier for Python {version}"
    entries = configparser.ConfigParser()
    entries.read_string(dist_info(archive, "entry_points.txt"))
    if entries.get("hypothesis", "trio", fallback="") != "trio._core._run:_hypothesis_plugin_setup":
        yield "the entry point for hypothesis is missing"
    present = {Path(name).name for name in archive.namelist() if ".dist-info/licenses/" in name}
    if present != LICENCES:
        yield f"licence files are {sorted(present)}"


def requirements(fields: Message) -> Iterator[str]:
    """Upstream's dependencies, as far as this implementation uses them."""
    given = set(fields.get_all("Requires-Dist", []))
    plain = {requirement for requirement in given if ";" not in requirement}
    if plain != REQUIRED:
        yield f"dependencies are {sorted(plain)}, not {sorted(REQUIRED)}"
    conditional = sorted(given - plain)
    if len(conditional) != 1 or not conditional[0].startswith("exceptiongroup"):
        yield f"conditional dependencies are {conditional}"


def extension(archive: zipfile.ZipFile) -> Iterator[str]:
    """The extension needs a libc, exports its entry, and tells nothing about who built it."""
    for name in archive.namelist():
        if not name.endswith(".so"):
            continue
        binary = archive.read(name)
        for folder in {str(Path.home()), str(PROJECT)} - {"/"}:
            if folder.encode() + b"/" in binary:
                yield f"{name} contains paths below {folder}"
        if b"tripwire" in binary:
            yield f"{name} was built with debug assertions, and can be made to panic"
        facts = described(binary)
        foreign = [library for library in facts["needed"] if library not in LIBC]
        if foreign:
            yield f"{name} needs {foreign}"
        if "libc.so.6" in facts["needed"] and "libgcc_s.so.1" not in facts["needed"]:
            yield f"{name} has an unwinder of its own, which crashes when the C library ends a thread"
        if facts["search_path"]:
            yield f"{name} has a library search path"
        if facts["exported"] != ["PyInit__native"]:
            yield f"{name} exports {facts['exported']}"
        if not facts["stripped"]:
            yield f"{name} is not stripped"
        if facts["executable_stack"]:
            yield f"{name} has an executable stack"


def described(binary: bytes) -> dict[str, Any]:
    """What ``tools.wheels.extension`` reads from a shared object."""
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        file.write(binary)
        file.flush()
        command = [environments.builder(), "-m", "tools.wheels.extension", file.name]
        output = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    facts: dict[str, Any] = json.loads(output)
    return facts


def agreement(wheel: Path) -> Iterator[str]:
    """auditwheel has to find the platform that the name promises, or one that is older still."""
    command = [environments.builder(), "-m", "auditwheel", "show", "--json", str(wheel)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        yield f"auditwheel: {result.stderr.strip()}"
        return
    verdict = json.loads(result.stdout)
    tags = wheel.stem.split("-")[-1].split(".")
    if verdict["overall_tag"] not in tags:
        yield f"auditwheel finds {verdict['overall_tag']}, the name says {' '.join(tags)}"
    if not any(tag.startswith(tuple(POLICIES.values())) for tag in tags):
        yield f"{' '.join(tags)} is none of the platforms that are built for"


def source_complaints(archive: Path) -> list[str]:
    """Whether a source distribution has all that a build needs, and is small."""
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    needed = {"Cargo.toml", "Cargo.lock", "build.rs", "pyproject.toml", "README.md", "src/lib.rs", "python/trio/__init__.py"}
    found = [f"{name} is missing" for name in sorted((needed | LICENCES) - names)]
    if archive.stat().st_size > BUDGET:
        found.append(f"it has {archive.stat().st_size} bytes, more than {BUDGET}")
    return found
