"""pytest processes, watched through a pipe.

`watch` starts one process, hands each event to a callback as it arrives and
says how the process ended.  It owns the process group: when it returns, nothing
that a test has started is left.  A process that sends nothing for
``stall`` seconds is aborted (faulthandler then prints every stack) and killed.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Optional

from .overlay import TEST_FOLDERS

PLUGIN = Path(__file__).with_name("plugin.py")
ABORT_GRACE = 10.0  # seconds for printing stacks
EXIT_GRACE = 120.0  # seconds from the last event of a session to the end of its process

Event = list[Any]


class Ending(NamedTuple):
    """How a pytest process ended."""

    status: int
    stalled: bool

    def __str__(self) -> str:
        if self.stalled:
            return "nothing happened for too long, the process was killed"
        if self.status < 0:
            return f"the process died from {signal.Signals(-self.status).name}"
        if self.status == 2:
            return "a stray KeyboardInterrupt ended the pytest session"
        return f"the process exited with status {self.status}"


class Session(NamedTuple):
    """What all processes that look at one tree have in common."""

    python: str
    root: Path
    work: Path
    stall: float = 300.0
    options: tuple[str, ...] = ()  # for the interpreter, before -m pytest

    def command(self, arguments: list[str], only: list[str]) -> list[str]:
        """The command line; ``only`` are test ids or paths relative to the tree."""
        places = [str(self.root / place) for place in (only or TEST_FOLDERS)]
        line = [self.python, *self.options, "-m", "pytest", "-c", str(self.root / "pytest.ini")]
        line += ["--rootdir", str(self.root), "-p", "no:cacheprovider", "-p", "compat_plugin"]
        line += ["-p", "trio._tests.pytest_plugin", "--continue-on-collection-errors"]
        return [*line, *arguments, *places]

    def environment(self, pipe: int, drop: list[str]) -> dict[str, str]:
        """The caller's environment without what would change pytest's behaviour."""
        plugins = self.work / "plugin"
        plugins.mkdir(exist_ok=True)
        (plugins / "compat_plugin.py").write_bytes(PLUGIN.read_bytes())
        unwanted = {"PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONWARNINGS", "FORCE_COLOR"}
        env = {name: value for name, value in os.environ.items() if name not in unwanted}
        plan = {"root": str(self.root), "drop": drop, "pipe": pipe}
        search = [str(self.root), str(plugins), env.get("PYTHONPATH", "")]
        env.update(
            COMPAT_PLAN=json.dumps(plan),
            # Tests start console scripts of the environment (pyright).
            PATH=os.path.dirname(self.python) + os.pathsep + env.get("PATH", os.defpath),
            PYRIGHT_PYTHON_IGNORE_WARNINGS="1",
            PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
            PYTHONPATH=os.pathsep.join(filter(None, search)),
        )
        return env

    def watch(
        self,
        on_event: Callable[[Event], None],
        arguments: list[str],
        only: list[str],
        drop: list[str],
        output: Optional[int] = None,
    ) -> Ending:
        """Run pytest once; ``output`` takes what it prints (default: our own stdout)."""
        folder = self.work / "cwd"  # static tools leave caches where they are started
        folder.mkdir(exist_ok=True)
        reader, writer = os.pipe()
        try:
            process = subprocess.Popen(
                self.command(arguments, only),
                cwd=folder,
                env=self.environment(writer, drop),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[writer],
                start_new_session=True,
            )
        finally:
            os.close(writer)
        try:
            stalled = follow(process, reader, on_event, self.stall)
        finally:
            os.close(reader)
            end(process)
        return Ending(process.returncode, stalled)


def follow(process: subprocess.Popen[bytes], reader: int, on_event: Callable[[Event], None], stall: float) -> bool:
    """Pass events on until the process has ended; True if it stalled instead."""
    buffered = b""
    patience = stall
    last = time.monotonic()
    os.set_blocking(reader, False)
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        while time.monotonic() - last < patience:
            # Looked at before reading: what a dead process wrote is all in the pipe.
            over = process.poll() is not None
            if selector.select(0 if over else 0.2):
                chunk = os.read(reader, 1 << 16)
                if chunk:
                    *lines, buffered = (buffered + chunk).split(b"\n")
                    for line in lines:
                        event = json.loads(line)
                        patience = min(EXIT_GRACE, stall) if event[0] == "finish" else stall
                        on_event(event)
                    last = time.monotonic()
                    continue
                time.sleep(0.05)  # end of file, and the process is about to end
            if over:
                return False
    return True


def end(process: subprocess.Popen[bytes]) -> None:
    """Make sure that the process and everything it has started is gone."""
    if process.poll() is None:
        process.send_signal(signal.SIGABRT)
        try:
            process.wait(ABORT_GRACE)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def restore_signals() -> None:
    """Undo what ``nohup`` or ``command &`` leave behind, as children inherit it.

    With SIGINT ignored, upstream's tests of KeyboardInterrupt would wait for ever.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
