"""The decorator that turns an async test into one that any test runner can call.

A test gets its clock and its instruments as arguments, say from fixtures, and has no other way to hand them to
the run.  So this looks through the keyword arguments and takes what is recognisable by type.
"""

from __future__ import annotations

from functools import partial, wraps

from .. import _core
from ..abc import Clock, Instrument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    from typing_extensions import ParamSpec

    ArgsT = ParamSpec("ArgsT")
    RetT = TypeVar("RetT")


def trio_test(fn: Callable[ArgsT, Awaitable[RetT]]) -> Callable[ArgsT, RetT]:
    """Decorator: make a synchronous function that runs the async test ``fn`` with :func:`trio.run`.

    A keyword argument that is a :class:`~trio.abc.Clock` becomes the clock of the run, and every keyword
    argument that is an :class:`~trio.abc.Instrument` becomes one of its instruments; ``fn`` still receives
    them.

    The decorated function raises `ValueError` if it is called with more than one clock.
    """

    @wraps(fn)
    def wrapper(*args: ArgsT.args, **kwargs: ArgsT.kwargs) -> RetT:
        __tracebackhide__ = True
        clocks = [value for value in kwargs.values() if isinstance(value, Clock)]
        if len(clocks) > 1:
            raise ValueError("too many clocks spoil the broth!")
        instruments = [value for value in kwargs.values() if isinstance(value, Instrument)]
        clock = clocks[0] if clocks else None
        result: RetT = _core.run(partial(fn, *args, **kwargs), clock=clock, instruments=instruments)
        return result

    return wrapper
