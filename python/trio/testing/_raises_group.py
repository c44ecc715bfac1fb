"""Expectations about exception groups: :class:`RaisesGroup` and :class:`Matcher`.

pytest has adopted both (as ``pytest.RaisesGroup`` and ``pytest.RaisesExc``); these stay for test suites that
have not moved.

An *expectation* is an exception type, a :class:`Matcher` or a :class:`RaisesGroup`, and the one question about
it is why a given exception does not meet it: :func:`_objection` answers with a text, or `None` if there is
nothing to object to.  Everything else is built on that.  Expectations are never changed by being asked, except
that the two public classes remember the last answer in ``fail_reason``.

Texts follow one convention: an objection that takes several lines begins with a line break, so that whoever
quotes it can tell whether it has to be set off and indented.
"""

from __future__ import annotations

import re
import sys
from abc import ABC, abstractmethod
from textwrap import indent

from .._abc import Generic
from .._util import final

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterator, Sequence
    from re import Pattern
    from types import TracebackType
    from typing import Any, NoReturn, Union

    from typing_extensions import TypeAlias, TypeGuard, TypeVar

    BaseExcT_co = TypeVar("BaseExcT_co", bound=BaseException, default=BaseException, covariant=True)
    MatchE = TypeVar("MatchE", bound=BaseException, default=BaseException, covariant=True)
    Expectation: TypeAlias = Union[type[BaseException], "_Matchable[Any]"]
else:
    BaseExcT_co = MatchE = BaseException

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup


# ---- what `with RaisesGroup(...) as excinfo` gives ----


@final
class _ExceptionInfo(Generic[MatchE]):
    """The caught exception, for those who do not have pytest: a stand-in with the part of its interface that is simple."""

    def __init__(self, excinfo: tuple[type[MatchE], MatchE, TracebackType] | None) -> None:
        self._excinfo = excinfo

    @classmethod
    def for_later(cls) -> _ExceptionInfo[MatchE]:
        return cls(None)

    def fill_unfilled(self, exc_info: tuple[type[MatchE], MatchE, TracebackType]) -> None:
        assert self._excinfo is None, "ExceptionInfo was already filled"
        self._excinfo = exc_info

    def _part(self, name: str, index: int) -> Any:
        assert self._excinfo is not None, f".{name} can only be used after the context manager exits"
        return self._excinfo[index]

    @property
    def type(self) -> builtins.type[MatchE]:
        return self._part("type", 0)  # type: ignore[no-any-return]

    @property
    def value(self) -> MatchE:
        return self._part("value", 1)  # type: ignore[no-any-return]

    @property
    def tb(self) -> TracebackType:
        return self._part("tb", 2)  # type: ignore[no-any-return]

    def _needs_pytest(self) -> NoReturn:
        raise NotImplementedError(
            "This is a helper method only available if you use RaisesGroup with the pytest package installed"
        )

    def exconly(self, tryshort: bool = False) -> str:
        self._needs_pytest()

    def errisinstance(self, exc: builtins.type[BaseException] | tuple[builtins.type[BaseException], ...]) -> bool:
        self._needs_pytest()

    def getrepr(self, *args: object, **kwargs: object) -> object:
        self._needs_pytest()


if TYPE_CHECKING:
    from pytest import ExceptionInfo as ExceptionInfo
else:

    def __getattr__(name: str) -> object:
        """``ExceptionInfo`` is pytest's if there is one.  It is heavy, so it is looked for only when an object is needed."""
        if name != "ExceptionInfo":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            from pytest import ExceptionInfo
        except ImportError:
            ExceptionInfo = _ExceptionInfo
        globals()[name] = ExceptionInfo
        return ExceptionInfo


# ---- texts ----

_NO_FLAGS = re.compile("").flags


def _plain_pattern(pattern: Pattern[str]) -> str | Pattern[str]:
    """What the user most likely wrote: the string, unless there are flags that only the compiled pattern knows."""
    return pattern.pattern if pattern.flags == _NO_FLAGS else pattern


def _searched_text(exception: BaseException) -> str:
    """The text that ``match`` looks at: message and notes, a group's message without its count of members."""
    message = exception.message if isinstance(exception, BaseExceptionGroup) else str(exception)
    return "\n".join([message, *getattr(exception, "__notes__", ())])


