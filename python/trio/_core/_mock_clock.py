"""A clock for tests, whose time passes only as told.

Virtual time is a straight line through the point ``(real base, virtual base)`` with the slope ``rate``; changing the rate or
jumping starts a new line from where the old one is. With an autojump threshold, the run tells the clock when everybody has been
blocked for that long, and the clock jumps to the next deadline.
"""

from __future__ import annotations

import time
from math import inf

from .._abc import Clock
from .._native import run_statistics
from .._util import final
from ._run_context import GLOBAL_RUN_CONTEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


@final
class MockClock(Clock):
    """A user-controllable clock, to be passed to ``trio.run``.

    Args:
      rate: seconds of virtual time per second of real time. By default time stands still.
      autojump_threshold: seconds (real ones) for which every task has to have been blocked before the clock jumps to the next
          deadline; ``inf`` for never, ``0`` to jump as soon as nobody can run.

    See "Time and timeouts" in the reference of ``trio.testing``.
    """

    def __init__(self, rate: float = 0.0, autojump_threshold: float = inf) -> None:
        # Replaced by tests of the clock itself.
        self._real_clock: Callable[[], float] = time.perf_counter
        self._real_base = self._virtual_base = self._rate = 0.0
        self.rate = rate
        self.autojump_threshold = autojump_threshold

    def __repr__(self) -> str:
        return f"<MockClock, time={self.current_time():.7f}, rate={self._rate} @ {id(self):#x}>"

    @property
    def rate(self) -> float:
        """Seconds of virtual time per second of real time. Must not be negative."""
        return self._rate

    @rate.setter
    def rate(self, new_rate: float) -> None:
        if not new_rate >= 0:
            raise ValueError("rate must be >= 0")
        now = self._real_clock()
        self._real_base, self._virtual_base = now, self._virtual_time(now)
        self._rate = float(new_rate)

    @property
    def autojump_threshold(self) -> float:
        """For how many real seconds everybody has to be blocked before the clock jumps."""
        return self._autojump_threshold

    @autojump_threshold.setter
    def autojump_threshold(self, new_autojump_threshold: float) -> None:
        self._autojump_threshold = float(new_autojump_threshold)
        self._tell_run()

    def _tell_run(self) -> None:
        """Let the run that uses this clock know the threshold."""
        runner = getattr(GLOBAL_RUN_CONTEXT, "runner", None)
        if runner is not None and runner.clock is self:
            runner.clock_autojump_threshold = self._autojump_threshold

    def _autojump(self) -> None:
        """Called by the run when everybody has been blocked for the threshold."""
        seconds = run_statistics(GLOBAL_RUN_CONTEXT.runner)[2]
        if 0 < seconds < inf:
            self.jump(seconds)

    def start_clock(self) -> None:
        """Called when a run that uses the clock begins."""
        self._tell_run()

    def current_time(self) -> float:
        """The virtual time, in seconds."""
        return self._virtual_time(self._real_clock())

    def _virtual_time(self, real: float) -> float:
        return self._virtual_base + self._rate * (real - self._real_base)

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """How many real seconds there are until the virtual time ``deadline``."""
        virtual = deadline - self.current_time()
        if virtual <= 0:
            return 0.0
        return virtual / self._rate if self._rate > 0 else 999999999.0

    def jump(self, seconds: float) -> None:
        """Move the clock forward at once.

        Args:
          seconds: how far, in virtual time.

        Raises:
          ValueError: if ``seconds`` is negative.
        """
        if seconds < 0:
            raise ValueError("time can't go backwards")
        self._virtual_base += seconds
