"""Known faults of the crates that the extension is built from.

RustSec collects advisories about crates, and OSV (https://osv.dev) answers questions about them without handing out the whole
database.  Every crate that is linked is asked for, with its version; an advisory is a failure unless ``deny.toml`` ignores it and
says why.

The database is not part of any package registry, so where nothing else can be reached the question stays open: the closing line
then counts it as skipped.  With ``--required``, which the hosted workflow says, that is a failure.
"""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from collections.abc import Callable
from typing import Any, Optional

from . import PROJECT
from .dependencies import linked, metadata
from .steps import Count

DATABASE = "https://api.osv.dev/v1"
PATIENCE = 20

Ask = Callable[[str, Optional[dict[str, Any]]], Any]


class Unreachable(Exception):
    """The database does not answer."""


def ask_osv(path: str, question: Optional[dict[str, Any]] = None, database: str = DATABASE) -> Any:
    """One request; the answer is JSON."""
    body = None if question is None else json.dumps(question).encode()
    request = urllib.request.Request(f"{database}/{path}", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return json.load(response)
    except (OSError, ValueError) as error:
        raise Unreachable(f"{database} could not be reached: {error}") from error


def ignored(policy: str) -> dict[str, str]:
    """The advisories that ``deny.toml`` ignores, with the reasons."""
    section = re.search(r"(?ms)^\[advisories\]$(.*?)(?=^\[|\Z)", policy)
    entry = r'\{\s*id\s*=\s*"([^"]+)"\s*,\s*reason\s*=\s*"([^"]+)"\s*\}'
    code = re.sub(r"(?m)^\s*#.*$", "", section[1] if section else "")
    return dict(re.findall(entry, code))


def complaints(packages: list[dict[str, Any]], ignore: dict[str, str], ask: Ask = ask_osv) -> list[str]:
    """A line for each advisory about one of the packages."""
    crates = [(package["name"], package["version"]) for package in packages]
    queries = [{"package": {"ecosystem": "crates.io", "name": name}, "version": version} for name, version in crates]
    answers = ask("querybatch", {"queries": queries})["results"]
    if len(answers) != len(crates):
        raise Unreachable(f"asked about {len(crates)} crates and got {len(answers)} answers")
    found = []
    for (name, version), answer in zip(crates, answers):
        for entry in answer.get("vulns", ()):
            advisory = ask(f"vulns/{entry['id']}", None)
            names = {entry["id"], *advisory.get("aliases", ())}
            if not names & ignore.keys() and "withdrawn" not in advisory:
                found.append(f"{name} {version}: {entry['id']}: {advisory.get('summary', 'no summary')}")
    return found


def count(output: str) -> Optional[Count]:
    """Read the closing line."""
    line = re.search(r"^advisories: (\d+) passed, (\d+) failed, (\d+) skipped$", output, re.MULTILINE)
    return Count(*map(int, line.groups())) if line else None


def main() -> int:
    """Check this project."""
    required = "--required" in sys.argv[1:]
    packages = linked(metadata())
    try:
        found = complaints(packages, ignored((PROJECT / "deny.toml").read_text(encoding="utf-8")))
    except Unreachable as error:
        print(f"{error}\nWhether there are advisories about {len(packages)} crates is not known.")
        print(f"advisories: {Count(failed=1) if required else Count(skipped=1)}")
        return int(required)
    print("\n".join(found) or f"no advisory is about one of {len(packages)} crates")
    print(f"advisories: {Count(failed=len(found)) if found else Count(passed=1)}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
