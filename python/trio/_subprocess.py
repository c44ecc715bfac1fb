"""Child processes: `subprocess.Popen` for starting and reaping, Trio for everything that takes time.

Two levels.  :func:`open_process` starts a child and hands out a :class:`Process`, with pipes as Trio streams, whose
lifetime is the caller's affair.  :func:`run_process` builds on it and ties the child to the calling task: it feeds and
collects the pipes, waits, and if cancelled makes sure that the child is gone before it returns.

A process goes through three states, all of them told apart by ``Popen.returncode`` and ``_pidfd``::

    running  --- kernel: exited, pidfd readable --->  zombie  --- whoever polls or waits first --->  reaped
    returncode None, pidfd open                                   returncode set, pidfd closed

``_pidfd`` is None from the start where the kernel gives none; :mod:`trio._subprocess_platform` waits in a thread then.
Invariants: only ``Popen`` reaps, so its return code is the truth; the pidfd is closed as soon as anybody learns of the
exit, after telling the event loop, so that a waiting task wakes up even if the news reached us on another way.
"""

from __future__ import annotations

import contextlib
import os
from functools import partial
from io import FileIO

from . import _core
from ._highlevel_generic import StapledStream
from ._subprocess_platform import create_pipe_from_child_output, create_pipe_to_child_stdin, wait_child_exiting
from ._sync import Lock
from ._threads import to_thread_run_sync
from ._timeouts import sleep
from ._util import NoPublicConstructor, final, fixup_module_metadata

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import subprocess
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from typing import Final, Protocol, TypedDict, Union

    from typing_extensions import TypeAlias, Unpack

    from ._abc import ReceiveStream, SendStream
    from ._sync import Event
    from ._unix_pipes import FdStream

    StrOrBytesPath: TypeAlias = Union[str, bytes, os.PathLike[str], os.PathLike[bytes]]
    Command: TypeAlias = Union[StrOrBytesPath, Sequence[StrOrBytesPath]]

    class HasFileno(Protocol):
        """Anything with a file descriptor, such as an open file."""

        def fileno(self) -> int: ...

    Redirection: TypeAlias = Union[int, HasFileno, None]

    class PopenOptions(TypedDict, total=False):
        """The options of `subprocess.Popen` that make sense here."""

        close_fds: bool
        cwd: StrOrBytesPath | None
        env: Mapping[str, str] | Mapping[bytes, bytes] | None
        executable: StrOrBytesPath | None
        extra_groups: Iterable[str | int] | None
        group: str | int | None
        pass_fds: Sequence[int]
        pipesize: int
        preexec_fn: Callable[[], object] | None
        process_group: int | None
        restore_signals: bool
        shell: bool
        start_new_session: bool
        umask: int
        user: str | int | None

    class RunOptions(PopenOptions, total=False):
        """What :func:`run_process` passes on to :func:`open_process`."""

        stdout: Redirection
        stderr: Redirection


can_try_pidfd_open = hasattr(os, "pidfd_open")


def _open_pidfd(pid: int) -> FileIO | None:
    if can_try_pidfd_open:
        # The kernel may be older than the C library, a sandbox may forbid the call, descriptors may have run out.
        with contextlib.suppress(OSError):
            return FileIO(os.pidfd_open(pid), "rb")
    return None


