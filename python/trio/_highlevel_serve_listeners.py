"""The accept loop of a server.

One task per listener accepts connections, and one task per connection runs the user's handler; these may live
in a nursery of the user's.  A listener is closed when its loop ends, a connection when its handler does,
whatever the reason.

A server that has run out of file descriptors or memory had better not die of it.  While ``accept`` reports that,
the loop pauses for a moment, writes to the log, and tries again; meanwhile existing connections can end.
"""

from __future__ import annotations

import errno
import os

from . import _core
from ._highlevel_generic import aclose_forcefully
from ._timeouts import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, NoReturn, TypeVar

    from typing_extensions import TypeAlias

    from ._abc import AsyncResource, Listener
    from ._core import Nursery, TaskStatus

    StreamT = TypeVar("StreamT", bound=AsyncResource)
    ListenerT = TypeVar("ListenerT", bound=Listener[Any])
    Handler: TypeAlias = Callable[[StreamT], Awaitable[object]]

_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
_PAUSE = 0.100  # seconds


# Monitors recognise tasks that serve a connection by the code of this function, and look for both its arguments
# in the frame.
async def _run_handler(stream: StreamT, handler: Handler[StreamT]) -> None:
    try:
        await handler(stream)
    finally:
        await aclose_forcefully(stream)


def _log_and_retry(exc: OSError) -> None:
    from logging import getLogger

    assert exc.errno is not None
    getLogger("trio.serve_listeners").error(
        "accept returned %s (%s); retrying in %s seconds",
        errno.errorcode[exc.errno],
        os.strerror(exc.errno),
        _PAUSE,
        exc_info=exc,
    )


async def _serve_one_listener(
    listener: Listener[StreamT],
    handler: Handler[StreamT],
    handler_nursery: Nursery,
) -> NoReturn:
    async with listener:
        while True:
            try:
                stream = await listener.accept()
            except OSError as exc:
                if exc.errno not in _OUT_OF_RESOURCES:
                    raise
                _log_and_retry(exc)
                await sleep(_PAUSE)
            else:
                handler_nursery.start_soon(_run_handler, stream, handler)


async def serve_listeners(
    handler: Handler[StreamT],
    listeners: list[ListenerT],
    *,
    handler_nursery: Nursery | None = None,
    task_status: TaskStatus[list[ListenerT]] = _core.TASK_STATUS_IGNORED,
) -> NoReturn:
    """Accept connections from all the ``listeners``, and run ``handler`` for each, until cancelled.

    Closes the listeners at the end.  With ``nursery.start`` it returns ``listeners`` once the loops are about to run.
    A checkpoint.

    Args:
      handler: async function that is called with the stream of each connection, in a task of its own.  The
        stream is closed forcefully when it returns: to close gracefully, the handler has to do so itself.  An
        exception that it lets out goes to the nursery it runs in, and by default that ends the server.
      listeners: a list of `trio.abc.Listener`.
      handler_nursery: the nursery where handlers run.  With `None` they run in one of this function's own, and
        are cancelled together with it; with a nursery that outlives this call, one can stop accepting and let
        the handlers finish.

    Raises:
      ExceptionGroup: what a handler let out, or what ``accept`` raised, except when the system is out of file
        descriptors or memory: then it is tried again every 0.1 seconds and the logger ``trio.serve_listeners``
        gets a record.
    """
    async with _core.open_nursery() as nursery:
        if handler_nursery is None:
            handler_nursery = nursery
        for listener in listeners:
            nursery.start_soon(_serve_one_listener, listener, handler, handler_nursery)
        # The accept loops have not started, but connections are queued by the kernel from when a listener was opened.
        task_status.started(listeners)
    raise AssertionError("_serve_one_listener should never complete")
