"""Charts as SVG text: dots on a logarithmic scale, bars, bars in parts, and lines.

They carry class names instead of colours; ``_static/site.css`` gives them those of the
page, light or dark.  Every value is also written out, here or in a table beside.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Optional
from xml.sax.saxutils import escape, quoteattr

WIDTH = 720
ROW = 26
LABELS = 250  # what a chart with long labels leaves for them at the left
MARGIN = 70  # what bars leave at the right for their values


def text(x: float, y: float, content: str, anchor: str = "start", kind: str = "") -> str:
    """A piece of text, on the line ``y``."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def box(x: float, y: float, width: float, height: float, kind: str, tip: str) -> str:
    """A filled rectangle that tells more when pointed at."""
    shape = f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" class="{kind}">'
    return f"{shape}<title>{escape(tip)}</title></rect>"


def chart(parts: Iterable[str], height: float, description: str) -> str:
    """The picture, with a description for those who cannot see it."""
    head = f'<svg class="chart" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label={quoteattr(description)}>'
    return f'<div class="chart-frame">{head}{"".join(parts)}</svg></div>'


def legend(names: Iterable[tuple[str, str]], x: float, y: float) -> Iterable[str]:
    """Colour samples in a row; each name comes with its class."""
    for name, kind in names:
        yield f'<rect x="{x:.1f}" y="{y - 9:.1f}" width="10" height="10" rx="2" class="{kind}"/>'
        yield text(x + 15, y, name, kind="small")
        x += 28 + 5.8 * len(name)


def dots(rows: Sequence[tuple[str, Mapping[str, Optional[float]]]], series: Sequence[tuple[str, str]], description: str) -> str:
    """Ratios on a logarithmic scale, a row per case and a dot per series; left of the line at 1 is worse."""
    ratios = [value for _, values in rows for value in values.values() if value]
    low, high = min(0.7, *ratios), max(10.0, *ratios) * 1.15
    top, bottom = 52, 52 + ROW * len(rows)

    def place(ratio: float) -> float:
        return LABELS + (WIDTH - LABELS - 20) * math.log(ratio / low) / math.log(high / low)

    parts = list(legend(series, LABELS, 14))
    for tick in (0.5, 1, 2, 5, 10, 20, 50):
        if low <= tick <= high:
            parts.append(line(place(tick), top - 8, place(tick), bottom, "one" if tick == 1 else "grid"))
            parts.append(text(place(tick), top - 14, f"{tick:g}x", "middle", "small"))
    for number, (title, values) in enumerate(rows):
        y = top + ROW * number + ROW / 2
        parts.append(text(LABELS - 12, y + 4, title, "end"))
        known = [place(value) for value in values.values() if value]
        if known:
            parts.append(line(min(place(1), *known), y, max(place(1), *known), y, "span"))
        for name, kind in series:
            value = values.get(name)
            if value:
                tip = f"{title}: {name} takes {value:.1f} times as much"
                parts.append(
                    f'<circle cx="{place(value):.1f}" cy="{y:.1f}" r="5.5" class="{kind}"><title>{escape(tip)}</title></circle>'
                )
    parts.append(text(place(1), bottom + 14, "this project", "middle", "small"))
    return chart(parts, bottom + 20, description)


def bars(rows: Sequence[tuple[str, float, str, str]], description: str, labels: float = 150) -> str:
    """One bar per row: its label, its value, the value as text, and its class."""
    longest = max(value for _, value, _, _ in rows)
    room = WIDTH - labels - MARGIN - 20
    parts = []
    for number, (label, value, shown, kind) in enumerate(rows):
        y = 4 + ROW * number
        width = room * value / longest
        parts.append(text(labels - 12, y + 16, label, "end"))
        parts.append(box(labels, y + 3, width, ROW - 8, kind, f"{label}: {shown}"))
        parts.append(text(labels + width + 8, y + 16, shown))
    return chart(parts, 8 + ROW * len(rows), description)


def stacked(
    rows: Sequence[tuple[str, Mapping[str, float]]], kinds: Mapping[str, str], unit: str, description: str, labels: float = 150
) -> str:
    """One bar per row, made of parts; ``kinds`` has the names of the parts in order, with their classes."""
    longest = max(sum(values.values()) for _, values in rows)
    room = WIDTH - labels - MARGIN - 20
    present = [(name, kind) for name, kind in kinds.items() if any(name in values for _, values in rows)]
    parts = list(legend(present, labels, 14))
    for number, (label, values) in enumerate(rows):
        y = 28 + ROW * number
        x = labels
        parts.append(text(labels - 12, y + 16, label, "end"))
        for name, kind in present:
            value = values.get(name, 0.0)
            width = room * value / longest
            parts.append(box(x, y + 3, width, ROW - 8, kind, f"{label}, {name}: {value:.0f} {unit}"))
            if width > 28:
                parts.append(text(x + width / 2, y + 16, f"{value:.0f}", "middle", "inside"))
            x += width
        parts.append(text(x + 8, y + 16, f"{sum(values.values()):.0f} {unit}"))
    return chart(parts, 32 + ROW * len(rows), description)


def lines(
    series: Sequence[tuple[str, str, Sequence[tuple[float, float]]]],
    marks: Sequence[tuple[float, str]],
    unit: str,
    description: str,
) -> str:
    """Values over time: a line per series, and vertical lines where something begins."""
    left, top, height = 60, 40, 220
    end = max(x for _, _, points in series for x, _ in points)
    most = max(y for _, _, points in series for _, y in points) * 1.1
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100) if most / step <= 8)

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (WIDTH - left - 20) * x / end, top + height * (1 - y / most)

    parts = list(legend([(name, kind) for name, kind, _ in series], left, 14))
    for tick in range(0, int(most) + 1, step):
        y = place(0, tick)[1]
        parts += [line(left, y, WIDTH - 20, y, "grid"), text(left - 8, y + 4, f"{tick}", "end", "small")]
    parts.append(text(left - 8, top - 12, unit, "end", "small"))
    for second in range(0, int(end) + 1, 2):
        parts.append(text(place(second, 0)[0], top + height + 18, f"{second} s", "middle", "small"))
    for number, (x, label) in enumerate(marks):
        at = place(x, 0)[0]
        y = top - 10 + 14 * (number % 2)  # neighbours on different lines, so that their texts can overlap
        parts += [line(at, y - 8, at, top + height, "mark"), text(at + 5, y, label, kind="small")]
    for _, kind, points in series:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        parts.append(f'<polyline points="{path}" class="curve {kind}"/>')
    return chart(parts, top + height + 28, description)
