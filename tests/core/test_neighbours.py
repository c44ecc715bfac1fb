"""What libraries around Trio do to the core: look into it, and put something of their own into it."""

from __future__ import annotations

import inspect
import sys
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


@pytest.mark.parametrize("qualified_name", ["sleep_forever", "Event.wait"])
def test_the_task_of_a_native_function_bears_its_name(qualified_name: str) -> None:
    """stackscope shows the name of the frame in which a task waits, and others that of the coroutine."""
    functions = {"sleep_forever": trio.sleep_forever, "Event.wait": trio.Event().wait}
    name = qualified_name.rpartition(".")[2]

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(functions[qualified_name], name="another name")
            for task in nursery.child_tasks:
                coro = task.coro
                assert isinstance(coro, types.CoroutineType)
                assert (coro.__name__, coro.__qualname__) == (name, qualified_name)
                assert (coro.cr_code.co_name, coro.cr_frame.f_code) == (name, coro.cr_code)
                if sys.version_info >= (3, 11):
                    assert coro.cr_code.co_qualname == qualified_name
            nursery.cancel_scope.cancel()

    trio.run(main)


def names_of_callers() -> list[str]:
    """The functions of the package that the caller's caller was called by, from the inside out, up to another's."""
    names: list[str] = []
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals["__name__"].startswith("trio."):
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


@pytest.mark.parametrize(
    ("give_token", "names"),
    [(False, ["unprotected_afn", "run", "to_thread_run_sync"]), (True, ["unprotected_afn", "run_system"])],
)
def test_what_lies_between_a_thread_and_its_function_is_known_to_tools(give_token: bool, names: list[str]) -> None:
    """stackscope leaves these out, by their names, where it shows what a thread is doing."""
    seen: list[list[str]] = []

    async def inside() -> None:
        seen.append(names_of_callers())

    def in_thread(token: trio.lowlevel.TrioToken) -> None:
        trio.from_thread.run(inside, trio_token=token if give_token else None)

    async def main() -> None:
        await trio.to_thread.run_sync(in_thread, trio.lowlevel.current_trio_token())

    trio.run(main)
    assert [entry[: len(names)] for entry in seen] == [names]


def test_a_test_can_say_where_a_host_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests of python-socks put a function of their own where the stream's module looks addresses up."""
    asked = []

    async def getaddrinfo(host: str, port: int, **options: object) -> list[object]:
        asked.append(host)
        return [(trio.socket.AF_INET, trio.socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def main() -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            stream = await trio.open_tcp_stream("no.such.example.com", listener.socket.getsockname()[1])
            await stream.aclose()

    monkeypatch.setattr("trio._highlevel_open_tcp_stream.getaddrinfo", getaddrinfo)
    trio.run(main)
    assert asked == ["no.such.example.com"]


def test_the_innermost_scope_of_a_task_can_be_found() -> None:
    """The tests of trio-asyncio cancel what a task is in from inside."""

    async def child() -> None:
        task = trio.lowlevel.current_task()
        assert task.parent_nursery is not None
        assert task._cancel_status._scope is task.parent_nursery.cancel_scope
        with trio.CancelScope() as outer:
            with trio.CancelScope() as inner:
                assert task._cancel_status._scope is inner
            assert task._cancel_status._scope is outer
        task._cancel_status._scope.cancel()
        assert task._cancel_status.effectively_cancelled

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)
            (task,) = nursery.child_tasks
        assert nursery.cancel_scope.cancel_called
        assert task._cancel_status._scope is None

    trio.run(main)
