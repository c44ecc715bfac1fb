"""Rust's standard library for a target: the toolchain's, or built from its source.

A toolchain by rustup gets it with ``rustup target add``.  Where rustup cannot
download, cargo can build it, from the library source that belongs to the compiler to
the letter.  In order of preference that is

* the toolchain's own, where its component ``rust-src`` is there;
* Debian's, together with Debian's compiler.  Its stable release keeps such a pair for
  years (and so does Debian 12, under the name ``rustc-web``).  Both are unpacked
  privately; the machine's compiler stays what it is.

The answer is a set of environment variables for ``maturin``.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

from .. import CACHE
from . import debian

FROM_SOURCE = {"RUSTC_BOOTSTRAP": "1", "CARGO_UNSTABLE_BUILD_STD": "std,panic_unwind"}

WRAPPER = """\
#!/bin/sh
# Debian's compiler from a private folder.
export LD_LIBRARY_PATH={libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}
exec {rustc} --sysroot {sysroot} "$@"
"""

ADVICE = """\
Rust's standard library for {triple} is not to be had:
  * `rustup target add {triple}` did not work ({rustup});
  * the toolchain has no source of it (`rustup component add rust-src` would bring it);
  * {debian}.
"""


@functools.cache
def variables(triple: str) -> dict[str, str]:
    """What the environment of a build for this target needs, besides what it has."""
    if ready(triple):
        return {}
    rustup = add_by_rustup(triple)
    if not rustup:
        return {}
    if (sysroot() / "lib/rustlib/src/rust/library/Cargo.lock").is_file():
        return FROM_SOURCE
    try:
        return {**FROM_SOURCE, **debian_compiler()}
    except debian.CannotHave as error:
        raise debian.CannotHave(ADVICE.format(triple=triple, rustup=rustup, debian=error)) from None


@functools.cache
def sysroot() -> Path:
    """Where the active toolchain is."""
    if not shutil.which("rustc"):
        raise debian.CannotHave("there is no rustc; install a Rust toolchain, for example from https://rustup.rs")
    command = ("rustc", "--print", "sysroot")
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def ready(triple: str) -> bool:
    """Whether the toolchain has the library already."""
    return any((sysroot() / "lib/rustlib" / triple / "lib").glob("libstd-*.rlib"))


def add_by_rustup(triple: str) -> str:
    """Ask rustup for it; returns why that did not work, or nothing."""
    if not shutil.which("rustup"):
        return "there is no rustup"
    command = ("rustup", "target", "add", triple)
    try:
        result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
    except subprocess.TimeoutExpired:
        return "it took more than five minutes"
    lines = result.stderr.strip().splitlines()
    if result.returncode == 0:
        return "" if ready(triple) else "rustup's toolchain is not the one in use"
    return lines[-1] if lines else f"status {result.returncode}"


def debian_compiler() -> dict[str, str]:
    """Unpack Debian's compiler with its source, and say how to use it."""
    folder = CACHE / "debian-rust"
    names = ("rustc-web", "rust-web-src"), ("rustc", "rust-src")
    for pair in names:
        if debian.with_dependencies(folder, *pair):
            break
    else:
        raise debian.CannotHave("Debian has no compiler with its source for this machine")
    library = next(folder.glob("usr/src/rustc-*/library/Cargo.lock"), None)
    rustc = folder / "usr/bin/rustc"
    if library is None or not rustc.exists():
        raise debian.CannotHave("Debian's packages of the compiler have another layout than expected")
    wrapper = folder / "rustc"
    libraries = sorted({str(file.parent) for file in folder.rglob("*.so*")})
    text = WRAPPER.format(rustc=rustc, sysroot=folder / "usr", libraries=os.pathsep.join(libraries))
    wrapper.write_text(text, encoding="utf-8")
    wrapper.chmod(0o755)
    return {"RUSTC": str(wrapper)}
