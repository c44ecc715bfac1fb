"""Charts and tables of measurements, drawn from the JSON files under ``figures`` when the site is built.

``{chart} NAME`` draws one of `CHARTS`, ``{measured} NAME`` writes one of `TABLES`, and
``{drawing} FILE`` puts a drawing of our own into the page, so that it takes the
page's colours.  The benchmarks write the files; nothing is copied by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import drawing
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

FIGURES = Path(__file__).resolve().parents[1] / "figures"
SIDES = {"ours": "this project", "genuine": "genuine Trio", "asyncio": "asyncio", "uvloop": "uvloop"}
WORKERS = {
    "ours": "trio worker, ours",
    "genuine": "trio worker, genuine",
    "asyncio": "asyncio worker",
    "uvloop": "uvloop worker",
}
PACKAGES = {
    "application": "package-application",
    "hypercorn": "package-hypercorn",
    "h11": "package-h11",
    "standard library": "package-stdlib",
    "asyncio": "side-asyncio",
    "trio": "package-loop",
    "others": "package-others",
}
MEBI = 2**20


def figures(name: str) -> dict[str, Any]:
    """What a benchmark has written."""
    content: dict[str, Any] = json.loads((FIGURES / f"{name}.json").read_text(encoding="utf-8"))
    return content


def ratios() -> str:
    """Every case of the benchmarks: how many times ours the others take."""
    cases = figures("benchmarks")["cases"].values()
    rows = [
        (case["title"], {SIDES[side]: ratio for side, ratio in case["ratios"].items()})
        for case in cases
        if case["sides"].get("ours")
    ]
    series = [(SIDES[side], f"side-{side}") for side in ("genuine", "asyncio", "uvloop")]
    description = "How many times what this project takes the others take, per kind of operation; the table has the figures."
    return drawing.dots(rows, series, description)


def http_rates() -> str:
    """Requests per second of the HTTP server."""
    sides = figures("http")["sides"]
    rows = [(WORKERS[side], values["rate"], f"{values['rate']:,.0f}/s", f"side-{side}") for side, values in sides.items()]
    return drawing.bars(rows, "Requests per second; the table has the figures.", labels=180)


def parts_of(values: dict[str, Any]) -> dict[str, float]:
    """Microseconds of processor time per request by package, small ones put together."""
    parts: dict[str, float] = {}
    for package, share in values["packages"].items():
        name = package if package in PACKAGES and share >= 0.01 else "others"
        parts[name] = parts.get(name, 0.0) + share * values["cpu"]
    return parts


def http_parts() -> str:
    """Where the processor time of a request goes, HTTP server."""
    rows = [(WORKERS[side], parts_of(values)) for side, values in figures("http")["sides"].items()]
    return drawing.stacked(rows, PACKAGES, "µs", "Processor time per request by package, in microseconds.", labels=180)


def program_parts() -> str:
    """Where the processor time of a request goes, example."""
    rows = [(SIDES[side], parts_of(values)) for side, values in figures("program")["sides"].items()]
    return drawing.stacked(rows, PACKAGES, "µs", "Processor time per request by package, in microseconds.")


def program_memory() -> str:
    """The memory of the example through its day."""
    content = figures("program")
    series = [
        (SIDES[side], f"side-{side}", [(second, size / MEBI) for second, size in values["memory"]["noted"]])
        for side, values in content["sides"].items()
    ]
    phases = content["sides"]["ours"]["memory"]["phases"]
    labels = {"connections": f"{content['waiting']} connections", "load": "load", "end": "all gone"}
    marks = [(phases[phase], label) for phase, label in labels.items()]
    return drawing.lines(series, marks, "MiB", "Memory over time, as connections come, ask, and go.")


def sentence(name: str) -> str:
    """When, with what and where it was measured."""
    setting = figures(name)["setting"]
    versions = setting["versions"]
    return (
        f"Measured on {setting['date']}: CPython {setting['python']}, this project {versions['ours']}, genuine Trio"
        f" {versions['genuine']}, uvloop {versions.get('uvloop', '-')}; {setting['machine']}; medians of"
        f" {setting['rounds']} interleaved rounds."
    )


def table(heading: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown, numbers to the right."""
    rule = ["---", *["---:"] * (len(heading) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [heading, rule, *rows])


def amount(value: float, unit: str) -> str:
    """A figure with its unit, to three digits or so."""
    if unit == "ns" and value >= 100_000:
        value, unit = value / 1000, "µs"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:,.1f} {unit}"


def benchmark_table() -> str:
    """All cases with all figures."""
    rows = []
    for case in figures("benchmarks")["cases"].values():
        cells = [case["title"]]
        for side in SIDES:
            found, ratio = case["sides"].get(side), case["ratios"].get(side)
            behind = f" ({ratio:.1f}x)" if ratio else ""
            cells.append(amount(found["median"], case["unit"]) + behind if found else "-")
        rows.append(cells)
    return table(["per operation", *SIDES.values()], rows) + "\n\n" + sentence("benchmarks")


