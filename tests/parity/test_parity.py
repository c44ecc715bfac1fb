"""The kept programs on this project's Trio, against the traces that genuine Trio gave."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from .sides import Side, difference

KEPT = sorted((Path(__file__).parent / "regressions").glob("*.json"))


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_kept_program(file: Path) -> None:
    kept = json.loads(file.read_text())
    side = Side(sys.executable)
    try:
        side.ask([kept["program"]])
        [trace] = side.answer()
    finally:
        side.close()
    found = difference(trace, kept["trace"])
    assert not found, found
