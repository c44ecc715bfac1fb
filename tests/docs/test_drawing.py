"""The charts of the documentation show what they are given, and the inventories what is in the lists."""

from __future__ import annotations

import importlib.util
import types
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SERIES = [("theirs", "side-genuine")]


def extension(name: str) -> types.ModuleType:
    """A module of the documentation's own extensions that needs no Sphinx."""
    spec = importlib.util.spec_from_file_location(name, PROJECT / "docs" / "_ext" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


drawing = extension("drawing")


def shapes(chart: str, tag: str, kind: str) -> list[ElementTree.Element]:
    """The elements of a class in a chart, which has to be well-formed."""
    return [element for element in ElementTree.fromstring(chart).iter(tag) if element.get("class") == kind]


def test_dots_are_on_the_side_of_the_line_where_they_belong() -> None:
    rows = [("slower <&>", {"theirs": 4.0}), ("faster", {"theirs": 0.8}), ("absent", {"theirs": None})]
    chart = drawing.dots(rows, SERIES, 'with "quotes"')
    (one,) = shapes(chart, "line", "one")
    slower, faster = (float(dot.get("cx", "")) for dot in shapes(chart, "circle", "side-genuine"))
    assert faster < float(one.get("x1", "")) < slower
    assert "slower <&>" in "".join(ElementTree.fromstring(chart).itertext())


def test_bars_are_as_long_as_their_values() -> None:
    chart = drawing.bars([("a", 10.0, "ten", "side-ours"), ("b", 5.0, "five", "side-ours")], "bars")
    long, short = (float(bar.get("width", "")) for bar in shapes(chart, "rect", "side-ours"))
    assert long == pytest.approx(2 * short, rel=0.01)


def test_parts_of_a_bar_touch_and_add_up() -> None:
    chart = drawing.stacked([("a", {"x": 30.0, "y": 10.0})], {"x": "kind-x", "y": "kind-y"}, "µs", "parts")
    x, y = (shapes(chart, "rect", kind)[-1] for kind in ("kind-x", "kind-y"))  # the first of each is in the legend
    assert float(x.get("x", "")) + float(x.get("width", "")) == pytest.approx(float(y.get("x", "")), abs=0.2)
    assert float(x.get("width", "")) == pytest.approx(3 * float(y.get("width", "")), rel=0.01)
    assert "40 µs" in "".join(ElementTree.fromstring(chart).itertext())


def test_lines_go_up_with_their_values() -> None:
    chart = drawing.lines([("ours", "side-ours", [(0.0, 5.0), (1.0, 10.0)])], [(0.5, "mark")], "MiB", "lines")
    (curve,) = shapes(chart, "polyline", "curve side-ours")
    (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in curve.get("points", "").split())
    (mark,) = shapes(chart, "line", "mark")
    assert x1 < float(mark.get("x1", "")) < x2
    assert y2 < y1


def test_an_inventory_has_the_names_of_its_list(tmp_path: Path) -> None:
    (tmp_path / "site.txt").write_text("# https://example.org/docs\n# a remark\npy:class a.B page.html#$\n")
    mapping = extension("inventory").mapping_from(tmp_path, tmp_path / "made")
    assert list(mapping) == ["site"]
    address, file = mapping["site"]
    assert address == "https://example.org/docs"
    head, _, body = Path(file).read_bytes().partition(b"compressed using zlib.\n")
    assert head.startswith(b"# Sphinx inventory version 2\n")
    assert zlib.decompress(body) == b"a.B py:class 1 page.html#$ -\n"