def http_table() -> str:
    """Rates, latencies and memory of the HTTP server."""
    content = figures("http")
    sides = content["sides"]
    rows = []
    for side, values in sides.items():
        latencies = [f"{values[quantile] / 1000:.1f} ms" for quantile in ("p50", "p90", "p99")]
        ratio = f"{values['rate'] / sides['ours']['rate']:.2f}x"
        memory = f"{values['peak'] / MEBI:.1f} MiB"
        rows.append([WORKERS[side], f"{values['rate']:,.0f}", ratio, *latencies, f"{values['cpu']:.0f} µs", memory])
    heading = ["", "requests/s", "of ours", "median latency", "90 %", "99 %", "CPU per request", "peak memory"]
    where = f"{content['server']}, {content['connections']} connections, answers of 13 bytes. "
    return table(heading, rows) + "\n\n" + where + sentence("http")


def program_table() -> str:
    """Rates, processor time and memory of the example."""
    content = figures("program")
    rows = [
        [
            SIDES[side],
            f"{values['rate']:,.0f}",
            f"{values['cpu']:.0f} µs",
            f"{values['memory']['alone'] / MEBI:.1f} MiB",
            f"{values['memory']['per connection'] / 1024:.1f} KiB",
        ]
        for side, values in content["sides"].items()
    ]
    heading = ["", "requests/s", "CPU per request", "memory, nobody there", "memory per connection"]
    where = f"`{content['program']}` with h11 {content['h11']}, {content['connections']} connections under load. "
    return table(heading, rows) + "\n\n" + where + sentence("program")


def functions(name: str) -> str:
    """The functions that take most of the time on ours."""
    found = figures(name)["sides"]["ours"]["functions"]
    return table(["function", "share of samples"], [[f"`{name}`", f"{share:.1%}"] for name, share in found.items()])


def ecosystem() -> str:
    """The tests of other packages on both sides."""
    content = figures("ecosystem")
    packages = content["packages"]
    rows = []
    for row in packages:
        counts = ["{:,} / {:,} / {:,}".format(*row["counts"][side]) for side in ("genuine", "ours")]
        differing = ", ".join(f"{len(row[kind])} {kind}" for kind in ("different", "unsteady", "known") if row.get(kind))
        about = f"`{row['package']}` {row['versions']['package']}: {row['about']}"
        rows.append([about, *counts, differing or "none"])
    heading = ["package", "genuine Trio: passed / failed / skipped", "this project", "tests that differ"]
    values = {name: sorted({row["versions"][name] for row in packages}) for name in ("python", "ours", "genuine")}
    dates = sorted({row["date"] for row in packages})
    sums = [sum(row["counts"][side][0] for row in packages) for side in ("genuine", "ours")]
    where = (
        f"{len(packages)} packages, {sums[0]:,} tests passed with genuine Trio and {sums[1]:,} with this project. Run "
        + " to ".join(dict.fromkeys((dates[0], dates[-1])))
        + f": CPython {', '.join(values['python'])}, this project {', '.join(values['ours'])}, genuine Trio"
        f" {', '.join(values['genuine'])}; {content['machine']}."
    )
    return table(heading, rows) + "\n\n" + where


CHARTS: dict[str, Callable[[], str]] = {
    "ratios": ratios,
    "http-rates": http_rates,
    "http-parts": http_parts,
    "program-parts": program_parts,
    "program-memory": program_memory,
}
TABLES: dict[str, Callable[[], str]] = {
    "benchmarks": benchmark_table,
    "http": http_table,
    "program": program_table,
    "ecosystem": ecosystem,
    "http-functions": partial(functions, "http"),
    "program-functions": partial(functions, "program"),
}


class Chart(SphinxDirective):
    """A chart by its name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        for file in FIGURES.glob("*.json"):
            self.env.note_dependency(str(file))
        return [nodes.raw("", CHARTS[self.arguments[0]](), format="html")]


class Measured(SphinxDirective):
    """A table by its name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        written = list(self.parse_text_to_nodes(TABLES[self.arguments[0]]()))
        for node in written:
            if isinstance(node, nodes.table):
                node["classes"].append("measured")
        return written


class Drawing(SphinxDirective):
    """A drawing by the name of its file; the content says what it shows."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        file = FIGURES / self.arguments[0]
        self.env.note_dependency(str(file))
        picture = file.read_text(encoding="utf-8")
        figure = nodes.figure("", nodes.raw("", f'<div class="chart-frame">{picture}</div>', format="html"))
        if self.content:
            figure += nodes.caption("", " ".join(self.content))
        return [figure]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("chart", Chart)
    app.add_directive("measured", Measured)
    app.add_directive("drawing", Drawing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
