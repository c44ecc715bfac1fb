"""ARCHITECTURE.md lists the public async callables that are native and hence no `async def`. The list is complete."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import types
from collections.abc import Iterator
from pathlib import Path

import trio
import trio._native

PROJECT = Path(__file__).resolve().parents[2]
NATIVE = (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)
PROTOCOLS = ("__aenter__", "__aexit__", "__anext__")


def stub() -> ast.Module:
    """What the stub of the extension says."""
    return ast.parse((Path(inspect.getfile(trio)).parent / "_native.pyi").read_text(encoding="utf-8"))


def async_methods(tree: ast.Module, class_name: str) -> Iterator[str]:
    """The names of the `async def` methods of a class in the stub, inherited ones included."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            yield from (item.name for item in node.body if isinstance(item, ast.AsyncFunctionDef))
            for base in node.bases:
                yield from async_methods(tree, ast.unparse(base))


def public_name(thing: object) -> str | None:
    """Under which name users import something, if they can."""
    name = f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"
    module, _, attribute = name.rpartition(".")
    if not module.startswith("trio") or "._" in module:
        return None
    found = getattr(importlib.import_module(module), attribute, None)
    return name if found is thing else None


def native_async_callables() -> set[str]:
    """The public names of all of them, by the stub and by what is known of special methods."""
    importlib.import_module("trio.testing")
    tree = stub()
    found = set()
    for node in tree.body:
        thing = getattr(trio._native, getattr(node, "name", ""), None)
        name = public_name(thing)
        if name is None:
            continue
        if isinstance(node, ast.AsyncFunctionDef):
            found.add(name)
        if isinstance(node, ast.ClassDef):
            methods = {*async_methods(tree, node.name), *(method for method in PROTOCOLS if hasattr(thing, method))}
            found |= {f"{name}.{method}" for method in methods if isinstance(getattr(thing, method), NATIVE)}
    return found


def test_the_list_is_complete() -> None:
    text = (PROJECT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- native async callables: begin -->(.*)<!-- native async callables: end -->", text, re.DOTALL)
    assert block is not None
    assert set(re.findall(r"trio\.[\w.]+", block[1])) == native_async_callables()


def test_none_of_them_is_a_python_function() -> None:
    for name in native_async_callables():
        module, *path = name.split(".")
        thing: object = importlib.import_module(module)
        for attribute in path:
            thing = getattr(thing, attribute)
        assert not isinstance(thing, types.FunctionType), name
