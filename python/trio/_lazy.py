"""Names of a package that are imported when they are first used.

`install` gives a module a ``__getattr__`` (PEP 562) that fetches a name from the submodule that defines it, and a ``__dir__``
that lists such names like all others. A fetched name is stored in the module, so this happens once per name. `fetch_all` does it
for all names at once. Private submodules of a package can be had as attributes, too, as if they had been imported.

What is imported late may find other files than the program began with, because another version, or the original, has been
installed meanwhile. Nothing of that would fit what is in the process, so `require_own_files` refuses it. It costs one look at
one file per late import. An ``import trio.testing`` in a program does not pass by here: Python finds it by itself.
"""

from __future__ import annotations

import os
import sys

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

_pending: dict[str, dict[str, str]] = {}


def state_of_files() -> tuple[int, int] | None:
    """By which the files of an installation are told from those of another: when its native part was written, and its size."""
    try:
        state = os.stat(_native.__file__)
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


_own_files = state_of_files()


def require_own_files() -> None:
    """Raise ImportError if the package's files are not those any more that this process has imported the package from."""
    if state_of_files() != _own_files:
        raise ImportError(
            f"the files of Trio in {os.path.dirname(_native.__file__)} have been replaced or removed since this process imported"
            " it, and what it needs of them now would not fit; start Python anew"
        )


def import_late(full_name: str) -> ModuleType:
    """Import a module of the package when it is needed.

    In a run, Ctrl-C waits until that is done (`trio._core` sees to it): Python swallows an interrupt that comes while the
    import system cleans up after itself.
    """
    if full_name not in sys.modules:
        require_own_files()
    __import__(full_name)
    return sys.modules[full_name]


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

    def __getattr__(name: str) -> object:
        source = sources.get(name)
        if source is None:
            try:
                if is_package and name[:1] == "_" != name[1:2]:
                    return import_late(f"{package}.{name}")
            except ModuleNotFoundError as exc:
                if exc.name != f"{package}.{name}":
                    raise
            raise AttributeError(f"module {module_name!r} has no attribute {name!r}")
        if not source:
            return import_late(f"{package}.{name}")
        value = getattr(import_late(f"{package}.{source}"), name)
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
