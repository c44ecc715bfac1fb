"""The policy on dependencies, ``deny.toml``, and whether the project keeps to it.

cargo-deny is the checker where it is installed.  It takes longer to build than everything else here together, so there is a
check of what matters most that needs nothing but cargo: every crate that is linked comes from crates.io with a checksum,
carries a licence that the policy allows, is not one that the policy bans, and is there once.  Advisories are the subject of
`tools.advisories`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any, NamedTuple

from . import PROJECT

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


class Policy(NamedTuple):
    """What ``deny.toml`` says, as far as the check here goes."""

    licences: frozenset[str]
    banned: frozenset[str]


def read_policy(text: str) -> Policy:
    """Find the two lists; a parser of TOML is part of Python from 3.11 on only."""
    code = re.sub(r"(?m)^\s*#.*$", "", text)
    licences = re.search(r"\[licenses\].*?^allow = \[(.*?)\]", code, re.DOTALL | re.MULTILINE)
    banned = re.search(r"\[bans\].*?^deny = \[(.*?)^\]", code, re.DOTALL | re.MULTILINE)
    if licences is None or banned is None:
        raise ValueError("deny.toml has no list of licences or of bans")
    return Policy(
        frozenset(re.findall(r'"([^"]+)"', licences[1])),
        frozenset(re.findall(r'name = "([^"]+)"', banned[1])),
    )


def is_allowed(expression: str, allowed: frozenset[str]) -> bool:
    """Does a licence expression leave a choice that is allowed?  ``OR`` is a choice, ``AND`` asks for all."""
    text = expression.replace("/", " OR ")
    alternatives = re.split(r"\s+OR\s+", re.sub(r"[()]", " ", text)) if " AND " not in text else None
    if alternatives is not None:
        return any(part.strip() in allowed for part in alternatives)
    # "(A OR B) AND C": every part has to be allowed.
    return all(is_allowed(part.strip(" ()"), allowed) for part in re.split(r"\s+AND\s+", text))


def linked(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    """The packages that become part of the extension, or are run to build it; not what only tests need."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    open_ids, found = [metadata["resolve"]["root"]], set()
    while open_ids:
        at = open_ids.pop()
        if at in found:
            continue
        found.add(at)
        for dependency in nodes[at]["deps"]:
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                open_ids.append(dependency["pkg"])
    root = metadata["resolve"]["root"]
    return [package for package in metadata["packages"] if package["id"] in found and package["id"] != root]


def complaints(policy: Policy, packages: list[dict[str, Any]], lock: str) -> list[str]:
    """Everything that the policy does not allow."""
    found = []
    checksums = dict(re.findall(r'name = "([^"]+)"\nversion = "[^"]+"\nsource = "[^"]+"\nchecksum = "([0-9a-f]{64})"', lock))
    seen: dict[str, str] = {}
    for package in packages:
        name, version = package["name"], package["version"]
        if package["source"] != CRATES_IO:
            found.append(f"{name} {version} comes from {package['source']}")
        if name not in checksums:
            found.append(f"{name} {version} has no checksum")
        if not is_allowed(package["license"] or "", policy.licences):
            found.append(f"{name} {version} has the licence {package['license']}")
        if name in policy.banned:
            found.append(f"{name} is banned")
        if name in seen:
            found.append(f"{name} is there twice: {seen[name]} and {version}")
        seen[name] = version
    return found


def metadata() -> dict[str, Any]:
    """What cargo knows about the project and all that it depends on."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    done = subprocess.run(
        [*command, "--filter-platform", "x86_64-unknown-linux-gnu"], cwd=PROJECT, check=True, stdout=subprocess.PIPE
    )
    known: dict[str, Any] = json.loads(done.stdout)
    return known


def check() -> list[str]:
    """Check this project; with cargo-deny, too, if it is there."""
    policy = read_policy((PROJECT / "deny.toml").read_text(encoding="utf-8"))
    lock = (PROJECT / "Cargo.lock").read_text(encoding="utf-8")
    found = complaints(policy, linked(metadata()), lock)
    if shutil.which("cargo-deny") is not None:
        command = ["cargo", "deny", "check", "licenses", "bans", "sources"]
        if subprocess.run(command, cwd=PROJECT).returncode:
            found.append("cargo deny says no")
    return found


if __name__ == "__main__":
    problems = check()
    print("\n".join(problems) or "dependencies: all as deny.toml says")
    raise SystemExit(bool(problems))
