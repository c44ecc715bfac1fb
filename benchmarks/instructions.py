"""Instructions per operation, counted by valgrind: the figure that noise cannot touch.

``python -m benchmarks.instructions --python PYTHON CASE...`` runs each case
twice under callgrind, with few and with many operations; the difference is what
the operations cost, without the start of the interpreter and of the loop.  Use
it to accept or refuse a change to the hot path.  ``--profile FOLDER`` keeps
callgrind's files for ``callgrind_annotate``.

What callgrind does not see is time spent in the kernel and in other threads'
waiting: cases of threads, sockets and processes are for the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from .case import SIDES, all_cases
from .rounds import PROJECT

FEW, MANY = 1_000, 6_000


def collected(python: str, side: str, case: str, n: int, folder: Path) -> int:
    """Instructions of a whole worker that runs ``n`` operations."""
    profile = folder / f"{case}.{side}.{n}.callgrind"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}"]
    finished = subprocess.run(
        [*command, python, "-m", "benchmarks.worker", side],
        cwd=PROJECT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        input=json.dumps({"case": case, "n": n}) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    total = re.search(r"Collected : (\d+)", finished.stderr)
    if finished.returncode != 0 or total is None:
        raise SystemExit(f"{case} failed under valgrind:\n{finished.stderr}")
    return int(total[1])


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--side", choices=SIDES, default="ours")
    parser.add_argument("--profile", type=Path, metavar="FOLDER", help="keep callgrind's files")
    parser.add_argument("cases", nargs="+", metavar="CASE", choices=list(all_cases()))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.profile or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for case in options.cases:
            few, many = (collected(options.python, options.side, case, n, folder) for n in (FEW, MANY))
            print(f"{case:24} {(many - few) / (MANY - FEW):12,.0f} instructions", flush=True)


if __name__ == "__main__":
    main()
