"""Names of a package that are imported when they are first used.

`install` gives a module a ``__getattr__`` (PEP 562) that fetches a name from the submodule that defines it, and a ``__dir__``
that lists such names like all others. A fetched name is stored in the module, so this happens once per name. `fetch_all` does it
for all names at once. Private submodules of a package can be had as attributes, too, as if they had been imported.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

_pending: dict[str, dict[str, str]] = {}


def install(module_name: str, sources: dict[str, str]) -> None:
    """Make names of a module lazy.

    Args:
      module_name: the module, which is being imported.
      sources: for each name the submodule that defines it, relative to the module's package; an empty string says that the
          name is a submodule itself.
    """
    module = sys.modules[module_name]
    namespace = module.__dict__
    _pending[module_name] = sources
    package = namespace["__package__"]
    is_package = package == module_name

    def fetch(submodule: str) -> ModuleType:
        full_name = f"{package}.{submodule}"
        __import__(full_name)
        return sys.modules[full_name]

    def __getattr__(name: str) -> object:
        source = sources.get(name)
        if source is None:
            try:
                if is_package and name[:1] == "_" != name[1:2]:
                    return fetch(name)
            except ModuleNotFoundError as exc:
                if exc.name != f"{package}.{name}":
                    raise
            raise AttributeError(f"module {module_name!r} has no attribute {name!r}")
        if not source:
            return fetch(name)
        value = getattr(fetch(source), name)
        if "._" not in module_name:
            present_as(module_name, name, value)
        namespace[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*namespace, *sources})

    namespace["__getattr__"] = __getattr__
    namespace["__dir__"] = __dir__


def fetch_all(module: ModuleType) -> None:
    """Fetch every lazy name of a module, and of those of its submodules that are such names."""
    for name, source in _pending.pop(module.__name__, {}).items():
        value = getattr(module, name)
        if not source:
            fetch_all(value)


def present_as(module_name: str, name: str, value: object) -> None:
    """Make a public object say that it comes from the module that users import it from."""
    from ._util import fixup_module_metadata

    fixup_module_metadata(module_name, {name: value})
