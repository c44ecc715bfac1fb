"""Where an allocation of the interpreter fails there is `MemoryError`: no crash, and nothing is left half done.

The switch that CPython's own tests have makes the n-th allocation fail, for every n.  More of it: `tests.reliability.shortage`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
pytest.importorskip("_testcapi", reason="this CPython was built without its own tests' tools")

REFUSALS = """
import math, sys, _testcapi, trio

REFUSED = [
    (ValueError, lambda: trio.Semaphore(-1)),
    (TypeError, lambda: trio.Semaphore("many")),
    (ValueError, lambda: trio.CancelScope(deadline=math.nan)),
    (ValueError, lambda: trio.move_on_after(-1)),
    (ValueError, lambda: trio.open_memory_channel(-1)),
    (RuntimeError, trio.lowlevel.current_task),
    (RuntimeError, trio.current_time),
    (RuntimeError, trio.Lock().release),
    (TypeError, lambda: trio.lowlevel.ParkingLot().repark(None)),
    (TypeError, trio.Nursery),
]

def ends_with(attempt, number):
    if number >= 0:
        _testcapi.set_nomemory(number, number + 1)
    try:
        attempt()
    except BaseException as error:
        _testcapi.remove_mem_hooks()
        # CPython itself forgets to say why, in places.
        forgotten = isinstance(error, SystemError) and "without" in str(error)
        return MemoryError if forgotten else type(error)

for expected, attempt in REFUSED:
    for number in [-1, *range(40)]:  # once without shortage, so that everything is there that is made once
        end = ends_with(attempt, number)
        assert end in (expected, MemoryError), (attempt, number, end)
"""


@pytest.mark.skipif(hasattr(sys, "gettotalrefcount"), reason="a debug build of CPython aborts where it forgets to say why")
def test_errors_with_a_text() -> None:
    """Most exceptions reach Python where a panic cannot be caught any more; making them must not panic."""
    done = subprocess.run([sys.executable, "-c", REFUSALS], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="CPython itself crashes if it has no memory for a function")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["nothing", "start"])
def test_whole_runs(name: str) -> None:
    """A run that cannot be set up or taken down, a nursery that cannot be opened, exceptions that cannot be put together."""
    script = f"""
import gc, tempfile, trio
from tests.reliability import essentials, shortage
program = essentials.PROGRAMS["{name}"]
for _ in range(3):
    trio.run(program)
gc.collect()
gc.freeze()
with tempfile.TemporaryFile("w+") as said:
    total, wrong = shortage.in_a_fork(lambda: shortage.count_allocations(program, trio.run), said)
    assert total > 100, wrong
    for start in range(1, total + 1):
        found, wrong = shortage.in_a_fork(lambda: shortage.suffer(program, shortage.Plan(start), trio.run), said)
        assert found and not found[1], (start, found, wrong)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, timeout=250)
    assert (done.returncode, done.stderr) == (0, "")
