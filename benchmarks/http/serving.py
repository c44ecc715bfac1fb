"""A server process: started, awaited, measured, ended.

hypercorn runs without a supervisor (``--workers 0``), so the process that is started
is the one that serves.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
START = 20.0  # seconds that a server may take to listen
WORKERS = {"ours": "trio", "genuine": "trio", "asyncio": "asyncio", "uvloop": "uvloop"}


class ServerFailed(Exception):
    """A server did not start."""


class Server:
    """One running server."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}/"

    def memory(self) -> dict[str, int]:
        """Resident memory in bytes, now and at its highest."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        kilobytes = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", status, re.MULTILINE))
        return {"now": int(kilobytes["VmRSS"]) * 1024, "peak": int(kilobytes["VmHWM"]) * 1024}

    def cpu(self) -> float:
        """Seconds of processor time that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_until_it_listens(server: Server) -> None:
    """Return when the port answers."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise ServerFailed(f"the server ended with status {server.process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), timeout=1):
            return
        time.sleep(0.05)
    raise ServerFailed(f"nobody listens on port {server.port} after {START:.0f} s")


def hypercorn(worker: str, port: int) -> list[str]:
    """The arguments with which Python runs hypercorn."""
    options = ["--workers", "0", "--log-level", "warning", "--worker-class", worker, "--bind", f"127.0.0.1:{port}"]
    return ["-m", "hypercorn", *options, "benchmarks.http.application:application"]


@contextlib.contextmanager
def running(python: str, arguments: Sequence[str], port: int) -> Iterator[Server]:
    """Run a server until the end of the block."""
    process = subprocess.Popen([python, *arguments], cwd=PROJECT, stdout=subprocess.DEVNULL)
    server = Server(process, port)
    try:
        wait_until_it_listens(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
