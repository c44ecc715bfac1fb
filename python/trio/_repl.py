"""The interactive console of ``python -m trio``.

Two threads share the work.  The main thread is inside :func:`trio.run` the whole time, so tasks that were started at
the prompt go on while the user thinks.  The console itself, which blocks on input, is `code.InteractiveConsole` in a
worker thread; each statement that it has compiled travels to the main task and is executed there::

    worker:  raw_input -> compile -> runcode ----+                +---> show the traceback -> raw_input ...
    main:             (tasks run)                +--> execute it -+            (tasks run)

Errors come back as values, so that tracebacks show the user's frames and none of the journey's; only `SystemExit` ends
the console.

Ctrl-C reaches the main thread, as Python's signals always do.  While a statement runs that is right, and Trio's own
handler turns it into `KeyboardInterrupt` in that statement.  While the worker waits for input, a handler of ours notes
the signal and feeds the terminal a newline, which is the only way to get another thread out of reading a line.
Invariant: that handler is installed only while a line is being read, and what it replaced is put back whichever way the
reading ends.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import inspect
import sys
from code import InteractiveConsole
from types import FunctionType

import trio

from ._util import final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import CodeType, FrameType

_MODULE_NAMES = ("__builtins__", "__file__", "__loader__", "__name__", "__package__", "__spec__")


def terminal_newline() -> None:
    """Make the terminal behave as if the user had pressed Enter, if standard input is one and the kernel allows it."""
    import fcntl
    import termios

    # From Linux 6.2 on TIOCSTI may be switched off (sysctl dev.tty.legacy_tiocsti); the user has to press Enter then.
    with contextlib.suppress(OSError):
        fcntl.ioctl(sys.stdin, termios.TIOCSTI, b"\n")


def _without_own_frame(exc: BaseException) -> BaseException:
    traceback = exc.__traceback__
    return exc.with_traceback(traceback and traceback.tb_next)


def _execute(statement: Callable[[], object]) -> BaseException | None:
    try:
        statement()
    except BaseException as exc:
        return _without_own_frame(exc)
    return None


async def _execute_async(statement: Callable[[], Awaitable[object]]) -> BaseException | None:
    try:
        await statement()
    except BaseException as exc:
        return _without_own_frame(exc)
    return None


@final
class TrioInteractiveConsole(InteractiveConsole):
    """A console whose statements run in the main task of a Trio run, and may use ``await``."""

    def __init__(self, repl_locals: dict[str, object] | None = None) -> None:
        super().__init__(locals=repl_locals)
        # `exec` would see to it by itself; a function made from bare code does not, before Python 3.10.
        self.locals.setdefault("__builtins__", builtins)
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

    def runcode(self, code: CodeType) -> None:
        statement = FunctionType(code, self.locals)
        if code.co_flags & inspect.CO_COROUTINE:
            failure = trio.from_thread.run(_execute_async, statement)
        else:
            failure = trio.from_thread.run_sync(_execute, statement)
        if isinstance(failure, SystemExit):
            raise failure
        if failure is not None:
            self._report(failure)

    def _report(self, failure: BaseException) -> None:
        """Show an error the way the interpreter shows an uncaught one, and keep it for post-mortem debuggers.

        The inherited ``showtraceback`` is not up to it: it wants the error raised once more in here, and then shows our
        frame if a ``sys.excepthook`` is installed (as the backport of exception groups does).
        """
        import traceback

        kind, frames = type(failure), failure.__traceback__
        sys.last_type, sys.last_value, sys.last_traceback = kind, failure, frames
        if sys.version_info >= (3, 12):
            sys.last_exc = failure
        if sys.excepthook is sys.__excepthook__:
            self.write("".join(traceback.format_exception(kind, failure, frames)))
        else:
            sys.excepthook(kind, failure, frames)

    def raw_input(self, prompt: str = "") -> str:
        import signal

        interrupted = False

        def on_sigint(_signum: int, _frame: FrameType | None) -> None:
            nonlocal interrupted
            interrupted = True
            terminal_newline()

        previous = trio.from_thread.run_sync(signal.signal, signal.SIGINT, on_sigint)
        try:
            line = super().raw_input(prompt)
        finally:
            trio.from_thread.run_sync(signal.signal, signal.SIGINT, previous)
        if interrupted:
            raise KeyboardInterrupt  # the console says so and shows the next prompt
        return line


async def run_repl(console: TrioInteractiveConsole) -> None:
    """Let the user talk to the console until the end of input, or `SystemExit`."""
    import warnings

    banner = (
        f"trio REPL {sys.version} on {sys.platform}\n"
        'Use "await" directly instead of "trio.run()".\n'
        'Type "help", "copyright", "credits" or "license" for more information.\n'
        f"{getattr(sys, 'ps1', '>>> ')}import trio"
    )
    try:
        await trio.to_thread.run_sync(console.interact, banner)
    finally:
        # Coroutines that are left over in the user's variables are about to be collected.  That is no news to anybody.
        warnings.filterwarnings("ignore", message=r"^coroutine .* was never awaited$", category=RuntimeWarning)


def main(original_locals: dict[str, object]) -> None:
    """Run the console to its end.

    The console's namespace starts with ``trio`` and those names of ``original_locals`` that every module has.
    """
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # line editing comes with the import

    repl_locals: dict[str, object] = {name: original_locals[name] for name in _MODULE_NAMES if name in original_locals}
    repl_locals["trio"] = trio
    trio.run(run_repl, TrioInteractiveConsole(repl_locals))
