"""The figures of a side, as text and as JSON."""

from __future__ import annotations

import json
from statistics import median, quantiles
from typing import NamedTuple, Optional

from ..report import Setting
from ..sampling import Profile
from .load import Load


class Measured(NamedTuple):
    """One round of one side: what wrk saw, and the processor time of the server."""

    load: Load
    cpu: float  # seconds
    seconds: float


class Side(NamedTuple):
    """What is known of a side; medians of its rounds."""

    rate: float  # requests per second
    low: float  # first and third quartile of the same
    high: float
    p50: float  # latency in microseconds
    p90: float
    p99: float
    cpu: float  # microseconds of processor time per request
    memory: int  # bytes at the end
    peak: int  # bytes at most
    errors: int
    packages: dict[str, float]  # each package's share of the time
    functions: dict[str, float]  # and that of the functions that take most

    def line(self, name: str, ours: Optional[Side]) -> str:
        """The side as a line of text."""
        ratio = f"{self.rate / ours.rate:.2f}x" if ours else ""
        return (
            f"{name:8} {self.rate:9,.0f}/s {ratio:6} {self.p50 / 1000:7.2f} {self.p90 / 1000:7.2f} {self.p99 / 1000:7.2f} ms"
            f" {self.cpu:6.0f} µs {self.peak / 2**20:6.1f} MiB {self.errors} errors"
        )


HEADING = f"{'side':8} {'requests':>11} {'':6} {'p50':>7} {'p90':>7} {'p99':>7}    CPU/req  peak memory"


def summary(rounds: list[Measured], memory: dict[str, int], profile: Profile) -> Side:
    """The medians of the rounds of one side."""
    rates = [measured.load.rate for measured in rounds]
    low, _, high = quantiles(rates, n=4) if len(rates) > 1 else rates * 3
    requests = [measured.load.rate * measured.seconds for measured in rounds]
    return Side(
        rate=median(rates),
        low=low,
        high=high,
        p50=median(measured.load.p50 for measured in rounds),
        p90=median(measured.load.p90 for measured in rounds),
        p99=median(measured.load.p99 for measured in rounds),
        cpu=median(measured.cpu / count * 1e6 for measured, count in zip(rounds, requests)),
        memory=memory["now"],
        peak=memory["peak"],
        errors=sum(measured.load.errors for measured in rounds),
        packages=profile.packages,
        functions=profile.functions,
    )


def as_json(sides: dict[str, Side], setting: Setting, connections: int, server: str) -> str:
    """Everything, for the documentation and for other programs."""
    content = {
        "setting": setting._asdict(),
        "server": server,
        "connections": connections,
        "sides": {name: side._asdict() for name, side in sides.items()},
    }
    return json.dumps(content, indent=1) + "\n"
