"""Variables that belong to a run.

A `RunVar` is to a run what a context variable is to a context. The values live in a dictionary of the run, keyed by the
variable, and vanish with it; the variable itself holds nothing but its name and default.
"""

from __future__ import annotations

from .._abc import Generic
from .._util import NoPublicConstructor, final
from ._run_context import GLOBAL_RUN_CONTEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")
else:
    T = object


class _NoValue:
    """The class itself stands for "no value", as every instance of anything may be a value."""


def _values() -> dict[RunVar[Any], Any]:
    try:
        return GLOBAL_RUN_CONTEXT.runner._locals
    except AttributeError:
        raise RuntimeError("Cannot be used outside of a run context") from None


@final
class RunVarToken(Generic[T], metaclass=NoPublicConstructor):
    """Remembers what a `RunVar` was before `RunVar.set`, for `RunVar.reset`. Made by ``set`` only."""

    __slots__ = ("__weakref__", "_var", "previous_value", "redeemed")

    _var: RunVar[T]
    previous_value: T | type[_NoValue]
    redeemed: bool

    def __init__(self, var: RunVar[T], previous_value: T | type[_NoValue]) -> None:
        self._var = var
        self.previous_value = previous_value
        self.redeemed = False


def _restore(values: dict[Any, Any], variable: object, previous: object) -> None:
    if previous is _NoValue:
        values.pop(variable, None)
        return
    values[variable] = previous


@final
class RunVar(Generic[T]):
    """A variable with one value per run.

    Like `contextvars.ContextVar`, but its value is shared by all tasks of a run and is gone when the run ends. For state of
    libraries that has to exist once per run.

    Args:
      name: for debugging.
      default: the value that `get` returns where none was set.
    """

    __slots__ = ("__weakref__", "_default", "_name")

    def __init__(self, name: str, default: T | type[_NoValue] = _NoValue) -> None:
        self._name = name
        self._default = default

    def get(self, default: T | type[_NoValue] = _NoValue) -> T:
        """The value in this run, or else ``default``, or else the variable's own default.

        Raises:
          LookupError: if there is neither a value nor a default.
          RuntimeError: outside of a run.
        """
        value = _values().get(self, _NoValue)
        for candidate in (value, default, self._default):
            if candidate is not _NoValue:
                return candidate  # type: ignore[return-value]  # not known to be narrowed by this
        raise LookupError(self)

    def set(self, value: T) -> RunVarToken[T]:
        """Set the value for this run; returns a token for `reset`.

        Raises:
          RuntimeError: outside of a run.
        """
        values = _values()
        token = RunVarToken._create(self, values.get(self, _NoValue))
        values[self] = value
        return token  # type: ignore[return-value]  # generic as it is

    def reset(self, token: RunVarToken[T]) -> None:
        """Restore what the variable was before the call of `set` that returned ``token``.

        Raises:
          TypeError: if ``token`` is ``None``.
          ValueError: if it is another variable's, or has been used.
          RuntimeError: outside of a run.
        """
        if token is None:
            raise TypeError("token must not be none")
        if token.redeemed or token._var is not self:
            raise ValueError("token has already been used" if token.redeemed else "token is not for us")
        _restore(_values(), self, token.previous_value)
        token.redeemed = True

    def __repr__(self) -> str:
        return f"<RunVar name={self._name!r}>"
