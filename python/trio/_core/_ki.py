"""Where Ctrl-C may strike.

Python runs the SIGINT handler between any two bytecodes of the main thread, on top of whatever frame happens to be
executing.  Raising `KeyboardInterrupt` is fine inside a user's task and fatal inside the bookkeeping of the event loop, so
the handler looks at the interrupted stack and picks one of two reactions:

* *unprotected*: raise `KeyboardInterrupt` on the spot;
* *protected*: remember it; the loop hands it to the main task at its next checkpoint.

The stack is read from the inside out, and the first frame with an opinion decides:

1. its code object was marked by :func:`enable_ki_protection` or :func:`disable_ki_protection`;
2. it is a ``__del__`` method: protected, because an exception there would only be printed and lost;
3. it is the outermost frame of the current task: the task's own flag counts (system tasks are protected);
4. no frame is left: protected.  That covers the event loop, callbacks that it makes, and threads other than Trio's.

Marks sit on code objects, not on functions or frames, so a marked function keeps its identity, costs nothing when called,
and stays marked while suspended as a generator or coroutine.  Native code has no frames: the compiled part of the loop
cannot be interrupted at all except where it calls Python, and what it calls is judged by the rules above.

The table of marks is the only state here that outlives a run.  It is filled by decorators and read by the signal handler;
its entries disappear with their code objects.
"""

from __future__ import annotations

import sys
import weakref

from ._run_context import GLOBAL_RUN_CONTEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    import types
    from collections.abc import Callable
    from typing import NoReturn, Protocol, TypeVar

    class _SupportsCode(Protocol):
        __code__: types.CodeType

    _T_supports_code = TypeVar("_T_supports_code", bound=_SupportsCode)


class _IdRef(weakref.ref):  # type: ignore[type-arg]
    """A weak reference that remembers the identity of its object and never asks the object for equality or hash."""

    __slots__ = ("key",)

    key: int

    def __new__(cls, obj: object, callback: Callable[[_IdRef], object] | None = None, /) -> _IdRef:
        self = super().__new__(cls, obj, callback)
        self.key = id(obj)
        return self

    __eq__ = object.__eq__
    __ne__ = object.__ne__
    __hash__ = object.__hash__


class WeakKeyIdentityDictionary:
    """Maps objects, by identity, to a flag, and forgets them when they die.

    `weakref.WeakKeyDictionary` will not do: it compares keys, and two code objects are equal whenever their functions were
    written alike, on the same line of the same file.
    """

    def __init__(self) -> None:
        # Invariant: an entry goes away before the memory of its key can be used again, because the callback of a weak
        # reference runs before its object is freed.  The id is therefore as good as the object.
        self._data: dict[int, tuple[_IdRef, bool]] = {}
        self_ref = weakref.ref(self)  # a strong one would let the entries keep the dictionary alive

        def forget(dead: _IdRef) -> None:
            owner = self_ref()
            if owner is not None:
                owner._data.pop(dead.key, None)

        self._forget = forget

    def __setitem__(self, obj: object, flag: bool) -> None:
        self._data[id(obj)] = (_IdRef(obj, self._forget), flag)

    def __getitem__(self, obj: object) -> bool:
        return self._data[id(obj)][1]

    def get(self, obj: object) -> bool | None:
        """The flag of ``obj``, or ``None`` if it has none."""
        entry = self._data.get(id(obj))
        return None if entry is None else entry[1]


_CODE_PROTECTION = WeakKeyIdentityDictionary()


def ki_protection_enabled(frame: types.FrameType | None) -> bool:
    """Whether a `KeyboardInterrupt` must not be raised while ``frame`` is the innermost one of this thread."""
    task = getattr(GLOBAL_RUN_CONTEXT, "task", None)
    if task is not None:
        # At the end of a nursery's block the interpreter calls a native function, looks for signals, and only then awaits what
        # the function has returned.
        nurseries = task._child_nurseries
        if nurseries and nurseries[-1]._leaving:
            return True
    while frame is not None:
        code = frame.f_code
        marked = _CODE_PROTECTION.get(code)
        if marked is not None:
            return marked
        if code.co_name == "__del__":
            return True
        if task is not None and frame is task.coro.cr_frame:
            protected: bool = task._ki_protected
            return protected
        frame = frame.f_back
    return True


