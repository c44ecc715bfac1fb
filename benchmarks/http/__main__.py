"""``python -m benchmarks.http``: measure, print, and write what the documentation shows."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from ..report import describe
from ..rounds import PROJECT
from ..sampling import sample
from . import report
from .load import find_wrk, load, under_load
from .serving import WORKERS, Server, free_port, hypercorn, running
from .versions import version_of, versions

DOCUMENTED = PROJECT / "docs" / "figures" / "http.json"
CONNECTIONS = 32
SAMPLING = 5  # seconds


def options_from_command_line() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http", description=__doc__)
    add = parser.add_argument
    add("--ours", required=True, metavar="PYTHON", help="environment with this project")
    add("--genuine", required=True, metavar="PYTHON", help="environment with genuine Trio and uvloop")
    add("--rounds", type=int, default=9, help="rounds (default: 9)")
    add("--seconds", type=int, default=3, help="of wrk per side and round (default: 3)")
    add("--json", type=Path, metavar="FILE", help="write all figures there")
    add("--docs", action="store_true", help=f"write them to {DOCUMENTED.relative_to(PROJECT)}")
    return parser.parse_args()


def measure(server: Server, seconds: int) -> report.Measured:
    """One round of one side."""
    begin = server.cpu()
    found = load(server.url, CONNECTIONS, seconds)
    return report.Measured(found, server.cpu() - begin, seconds)


def main() -> int:
    """Run the command; the exit status is 1 if there were wrong answers."""
    options = options_from_command_line()
    find_wrk()
    pythons = {side: options.ours if side == "ours" else options.genuine for side in WORKERS}
    rounds: dict[str, list[report.Measured]] = {side: [] for side in WORKERS}
    sides: dict[str, report.Side] = {}
    with contextlib.ExitStack() as stack:
        servers = {}
        for side, worker in WORKERS.items():
            port = free_port()
            servers[side] = stack.enter_context(running(pythons[side], hypercorn(worker, port), port))
            load(servers[side].url, CONNECTIONS, 1)  # so that everything is imported and warm
        for turn in range(options.rounds):
            order = list(servers)
            first = turn % len(order)
            for side in order[first:] + order[:first]:
                rounds[side].append(measure(servers[side], options.seconds))
        print(report.HEADING)
        for side, server in servers.items():
            memory = server.memory()
            with under_load(server.url, CONNECTIONS, SAMPLING + 2):
                profile = sample(pythons[side], server.process.pid, SAMPLING)
            sides[side] = report.summary(rounds[side], memory, profile)
            print(sides[side].line(side, sides.get("ours")), flush=True)
            print("   ", ", ".join(f"{name} {share:.0%}" for name, share in sides[side].packages.items() if share >= 0.01))
    found, python = versions(options.ours, options.genuine)
    setting = describe(found, python, options.rounds)
    text = report.as_json(sides, setting, CONNECTIONS, f"hypercorn {version_of(options.ours, 'hypercorn')}")
    print(setting.sentence)
    for file in [options.json, DOCUMENTED if options.docs else None]:
        if file:
            file.write_text(text, encoding="utf-8")
    return int(any(side.errors for side in sides.values()))


if __name__ == "__main__":
    sys.exit(main())
