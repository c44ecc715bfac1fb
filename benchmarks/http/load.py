"""wrk, and what it reports."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SCRIPT = Path(__file__).with_name("wrk.lua")


class Load(NamedTuple):
    """What one run of wrk saw; latencies in microseconds."""

    rate: float  # requests per second
    p50: float
    p90: float
    p99: float
    errors: int


def find_wrk() -> str:
    """The program's path."""
    path = shutil.which("wrk")
    if path is None:
        raise SystemExit("this needs wrk, which most distributions have in a package of that name")
    return path


@contextlib.contextmanager
def under_load(url: str, connections: int, seconds: int) -> Iterator[None]:
    """Ask for so long, in the background, and let the block begin when that is under way."""
    asking = threading.Thread(target=load, args=(url, connections, seconds))
    asking.start()
    time.sleep(1)
    try:
        yield
    finally:
        asking.join()


def load(url: str, connections: int, seconds: int) -> Load:
    """Ask over so many connections for so long; an answer other than 200 is an error."""
    command = [find_wrk(), "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    finished = subprocess.run([*command, "--script", str(SCRIPT), url], capture_output=True, text=True, check=True)
    said = json.loads(finished.stdout.splitlines()[-1])
    return Load(said["requests"] / said["seconds"], said["p50"], said["p90"], said["p99"], said["errors"])
