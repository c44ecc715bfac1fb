"""Which versions the environments have."""

from __future__ import annotations

import subprocess


def version_of(python: str, package: str) -> str:
    """The version of a package in an environment."""
    program = f"import importlib.metadata as m; print(m.version({package!r}))"
    found = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def versions(ours: str, genuine: str) -> tuple[dict[str, str], str]:
    """The versions of what is measured, by side, and that of Python."""
    program = "import platform; print(platform.python_version())"
    python = subprocess.run([ours, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    found = {
        "ours": version_of(ours, "trio"),
        "genuine": version_of(genuine, "trio"),
        "asyncio": python,
        "uvloop": version_of(genuine, "uvloop"),
    }
    return found, python
