"""What running child processes needs from the operating system: two kinds of pipe and a way to wait for an exit.

The port contract, for whoever adds a platform:

* ``create_pipe_to_child_stdin`` and ``create_pipe_from_child_output`` each return our end as a Trio stream with a
  synchronous ``close``, and the child's end as something that `subprocess.Popen` takes; the caller closes both;
* ``wait_child_exiting(process)`` returns when the child can be reaped without blocking, reaps nothing, may be cancelled
  and called again.  It does not have to support several waiting tasks at once, and may return early if it cannot tell.

There is one platform so far, Linux, where the last is only needed if the kernel hands out no pidfd.
"""

from __future__ import annotations

import os

from .._unix_pipes import FdStream
from .waitid import wait_child_exiting as wait_child_exiting


def create_pipe_to_child_stdin() -> tuple[FdStream, int]:
    """Make a pipe that we write and the child reads; returns our end and the child's."""
    child_end, our_end = os.pipe()
    return FdStream(our_end), child_end


def create_pipe_from_child_output() -> tuple[FdStream, int]:
    """Make a pipe that the child writes and we read; returns our end and the child's."""
    our_end, child_end = os.pipe()
    return FdStream(our_end), child_end
