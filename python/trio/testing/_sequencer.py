"""A way to force the steps of several tasks into one order.

A :class:`Sequencer` hands out turns.  Position 0 may go at once, position N when position N - 1 has left its
block.  Each position is in one of these states: not mentioned, waiting, running, done.  An :class:`~trio.Event`
per position carries the turn from one block to the next; it may be created by whichever side comes first.

The order can only break in one way, when a waiting task is cancelled: its turn would never end.  Then everyone
who waits, now or later, gets an error instead of hanging.
"""

from __future__ import annotations

from contextlib import asynccontextmanager

from .. import _core
from .._sync import Event
from .._util import final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@final
class Sequencer:
    """Runs blocks of code in different tasks in a fixed order.

    Every block is marked with its place in the order::

        import trio
        import trio.testing

        async def knock(turn):
            async with turn(0):
                print("knock, knock")
            async with turn(2):
                print("it is me")

        async def answer(turn):
            async with turn(1):
                print("who is there?")

        async def main():
            order = trio.testing.Sequencer()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(answer, order)
                nursery.start_soon(knock, order)

        trio.run(main)

    Positions are integers counted from 0 without gaps; each can be used once.  An object is good for one test:
    make a new one for the next.  See also `the reference
    <https://trio.readthedocs.io/en/stable/reference-testing.html#inter-task-ordering>`__.
    """

    def __init__(self) -> None:
        self._turns: dict[int, Event] = {}  # position -> its turn has come; never for position 0
        self._used: set[int] = set()
        self._broken = False

    def __repr__(self) -> str:
        state = ", broken" if self._broken else ""
        return f"<{type(self).__module__}.Sequencer, used {sorted(self._used)}{state}>"

    def _turn(self, position: int) -> Event:
        return self._turns.setdefault(position, Event())

    @asynccontextmanager
    async def __call__(self, position: int) -> AsyncGenerator[None, None]:
        """Wait for the turn of ``position``, and give it on when the block ends, with an exception or without.

        A checkpoint if it has to wait.

        Raises:
          RuntimeError: ``position`` was used before, or a waiting task was cancelled (this one or another one), which
            leaves the order broken for good.
        """
        if position in self._used:
            raise RuntimeError(f"Attempted to reuse sequence point {position}")
        self._check_intact()
        self._used.add(position)
        if position > 0:
            await self._wait_for(position)
        try:
            yield
        finally:
            self._turn(position + 1).set()

    def _check_intact(self) -> None:
        if self._broken:
            raise RuntimeError("sequence broken!")

    async def _wait_for(self, position: int) -> None:
        try:
            await self._turn(position).wait()
        except _core.Cancelled:
            self._broken = True
            for turn in self._turns.values():
                turn.set()
            raise RuntimeError("Sequencer wait cancelled -- sequence broken") from None
        self._check_intact()
