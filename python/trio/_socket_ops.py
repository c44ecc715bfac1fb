"""Trying before waiting, the long way round.

Sockets do this natively (see ``src/io/exchange.rs``).  The same rule as a context manager is for code that tries something
else::

    async with _try_sync():
        return attempt()
    await wait_until_ready()

Cancellation can strike before the attempt or during the wait, never after the attempt had an effect.
"""

from __future__ import annotations

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


def _would_block(exc: BaseException) -> bool:
    return isinstance(exc, BlockingIOError)


class _try_sync:
    """Async context manager for a body that either completes without blocking or says that it cannot.

    Entering is the cancel half of a checkpoint.  If the body raises what ``blocking_exc_override`` accepts (by default
    `BlockingIOError`) the exception is swallowed and the caller goes on to wait; any other outcome executes the
    schedule half and stands.
    """

    def __init__(self, blocking_exc_override: Callable[[BaseException], bool] | None = None) -> None:
        self._means_wait = blocking_exc_override or _would_block

    async def __aenter__(self) -> None:
        await _core.checkpoint_if_cancelled()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if exc_value is not None and self._means_wait(exc_value):
            return True
        await _core.cancel_shielded_checkpoint()
        return False
