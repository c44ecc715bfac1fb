"""The kept programs on this project's Trio, against the traces that genuine Trio gave."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from .sides import ATTEMPTS, ENDED, OUT_OF_TIME, Side, Sides, difference

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


class Wavering(Side):
    """A side that gives several traces in turn."""

    def __init__(self, *traces: list[object]) -> None:
        super().__init__(sys.executable)
        self.given = traces
        self.asked = 0

    def ask(self, programs: list[object]) -> None:
        self.asked = len(programs)

    def answer(self) -> list[object]:
        return [self.given[number % len(self.given)] for number in range(self.asked)]


def test_only_what_genuine_itself_does_is_left_open() -> None:
    sides = Sides(Wavering(["a"]), Wavering(["b"], ["a"]))
    assert sides.is_left_open({}, ["a"])
    assert not sides.is_left_open({}, ["c"])
    assert not Sides(Wavering(["a"]), Wavering(["b"])).is_left_open({}, ["a"])
    assert ATTEMPTS > 1


def test_ours_may_run_out_of_time_only_if_genuine_does_and_never_crash() -> None:
    late, crashed = [[ENDED, OUT_OF_TIME]], [[ENDED, -11]]
    assert not difference(late, late) and not difference(late, crashed)
    assert difference(crashed, late) and difference(late, [["result"]]) and difference([["result"]], late)
