"""Waiting for a child's exit with ``waitid(2)`` in a thread, for kernels and sandboxes without pidfds.

``WNOWAIT`` lets the call report an exit and leave the child to be reaped, so that collecting the exit status stays the
business of `subprocess.Popen`.

A thread in ``waitid`` cannot be interrupted.  It is therefore started once per process and run, at the first wait, and
its news is kept in an `Event` on the process object: waits may come and go, all of them wait for that event.  The
thread ends with the child; if the run ends first, there is nobody left to tell and that is fine.
"""

from __future__ import annotations

import os
from functools import partial

from .. import _core
from .._sync import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._subprocess import Process


def sync_wait_reapable(pid: int) -> None:
    """Block the calling thread until the child ``pid`` has exited, without reaping it."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def _start_watching(pid: int, token: _core.TrioToken) -> Event:
    exited = Event()

    def report(_outcome: object) -> None:
        # Even an error is news: waitid fails if somebody else reaped the child, or if it was never to be reaped because
        # SIGCHLD is ignored.  Either way it is gone.
        try:
            token.run_sync_soon(exited.set)
        except _core.RunFinishedError:
            pass

    _core.start_thread_soon(partial(sync_wait_reapable, pid), report, f"waitid {pid}")
    return exited


async def wait_child_exiting(process: Process) -> None:
    """Wait until ``process`` has exited; see the package for the contract.  A checkpoint."""
    token = _core.current_trio_token()
    if process._exit_watch is None or process._exit_watch[0] is not token:
        process._exit_watch = (token, _start_watching(process.pid, token))
    await process._exit_watch[1].wait()