@final
class Process(metaclass=NoPublicConstructor):
    """A child process; :func:`trio.lowlevel.open_process` makes them, and ``nursery.start(trio.run_process, ...)``.

    Modelled on `subprocess.Popen`, less what has to do with text: the pipes carry bytes.

    Attributes:
      args: the command that was given.
      pid (int): the process ID.
      stdin (trio.abc.SendStream or None): a pipe to the child, if ``stdin=PIPE`` was given.
      stdout, stderr (trio.abc.ReceiveStream or None): likewise from the child.
      stdio (trio.StapledStream or None): ``stdin`` and ``stdout`` in one, if both are pipes.

    See "Spawning subprocesses" in Trio's reference manual.
    """

    universal_newlines: Final = False
    encoding: Final = None
    errors: Final = None

    def __init__(
        self,
        popen: subprocess.Popen[bytes],
        stdin: SendStream | None,
        stdout: ReceiveStream | None,
        stderr: ReceiveStream | None,
    ) -> None:
        self._proc = popen
        self._pidfd = _open_pidfd(popen.pid)
        self._wait_lock = Lock()
        self._exit_watch: tuple[_core.TrioToken, Event] | None = None
        self.args: Command = popen.args
        self.pid: int = popen.pid
        self.stdin: SendStream | None = stdin
        self.stdout: ReceiveStream | None = stdout
        self.stderr: ReceiveStream | None = stderr
        self.stdio: StapledStream[SendStream, ReceiveStream] | None = None
        if stdin is not None and stdout is not None:
            self.stdio = StapledStream(stdin, stdout)

    def __repr__(self) -> str:
        code = self.returncode
        if code is None:
            state = f"running with PID {self.pid}"
        elif code < 0:
            state = f"exited with signal {-code}"
        else:
            state = f"exited with status {code}"
        return f"<trio.Process {self.args!r}: {state}>"

    @property
    def returncode(self) -> int | None:
        """The exit status; minus the signal's number if one killed the child; None while it runs.

        Reading it asks the operating system and reaps the child if it has exited.
        """
        code = self._proc.poll()
        if code is not None:
            self._close_pidfd()
        return code

    def _close_pidfd(self) -> None:
        if self._pidfd is None:
            return
        if _core.in_trio_run():
            _core.notify_closing(self._pidfd)
        elif self._wait_lock.locked():
            return  # asked from another thread, while a task waits: the exit itself wakes that task, which then closes
        self._pidfd.close()
        self._pidfd = None

    async def wait(self) -> int:
        """Wait for the child to exit, and return its :attr:`returncode`.

        Any number of tasks may wait; cancelling one leaves the child alone.  A checkpoint.
        """
        async with self._wait_lock:
            if self.returncode is None:
                if self._pidfd is None:
                    await wait_child_exiting(self)
                else:
                    with contextlib.suppress(_core.ClosedResourceError):  # somebody else noticed the exit first
                        await _core.wait_readable(self._pidfd)
                self._proc.wait()  # reaps, and does not block as the child is gone
                self._close_pidfd()
        code: int = self._proc.returncode
        return code

    def poll(self) -> int | None:
        """The same as :attr:`returncode`, under the name that `subprocess.Popen` has for it."""
        return self.returncode

    def send_signal(self, sig: signal.Signals | int) -> None:
        """Send a signal to the child; nothing happens if it is known to have exited."""
        self._proc.send_signal(sig)

    def terminate(self) -> None:
        """Ask the child to exit, with ``SIGTERM``, which it may handle or ignore."""
        self._proc.terminate()

    def kill(self) -> None:
        """End the child at once, with ``SIGKILL``."""
        self._proc.kill()


# Users meet the class before its name, as what open_process() returns.
fixup_module_metadata("trio", {"Process": Process})


def _check_options(command: Command, options: Mapping[str, object]) -> None:
    refused = [key for key in ("universal_newlines", "text", "encoding", "errors", "bufsize") if options.get(key)]
    if refused:
        raise TypeError(
            f"trio.Process only supports communicating over unbuffered byte streams; the '{refused[0]}' option is not supported"
        )
    # Popen would accept the two mistakes below and do something surprising: run the first word of a sequence with the
    # others as arguments of the *shell*, or look for a program whose name contains the spaces.
    if isinstance(command, (str, bytes)):
        if not options.get("shell"):
            raise TypeError("command must be a sequence (not a string or bytes) if shell=False on UNIX systems")
    elif options.get("shell"):
        raise TypeError("command must be a string or bytes (not a sequence) if shell=True on UNIX systems")


