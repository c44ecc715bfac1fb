"""The parts of nurseries that read best as coroutines: `Nursery.start` and the status object that it hands out.

A task that is being started lives in a nursery of its own, inside ``start``, so that everything that goes wrong before it
is ready comes out there. When it reports that it is ready, it moves over to the nursery that it was meant for, together with
everything it has opened meanwhile, and ``start`` returns.
"""

from __future__ import annotations

import sys
from types import FunctionType

from .._native import Nursery, TrioInternalError, open_nursery, set_nursery_metaclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable
    from typing import Any, NoReturn

    from ._task_status import TaskStatus as TaskStatusType


class NurseryType(type):
    """The class of the class `Nursery`: says that only nurseries have a ``cancel_scope``, not their class.

    So it is upstream, where the attribute is set on the object. Natively it has to be a descriptor in the class.
    """

    def __dir__(cls) -> Iterable[str]:
        return [name for name in super().__dir__() if name != "cancel_scope"]


if type(Nursery) is type:  # the native class stays as it is when the package is imported again
    set_nursery_metaclass(NurseryType)


class TaskStatus:
    """Handed to a function that runs under ``nursery.start``: its way to report that it is ready.

    No ``__slots__``: programs put a ``started`` of their own into the object to see the report come by.
    """

    def __init__(self, cradle: Nursery, home: Nursery) -> None:
        self._cradle = cradle
        self._home = home
        self._called = False
        self._value: object = None

    def __repr__(self) -> str:
        return f"<Task status object at {id(self):#x}>"

    def started(self, value: object = None) -> None:
        """Report that the task is ready, and move it to its nursery. ``start`` returns ``value``.

        If ``start`` has been cancelled in the meantime, the report comes too late and does nothing.

        Raises:
          RuntimeError: if called twice.
        """
        if self._called:
            raise RuntimeError("called 'started' twice on the same task status")
        self._called = True
        self._value = value
        if not self._cradle._is_cancelled:
            self._cradle._move_tasks_to(self._home)


class _IgnoredTaskStatus:
    """Takes the place of a `TaskStatus` when a function is called directly, and ignores the report."""

    __slots__ = ()

    def started(self, value: object = None) -> None:
        pass

    def __repr__(self) -> str:
        return "TASK_STATUS_IGNORED"


TASK_STATUS_IGNORED: TaskStatusType[Any] = _IgnoredTaskStatus()


async def start(
    nursery: Nursery,
    async_fn: Callable[..., Awaitable[object]],
    args: tuple[object, ...],
    name: object,
) -> object:
    """The body of ``Nursery.start``; see there. In one piece, because tracebacks lead through it."""
    if nursery._closed:
        raise RuntimeError("Nursery is closed to new arrivals")
    nursery._pending_starts += 1
    error: BaseException | None = None
    members: tuple[BaseException, ...] | None = None
    try:
        manager = open_nursery(strict_exception_groups=True)
        status = TaskStatus(await manager.__aenter__(), nursery)
        try:
            if not callable(async_fn):
                raise TypeError("the first argument must be callable")
            status._cradle._spawn_starting(nursery, async_fn, args, status, name)
        except BaseException as exc:
            error = exc
        if error is None:
            await manager.__aexit__(None, None, None)
        elif not await manager.__aexit__(type(error), error, error.__traceback__):
            raise error
    except BaseException as exc:
        members = getattr(exc, "exceptions", None)
        if members is None:
            raise
        from .._util import MultipleExceptionError, raise_saving_context, raise_single_exception_from_group

        if len(members) == 1:
            raise_saving_context(members[0])
        try:
            raise_single_exception_from_group(exc)  # type: ignore[arg-type,unused-ignore]
        except MultipleExceptionError:
            # Somebody has put more tasks into the cradle.
            raise TrioInternalError("internal error in Trio - please file a bug!") from exc
    finally:
        del error, members  # else this frame and their tracebacks would form a cycle
        nursery._pending_starts -= 1
        nursery._check_nursery_finished()
    if not status._called:
        raise RuntimeError("child exited without calling task_status.started()")
    return status._value


async def _await(awaitable: Awaitable[object]) -> object:
    return await awaitable


class _Namesakes(dict[str, FunctionType]):
    """`_await` under the names of native functions, made when they are first needed."""

    def __missing__(self, qualified_name: str) -> FunctionType:
        name = qualified_name.rpartition(".")[2]
        code = _await.__code__.replace(co_name=name)
        if sys.version_info >= (3, 11):
            code = code.replace(co_qualname=qualified_name)
        namesake = self[qualified_name] = FunctionType(code, _await.__globals__, name)
        namesake.__qualname__ = qualified_name
        return namesake


_namesakes = _Namesakes()


def await_native(awaitable: Coroutine[object, object, object]) -> object:
    """The coroutine of a task whose function is native, made for those who look at `Task.coro` or at a traceback.

    Tools show the names of the coroutine, of its code and of its frame, so all are those of the native function.
    """
    return _namesakes[awaitable.__qualname__](awaitable)


def leave_nursery(error: BaseException) -> NoReturn:
    """Raise what a nursery ends with: an entry in the traceback that says where the group comes from."""
    try:
        raise error
    finally:
        del error  # else this frame and the traceback would form a cycle


def warn_loose_groups(what: str, stacklevel: int) -> None:
    """Warn that ``strict_exception_groups=False`` was passed to ``what``."""
    from .._deprecate import warn_deprecated

    warn_deprecated(
        f"{what}strict_exception_groups=False)",
        version="0.25.0",
        issue=2929,
        instead="the default value of True and rewrite exception handlers to handle ExceptionGroups. See"
        " https://trio.readthedocs.io/en/stable/reference-core.html#designing-for-multiple-errors",
        use_triodeprecationwarning=True,
        stacklevel=stacklevel,
    )
