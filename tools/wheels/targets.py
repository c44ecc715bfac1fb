"""What a wheel can be for: a C library and a processor, and the names that each tool has for them."""

from __future__ import annotations

import platform
from typing import NamedTuple

from ..pythons import SUPPORTED

GLIBC, MUSL = "glibc", "musl"
PROCESSORS = ("x86_64", "aarch64")
TRIPLES = {GLIBC: "gnu", MUSL: "musl"}
POLICIES = {GLIBC: "manylinux2014", MUSL: "musllinux_1_2"}
# manylinux2014 is an older name of this one; auditwheel says the newer.
NUMBERED = {GLIBC: "manylinux_2_17", MUSL: "musllinux_1_2"}


class Target(NamedTuple):
    """A C library and a processor."""

    libc: str
    processor: str = platform.machine()

    @property
    def triple(self) -> str:
        """Rust's name."""
        return f"{self.processor}-unknown-linux-{TRIPLES[self.libc]}"

    @property
    def policy(self) -> str:
        """The compatibility that maturin is asked for."""
        return POLICIES[self.libc]

    @property
    def tag(self) -> str:
        """The platform tag that auditwheel has to find."""
        return f"{NUMBERED[self.libc]}_{self.processor}"


def python_tag(version: str) -> str:
    """The tag of a CPython: ``cp313`` for ``3.13``."""
    return "cp" + version.replace(".", "")


def wheel_pattern(version: str, target: Target) -> str:
    """A file name pattern that exactly the wheel for this interpreter and target has."""
    tag = python_tag(version)
    return f"trio-*-{tag}-{tag}-*{NUMBERED[target.libc]}_{target.processor}.whl"


def expected(target: Target) -> list[str]:
    """The patterns of all the wheels that a release has for a target."""
    return [wheel_pattern(version, target) for version in SUPPORTED]
