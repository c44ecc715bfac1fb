"""Where this Trio cannot run, an installation is refused with the reason, and nothing is left behind."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
METADATA = importlib.metadata.distribution("trio").read_text("METADATA") or ""
VERSION = importlib.metadata.version("trio")


def wheel_named(folder: Path, tags: str) -> None:
    """A wheel with this distribution's metadata and no content."""
    info = f"trio-{VERSION}.dist-info"
    with zipfile.ZipFile(folder / f"trio-{VERSION}-{tags}.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", METADATA)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n")
        wheel.writestr(f"{info}/RECORD", "")


def download(folder: Path, *restrictions: str) -> subprocess.CompletedProcess[str]:
    """Ask pip for the wheel that suits an interpreter and platform."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    command = [sys.executable, "-m", "pip", "download", "--no-index", "--no-deps", "--only-binary=:all:"]
    command += ["--find-links", str(folder), "--dest", str(folder / "got"), *restrictions, "trio"]
    env = {**variables, "PIP_CONFIG_FILE": os.devnull}
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


@pytest.mark.parametrize(
    "restrictions",
    [
        ("--python-version", "3.8"),
        ("--platform", "win_amd64"),
        ("--platform", "macosx_14_0_arm64"),
        ("--implementation", "pp"),
        ("--platform", "manylinux1_x86_64"),
    ],
)
def test_pip_finds_no_wheel_for_what_is_not_supported(tmp_path: Path, restrictions: tuple[str, ...]) -> None:
    wheel_named(tmp_path, "cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64")
    suitable = ("--python-version", "3.13", "--implementation", "cp", "--platform", "manylinux2014_x86_64")
    assert download(tmp_path, *suitable).returncode == 0
    shutil.rmtree(tmp_path / "got")
    wanted = dict(zip(suitable[::2], suitable[1::2]))
    wanted.update([restrictions])
    refused = download(tmp_path, *(part for pair in wanted.items() for part in pair))
    assert refused.returncode != 0
    assert "No matching distribution found for trio" in refused.stderr
    assert not list((tmp_path / "got").glob("*"))


def test_pip_refuses_an_old_python_by_the_metadata(tmp_path: Path) -> None:
    wheel_named(tmp_path, "py3-none-any")
    refused = download(tmp_path, "--python-version", "3.8")
    assert refused.returncode != 0
    assert "requires a different Python: 3.8.0 not in '>=3.9'" in refused.stderr
    assert download(tmp_path, "--python-version", "3.9").returncode == 0


CONFIGURATIONS = {
    "implementation=PyPy\nversion=3.11\nshared=true": "needs CPython",
    "implementation=CPython\nversion=3.14\nshared=true\nbuild_flags=Py_GIL_DISABLED": "free-threaded",
    "implementation=CPython\nversion=3.11\nshared=true\nexecutable={folder}/traces-references": "trace references",
}


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 13), reason="the same whichever interpreter runs the tests")
@pytest.mark.skipif(shutil.which("cargo") is None, reason="needs a Rust toolchain")
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_a_build_for_another_interpreter_ends_with_the_reason(tmp_path: Path, configuration: str) -> None:
    file = tmp_path / "config.txt"
    file.write_text(configuration.format(folder=tmp_path) + "\n", encoding="utf-8")
    stand_in = tmp_path / "traces-references"
    stand_in.write_text("#!/bin/sh\necho True\n", encoding="utf-8")
    stand_in.chmod(0o755)
    env = {**os.environ, "PYO3_CONFIG_FILE": str(file)}
    command = ["cargo", "check", "--locked", "--target-dir", str(PROJECT / "target" / "refusals")]
    result = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert f"error: this Trio {'needs CPython' if 'PyPy' in configuration else 'does not support'}" in result.stderr
    assert CONFIGURATIONS[configuration] in result.stderr
