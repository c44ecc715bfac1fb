"""What type checkers have to make of calls of the native core. Checked, never run."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import Any

from typing_extensions import assert_type

import trio
from trio.abc import Channel, ReceiveChannel, SendChannel


async def add(a: int, b: str) -> float:
    return a + float(b)


async def ready(name: str, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
    task_status.started(len(name))
    task_status.started("wrong")  # type: ignore[arg-type]  # pyright: ignore


def running() -> None:
    assert_type(trio.run(add, 1, "2"), float)
    trio.run(add, "1", "2")  # type: ignore[arg-type]  # pyright: ignore
    trio.run(add)  # type: ignore[arg-type]  # pyright: ignore


async def nurseries() -> None:
    assert_type(trio.open_nursery(), AbstractAsyncContextManager[trio.Nursery])
    async with trio.open_nursery() as nursery:
        assert_type(nursery, trio.Nursery)
        assert_type(nursery.cancel_scope, trio.CancelScope)
        assert_type(nursery.child_tasks, frozenset[trio.lowlevel.Task])
        nursery.start_soon(add, 1, "2", name="adding")
        nursery.start_soon(add, 1)  # type: ignore[arg-type]  # pyright: ignore
        assert_type(await nursery.start(ready, "x"), Any)
        nursery.start_soon(trio.sleep, 1)
        nursery.start_soon(trio.sleep, "1")  # type: ignore[arg-type]  # pyright: ignore


async def scopes() -> None:
    with trio.move_on_after(1) as scope:
        assert_type(scope, trio.CancelScope)
        assert_type(scope.is_relative, "bool | None")
        scope.deadline = 5
        scope.cancel_called = True  # type: ignore[misc]  # pyright: ignore
    with trio.fail_after(1, shield=True) as scope:
        await trio.sleep_until(trio.current_time() + 1)
    with trio.CancelScope(deadline=1, shield=True) as scope:
        await trio.lowlevel.checkpoint()


async def channels() -> None:
    send, receive = trio.open_memory_channel[int](5)
    assert_type(send, trio.MemorySendChannel[int])
    assert_type(receive, trio.MemoryReceiveChannel[int])
    await send.send(1)
    await send.send("1")  # type: ignore[arg-type]  # pyright: ignore
    assert_type(await receive.receive(), int)
    assert_type(send.statistics().peak_buffer_used, int)
    async with send.clone() as clone:
        assert_type(clone, trio.MemorySendChannel[int])
    async for value in receive:
        assert_type(value, int)
    sender: SendChannel[bool] = send
    receiver: ReceiveChannel[object] = receive
    both: Channel[int] = send  # type: ignore[assignment]  # pyright: ignore
    del sender, receiver, both


@trio.as_safe_channel
async def numbers(count: int) -> AsyncGenerator[int, None]:
    for number in range(count):
        yield number


async def generators() -> None:
    async with numbers(3) as stream:
        assert_type(stream, ReceiveChannel[int])


async def primitives() -> None:
    async with trio.Lock(), trio.Semaphore(1), trio.CapacityLimiter(2), trio.Condition() as nothing:
        assert_type(nothing, None)
    event = trio.Event()
    await event.wait()
    assert_type(event.statistics(), trio.EventStatistics)
    assert_type(trio.Lock().statistics().owner, "trio.lowlevel.Task | None")
    assert_type(trio.CapacityLimiter(1).total_tokens, "int | float")


async def lowlevel() -> None:
    task = trio.lowlevel.current_task()
    assert_type(task, trio.lowlevel.Task)
    assert_type(task.parent_nursery, "trio.Nursery | None")
    variable = trio.lowlevel.RunVar("x", default=1)
    assert_type(variable.get(), int)
    token = variable.set(2)
    assert_type(token, trio.lowlevel.RunVarToken[int])
    trio.lowlevel.current_trio_token().run_sync_soon(print, "x", idempotent=True)
    trio.lowlevel.reschedule(task)

    def abort(raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        return trio.lowlevel.Abort.SUCCEEDED

    assert_type(await trio.lowlevel.wait_task_rescheduled(abort), Any)
    assert_type(trio.lowlevel.spawn_system_task(add, 1, "2"), trio.lowlevel.Task)


async def sockets(sock: trio.socket.SocketType) -> None:
    assert_type(await sock.recv(10), bytes)
    assert_type(await sock.send(b"x"), int)
    assert_type(await trio.to_thread.run_sync(len, "x"), int)


async def paths(path: trio.Path) -> None:
    assert_type(path / "child", trio.Path)
    assert_type(await path.exists(), bool)
    assert_type(await path.read_text(encoding="utf-8"), str)
    assert_type(await path.read_bytes(), bytes)
    assert_type(await path.resolve(strict=True), trio.Path)
    assert_type(await path.mkdir(parents=True, exist_ok=True), None)
    assert_type(await trio.Path.cwd(), trio.Path)
    for entry in await path.iterdir():
        assert_type(entry, trio.Path)
    for entry in await path.glob("*.py"):
        assert_type(entry, trio.Path)
    async with await path.open() as text:
        assert_type(await text.read(), str)
    async with await path.open("rb") as binary:
        assert_type(await binary.read(), bytes)
    await path.chmod("755")  # type: ignore[arg-type]  # pyright: ignore


def in_threads(path: trio.Path) -> None:
    assert_type(trio.from_thread.run(add, 1, "2"), float)
    assert_type(trio.from_thread.run_sync(len, "x"), int)


async def from_the_loop() -> None:
    assert_type(await trio.to_thread.run_sync(divmod, 7, 2, abandon_on_cancel=True), "tuple[int, int]")
    await trio.to_thread.run_sync(len, 3)  # type: ignore[arg-type]  # pyright: ignore
    assert_type(trio.to_thread.current_default_thread_limiter(), trio.CapacityLimiter)
