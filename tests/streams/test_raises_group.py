"""The two expectations that trio.testing still offers for old test suites."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from typing import Any

import pytest

import trio
import trio.testing

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    Matcher: Any = getattr(trio.testing, "Matcher")  # noqa: B009 (type checkers do not know it)
    RaisesGroup: Any = getattr(trio.testing, "RaisesGroup")  # noqa: B009


@pytest.mark.parametrize(("name", "successor"), [("RaisesGroup", "RaisesGroup"), ("Matcher", "RaisesExc")])
def test_they_are_deprecated(name: str, successor: str) -> None:
    with pytest.warns(DeprecationWarning) as caught:
        getattr(trio.testing, name)
    assert str(caught[0].message).startswith(
        f"trio.testing.{name} is deprecated since Trio 0.33.0; use See"
        f" https://docs.pytest.org/en/stable/reference/reference.html#pytest.{successor} instead"
    )
    assert caught[0].filename == __file__
    assert name not in dir(trio.testing)


def test_what_fits() -> None:
    for expected, raised in [
        (RaisesGroup(ValueError), ExceptionGroup("", [ValueError()])),
        (RaisesGroup(OSError, ValueError), ExceptionGroup("", [ValueError(), FileNotFoundError()])),
        (RaisesGroup(RaisesGroup(KeyError), OSError), ExceptionGroup("", [OSError(), ExceptionGroup("", [KeyError()])])),
        (RaisesGroup(KeyError, flatten_subgroups=True), ExceptionGroup("", [ExceptionGroup("", [KeyError()])])),
        (RaisesGroup(KeyError, allow_unwrapped=True), KeyError()),
        (RaisesGroup(KeyboardInterrupt), BaseExceptionGroup("", [KeyboardInterrupt()])),
        (RaisesGroup(KeyError, match=r"^text$"), ExceptionGroup("text", [KeyError()])),
        (RaisesGroup(KeyError, check=lambda group: group.message == "x"), ExceptionGroup("x", [KeyError()])),
        (RaisesGroup(Matcher(OSError, "full", lambda e: e.errno == 5)), ExceptionGroup("", [OSError(5, "disk full")])),
    ]:
        assert expected.matches(raised)
        assert expected.fail_reason is None
        with expected as info:
            raise raised
        assert info.value is raised


@pytest.mark.parametrize(
    ("make", "raised", "reason"),
    [
        (lambda: RaisesGroup(ValueError), KeyError("x"), "'KeyError' is not an exception group"),
        (
            lambda: RaisesGroup(ValueError),
            ValueError("x"),
            "'ValueError' is not an exception group, but would match with `allow_unwrapped=True`",
        ),
        (lambda: RaisesGroup(ValueError), ExceptionGroup("", [KeyError("x")]), "'KeyError' is not of type 'ValueError'"),
        (
            lambda: RaisesGroup(ValueError),
            ExceptionGroup("", [ExceptionGroup("", [ValueError("x")])]),
            "Unexpected nested 'ExceptionGroup', expected 'ValueError'\n  Did you mean to use `flatten_subgroups=True`?",
        ),
        (
            lambda: RaisesGroup(ValueError, match="foo"),
            ExceptionGroup("bar", [KeyError("x")]),
            "Regex pattern 'foo' did not match 'bar' of 'ExceptionGroup'",
        ),
        (
            lambda: RaisesGroup(Matcher(match="a.b")),
            ExceptionGroup("", [KeyError("ab")]),
            """Matcher(match='a.b'): Regex pattern 'a.b' did not match "'ab'\"""",
        ),
        (
            lambda: RaisesGroup(ValueError),
            ExceptionGroup("", [ValueError("a"), KeyError("b")]),
            "1 matched exception. Unexpected exception(s): [KeyError('b')]",
        ),
        (
            lambda: RaisesGroup(ValueError, KeyError, Matcher(OSError)),
            ExceptionGroup("", [ValueError("a")]),
            "1 matched exception. Too few exceptions raised, found no match for: ['KeyError', Matcher(OSError)]",
        ),
    ],
)
def test_why_it_does_not_fit(make: Any, raised: BaseException, reason: str) -> None:
    expected = make()
    assert not expected.matches(raised)
    assert expected.fail_reason == reason
    with pytest.raises(AssertionError, match=rf"^{re.escape(f'Raised exception group did not match: {reason}')}$") as caught:
        with expected:
            raise raised
    assert caught.value.__context__ is raised


