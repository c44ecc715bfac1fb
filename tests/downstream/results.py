"""The outcome of each test, from the file that pytest writes, and what two of them have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Optional
from xml.etree import ElementTree

from .suites import Expected

Outcomes = dict[str, str]


def read(file: Path) -> Optional[Outcomes]:
    """Test names with ``passed``, ``failed`` or ``skipped``; None if there is no whole file."""
    try:
        root = ElementTree.parse(file).getroot()
    except (OSError, ElementTree.ParseError):
        return None
    outcomes: Outcomes = {}
    for case in root.iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        kinds = {child.tag for child in case}
        outcome = "passed"
        if kinds & {"failure", "error"} or outcomes.get(name) == "failed":
            outcome = "failed"  # a test that fails and whose clean-up fails is two cases
        elif "skipped" in kinds:
            outcome = "skipped"
        outcomes[name] = outcome
    return outcomes


def count(outcomes: Outcomes) -> Expected:
    """How many tests ended how."""
    return Expected(*(sum(outcome == column for outcome in outcomes.values()) for column in Expected._fields))


def differences(before: Outcomes, after: Outcomes) -> list[str]:
    """One line for each test that ended otherwise."""
    return [
        f"{name}: {before.get(name, 'absent')} before, {after.get(name, 'absent')} now"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
