"""The built site: every public name is in its index, and every link inside of it leads somewhere."""

from __future__ import annotations

import importlib
import inspect
import socket as stdlib_socket
import types
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

MODULES = ["trio", "trio.abc", "trio.from_thread", "trio.lowlevel", "trio.socket", "trio.testing", "trio.to_thread"]


def inventory(site: Path) -> set[str]:
    """The names of the Python domain that other sites can link to."""
    content = (site / "objects.inv").read_bytes()
    body = zlib.decompress(content.split(b"compressed using zlib.\n", 1)[1]).decode()
    return {line.split(" ", 1)[0] for line in body.splitlines() if line.split(" ")[1].startswith("py:")}


def public_names(module_name: str) -> Iterator[str]:
    """What users can import from a module and what is its own."""
    module = importlib.import_module(module_name)
    for name in dir(module):
        thing = getattr(module, name)
        foreign = isinstance(thing, types.ModuleType) or getattr(thing, "__class__", None).__module__ == "__future__"
        if name.startswith("_") or foreign:
            continue
        if module_name != "trio.socket" or not is_in_stdlib(name, thing):
            yield f"{module_name}.{name}"


def is_in_stdlib(name: str, thing: object) -> bool:
    """Is it the standard library's, which documents it?"""
    return getattr(stdlib_socket, name, None) == thing


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_in_the_reference(site: Path, module: str) -> None:
    names = list(public_names(module))
    assert names
    assert [name for name in names if name not in inventory(site)] == []


def test_functions_from_the_standard_library_are_listed(site: Path) -> None:
    text = (site / "reference" / "sockets.html").read_text(encoding="utf-8")
    module = importlib.import_module("trio.socket")
    functions = [name for name in dir(module) if inspect.isbuiltin(getattr(module, name)) and not name.startswith("_")]
    assert "htons" in functions
    assert [name for name in functions if f">{name}<" not in text] == []


class Page(HTMLParser):
    """The anchors and the links of one page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif value and (tag, name) in {("a", "href"), ("link", "href"), ("img", "src"), ("script", "src")}:
                self.links.append(value)


def test_every_link_inside_leads_somewhere(site: Path) -> None:
    pages = {file: Page(file) for file in site.rglob("*.html")}
    assert len(pages) >= 20
    broken, followed = [], 0
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            followed += 1
            if not target.is_file():
                broken.append((file.name, link))
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                broken.append((file.name, link))
    assert broken == []
    assert followed > 1000
