"""The benchmarks' bookkeeping, and one short case from end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Optional

import pytest
from benchmarks import report, sampling
from benchmarks.case import Case, all_cases
from benchmarks.http import report as http_report
from benchmarks.http.load import Load
from benchmarks.rounds import PROJECT, Figures


async def nothing(n: int) -> float:
    return 0.0


def row(unit: str = "ns", **medians: Optional[float]) -> report.Row:
    """A line of the report with these medians."""
    figures = {side: None if value is None else Figures(value, value, value, 5, 100) for side, value in medians.items()}
    return report.Row(Case("name", "title", nothing, nothing, unit=unit), figures)


def test_every_topic_names_its_cases_once() -> None:
    modules = [f for f in (PROJECT / "benchmarks" / "cases").glob("*.py") if f.stem != "__init__"]
    cases = all_cases()
    assert len(cases) >= len(modules)
    assert len({case.title for case in cases.values()}) == len(cases)


def test_a_ratio_says_how_many_times_ours_the_peer_takes() -> None:
    line = row(ours=100.0, genuine=1500.0, asyncio=50.0, uvloop=None)
    assert line.ratio("genuine") == 15
    assert line.ratio("asyncio") == 0.5
    assert line.ratio("uvloop") is None
    assert report.cells(line) == ["title", "100 ns", "1,500 ns (15x)", "50.0 ns (0.5x)", "-"]


@pytest.mark.parametrize(
    ("unit", "median", "text"),
    [
        ("ns", 99_999, "99,999 ns"),
        ("ns", 123_456, "123 µs"),
        ("B", 1234, "1,234 B"),
        ("ms", 1.25, "1.2 ms"),
    ],
)
def test_amounts(unit: str, median: float, text: str) -> None:
    assert report.amount(Figures(median, 0, 0, 1, 1), unit) == text


def test_the_readme_is_written_between_the_markers(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    setting = report.describe({"genuine": "0.35.0"}, "3.13.0", 5)
    for _ in range(2):
        report.put_into(readme, report.as_markdown([row(ours=1.0, genuine=2.0)], setting))
    text = readme.read_text()
    assert text.startswith(f"before\n{report.BEGIN}\n")
    assert text.endswith(f"{report.END}\nafter\n")
    assert "old" not in text
    assert text.count("| title | 1.0 ns | 2.0 ns (2.0x) | - | - |") == 1
    assert "Trio 0.35.0" in text
    readme.write_text("no markers")
    with pytest.raises(ValueError, match="markers"):
        report.put_into(readme, "table")


def test_one_case_from_end_to_end(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--ours", sys.executable, "--side", "ours"]
    command += ["--side", "asyncio", "--quick", "--rounds", "2", "--json", str(file), "schedule-1"]
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    figures = json.loads(file.read_text())
    case = figures["cases"]["schedule-1"]
    assert case["sides"]["ours"]["rounds"] == 2
    assert case["ratios"]["asyncio"] > 0
    assert figures["setting"]["versions"]["ours"]


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the interpreter does not know its modules' names")
@pytest.mark.parametrize(
    ("stack", "package"),
    [
        ("<module> (app.py:3);run (trio/_core/_run.py:193)", "trio"),
        ("run (trio/_core/_run.py:193);answer (benchmarks/http/application.py:22)", "own"),
        ("run (trio/_core/_run.py:193);serve (server.py:7)", "own"),
        ("send (h11/_connection.py:1);<listcomp> (h11/_headers.py:9);__init__ (<string>:2)", "h11"),
        ("send (h11/_connection.py:1);format (wsgiref/handlers.py:9)", "standard library"),
        ("send (h11/_connection.py:1);__instancecheck__ (<frozen abc>:9)", "standard library"),
        ("main (asyncio/runners.py:118)", "asyncio"),
    ],
)
def test_a_sample_counts_for_the_innermost_package(stack: str, package: str) -> None:
    assert sampling.package_of(stack.split(";"), "own") == package


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the interpreter does not know its modules' names")
def test_samples_add_up() -> None:
    raw = "a (trio/x.py:1) 30\na (trio/x.py:1);b (h11/y.py:2) 10\n"
    assert sampling.by_package(raw) == {"trio": 0.75, "h11": 0.25}
    assert sampling.by_function(raw) == {"a (trio/x.py)": 0.75, "b (h11/y.py)": 0.25}
    assert sampling.profile(raw).functions == sampling.by_function(raw)


def test_rounds_of_http_are_summed_up_by_medians() -> None:
    rounds = [
        http_report.Measured(Load(rate=rate, p50=rate, p90=2 * rate, p99=3 * rate, errors=1), cpu=rate / 1000, seconds=2)
        for rate in (100.0, 300.0, 200.0)
    ]
    side = http_report.summary(rounds, {"now": 1, "peak": 2}, sampling.Profile({"trio": 1.0}, {}))
    assert (side.rate, side.p90, side.errors, side.peak) == (200, 400, 3, 2)
    assert side.cpu == pytest.approx(500)  # microseconds: a thousandth of a second per unit of rate, two seconds long