async def open_process(
    command: Command,
    *,
    stdin: Redirection = None,
    stdout: Redirection = None,
    stderr: Redirection = None,
    **options: Unpack[PopenOptions],
) -> Process:
    """Start a child process and return without waiting for it.

    Args:
      command: the program and its arguments; a single `str` or `bytes` if and only if ``shell=True``.
      stdin, stdout, stderr: as for `subprocess.Popen`; ``subprocess.PIPE`` makes a pipe whose other end becomes the
        attribute of that name.
      options: further options of `subprocess.Popen`.

    The child is the caller's: nothing waits for it or ends it.  :func:`trio.run_process` is usually the better choice.
    `TypeError` for options that ask for text or buffering and for a ``command`` that does not go with ``shell``;
    `OSError` if the child cannot be started, and then no pipe is left open.  A checkpoint; starting happens in a worker
    thread.

    See "Spawning subprocesses" in Trio's reference manual.
    """
    import subprocess

    _check_options(command, options)
    with contextlib.ExitStack() as child_ends, contextlib.ExitStack() as our_ends:

        def pipe_if_asked(target: Redirection, create: Callable[[], tuple[FdStream, int]]) -> tuple[FdStream | None, Redirection]:
            if target != subprocess.PIPE:
                return None, target
            stream, child_end = create()
            our_ends.callback(stream.close)
            child_ends.callback(os.close, child_end)
            return stream, child_end

        to_child, child_stdin = pipe_if_asked(stdin, create_pipe_to_child_stdin)
        from_child, child_stdout = pipe_if_asked(stdout, create_pipe_from_child_output)
        errors_from_child, child_stderr = pipe_if_asked(stderr, create_pipe_from_child_output)
        popen: subprocess.Popen[bytes] = await to_thread_run_sync(
            partial(
                subprocess.Popen,
                command,
                stdin=child_stdin,
                stdout=child_stdout,
                stderr=child_stderr,
                **options,  # type: ignore[arg-type,unused-ignore]
            )
        )
        our_ends.pop_all()
        return Process._create(popen, to_child, from_child, errors_from_child)


_open_process = open_process


async def _posix_deliver_cancel(process: Process) -> None:
    """End the child: politely first, by force after five seconds."""
    import warnings

    try:
        process.terminate()
        await sleep(5)
        warnings.warn(
            f"process {process!r} ignored SIGTERM for 5 seconds. "
            "(Maybe you should pass a custom deliver_cancel?) Trying SIGKILL.",
            RuntimeWarning,
            stacklevel=1,
        )
        process.kill()
    except OSError as exc:
        warnings.warn(
            f"tried to kill process {process!r}, but failed with: {exc!r}",
            RuntimeWarning,
            stacklevel=1,
        )


async def _feed(stream: SendStream, data: bytes | bytearray | memoryview) -> None:
    async with stream:
        with contextlib.suppress(_core.BrokenResourceError):  # not reading its input is the child's good right
            await stream.send_all(data)


async def _collect(stream: ReceiveStream, chunks: list[bytes | bytearray]) -> None:
    async with stream:
        async for chunk in stream:
            chunks.append(chunk)


async def _see_off(nursery: _core.Nursery, process: Process, deliver_cancel: Callable[[Process], Awaitable[object]]) -> None:
    """Have ``deliver_cancel`` end the process and wait, shielded, until it has; then stop whatever it still does."""
    with _core.CancelScope(shield=True):
        delivery = _core.CancelScope(shield=True)

        async def deliver() -> None:
            with delivery:
                await deliver_cancel(process)

        nursery.start_soon(deliver)
        await process.wait()
        delivery.cancel()


