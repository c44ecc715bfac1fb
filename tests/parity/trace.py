"""How values and errors are written down, so that two traces can be compared as text.

What must differ between two processes is left out here: addresses, and the
frames of a traceback that belong to Trio itself.  So is, in one place
(`context_of`), what differs on purpose.
"""

from __future__ import annotations

import os
import re
from types import TracebackType
from typing import Any, Optional

HERE = os.path.dirname(os.path.abspath(__file__))
ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


def plain(text: str) -> str:
    """A text without addresses."""
    return ADDRESS.sub("0x", text)


def describe(value: object) -> Any:
    """A value as JSON has it."""
    if value is None or isinstance(value, (bool, int, str)):
        return plain(value) if isinstance(value, str) else value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, BaseException):
        return brief(value)
    if isinstance(value, (list, tuple)):
        return [describe(item) for item in value]
    if isinstance(value, dict):
        return {str(key): describe(item) for key, item in value.items()}
    return plain(repr(value))


def kind_of(error: BaseException) -> str:
    """The type of an error; the backport's groups count as the built-in ones."""
    name = type(error).__qualname__
    module = type(error).__module__.replace("exceptiongroup", "builtins")
    return name if module == "builtins" else f"{module}.{name}"


def brief(error: BaseException) -> list[str]:
    """An error in a line."""
    return [kind_of(error), plain(str(error))]


def frames(traceback: Optional[TracebackType]) -> list[str]:
    """The frames of the interpreter of programs.

    A frame that comes twice in a row counts where the error came from: in genuine Trio, leaving a
    ``with`` block may raise the same error once more, from a frame of its own.
    """
    found: list[str] = []
    last = None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename.startswith(HERE):
            if traceback.tb_frame is last:
                found.pop()
            last = traceback.tb_frame
            found.append(code.co_name)
        traceback = traceback.tb_next
    return found


def context_of(error: BaseException) -> Optional[BaseException]:
    """The context of an error, less errors that only Trio itself has seen.

    Genuine Trio's methods that wait first call the one that does not, so that what
    is raised while they wait has that call's `WouldBlock` as its context; and some
    of its errors hide, by ``from None``, an error of an implementation in Python,
    such as the `KeyError` of a dictionary.  Ours raise neither inside.

    One more is left out: genuine Trio makes the `Cancelled` of a task that waits at the moment of the cancellation,
    so that it may have what the *cancelling* task was handling.  Ours makes it in the task that it is raised in.
    """
    context, hidden = error.__context__, error.__suppress_context__ and error.__cause__ is None
    while context is not None and not frames(context.__traceback__):
        if not hidden and type(context).__name__ != "WouldBlock":
            break
        context = context.__context__
    if context is not None and type(error).__name__ == "Cancelled" and task_of(context) != task_of(error):
        return None
    return context


def task_of(error: BaseException) -> Optional[int]:
    """The number of the task that an error was raised in."""
    found = None
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_code.co_filename.startswith(HERE):
            variables = frame.f_locals
            label = getattr(variables.get("place", variables.get("self")), "label", None)
            found = label if isinstance(label, int) else found
        traceback = traceback.tb_next
    return found


def tree(error: Optional[BaseException], seen: Optional[dict[int, int]] = None) -> Any:
    """An error with all that hangs on it; what was seen before is a number."""
    if error is None:
        return None
    seen = {} if seen is None else seen
    if id(error) in seen:
        return seen[id(error)]
    seen[id(error)] = len(seen)
    found: dict[str, Any] = {"error": brief(error), "frames": frames(error.__traceback__)}
    for name in ("source", "reason", "source_task"):
        if hasattr(error, name):
            found[name] = describe(getattr(error, name))
    if getattr(error, "__notes__", None):
        found["notes"] = [plain(note) for note in error.__notes__]  # type: ignore[attr-defined]
    context = context_of(error)
    if error.__suppress_context__ and context is not None:
        found["suppress"] = True
    for name, other in (("cause", error.__cause__), ("context", context)):
        if other is not None:
            found[name] = tree(other, seen)
    if hasattr(error, "exceptions"):
        found["group"] = [tree(part, seen) for part in error.exceptions]
    return found
