"""Small tools that the rest of the package is built with.

Four unrelated families live here because all of them sit below everything else and none is worth a module:

* *class policy*: :func:`final` and :class:`NoPublicConstructor` turn the promises "do not subclass" and "do not
  instantiate" into errors instead of documentation;
* *call checking*: :func:`coroutine_or_error` is the gate every async function passes on its way into a task.  A spawn path
  that makes the call itself uses the two halves, :func:`explain_call_error` when the call failed and :func:`as_coroutine`
  when it returned something;
* *presentation*: :func:`fixup_module_metadata`, :func:`async_wraps` and :func:`name_asyncgen` decide under which name
  users meet an object;
* *exceptions and mutual exclusion*: :func:`raise_single_exception_from_group` and :class:`ConflictDetector`.

Nothing here keeps state between calls except a ``ConflictDetector``, which belongs to the event loop of whoever uses it.
The module is imported first, so it imports next to nothing: heavier needs are imported where they arise.
"""

from __future__ import annotations

import types
from abc import ABCMeta

import trio

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sys
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from types import AsyncGeneratorType, TracebackType
    from typing import Any, NoReturn, TypeVar, final as final

    from typing_extensions import TypeVarTuple, Unpack

    if sys.version_info < (3, 11):
        from exceptiongroup import BaseExceptionGroup

    CallT = TypeVar("CallT", bound=Callable[..., Any])
    T = TypeVar("T")
    RetT = TypeVar("RetT")
    PosArgsT = TypeVarTuple("PosArgsT")


# ---- class policy ----


def _refuse_subclass(cls: type[object]) -> NoReturn:
    raise TypeError(f"{cls.__module__}.{cls.__qualname__} does not support subclassing")


if not TYPE_CHECKING:  # type checkers only know the decorator under its typing name

    def final(decorated: type[T]) -> type[T]:
        """Class decorator: any attempt to subclass raises `TypeError` when the subclass statement is executed.

        The class is also marked ``__final__``, as :func:`typing.final` does from Python 3.11 on.
        """
        decorated.__init_subclass__ = classmethod(_refuse_subclass)
        decorated.__final__ = True
        return decorated


