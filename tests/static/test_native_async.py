"""ARCHITECTURE.md lists the public async callables that are native and hence no `async def`. The list is complete."""

from __future__ import annotations

import ast
import gc
import importlib
import inspect
import re
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import trio
import trio._native

PROJECT = Path(__file__).resolve().parents[2]
NATIVE = (type(trio.Event.wait), types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)
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


def native_methods() -> dict[str, object]:
    """The native asynchronous methods by name; special methods in slots, as `__anext__`, are CPython's affair."""
    found = {}
    for name in native_async_callables():
        module, _, path = name.rpartition(".")
        class_name = module.rpartition(".")[2]
        if class_name[:1].isupper() and not path == "__anext__":
            owner = getattr(importlib.import_module(module.rpartition(".")[0]), class_name)
            found[name] = getattr(owner, path)
    return found


def test_tools_recognise_native_methods() -> None:
    """Signature, documentation and marks are there, for the function in the class and for the bound method."""
    for name, method in native_methods().items():
        assert isinstance(method, type(trio.Event.wait)), name
        assert inspect.iscoroutinefunction(method) == (sys.version_info >= (3, 12)), name
        assert inspect.isroutine(method), name
        assert next(iter(inspect.signature(method).parameters)) == "self", name
        assert method.__qualname__.rpartition(".")[2] == name.rpartition(".")[2]
    bound = trio.Event().wait
    assert inspect.iscoroutinefunction(bound) == (sys.version_info >= (3, 12))
    assert str(inspect.signature(bound)) == "()"
    assert (bound.__name__, bound.__qualname__) == ("wait", "Event.wait")
    assert bound.__doc__ == trio.Event.wait.__doc__ and "happened" in (bound.__doc__ or "")


def test_bound_methods_are_values() -> None:
    one, other = trio.Event(), trio.Event()
    assert one.wait == one.wait and hash(one.wait) == hash(one.wait)
    assert one.wait != other.wait and one.wait != one.set
    assert one.wait.__self__ is one
    assert "Event.wait of <trio.Event object" in repr(one.wait)
    assert repr(trio.Event.wait) == "<async method Event.wait>"
    method = one.wait
    reference = weakref.ref(method)
    del method
    gc.collect()
    assert reference() is None


def test_calls_in_every_form_reach_a_native_method() -> None:
    async def main() -> list[object]:
        send, receive = trio.open_memory_channel[object](4)
        await send.send(1)
        await send.send(value=2)
        await type(send).send(send, 3)
        await type(send).send(send, value=4)
        bound = send.send
        assert [await receive.receive() for _ in range(3)] == [1, 2, 3]
        await bound(5)
        await bound(value=6)
        await bound(*[7])
        return [await type(receive).receive(receive) for _ in range(4)]

    assert trio.run(main) == [4, 5, 6, 7]


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: trio.Event().wait(1), "takes no arguments"),  # type: ignore[call-arg]
        (lambda: trio.Event().wait(n=1), "takes no (keyword )?arguments"),  # type: ignore[call-arg]
        (lambda: trio.Event.wait(), "needs an argument|takes"),  # type: ignore[call-arg]
        (lambda: trio.Event.wait(trio.Lock()), "doesn't apply to"),  # type: ignore[arg-type]
        (lambda: trio.open_memory_channel[int](1)[0].send(), "missing 1 required positional argument: 'value'"),  # type: ignore[call-arg]
        (lambda: trio.open_memory_channel[int](1)[0].send(1, 2), "takes 1 positional arguments? but 2 were given"),  # type: ignore[call-arg]
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object], complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        call()


def test_a_bound_method_can_be_a_task() -> None:
    async def main() -> str:
        event = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(event.wait)
            (task,) = nursery.child_tasks
            event.set()
        return task.name

    assert trio.run(main) == "trio.Event.wait"
