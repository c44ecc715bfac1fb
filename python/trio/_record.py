"""Frozen records: small classes that only hold named values.

A subclass of `Record` consists of annotated fields, with or without defaults. Its objects have slots, cannot be changed,
compare equal by value, hash, pickle and show themselves. This exists because the usual tools for such classes take longer
to import than the rest of the package, and those of the core are made by ``import trio``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import inspect
    from typing import Any, NoReturn


_set = object.__setattr__


class RecordType(type):
    """The class of record classes: turns the annotations of a class body into slots."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> RecordType:
        fields = tuple(namespace.get("__annotations__", ())) if bases else ()
        namespace["_defaults"] = {field: namespace.pop(field) for field in fields if field in namespace}
        namespace["_fields"] = namespace["__match_args__"] = fields
        namespace.setdefault("__slots__", fields)
        return super().__new__(cls, name, bases, namespace)


class _Signature:
    """The ``__signature__`` of a record class, made when somebody asks."""

    def __get__(self, instance: object, owner: type[Record]) -> inspect.Signature:
        from inspect import Parameter, Signature

        kind = Parameter.POSITIONAL_OR_KEYWORD
        return Signature([Parameter(name, kind, default=owner._defaults.get(name, Parameter.empty)) for name in owner._fields])


class Record(metaclass=RecordType):
    """The base of all records: behaviour that depends on nothing but the names of the fields."""

    __slots__ = ("__weakref__",)
    __signature__: Any = _Signature()
    _fields: tuple[str, ...]
    _defaults: dict[str, Any]

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
        if not isinstance(other, Record) or type(other) is not type(self):
            return NotImplemented
        return self._astuple() == other._astuple()

    def __hash__(self) -> int:
        return hash((type(self), self._astuple()))

    def __repr__(self) -> str:
        shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in self._fields])
        return f"{type(self).__qualname__}({shown})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._astuple()
