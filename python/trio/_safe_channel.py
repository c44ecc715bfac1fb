"""`as_safe_channel`: async generators that run in a task of their own.

Two tasks play a part:

* the *consumer*, whose ``async with`` block it is, gets a receiving channel that notices when somebody waits for a value;
* the *producer*, a task in a hidden nursery, steps the generator, but only while somebody waits. All code of the generator runs
  in this task, clean-up included.

A generator may be suspended inside cancel scopes or nurseries of its own. They belong to the producer and cannot reach the
consumer, which is what makes the construction safe. While the producer waits for the consumer it is shielded: a scope of the
generator's must not hit it at a place that the generator cannot see. Such waits end when the channel is closed, and that is the
first thing to happen when the block ends; the second is that the hidden nursery is cancelled.
"""

from __future__ import annotations

import sys

import trio

from ._abc import ReceiveChannel
from ._channel import open_memory_channel
from ._util import MultipleExceptionError, raise_single_exception_from_group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager
    from typing import TypeVar

    from typing_extensions import ParamSpec

    from ._native import MemoryReceiveChannel, MemorySendChannel

    T = TypeVar("T")
    P = ParamSpec("P")
else:
    T = object

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

_BOTH_FAILED = (
    "Encountered exception during cleanup of generator object, as well as exception in the contextmanager body"
    " - unable to unwrap."
)


class _Output(ReceiveChannel[T]):
    """The consumer's end: a receiving channel that lets the producer wait for demand."""

    __slots__ = ("__weakref__", "_demand", "_values")

    def __init__(self, values: MemoryReceiveChannel[T]) -> None:
        self._values = values
        self._demand = trio.lowlevel.ParkingLot()

    async def receive(self) -> T:
        # The producer runs after this task has got to sleep, and then finds it waiting.
        self._demand.unpark()
        return await self._values.receive()

    def close(self) -> None:
        self._values.close()
        self._demand.unpark()

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()

    async def wanted(self) -> bool:
        """Wait until a task waits for a value. False if that will not happen because the channel was closed."""
        while True:
            statistics = self._values.statistics()
            if not statistics.open_receive_channels:
                return False
            if statistics.tasks_waiting_receive:
                return True
            with trio.CancelScope(shield=True):
                await self._demand.park()


async def _produce(
    generator: AsyncGenerator[T, None],
    channel: MemorySendChannel[T],
    output: _Output[T],
) -> None:
    with channel:
        try:
            while await output.wanted():
                try:
                    value = await generator.__anext__()
                except StopAsyncIteration:
                    return
                try:
                    with trio.CancelScope(shield=True):
                        await channel.send(value)
                except trio.BrokenResourceError:
                    return
        finally:
            await _close(generator)


async def _close(generator: AsyncGenerator[T, None]) -> None:
    """Close the generator. The `GeneratorExit` that does it may come back inside a group; it is then no error."""
    try:
        await generator.aclose()
    except BaseExceptionGroup as group:
        exits, rest = group.split(GeneratorExit)
        if exits is None:
            raise
        problems = list(rest.exceptions) if rest is not None else []
        if _count(exits) > 1:
            problems.append(AssertionError("More than one GeneratorExit found."))
        if problems:
            raise group.derive(problems) from None


def _count(group: BaseExceptionGroup[BaseException]) -> int:
    return sum(_count(exc) if isinstance(exc, BaseExceptionGroup) else 1 for exc in group.exceptions)


def as_safe_channel(
    fn: Callable[P, AsyncGenerator[T, None]],
) -> Callable[P, AbstractAsyncContextManager[ReceiveChannel[T]]]:
    """Decorator: turn an async generator function into one that can be iterated and left safely.

    ::

        import trio

        @trio.as_safe_channel
        async def numbers():
            for number in range(3):
                await trio.sleep(0.01)
                yield number

        async def main():
            async with numbers() as channel:
                async for number in channel:
                    print(number)

        trio.run(main)

    The generator runs in a task of its own, so that cancel scopes and nurseries may surround its ``yield``; it advances when a
    value is waited for, and is cancelled and closed when the block ends. What it raises leaves the block. If the block raises as
    well, both leave in a group.

    Entering the block is a checkpoint, and so is leaving it. See "Managing channels" in Trio's reference.
    """
    from contextlib import asynccontextmanager
    from functools import wraps

    @asynccontextmanager
    @wraps(fn)
    async def run_in_task(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[ReceiveChannel[T], None]:
        generator = fn(*args, **kwargs)
        sender, receiver = open_memory_channel[T](0)
        output = _Output(receiver)
        try:
            async with trio.open_nursery(strict_exception_groups=True) as nursery:
                nursery.start_soon(_produce, generator, sender, output)
                try:
                    await trio.lowlevel.checkpoint()
                    yield output
                finally:
                    output.close()
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            try:
                raise_single_exception_from_group(group)
            except MultipleExceptionError:
                pass  # not contextlib.suppress, which takes groups apart
            group.add_note(_BOTH_FAILED)
            raise

    return run_in_task