def repr_callable(fun: Callable[[Any], bool]) -> str:
    """How a ``check`` function appears in error messages; tests replace this to get stable texts."""
    return repr(fun)


def _quoted(expected: Expectation) -> str:
    return repr(expected.__name__) if isinstance(expected, type) else repr(expected)


# ---- objections ----


def _type_objection(expected: type[BaseException], exception: BaseException | None) -> str | None:
    if isinstance(exception, expected):
        return None
    name = repr(type(exception).__name__)
    if isinstance(exception, BaseExceptionGroup) and not issubclass(expected, BaseExceptionGroup):
        return f"Unexpected nested {name}, expected {expected.__name__!r}"
    return f"{name} is not of type {expected.__name__!r}"


def _objection(expected: Expectation, exception: BaseException) -> str | None:
    """Why ``exception`` is not what is ``expected``; `None` if it is."""
    if isinstance(expected, type):
        return _type_objection(expected, exception)
    objection = expected._objection(exception, nested=True)
    if objection is None:
        return None
    if objection.startswith("\n"):
        objection = indent(objection, "  ")
    return f"{expected!r}: {objection}"


class _Matchable(ABC, Generic[BaseExcT_co]):
    """What Matcher and RaisesGroup have in common: a pattern, a check, and the memory of the last failure."""

    def __init__(self, match: str | Pattern[str] | None, check: Callable[[Any], bool] | None) -> None:
        self.match: Pattern[str] | None = re.compile(match) if isinstance(match, str) else match
        self.check = check
        self._fail_reason: str | None = None

    @property
    def fail_reason(self) -> str | None:
        """Why the last call of ``matches`` returned `False`; `None` if it did not."""
        return self._fail_reason

    @abstractmethod
    def _objection(self, exception: BaseException | None, nested: bool) -> str | None: ...

    def _remember(self, objection: str | None) -> bool:
        self._fail_reason = objection
        return objection is None

    def _match_objection(self, exception: BaseException) -> str | None:
        text = _searched_text(exception)
        if self.match is None or self.match.search(text):
            return None
        whose = f" of {type(exception).__name__!r}" if isinstance(exception, BaseExceptionGroup) else ""
        objection = f"Regex pattern {_plain_pattern(self.match)!r} did not match {text!r}{whose}"
        if self.match.pattern == text:
            objection += "\n  Did you mean to `re.escape()` the regex?"
        return objection

    def _check_objection(self, exception: BaseException, nested: bool) -> str | None:
        """``nested``: the caller is going to quote this object, and thereby the check, in front of the objection."""
        if self.check is None or self.check(exception):
            return None
        which = "" if nested else f" {repr_callable(self.check)}"
        return f"check{which} did not return True"

    def _parameters(self) -> Iterator[str]:
        if self.match is not None:
            yield f"match={_plain_pattern(self.match)!r}"
        if self.check is not None:
            yield f"check={repr_callable(self.check)}"


@final
class Matcher(_Matchable[MatchE]):
    """Expects one exception, and says more about it than its type.

    Args:
      exception_type: the exception has to be an instance of it.
      match: a regular expression that has to be found (`re.search`) in the text of the exception and its notes.
      check: is called with the exception and has to return a true value.

    At least one of them has to be given, else `ValueError`.
    """

    def __init__(
        self,
        exception_type: type[MatchE] | None = None,
        match: str | Pattern[str] | None = None,
        check: Callable[[MatchE], bool] | None = None,
    ) -> None:
        super().__init__(match, check)
        if exception_type is None and match is None and check is None:
            raise ValueError("You must specify at least one parameter to match on.")
        if exception_type is not None and not issubclass(exception_type, BaseException):
            raise ValueError(f"exception_type {exception_type} must be a subclass of BaseException")
        self.exception_type = exception_type

    def __repr__(self) -> str:
        type_ = [] if self.exception_type is None else [self.exception_type.__name__]
        return f"Matcher({', '.join([*type_, *self._parameters()])})"

    def matches(self, exception: BaseException) -> TypeGuard[MatchE]:
        """Whether ``exception`` is as expected.  If not, `fail_reason` tells why."""
        return self._remember(self._objection(exception, nested=False))

    def _objection(self, exception: BaseException | None, nested: bool) -> str | None:
        if self.exception_type is not None:
            objection = _type_objection(self.exception_type, exception)
            if objection is not None:
                return objection
        assert exception is not None
        return self._match_objection(exception) or self._check_objection(exception, nested)


