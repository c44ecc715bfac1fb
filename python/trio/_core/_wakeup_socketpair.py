"""What makes a sleeping run notice signals.

The poller has a wake-up socket of its own. While a run is on the main thread, Python writes a byte to it for every signal that
arrives, so that handlers run without delay. The file descriptor is borrowed from the run and never closed here.
"""

from __future__ import annotations

from .._util import is_main_thread


class WakeupSocketpair:
    """The claim of a run on Python's signal wake-up file descriptor."""

    __slots__ = ("_previous",)

    def __init__(self) -> None:
        self._previous: int | None = None

    def wakeup_on_signals(self, fd: int) -> None:
        """Have Python write to ``fd`` when a signal arrives; warns if that takes it from somebody else."""
        if not is_main_thread():
            return
        import signal

        self._previous = signal.set_wakeup_fd(fd, warn_on_full_buffer=False)
        if self._previous != -1:
            import warnings

            warnings.warn(
                "It looks like Trio's signal handling code might have collided with another library you're using. If"
                " you're running Trio in guest mode, then this might mean you should set"
                " host_uses_signal_set_wakeup_fd=True. Otherwise, file a bug on Trio and we'll help you figure out"
                " what's going on.",
                RuntimeWarning,
                stacklevel=1,
            )

    def close(self) -> None:
        """Give the claim back."""
        if self._previous is not None:
            import signal

            signal.set_wakeup_fd(self._previous)
            self._previous = None
