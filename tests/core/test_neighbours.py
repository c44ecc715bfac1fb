"""What libraries around Trio do to the core: look into it, and put something of their own into it."""

from __future__ import annotations

import inspect
import types

import pytest

import trio


@pytest.mark.parametrize(
    "function",
    [
        trio.lowlevel.cancel_shielded_checkpoint,
        trio.lowlevel.wait_task_rescheduled,
        trio.lowlevel.temporarily_detach_coroutine_object,
        trio.lowlevel.permanently_detach_coroutine_object,
        trio.to_thread.run_sync,
        trio.from_thread.run,
    ],
    ids=lambda function: function.__name__,
)
def test_what_is_recognised_by_its_code_has_one(function: object) -> None:
    """stackscope hides or explains the frames of these."""
    assert isinstance(inspect.unwrap(function), types.FunctionType)  # type: ignore[arg-type]


def test_a_report_of_readiness_can_be_watched() -> None:
    """tricycle does this to give tasks of a service nursery a scope of their own."""
    seen = []

    async def child(task_status: trio.TaskStatus[str]) -> None:
        report = task_status.started

        def started(value: str) -> None:
            seen.append(value)
            report(value.upper())

        task_status.started = started  # type: ignore[method-assign,assignment]
        task_status.started("ready")

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            assert await nursery.start(child) == "READY"

    trio.run(main)
    assert seen == ["ready"]
