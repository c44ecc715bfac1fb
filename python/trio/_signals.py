"""Signals as an asynchronous iterator.

A signal handler runs between two arbitrary bytecodes of the main thread, so ours does one thing that is safe there: it asks
the loop, through the entry queue, to note the signal number.  A noted number is pending until somebody iterates::

    kernel --> handler --> entry queue (idempotent) --> SignalReceiver pending --> __anext__

Like the kernel, every stage merges repetitions of one signal, and none drops a signal altogether.  The receiver is *open*
inside of its ``with`` block, and then *closed*.  What is pending when it closes, and what arrives from the entry queue after
that, is raised again with the handlers of before in place, as if the block had never been there: a Ctrl-C that comes at the
last moment still ends the program.

Everything but the handler runs in the loop's thread.
"""

from __future__ import annotations

from contextlib import contextmanager

from . import _core
from ._util import ConflictDetector, is_main_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator, Callable, Generator, Iterable
    from types import FrameType

    from typing_extensions import Self


@contextmanager
def _signal_handler(
    signals: Iterable[int],
    handler: Callable[[int, FrameType | None], object] | int | signal.Handlers | None,
) -> Generator[None, None, None]:
    """Handle these signals with ``handler`` inside the block, and as before outside, even if one cannot be handled."""
    import signal

    previous: dict[int, Callable[[int, FrameType | None], object] | int | signal.Handlers | None] = {}
    try:
        for signum in set(signals):
            previous[signum] = signal.signal(signum, handler)
        yield
    finally:
        for signum, restored in previous.items():
            # None stands for a handler that was not installed from Python, and cannot be from here.
            signal.signal(signum, signal.SIG_DFL if restored is None else restored)


class SignalReceiver:
    """What `open_signal_receiver` yields: iterates over the numbers of arriving signals, for one task at a time."""

    def __init__(self) -> None:
        # A set in order of arrival: the oldest comes out first, so that a frequent signal cannot hide a rare one.
        self._pending: dict[int, None] = {}
        self._arrivals = _core.ParkingLot()
        self._closed = False
        self._iteration = ConflictDetector("only one task can iterate on a signal receiver at a time")

    def _add(self, signum: int) -> None:
        """A signal has arrived, in the loop's thread."""
        if self._closed:
            _raise_all([signum])
        else:
            self._pending[signum] = None
            self._arrivals.unpark()

    def _close(self) -> list[int]:
        """Close, and return what nobody has asked for."""
        self._closed = True
        left = list(self._pending)
        self._pending.clear()
        return left

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        if self._closed:
            raise RuntimeError("open_signal_receiver block already exited")
        with self._iteration:
            if self._pending:
                await _core.checkpoint()
            else:
                await self._arrivals.park()
            signum = next(iter(self._pending))
            del self._pending[signum]
            return signum


def _raise_all(signums: list[int]) -> None:
    """Send the signals to this process. An exception from one handler becomes the context of the next one's."""
    if signums:
        import signal

        try:
            signal.raise_signal(signums[0])
        finally:
            _raise_all(signums[1:])


@contextmanager
def open_signal_receiver(*signals: signal.Signals | int) -> Generator[AsyncIterator[int], None, None]:
    """A context manager for catching signals; inside it, iterate over them with ``async for``::

        import signal
        import trio

        async def main():
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP) as receiver:
                signal.raise_signal(signal.SIGHUP)  # usually somebody else does this
                async for signum in receiver:
                    print("caught", signal.Signals(signum).name)
                    break

        trio.run(main)

    Entering replaces the handlers of the given signals, and leaving puts the former ones back. Each iteration yields the
    number of a signal that has arrived since the block was entered; several arrivals of one signal may be reported as one.
    Signals that were not consumed are raised again on leaving the block, for the former handlers to see.

    Waiting for a signal is always a checkpoint. Only one task at a time may iterate, others get
    `trio.BusyResourceError`; iterating after the end of the block raises `RuntimeError`.

    Raises `TypeError` if no signals are given; `RuntimeError` outside of the main thread, where Python does not deliver
    signals, and outside of a run; and whatever `signal.signal` raises for a signal that cannot be handled. Entering and
    leaving the block are not checkpoints.

    Reference documentation: "Signals" under "I/O in Trio".
    """
    if not signals:
        raise TypeError("No signals were provided")
    if not is_main_thread():
        raise RuntimeError("Sorry, open_signal_receiver is only possible when running in Python interpreter's main thread")
    receiver = SignalReceiver()
    run_sync_soon = _core.current_trio_token().run_sync_soon

    def on_signal(signum: int, frame: FrameType | None) -> None:
        run_sync_soon(receiver._add, signum, idempotent=True)

    left: list[int] = []
    try:
        with _signal_handler(signals, on_signal):
            try:
                yield receiver
            finally:
                left = receiver._close()
    finally:
        _raise_all(left)


def get_pending_signal_count(rec: AsyncIterator[int]) -> int:
    """How many different signals wait in a receiver. For tests."""
    assert isinstance(rec, SignalReceiver)
    return len(rec._pending)