# ---- groups ----


class _Pairing:
    """An attempt to find an exception for every expectation, one to one, and the report if that fails.

    The attempt is greedy: each expectation in turn takes the first exception that fits and is still there.
    """

    def __init__(self, expected: Sequence[Expectation], raised: Sequence[BaseException]) -> None:
        self.expected = expected
        self.raised = raised
        self.taken: dict[int, int] = {}  # index of an exception -> index of the expectation that took it
        self.unmet: list[int] = []  # indices of expectations that found nothing
        self._objections: dict[tuple[int, int], str | None] = {}
        for wish in range(len(expected)):
            for candidate in range(len(raised)):
                if candidate not in self.taken and self.objection(wish, candidate) is None:
                    self.taken[candidate] = wish
                    break
            else:
                self.unmet.append(wish)
        self.unexpected = [i for i in range(len(raised)) if i not in self.taken]

    def objection(self, wish: int, candidate: int) -> str | None:
        key = wish, candidate
        if key not in self._objections:
            self._objections[key] = _objection(self.expected[wish], self.raised[candidate])
        return self._objections[key]

    def report(self) -> str | None:
        """What went wrong; `None` if nothing did."""
        if not self.unmet and not self.unexpected:
            return None
        count = len(self.taken)
        found = f"{count} matched exception{'' if count == 1 else 's'}. " if count else ""
        brief = None if self._rivals() else self._brief_report()
        if brief is not None:
            return found + brief
        lines = [f"\n{found}"] if found else [""]
        if not self.unexpected:
            lines.append("Too few exceptions raised!")
        if not self.unmet:
            lines.append("Unexpected exception(s)!")
        lines += self._expected_section()
        lines += self._raised_section()
        if self._exists_matching():
            lines.append(
                "There exist a possible match when attempting an exhaustive check, but RaisesGroup uses a greedy"
                " algorithm. Please make your expected exceptions more stringent with `Matcher` etc so the greedy"
                " algorithm can function."
            )
        return "\n".join(lines)

    def _rivals(self) -> bool:
        """Whether something that was left over would fit something that was taken."""
        return any(self.objection(wish, candidate) is None for wish in self.unmet for candidate in self.taken) or any(
            self.objection(wish, candidate) is None for candidate in self.unexpected for wish in self.taken.values()
        )

    def _brief_report(self) -> str | None:
        """The report on one line, for the cases that are clear enough."""
        if not self.unexpected:
            missing = ", ".join(_quoted(self.expected[wish]) for wish in self.unmet)
            return f"Too few exceptions raised, found no match for: [{missing}]"
        if not self.unmet:
            return f"Unexpected exception(s): {[self.raised[candidate] for candidate in self.unexpected]!r}"
        if len(self.unmet) == len(self.unexpected) == 1:
            objection = self.objection(self.unmet[0], self.unexpected[0])
            assert objection is not None
            quotes_a_table = objection.partition("\n")[0].endswith(": ")
            return f"\n{objection}" if quotes_a_table else objection
        return None

    def _expected_section(self) -> Iterator[str]:
        if self.unmet:
            yield "The following expected exceptions did not find a match:"
        for wish in self.unmet:
            yield f"  {_quoted(self.expected[wish])}"
            for candidate, taker in sorted(self.taken.items()):
                if self.objection(wish, candidate) is None:
                    taker_name = _quoted(self.expected[taker])
                    yield f"    It matches {self.raised[candidate]!r} which was paired with {taker_name}"

    def _raised_section(self) -> Iterator[str]:
        paired = {wish: candidate for candidate, wish in self.taken.items()}
        if self.unexpected:
            yield "The following raised exceptions did not find a match"
        for candidate in self.unexpected:
            yield f"  {self.raised[candidate]!r}:"
            for wish, expected in enumerate(self.expected):
                objection = self.objection(wish, candidate)
                if objection is None:
                    yield f"    It matches {_quoted(expected)} which was paired with {self.raised[paired[wish]]!r}"
                elif wish not in paired:
                    yield indent(objection, "    ")

    def _exists_matching(self) -> bool:
        """Whether a cleverer choice would have paired everything (by augmenting paths)."""
        if len(self.expected) != len(self.raised):
            return False
        taker: dict[int, int] = {}

        def place(wish: int, seen: set[int]) -> bool:
            for candidate in range(len(self.raised)):
                if candidate in seen or self.objection(wish, candidate) is not None:
                    continue
                seen.add(candidate)
                if candidate not in taker or place(taker[candidate], seen):
                    taker[candidate] = wish
                    return True
            return False

        return all(place(wish, set()) for wish in range(len(self.expected)))


