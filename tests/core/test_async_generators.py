"""Async generators that are collected at the worst moment."""

from __future__ import annotations

import sys
import warnings
from collections.abc import AsyncGenerator

import pytest
from async_generator import async_generator, yield_

import trio
import trio.lowlevel
from trio._core._run import GLOBAL_RUN_CONTEXT
from trio._util import name_asyncgen


def test_collected_between_the_last_task_and_the_last_clean_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No system task can be started any more, and the run has not yet looked which generators are left.

    Whether the clean-up gets lost depends on the order in which two tasks run, which is left to chance: hence the many runs.
    """
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    kept: list[AsyncGenerator[None, None]] = []
    events: list[str] = []

    async def agen() -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            events.append("cleaned up")

    def collect_when_system_tasks_are_over(token: trio.lowlevel.TrioToken) -> None:
        if GLOBAL_RUN_CONTEXT.runner.system_nursery._closed:
            kept.clear()
            events.append("collected")
        else:
            token.run_sync_soon(collect_when_system_tasks_are_over, token)

    async def main() -> None:
        kept.append(agen())
        await kept[0].asend(None)
        token = trio.lowlevel.current_trio_token()
        token.run_sync_soon(collect_when_system_tasks_are_over, token)

    for _ in range(100):
        events.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            trio.run(main)
        assert sorted(events) == ["cleaned up", "collected"]


@pytest.mark.filterwarnings("ignore:the .type, exc, tb. signature:DeprecationWarning")  # of the library
def test_generators_of_the_library_are_closed_like_native_ones() -> None:
    """Those of ``async_generator`` register with the same hooks, and have fewer attributes."""
    closed = False

    @async_generator
    async def numbers() -> None:
        nonlocal closed
        try:
            await yield_(1)
        finally:
            closed = True

    async def main() -> None:
        generator = numbers()
        assert await generator.__anext__() == 1
        assert name_asyncgen(generator).endswith(".numbers")
        kept.append(generator)

    kept: list[object] = []
    trio.run(main)
    assert closed
