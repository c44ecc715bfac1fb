"""The kept programs on this project's Trio, against the traces that genuine Trio gave."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from .sides import Side, difference

KEPT = sorted((Path(__file__).parent / "regressions").glob("*.json"))


def trace_of(program: object, perturbation: str = "") -> list[object]:
    """What the Trio that is tested makes of a program."""
    side = Side(sys.executable, perturbation)
    try:
        side.ask([program])
        [trace] = side.answer()
    finally:
        side.close()
    assert isinstance(trace, list)
    return trace


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_kept_program(file: Path) -> None:
    kept = json.loads(file.read_text())
    found = difference(trace_of(kept["program"]), kept["trace"])
    assert not found, found


@pytest.mark.parametrize("perturbation", ["checkpoint", "order"])
def test_a_spoilt_side_is_noticed(perturbation: str) -> None:
    checkpoints = [["checkpoint"], ["checkpoint"]]
    program = {"seed": 1, "strict": True, "tolerant": True, "tasks": [checkpoints, checkpoints, checkpoints]}
    assert difference(trace_of(program, perturbation), trace_of(program))
