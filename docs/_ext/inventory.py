"""Inventories for intersphinx, made from lists of names instead of fetched.

The first line of a list is the other site's address, each further one
``domain:role name location``, the location relative to the address and with
``$`` for the name.  Lines with a hash sign say something to people.
"""

from __future__ import annotations

import zlib
from pathlib import Path


def mapping_from(lists: Path, target: Path) -> dict[str, tuple[str, str]]:
    """Make an inventory of every list in a folder; returns what ``intersphinx_mapping`` wants."""
    target.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for names in sorted(lists.glob("*.txt")):
        address, *lines = names.read_text(encoding="utf-8").splitlines()
        file = target / f"{names.stem}.inv"
        file.write_bytes(inventory(names.stem, lines))
        mapping[names.stem] = (address.lstrip("# "), str(file))
    return mapping


def inventory(project: str, lines: list[str]) -> bytes:
    """The names in the format that Sphinx reads."""
    entries = []
    for line in lines:
        if line and not line.startswith("#"):
            kind, name, location = line.split()
            entries.append(f"{name} {kind} 1 {location} -\n")
    heading = (
        "# Sphinx inventory version 2\n"
        f"# Project: {project}\n"
        "# Version: current\n"
        "# The remainder of this file is compressed using zlib.\n"
    )
    return heading.encode() + zlib.compress("".join(entries).encode())
