"""Exclusion files: which of upstream's tests are not counted, and why.

One entry per line, ``pattern  # reason``.  A pattern is a test id as pytest
prints it and covers that id, its parameter sets, and whatever is below it when
it names a directory, file or class; a trailing ``*`` makes it a plain prefix.
An entry without a reason is refused: the file is read by people who want to
know what "drop-in" leaves out.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Optional

from .fetch import CannotRun


class Exclusion(NamedTuple):
    """One line of an exclusion file."""

    pattern: str
    reason: str

    def covers(self, test: str) -> bool:
        """Tell whether this entry takes the test id out of the count."""
        if self.pattern.endswith("*"):
            return test.startswith(self.pattern[:-1])
        rest = test[len(self.pattern) :]
        return test.startswith(self.pattern) and (not rest or rest.startswith(("[", "::", "/")))


def parse(file: Path) -> list[Exclusion]:
    """Read one exclusion file; raises `CannotRun` for an entry without a reason."""
    entries = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        pattern, mark, reason = line.partition(" #")
        if not mark or not reason.strip():
            raise CannotRun(f"{file.name}:{number}: an exclusion needs a '# reason'")
        entries.append(Exclusion(pattern.strip().rstrip("/"), reason.strip()))
    return entries


def first_match(test: str, entries: list[Exclusion]) -> Optional[Exclusion]:
    """Return the entry that excludes a test id, or None."""
    return next((entry for entry in entries if entry.covers(test)), None)