def test_nothing_raised() -> None:
    with pytest.raises(AssertionError, match=r"^DID NOT RAISE any exception, expected ExceptionGroup\(KeyError, OSError\)$"):
        with RaisesGroup(KeyError, OSError):
            pass
    assert RaisesGroup(RaisesGroup(SystemExit), KeyError).expected_type() == (
        "BaseExceptionGroup(BaseExceptionGroup(SystemExit), KeyError)"
    )


def test_a_table_for_the_difficult_cases() -> None:
    expected = RaisesGroup(Exception, OSError)
    assert not expected.matches(ExceptionGroup("", [OSError("a"), KeyError("b")]))
    assert expected.fail_reason.splitlines() == [
        "",
        "1 matched exception. ",
        "The following expected exceptions did not find a match:",
        "  'OSError'",
        "    It matches OSError('a') which was paired with 'Exception'",
        "The following raised exceptions did not find a match",
        "  KeyError('b'):",
        "    It matches 'Exception' which was paired with OSError('a')",
        "    'KeyError' is not of type 'OSError'",
        "There exist a possible match when attempting an exhaustive check, but RaisesGroup uses a greedy algorithm."
        " Please make your expected exceptions more stringent with `Matcher` etc so the greedy algorithm can function.",
    ]


@pytest.mark.skipif("rust" not in trio.__version__, reason="the original runs into a KeyError here")
def test_a_table_whose_first_expectation_is_unmet() -> None:
    expected = RaisesGroup(ValueError, OSError)
    assert not expected.matches(ExceptionGroup("", [OSError("a"), OSError("b")]))
    assert expected.fail_reason.splitlines() == [
        "",
        "1 matched exception. ",
        "The following expected exceptions did not find a match:",
        "  'ValueError'",
        "The following raised exceptions did not find a match",
        "  OSError('b'):",
        "    'OSError' is not of type 'ValueError'",
        "    It matches 'OSError' which was paired with OSError('a')",
    ]


def test_arguments() -> None:
    for bad in (ValueError(), object, "x", None):
        with pytest.raises(ValueError, match="must be exception type, Matcher, or RaisesGroup"):
            RaisesGroup(bad)
    with pytest.raises(ValueError, match=r"^You must specify at least one parameter to match on.$"):
        Matcher()
    with pytest.raises(ValueError, match="must be a subclass of BaseException"):
        Matcher(int)
    contradictions: list[tuple[Any, Any]] = [
        ((RaisesGroup(KeyError),), {"allow_unwrapped": True}),
        ((RaisesGroup(KeyError),), {"flatten_subgroups": True}),
        ((KeyError, OSError), {"allow_unwrapped": True}),
        ((KeyError,), {"allow_unwrapped": True, "match": "x"}),
        ((KeyError,), {"allow_unwrapped": True, "check": bool}),
    ]
    for arguments, options in contradictions:
        with pytest.raises(ValueError, match="`"):
            RaisesGroup(*arguments, **options)


def test_reprs_can_be_evaluated() -> None:
    for text in (
        "RaisesGroup(ValueError)",
        "RaisesGroup(ValueError, RaisesGroup(KeyError, match='x'), flatten_subgroups=False)",
        "RaisesGroup(Matcher(OSError, match='full'))",
        "RaisesGroup(KeyError, allow_unwrapped=True, flatten_subgroups=True)",
    ):
        short = text.replace(", flatten_subgroups=False", "")
        assert repr(eval(text)) == short
    assert repr(Matcher(match=re.compile("x", re.IGNORECASE))) == "Matcher(match=re.compile('x', re.IGNORECASE))"


WITHOUT_PYTEST = """
import sys
sys.modules["pytest"] = None
if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup
from trio.testing import _RaisesGroup as RaisesGroup

with RaisesGroup(KeyError) as info:
    try:
        info.value
    except AssertionError as exc:
        assert str(exc) == ".value can only be used after the context manager exits"
    raise ExceptionGroup("x", [KeyError()])
assert info.type is ExceptionGroup
assert info.value.message == "x"
assert info.tb.tb_frame is sys._getframe()
for method in (info.exconly, info.getrepr, lambda: info.errisinstance(KeyError)):
    try:
        method()
    except NotImplementedError as exc:
        assert "pytest" in str(exc)
    else:
        raise SystemExit("no error")
"""


def test_they_work_without_pytest() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_PYTEST], check=True)