@final
class NoPublicConstructor(ABCMeta):
    """Metaclass of classes that users receive but never build.

    Calling the class raises `TypeError`; code inside the package uses ``cls._create(...)``, which takes the arguments of
    ``__init__``.  It derives from `abc.ABCMeta` so that such classes may implement abstract interfaces, and has no opinion
    on subclassing: combine it with :func:`final`.
    """

    def __call__(cls, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError(f"{cls.__module__}.{cls.__qualname__} has no public constructor")

    def _create(cls: type[T], *args: object, **kwargs: object) -> T:
        return type.__call__(cls, *args, **kwargs)  # type: ignore[no-any-return]


# ---- call checking ----


def is_main_thread() -> bool:
    """Whether signal handlers may be installed from here, which is how CPython defines its main thread.

    `threading` only guesses (it may have been imported first by another thread, or have lost its table of threads), so
    ask the interpreter: off the main thread `signal.signal` refuses with `ValueError` before it looks at the handler; on the
    main thread an impossible handler is a `TypeError` and nothing has been changed.
    """
    from signal import SIGINT, signal

    try:
        signal(SIGINT, ...)  # type: ignore[arg-type]
    except ValueError:
        return False
    except TypeError:
        return True
    raise AssertionError("the interpreter took Ellipsis for a signal handler")


_OTHER_LIBRARY = (
    " – are you trying to use a library written for asyncio/twisted/tornado or similar? "
    "That won't work without some sort of compatibility shim."
)

_COROUTINE_OBJECT = """\
Trio was expecting an async function, but instead it got a coroutine object {coro!r}

Probably you did something like:

  trio.run({name}(...))            # incorrect!
  nursery.start_soon({name}(...))  # incorrect!

Instead, you want (notice the parentheses!):

  trio.run({name}, ...)            # correct!
  nursery.start_soon({name}, ...)  # correct!"""


def _is_from_other_library(value: object) -> bool:
    """Generator-based coroutines, asyncio's and concurrent's futures (by protocol or name), Twisted's Deferred."""
    return (
        isinstance(value, types.GeneratorType)
        or hasattr(value, "_asyncio_future_blocking")
        or type(value).__name__ in ("Future", "Deferred")
    )


def explain_call_error(async_fn: object, args: tuple[object, ...], exc: BaseException) -> None:
    """Raise a clearer `TypeError` if ``async_fn(*args)`` failed with ``exc`` because ``async_fn`` is no async function.

    Recognised are a coroutine object (which is closed, so that no "never awaited" warning follows) and an awaitable of
    another async library.  Returns without a word when ``exc`` needs no explanation; the caller then re-raises it.
    """
    if not isinstance(exc, TypeError):
        return
    from collections.abc import Coroutine

    if isinstance(async_fn, Coroutine):
        async_fn.close()
        name = getattr(async_fn, "__name__", type(async_fn).__name__)
        raise TypeError(_COROUTINE_OBJECT.format(coro=async_fn, name=name)) from None
    if _is_from_other_library(async_fn):
        raise TypeError(f"Trio was expecting an async function, but instead it got {async_fn!r}{_OTHER_LIBRARY}") from None


async def _await_native(awaitable: Awaitable[RetT]) -> RetT:
    return await awaitable


def as_coroutine(async_fn: object, result: object) -> Coroutine[object, NoReturn, Any]:
    """Turn what ``async_fn`` returned into a coroutine object that can back a task.

    A coroutine made by ``async def`` comes back unchanged.  Anything else with the coroutine interface (Cython, an extension
    module, ``agen.asend(..)``) is wrapped, because tasks promise debuggers a real coroutine with frames.  Every other
    value raises the `TypeError` that names the likely mistake: a synchronous function, an async generator, or
    an awaitable of another async library.
    """
    if isinstance(result, types.CoroutineType):
        return result
    from collections.abc import Coroutine

    if isinstance(result, Coroutine):
        return _await_native(result)
    if _is_from_other_library(result):
        raise TypeError(f"Trio got unexpected {result!r}{_OTHER_LIBRARY}")
    if isinstance(result, types.AsyncGeneratorType):
        raise TypeError(f"start_soon expected an async function but got an async generator {result!r}")
    name = getattr(async_fn, "__qualname__", async_fn)
    raise TypeError(f"Trio expected an async function, but {name!r} appears to be synchronous")


def coroutine_or_error(
    async_fn: Callable[[Unpack[PosArgsT]], Awaitable[RetT]],
    *args: Unpack[PosArgsT],
) -> Coroutine[object, NoReturn, RetT]:
    """Call ``async_fn(*args)`` and return its coroutine, or raise a `TypeError` that says what was passed instead.

    During the call `sniffio` reports Trio, also where no task runs yet, so that functions which choose their
    implementation by library choose ours.
    """
    from sniffio import thread_local

    outer = thread_local.name
    thread_local.name = "trio"
    try:
        result = async_fn(*args)
    except TypeError as exc:
        explain_call_error(async_fn, args, exc)
        raise
    finally:
        thread_local.name = outer
    return as_coroutine(async_fn, result)


# ---- presentation ----


def async_wraps(cls: type[object], wrapped_cls: type[object], attr_name: str) -> Callable[[CallT], CallT]:
    """Decorator for the async twin of a synchronous method: gives it the name and a docstring that points there.

    Arguments: the class that will carry the function, the class whose method it stands for, and the method's name.
    """

    def decorate(func: CallT) -> CallT:
        func.__name__ = attr_name
        func.__qualname__ = f"{cls.__qualname__}.{attr_name}"
        func.__doc__ = f"Like :meth:`~{wrapped_cls.__module__}.{wrapped_cls.__qualname__}.{attr_name}`, but async."
        return func

    return decorate


def _rename(obj: object, attribute: str, value: str) -> None:
    # Extension types and functions have some of these attributes read-only; they carry the public name from birth.
    try:
        setattr(obj, attribute, value)
    except (AttributeError, TypeError):
        pass


def fixup_module_metadata(module_name: str, namespace: Mapping[str, object]) -> None:
    """Make the public objects of a namespace claim to be defined there, under the name they are exported as.

    ``trio._core._run.Nursery`` becomes ``trio.Nursery`` in reprs, tracebacks, pickles and generated documentation.  Only
    objects defined somewhere below ``trio.`` are touched, with everything found inside their classes; names that start
    with an underscore are left alone, and a ``module_name`` outside the package is ignored.
    """
    if module_name != "trio" and not module_name.startswith("trio."):
        return
    seen: set[int] = set()
    pending = [(name, name, obj) for name, obj in namespace.items() if not name.startswith("_")]
    while pending:
        qualname, name, obj = pending.pop()
        home = getattr(obj, "__module__", None)
        if id(obj) in seen or not isinstance(home, str) or not home.startswith("trio."):
            continue
        seen.add(id(obj))
        _rename(obj, "__module__", module_name)
        if "." not in getattr(obj, "__name__", "."):
            _rename(obj, "__name__", name)
            if hasattr(obj, "__qualname__"):
                _rename(obj, "__qualname__", qualname)
        if isinstance(obj, type):
            pending += [(f"{qualname}.{attr}", attr, value) for attr, value in vars(obj).items()]


def name_asyncgen(agen: AsyncGeneratorType[object, NoReturn]) -> str:
    """The function behind an async generator as ``module.qualname``, or with its file if the module is unknown.

    The generators of the library ``async_generator`` have no name of their own, but the code of one.
    """
    frame = agen.ag_frame
    module = frame.f_globals.get("__name__") if frame is not None else None
    name = getattr(agen, "__qualname__", agen.ag_code.co_name)
    return f"{module or f'<{agen.ag_code.co_filename}>'}.{name}"


# ---- exceptions and mutual exclusion ----


class ConflictDetector:
    """Context manager that lets one task in and tells the second one off.

    It protects what cannot be shared, such as the sending side of a stream.  Entering while another task is inside raises
    `trio.BusyResourceError` with ``msg``.  It never waits: this is not a lock but a detector of programming errors.
    """

    __slots__ = ("_complaint", "_occupied")

    def __init__(self, msg: str) -> None:
        self._complaint = msg
        self._occupied = False

    def __enter__(self) -> None:
        if self._occupied:
            raise trio.BusyResourceError(self._complaint)
        self._occupied = True

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._occupied = False


def raise_saving_context(exc: BaseException) -> NoReturn:
    """Raise ``exc`` with the ``__context__`` it already has, even from inside an ``except`` block."""
    context = exc.__context__
    try:
        raise exc
    finally:
        exc.__context__ = context
        del exc, context  # else this frame and the traceback would form a cycle


class MultipleExceptionError(Exception):
    """`raise_single_exception_from_group` was given a group that does not boil down to one exception."""


def raise_single_exception_from_group(eg: BaseExceptionGroup[BaseException]) -> NoReturn:
    """Unwrap one level of a group for an internal nursery whose existence the caller should not notice.

    In order of precedence: a `KeyboardInterrupt` or `SystemExit` anywhere at that level is raised anew, caused by the group;
    the single exception that is not `trio.Cancelled` is raised with its own cause and context; a group of nothing but
    `trio.Cancelled` raises the first.  Several others raise `MultipleExceptionError`, again caused by the group.
    """
    survivors: list[BaseException] = []
    for exc in eg.exceptions:
        if isinstance(exc, (KeyboardInterrupt, SystemExit)):
            raise type(exc)(*exc.args) from eg
        if not isinstance(exc, trio.Cancelled):
            survivors.append(exc)
    if len(survivors) > 1:
        raise MultipleExceptionError(
            "Attempted to unwrap exceptiongroup with multiple non-cancelled exceptions. "
            "This is often caused by a bug in the caller."
        ) from eg
    try:
        raise_saving_context((survivors or eg.exceptions)[0])
    finally:
        del eg, exc, survivors  # pyright: ignore[reportPossiblyUnboundVariable]
