"""Frozen records: small classes that only hold named values.

`record` turns a class body that lists annotated fields into a class with slots whose objects cannot be changed, compare
equal by value, hash, pickle and show themselves. It exists because the usual tools for this take longer to import than the
rest of the package. Type checkers treat it like a frozen dataclass.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import inspect
    from typing import Any, NoReturn, TypeVar

    from typing_extensions import dataclass_transform

    T = TypeVar("T")
else:

    def dataclass_transform(**options: object) -> object:
        return lambda decorator: decorator


_set = object.__setattr__


class _Signature:
    """The ``__signature__`` of a record class, made when somebody asks."""

    def __get__(self, instance: object, owner: type[Record]) -> inspect.Signature:
        from inspect import Parameter, Signature

        kind = Parameter.POSITIONAL_OR_KEYWORD
        return Signature(
            [Parameter(name, kind, default=owner._defaults.get(name, Parameter.empty)) for name in owner._fields]
        )


class Record:
    """The base of all records: behaviour that depends on nothing but the names of the fields."""

    __slots__ = ("__weakref__",)
    __signature__ = _Signature()
    _fields: tuple[str, ...] = ()
    _defaults: dict[str, Any] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        fields = self._fields
        if len(args) > len(fields):
            raise TypeError(f"{type(self).__name__}() takes {len(fields)} values but {len(args)} were given")
        values = {**self._defaults, **dict(zip(fields, args))}
        for name, value in kwargs.items():
            if name not in fields or name in fields[: len(args)]:
                raise TypeError(f"{type(self).__name__}() got an unexpected or repeated value for {name!r}")
            values[name] = value
        for name in fields:
            if name not in values:
                raise TypeError(f"{type(self).__name__}() misses the value {name!r}")
            _set(self, name, values[name])

    def _astuple(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self._fields])

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"can't set attribute {name!r} of a {type(self).__name__}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"can't delete attribute {name!r} of a {type(self).__name__}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._astuple() == other._astuple()

    def __hash__(self) -> int:
        return hash((type(self), self._astuple()))

    def __repr__(self) -> str:
        shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in self._fields])
        return f"{type(self).__qualname__}({shown})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._astuple()


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """Class decorator: make a record of a class whose body consists of annotated fields, with or without defaults."""
    namespace = dict(cls.__dict__)
    fields = tuple(namespace.get("__annotations__", {}))
    namespace["_fields"] = namespace["__match_args__"] = fields
    namespace["_defaults"] = {name: namespace.pop(name) for name in fields if name in namespace}
    namespace["__slots__"] = fields
    for unwanted in ("__dict__", "__weakref__"):
        namespace.pop(unwanted, None)
    return type(cls)(cls.__name__, (Record,), namespace)
