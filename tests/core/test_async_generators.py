"""Async generators that are collected at the worst moment."""

from __future__ import annotations

import sys
import warnings
from collections.abc import AsyncGenerator

import pytest

import trio
import trio.lowlevel
from trio._core._run import GLOBAL_RUN_CONTEXT


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
