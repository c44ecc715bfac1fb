"""``python -m benchmarks.http.program``: processor time and memory of ``examples/http_server.py`` under load.

The same program runs on ours and on genuine Trio, one after the other.  First its memory is
noted ten times a second through a small day in the life of a server: nobody there,
many connections that each ask once and then wait, a load that asks without a pause, and
nobody there again.  Then rounds of load give the processor time per request, both
sides in turn, and py-spy tells where it goes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from ..report import describe
from ..rounds import PROJECT
from ..sampling import sample
from .load import find_wrk, load, under_load
from .serving import Server, free_port, running
from .versions import version_of, versions

PROGRAM = "examples/http_server.py"
DOCUMENTED = PROJECT / "docs" / "figures" / "program.json"
CONNECTIONS = 32  # of the load
WAITING = 500  # connections that ask once
SAMPLING = 5  # seconds
ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def options_from_command_line() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http.program", description=__doc__)
    add = parser.add_argument
    add("--ours", required=True, metavar="PYTHON", help="environment with this project")
    add("--genuine", required=True, metavar="PYTHON", help="environment with genuine Trio")
    add("--rounds", type=int, default=7, help="rounds of load (default: 7)")
    add("--seconds", type=int, default=2, help="of load per side and round (default: 2)")
    add("--json", type=Path, metavar="FILE", help="write all figures there")
    add("--docs", action="store_true", help=f"write them to {DOCUMENTED.relative_to(PROJECT)}")
    return parser.parse_args()


@contextlib.contextmanager
def memory_noted(server: Server) -> Iterator[list[tuple[float, int]]]:
    """Note the server's memory during the block: seconds since its beginning, and bytes."""
    begin = time.monotonic()
    noted: list[tuple[float, int]] = []
    done = threading.Event()

    def note() -> None:
        while not done.wait(0.1):
            noted.append((round(time.monotonic() - begin, 2), server.memory()["now"]))

    noting = threading.Thread(target=note)
    noting.start()
    try:
        yield noted
    finally:
        done.set()
        noting.join()


def ask_once(server: Server, stack: contextlib.ExitStack) -> None:
    """Open a connection that stays until the stack is left, and get one answer over it."""
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
    connection.sendall(ASK)
    if not connection.recv(65536).startswith(b"HTTP/1.1 200"):
        raise SystemExit("the server gave a wrong answer")


def day(server: Server) -> dict[str, Any]:
    """The server's memory through the phases, and the seconds in which they began."""
    phases = {}
    with memory_noted(server) as noted:
        begin = time.monotonic()
        time.sleep(0.5)
        alone = server.memory()["now"]
        with contextlib.ExitStack() as clients:
            phases["connections"] = time.monotonic() - begin
            for _ in range(WAITING):
                ask_once(server, clients)
            full = server.memory()["now"]
            time.sleep(0.5)
            phases["load"] = time.monotonic() - begin
            load(server.url, CONNECTIONS, 4)
            phases["end"] = time.monotonic() - begin
        time.sleep(1)
    return {"noted": noted, "phases": phases, "alone": alone, "per connection": (full - alone) / WAITING}


def measure(servers: dict[str, Server], rounds: int, seconds: int) -> dict[str, dict[str, float]]:
    """Requests per second and processor time per request in microseconds, medians of the rounds."""
    rates: dict[str, list[float]] = {side: [] for side in servers}
    times: dict[str, list[float]] = {side: [] for side in servers}
    for turn in range(rounds):
        for side in sorted(servers, reverse=bool(turn % 2)):
            before = servers[side].cpu()
            found = load(servers[side].url, CONNECTIONS, seconds)
            rates[side].append(found.rate)
            times[side].append((servers[side].cpu() - before) / (found.rate * seconds) * 1e6)
    return {side: {"rate": median(rates[side]), "cpu": median(times[side])} for side in servers}


def line(side: str, figures: dict[str, Any]) -> str:
    """One side as a line of text."""
    packages = ", ".join(f"{name} {share:.0%}" for name, share in figures["packages"].items() if share >= 0.01)
    memory = figures["memory"]
    return (
        f"{side:8} {figures['rate']:8,.0f}/s {figures['cpu']:6.0f} µs per request: {packages};"
        f" {memory['alone'] / 2**20:.1f} MiB and {memory['per connection'] / 1024:.1f} KiB per connection"
    )


def main() -> int:
    """Run the command."""
    options = options_from_command_line()
    find_wrk()
    pythons = {"ours": options.ours, "genuine": options.genuine}
    with contextlib.ExitStack() as stack:
        servers = {}
        for side, python in pythons.items():
            port = free_port()
            servers[side] = stack.enter_context(running(python, [PROGRAM, str(port)], port))
        days = {side: day(server) for side, server in servers.items()}
        sides: dict[str, dict[str, Any]] = measure(servers, options.rounds, options.seconds)  # type: ignore[assignment]
        for side, server in servers.items():
            with under_load(server.url, CONNECTIONS, SAMPLING + 2):
                profile = sample(pythons[side], server.process.pid, SAMPLING)
            sides[side].update(profile._asdict(), memory=days[side])
            print(line(side, sides[side]), flush=True)
    found, python = versions(options.ours, options.genuine)
    setting = describe(found, python, options.rounds)
    print(setting.sentence)
    content = {
        "setting": setting._asdict(),
        "program": PROGRAM,
        "h11": version_of(options.ours, "h11"),
        "connections": CONNECTIONS,
        "waiting": WAITING,
        "sides": sides,
    }
    for file in [options.json, DOCUMENTED if options.docs else None]:
        if file:
            file.write_text(json.dumps(content) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