def currently_ki_protected() -> bool:
    """Whether Ctrl-C is held back at this very point.

    Returns `True` if a Ctrl-C that arrived now would be delivered at a later checkpoint of the main task, `False` if it would
    raise `KeyboardInterrupt` right here.  Code marked by `enable_ki_protection`, system tasks, callbacks of the event loop,
    ``__del__`` methods, and everything outside of a Trio task are protected; ordinary tasks are not.  May be called from any
    thread.  Not a checkpoint.

    Reference documentation: "Safer KeyboardInterrupt handling" under ``trio.lowlevel``.
    """
    return ki_protection_enabled(sys._getframe())


def _mark(f: _T_supports_code, protected: bool) -> _T_supports_code:
    target = f
    # A function made by the async_generator package runs its body in the coroutine function that it wraps.  The package
    # recognises its own functions by an attribute that holds their id, and functools.wraps may have copied that.
    if getattr(f, "_async_gen_function", None) == id(f):
        target = f.__wrapped__  # type: ignore[attr-defined]
    _CODE_PROTECTION[target.__code__] = protected
    return f


def enable_ki_protection(f: _T_supports_code, /) -> _T_supports_code:
    """Decorator: while ``f`` runs, Ctrl-C waits for the main task's next checkpoint.

    Applies to functions, generators, coroutines and async generators defined in Python, and to what they call, up to the
    next function marked by `disable_ki_protection`. ``f`` itself is returned: it is its code object that is marked, so that every
    closure made from the same ``def`` statement is marked too.

    Raises `AttributeError` if ``f`` has no ``__code__``, such as a builtin.  Reference documentation: "Safer
    KeyboardInterrupt handling" under ``trio.lowlevel``.
    """
    return _mark(f, True)


def disable_ki_protection(f: _T_supports_code, /) -> _T_supports_code:
    """Decorator: while ``f`` runs, Ctrl-C raises `KeyboardInterrupt` at once.

    The counterpart of `enable_ki_protection`, with the same rules. Use it where protected code calls back into code that
    belongs to the user. Reference documentation: "Safer KeyboardInterrupt handling" under ``trio.lowlevel``.
    """
    return _mark(f, False)


@enable_ki_protection
def raise_interrupt() -> NoReturn:
    """Raise the interrupt that the loop hands to the main task. The traceback then ends here and not in the task's ``await``."""
    raise KeyboardInterrupt


class KIHandler:
    """Trio's SIGINT handler, installed for the duration of one run.

    States: *idle* (as created and after `close`) and *installed*. A run calls `install` before its first step and
    `close` after its last one; both belong to the thread of the run. `install` stays idle unless the run is on the main thread
    and SIGINT has Python's default handler, since otherwise Ctrl-C means something that the program has chosen. `close` puts
    the default handler back unless somebody has replaced ours meanwhile.
    """

    __slots__ = ("_handler",)

    def __init__(self) -> None:
        self._handler: Callable[[int, types.FrameType | None], None] | None = None

    def install(self, deliver_cb: Callable[[], object], restrict_to_checkpoints: bool) -> None:
        """Start to handle SIGINT.

        ``deliver_cb`` is called, inside the signal handler, for each interrupt that has to wait: if it hits protected code or if
        ``restrict_to_checkpoints`` is true. It must be safe to call between any two bytecodes.
        """
        import signal

        from .._util import is_main_thread

        if not is_main_thread() or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            return

        # Marked itself, so that a second Ctrl-C cannot break the delivery of the first.
        @enable_ki_protection
        def on_sigint(signum: int, frame: types.FrameType | None) -> None:
            if not restrict_to_checkpoints and not ki_protection_enabled(frame):
                raise KeyboardInterrupt
            deliver_cb()

        self._handler = on_sigint
        signal.signal(signal.SIGINT, on_sigint)

    def close(self) -> None:
        """Restore the default handler if ours is still in place, and let go of the run. Does nothing when idle."""
        handler, self._handler = self._handler, None
        if handler is None:
            return
        import signal

        if signal.getsignal(signal.SIGINT) is handler:
            signal.signal(signal.SIGINT, signal.default_int_handler)
