"""One suite in one fresh environment: install, unpack, run, read the outcomes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from . import hosts, results, sources
from .sources import CannotRun
from .suites import Suite

PINS = Path(__file__).with_name("pins.txt")
TEST_LIMIT = 60  # seconds for one test
UNWANTED = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONPATH", "PYTHONWARNINGS", "FORCE_COLOR")
PROBE = "import importlib.metadata; print(importlib.metadata.version('trio'))"


def succeed(*command: str) -> str:
    """Run a command that has to succeed; return what it prints."""
    finished = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode != 0:
        raise CannotRun(f"{' '.join(command[:6])} ... failed")
    return finished.stdout.strip()


def make(suite: Suite, python: str, trio: str, folder: Path) -> str:
    """A virtual environment with this trio and what the suite needs; return its interpreter."""
    inner = str(folder / "bin" / "python")
    succeed(python, "-m", "venv", str(folder))
    pip = (inner, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
    succeed(*pip, trio)
    installed = succeed(inner, "-c", PROBE)
    succeed(*pip, "--constraint", str(PINS), *suite.requires)
    if succeed(inner, "-c", PROBE) != installed:
        raise CannotRun(f"{suite.name} brought another trio")
    return inner


def pytest_command(suite: Suite, inner: str, outcomes: Path) -> list[str]:
    """The command line."""
    command = [inner, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", str(TEST_LIMIT)]
    command += ["-o", "junit_family=xunit2", "--junitxml", str(outcomes), *suite.arguments]
    for place in suite.left_out:
        if "::" in place:
            command += ["--deselect", place]
        else:
            command += ["--ignore-glob", f"/*/{place}"]
    return command


def variables(inner: str) -> dict[str, str]:
    """The caller's environment variables without what would change the tests."""
    kept = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    local = "127.0.0.1,localhost,::1"
    path = os.path.dirname(inner) + os.pathsep + kept.get("PATH", os.defpath)
    return {**kept, "PATH": path, "no_proxy": local, "NO_PROXY": local}


def run_tests(suite: Suite, python: str, inner: str, folder: Path, log: Path) -> results.Outcomes:
    """Run a suite's tests with an interpreter that has all they need; return the outcome of each."""
    work, file = folder / "work", folder / "outcomes.xml"
    shutil.rmtree(work, ignore_errors=True)
    file.unlink(missing_ok=True)
    work.mkdir()
    if suite.files:
        sources.unpack(suite, sources.fetch(suite, python), work)
    if suite.settings:
        (work / "pytest.ini").write_text(suite.settings, encoding="utf-8")
    if suite.within and shutil.which(suite.within[0]) is None:
        raise CannotRun(f"{suite.name} needs the program {suite.within[0]}")
    command = hosts.with_ipv6_name([*suite.within, *pytest_command(suite, inner, file)], folder)
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command,
            cwd=work,
            env=variables(inner),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(suite.limit)
        except subprocess.TimeoutExpired:
            raise CannotRun(f"{suite.name} took more than {suite.limit} seconds, see {log}") from None
        finally:
            end_session(process)
    outcomes = results.read(file)
    if not outcomes:
        raise CannotRun(f"{suite.name} has no results, see {log}")
    return outcomes


def end_session(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it has started and forgotten."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def run(suite: Suite, python: str, trio: str, log: Path) -> results.Outcomes:
    """Run a suite with some trio (a wheel, or a requirement) and return the outcome of each test."""
    with tempfile.TemporaryDirectory(prefix="downstream-") as name:
        folder = Path(name).resolve()
        return run_tests(suite, python, make(suite, python, trio, folder / "venv"), folder, log)