def _flattened(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for exception in group.exceptions:
        if isinstance(exception, BaseExceptionGroup):
            yield from _flattened(exception)
        else:
            yield exception


@final
class RaisesGroup(_Matchable[BaseExcT_co]):
    """Context manager that expects its block to raise an exception group with certain exceptions in it.

    ::

        with RaisesGroup(ValueError, Matcher(OSError, match="full")):
            raise ExceptionGroup("", [OSError("disk full"), ValueError()])

    Args:
      exception, other_exceptions: what has to be in the group, in any order: an exception type, a `Matcher`, or a
        `RaisesGroup` for a group within the group.  Nothing may be missing or left over.
      allow_unwrapped: accept the one expected exception without a group around it, too.
      flatten_subgroups: look at all the exceptions inside of nested groups as if they were members of the outermost.
      match: a regular expression that has to be found (`re.search`) in the message of the group and its notes.
      check: is called with the group, after everything else fitted, and has to return a true value.

    The ``with`` statement gives an object like that of `pytest.raises`, with the exception in ``.value``.  It
    raises `AssertionError` if the block raises something else or nothing.  Arguments that contradict each other
    are a `ValueError`.
    """

    def __init__(
        self,
        exception: Expectation,
        *other_exceptions: Expectation,
        allow_unwrapped: bool = False,
        flatten_subgroups: bool = False,
        match: str | Pattern[str] | None = None,
        check: Callable[[Any], bool] | None = None,
    ) -> None:
        super().__init__(match, check)
        self.expected_exceptions: tuple[Expectation, ...] = (exception, *other_exceptions)
        self.allow_unwrapped = allow_unwrapped
        self.flatten_subgroups = flatten_subgroups
        if allow_unwrapped:
            self._validate_unwrapped()
        for expected in self.expected_exceptions:
            self._validate(expected)

    def _validate_unwrapped(self) -> None:
        if len(self.expected_exceptions) > 1:
            raise ValueError(
                "You cannot specify multiple exceptions with `allow_unwrapped=True.`"
                " If you want to match one of multiple possible exceptions you should"
                " use a `Matcher`."
                " E.g. `Matcher(check=lambda e: isinstance(e, (...)))`"
            )
        if isinstance(self.expected_exceptions[0], RaisesGroup):  # pyright: ignore[reportGeneralTypeIssues]
            raise ValueError(
                "`allow_unwrapped=True` has no effect when expecting a `RaisesGroup`."
                " You might want it in the expected `RaisesGroup`, or `flatten_subgroups=True`"
                " if you don't care about the structure."
            )
        if self.match is not None or self.check is not None:
            raise ValueError(
                "`allow_unwrapped=True` bypasses the `match` and `check` parameters"
                " if the exception is unwrapped. If you intended to match/check the"
                " exception you should use a `Matcher` object. If you want to match/check"
                " the exceptiongroup when the exception *is* wrapped you need to"
                " do e.g. `if isinstance(exc.value, ExceptionGroup):"
                " assert RaisesGroup(...).matches(exc.value)` afterwards."
            )

    def _validate(self, expected: object) -> None:
        if isinstance(expected, RaisesGroup):
            if self.flatten_subgroups:
                raise ValueError(
                    "You cannot specify a nested structure inside a RaisesGroup with"
                    " `flatten_subgroups=True`. The parameter will flatten subgroups"
                    " in the raised exceptiongroup before matching, which would never"
                    " match a nested structure."
                )
        elif not isinstance(expected, Matcher) and not (isinstance(expected, type) and issubclass(expected, BaseException)):
            raise ValueError(f'Invalid argument "{expected!r}" must be exception type, Matcher, or RaisesGroup.')

    def __repr__(self) -> str:
        options = [
            f"{name}={value}"
            for name, value in (
                ("allow_unwrapped", self.allow_unwrapped),
                ("flatten_subgroups", self.flatten_subgroups),
            )
            if value
        ]
        names = [e.__name__ if isinstance(e, type) else repr(e) for e in self.expected_exceptions]
        return f"RaisesGroup({', '.join([*names, *options, *self._parameters()])})"

    def _is_base(self) -> bool:
        """Whether this can only be met by a `BaseExceptionGroup` that is not an `ExceptionGroup`."""
        for expected in self.expected_exceptions:
            if isinstance(expected, RaisesGroup):
                if expected._is_base():
                    return True
                continue
            type_ = expected.exception_type if isinstance(expected, Matcher) else expected
            if isinstance(type_, type) and not issubclass(type_, Exception):
                return True
        return False

    def expected_type(self) -> str:
        """Describe what is expected, in the manner of a call: ``ExceptionGroup(ValueError)``."""
        names = [
            e.expected_type() if isinstance(e, RaisesGroup) else e.__name__ if isinstance(e, type) else repr(e)
            for e in self.expected_exceptions
        ]
        return f"{'Base' if self._is_base() else ''}ExceptionGroup({', '.join(names)})"

    def matches(self, exc_val: BaseException | None) -> TypeGuard[BaseExceptionGroup[BaseExcT_co]]:
        """Whether ``exc_val`` is as expected.  If not, ``fail_reason`` tells why."""
        return self._remember(self._objection(exc_val, nested=False))

    def _objection(self, exception: BaseException | None, nested: bool) -> str | None:
        if exception is None:
            return "exception is None"
        if not isinstance(exception, BaseExceptionGroup):
            return self._unwrapped_objection(exception)
        objection = self._match_objection(exception)
        if objection is not None:
            return objection + self._misplaced_match_hint(exception)
        return self._members_objection(exception) or self._check_objection(exception, nested)

    def _unwrapped_objection(self, exception: BaseException) -> str | None:
        complaint = f"{type(exception).__name__!r} is not an exception group"
        if len(self.expected_exceptions) > 1:
            return complaint
        objection = _objection(self.expected_exceptions[0], exception)  # pyright: ignore[reportGeneralTypeIssues]
        if self.allow_unwrapped:
            return objection
        return complaint if objection else f"{complaint}, but would match with `allow_unwrapped=True`"

    def _misplaced_match_hint(self, group: BaseExceptionGroup[BaseException]) -> str:
        """For a ``match`` that was meant for the member and not for the group."""
        if len(self.expected_exceptions) != 1 or len(group.exceptions) != 1:
            return ""
        expected, member = self.expected_exceptions[0], group.exceptions[0]
        if self.flatten_subgroups and isinstance(member, BaseExceptionGroup):
            return ""
        if not isinstance(expected, type) or not isinstance(member, expected):
            return ""
        if self._match_objection(member) is not None:
            return ""
        assert self.match is not None
        name = expected.__name__
        advice = f"RaisesGroup(Matcher({name}, match={_plain_pattern(self.match)!r}))"
        return f", but matched the expected {name!r}. You might want {advice}"

    def _members_objection(self, group: BaseExceptionGroup[BaseException]) -> str | None:
        members = list(_flattened(group)) if self.flatten_subgroups else group.exceptions
        report = _Pairing(self.expected_exceptions, members).report()
        if report is None or self.flatten_subgroups:
            return report
        if any(isinstance(expected, RaisesGroup) for expected in self.expected_exceptions):
            return report
        if _Pairing(self.expected_exceptions, list(_flattened(group))).report() is not None:
            return report
        space = "" if report.startswith("\n") else "  "
        return f"{report}\n{space}Did you mean to use `flatten_subgroups=True`?"

    def __enter__(self) -> ExceptionInfo[BaseExceptionGroup[BaseExcT_co]]:
        from . import _raises_group

        self.excinfo: ExceptionInfo[Any] = _raises_group.ExceptionInfo.for_later()
        return self.excinfo

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool:
        __tracebackhide__ = True
        if exc_type is None:
            raise AssertionError(f"DID NOT RAISE any exception, expected {self.expected_type()}")
        if not self.matches(exc_val):
            is_group = isinstance(exc_val, BaseExceptionGroup)
            what = "exception (group)" if self.allow_unwrapped and not is_group else "exception group"
            raise AssertionError(f"Raised {what} did not match: {self._fail_reason}")
        assert exc_val is not None
        assert exc_tb is not None
        self.excinfo.fill_unfilled((exc_type, exc_val, exc_tb))
        return True
