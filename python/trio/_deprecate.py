"""How Trio says that something is going away.

A deprecation is described by the same four facts everywhere: *what* is deprecated, *since which version*, the *issue* that
explains why, and what to use *instead*.  :func:`warn_deprecated` turns them into a warning; :func:`deprecated` does so
whenever a function is called and adds a note to its docstring; :func:`deprecated_alias` keeps an old function name alive; and
:func:`deprecate_attributes` does the same for module attributes, through the module's ``__getattr__`` (:pep:`562`).

The warning is attributed to the line of the user's code that touched the deprecated thing, so every layer in between has
to be counted: ``stacklevel=2`` is the caller of whoever calls :func:`warn_deprecated`.
"""

from __future__ import annotations

import sys

from ._util import final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from typing_extensions import ParamSpec

    ArgsT = ParamSpec("ArgsT")
    RetT = TypeVar("RetT")


class TrioDeprecationWarning(FutureWarning):
    """Warning emitted if you use deprecated Trio functionality.

    A subclass of `FutureWarning` rather than `DeprecationWarning`, because Python hides the latter by default: who runs a
    program that is about to break should see it. To silence it, filter on this class:
    ``warnings.filterwarnings("ignore", category=trio.TrioDeprecationWarning)``.

    Reference documentation: "Deprecations" under "Trio's core functionality".
    """

    __module__ = "trio"


def _url_for_issue(issue: int) -> str:
    return f"https://github.com/python-trio/trio/issues/{issue}"


def _stringify(thing: object) -> str:
    """Functions and classes by their dotted name, everything else as `str` has it."""
    qualname = getattr(thing, "__qualname__", None)
    module = getattr(thing, "__module__", None)
    return str(thing) if qualname is None or module is None else f"{module}.{qualname}"


def warn_deprecated(
    thing: object,
    version: str,
    *,
    issue: int | None,
    instead: object,
    stacklevel: int = 2,
    use_triodeprecationwarning: bool = False,
) -> None:
    """Warn that ``thing`` is deprecated since ``version``.

    ``thing`` and ``instead`` are named by module and qualified name if they have one. ``issue`` is a number on the project's
    tracker. The category is `DeprecationWarning` unless ``use_triodeprecationwarning`` asks for the visible one.
    """
    import warnings

    advice = " with no replacement" if instead is None else f"; use {_stringify(instead)} instead"
    link = "" if issue is None else f" ({_url_for_issue(issue)})"
    warnings.warn(
        f"{_stringify(thing)} is deprecated since Trio {version}{advice}{link}",
        category=TrioDeprecationWarning if use_triodeprecationwarning else DeprecationWarning,
        stacklevel=stacklevel + 1,
    )


def _docstring_note(version: str, issue: int | None, instead: object) -> str:
    lines = [f".. deprecated:: {version}"]
    if instead is not None:
        lines.append(f"   Use {_stringify(instead)} instead.")
    if issue is not None:
        lines.append(f"   For details, see `issue #{issue} <{_url_for_issue(issue)}>`__.")
    return "\n".join(lines)


def deprecated(
    version: str,
    *,
    thing: object = None,
    issue: int | None,
    instead: object,
    use_triodeprecationwarning: bool = False,
) -> Callable[[Callable[ArgsT, RetT]], Callable[ArgsT, RetT]]:
    """Decorator: each call of the function warns first, and its docstring (if any) gets a note.

    ``thing`` defaults to the function itself; the other arguments are those of :func:`warn_deprecated`.
    """

    def decorate(fn: Callable[ArgsT, RetT]) -> Callable[ArgsT, RetT]:
        from functools import wraps

        @wraps(fn)
        def warn_and_call(*args: ArgsT.args, **kwargs: ArgsT.kwargs) -> RetT:
            warn_deprecated(
                subject,
                version,
                issue=issue,
                instead=instead,
                use_triodeprecationwarning=use_triodeprecationwarning,
            )
            return fn(*args, **kwargs)

        # The name is looked up through the wrapper at call time: an alias renames itself after decoration.
        subject = warn_and_call if thing is None else thing
        if fn.__doc__ is not None:
            from inspect import cleandoc

            note = _docstring_note(version, issue, instead)
            warn_and_call.__doc__ = f"{cleandoc(fn.__doc__)}\n\n{note}\n\n"
        return warn_and_call

    return decorate


def deprecated_alias(
    old_qualname: str,
    new_fn: Callable[ArgsT, RetT],
    version: str,
    *,
    issue: int | None,
) -> Callable[ArgsT, RetT]:
    """A function that warns under its old name (as a qualified name in the module of ``new_fn``) and calls ``new_fn``."""

    def alias(*args: ArgsT.args, **kwargs: ArgsT.kwargs) -> RetT:
        """Deprecated alias."""
        return new_fn(*args, **kwargs)

    alias.__module__ = new_fn.__module__
    alias.__qualname__ = old_qualname
    alias.__name__ = old_qualname.rpartition(".")[2]
    return deprecated(version, issue=issue, instead=new_fn)(alias)


@final
class DeprecatedAttribute:
    """A module attribute that still works but warns: its value, since when, the issue, and what to use instead.

    Without ``instead`` the value itself is recommended, which suits attributes that merely moved; ``None`` means that there
    is no replacement.
    """

    __slots__ = ("instead", "issue", "value", "version")

    _not_set: object = object()

    def __init__(self, value: object, version: str, issue: int | None, instead: object = _not_set) -> None:
        self.value = value
        self.version = version
        self.issue = issue
        self.instead = value if instead is self._not_set else instead

    def __repr__(self) -> str:
        return (
            f"DeprecatedAttribute(value={self.value!r}, version={self.version!r}, issue={self.issue!r}, instead={self.instead!r})"
        )


def deprecate_attributes(module_name: str, deprecated_attributes: dict[str, DeprecatedAttribute]) -> None:
    """Give an imported module a ``__getattr__`` that serves the attributes with a warning.

    They stay out of the module's ``dir()``. Any other missing name raises `AttributeError` as usual.
    """

    def __getattr__(name: str) -> object:
        found = deprecated_attributes.get(name)
        if found is None:
            raise AttributeError(f"module '{module_name}' has no attribute '{name}'")
        warn_deprecated(f"{module_name}.{name}", found.version, issue=found.issue, instead=found.instead)
        return found.value

    sys.modules[module_name].__getattr__ = __getattr__  # type: ignore[method-assign]