def _plan_redirections(
    stdin: bytes | bytearray | memoryview | Redirection,
    capture_stdout: bool,
    capture_stderr: bool,
    pipes_are_reachable: bool,
    options: Mapping[str, object],
) -> dict[str, object]:
    """The ``stdin``, ``stdout`` and ``stderr`` arguments for :func:`open_process`; refuses what cannot work."""
    import subprocess

    if isinstance(stdin, str):
        raise UnicodeError("process stdin must be bytes, not str")
    if not pipes_are_reachable:
        only_access = "is only valid with nursery.start, since that's the only way to access the pipe"
        if stdin == subprocess.PIPE:
            raise ValueError(
                f"stdin=subprocess.PIPE {only_access}; use nursery.start or pass the data you want to write directly"
            )
        for name in ("stdout", "stderr"):
            if options.get(name) == subprocess.PIPE:
                raise ValueError(f"{name}=subprocess.PIPE {only_access}")
    plan: dict[str, object] = {"stdin": stdin}
    if isinstance(stdin, (bytes, bytearray, memoryview)):
        plan["stdin"] = subprocess.PIPE
    for name, captured in (("stdout", capture_stdout), ("stderr", capture_stderr)):
        if captured:
            if name in options:
                raise ValueError(f"can't specify both {name} and capture_{name}")
            plan[name] = subprocess.PIPE
    return plan


async def run_process(
    command: Command,
    *,
    stdin: bytes | bytearray | memoryview | Redirection = b"",
    capture_stdout: bool = False,
    capture_stderr: bool = False,
    check: bool = True,
    deliver_cancel: Callable[[Process], Awaitable[object]] | None = None,
    task_status: _core.TaskStatus[Process] = _core.TASK_STATUS_IGNORED,
    **options: Unpack[RunOptions],
) -> subprocess.CompletedProcess[bytes]:
    """Run a child process to its end.

    Args:
      command: the program and its arguments; a single `str` or `bytes` if and only if ``shell=True``.
      stdin: what the child reads: bytes (by default none), or anything that `subprocess.Popen` takes.
      capture_stdout, capture_stderr: collect that stream into the result; what the child writes is passed through else.
      check: raise `subprocess.CalledProcessError` unless the child exits with status 0.
      deliver_cancel: async function that is called with the `Process` if this call is cancelled (or fails otherwise),
        to make the child exit.  It is shielded from cancellation and cancelled as soon as the child has exited.  The
        default sends ``SIGTERM``, and ``SIGKILL`` five seconds later, with a `RuntimeWarning`.
      options: further options of `subprocess.Popen`.

    Returns a `subprocess.CompletedProcess`.  Whatever happens, the child has exited when this returns.  With ``await
    nursery.start(trio.run_process, ...)`` it runs in the background: the caller gets the `Process`, and may then use
    ``subprocess.PIPE``, which is a `ValueError` otherwise.  `UnicodeError` if ``stdin`` is a `str`; `OSError` if the
    child cannot be started; and what :func:`trio.lowlevel.open_process` raises.  A checkpoint.

    See "Spawning subprocesses" in Trio's reference manual.
    """
    import subprocess

    reachable = task_status is not _core.TASK_STATUS_IGNORED
    plan = _plan_redirections(stdin, capture_stdout, capture_stderr, reachable, options)
    process = await _open_process(command, **{**options, **plan})  # type: ignore[arg-type]
    output: dict[str, list[bytes | bytearray]] = {}
    async with _core.open_nursery() as nursery:
        try:
            # What this function feeds or collects is not for the user of the Process object.
            if isinstance(stdin, (bytes, bytearray, memoryview)):
                assert process.stdin is not None  # planned to be a pipe
                nursery.start_soon(_feed, process.stdin, stdin)
                process.stdin = process.stdio = None
            for name, captured in (("stdout", capture_stdout), ("stderr", capture_stderr)):
                if captured:
                    output[name] = []
                    nursery.start_soon(_collect, getattr(process, name), output[name])
                    setattr(process, name, None)
                    process.stdio = None
            task_status.started(process)
            await process.wait()
        except BaseException:
            await _see_off(nursery, process, deliver_cancel or _posix_deliver_cancel)
            raise
    code: int = process._proc.returncode
    stdout, stderr = (b"".join(output[name]) if name in output else None for name in ("stdout", "stderr"))
    if check and code:
        raise subprocess.CalledProcessError(code, process.args, output=stdout, stderr=stderr)
    return subprocess.CompletedProcess(process.args, code, stdout, stderr)
