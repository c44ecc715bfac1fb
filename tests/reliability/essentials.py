"""One small program for each kind of thing that a run is made of.

Each takes a few milliseconds, needs nothing from outside, uses its thing in the ways in which it is mostly used (also with
somebody waiting, and with a cancellation), and leaves nothing behind.
"""

from __future__ import annotations

from typing import Awaitable, Callable

import trio
import trio.testing

Program = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """A run that does nothing."""


async def spawn() -> None:
    """Tasks that come and go, one with a context of its own."""
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(trio.lowlevel.checkpoint)
        nursery.start_soon(trio.sleep, 0, name="named")
    trio.lowlevel.spawn_system_task(trio.lowlevel.checkpoint)


async def start() -> None:
    """A task that says when it is ready."""

    async def service(task_status: trio.TaskStatus[int]) -> None:
        task_status.started(5)
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        assert await nursery.start(service) == 5
        nursery.cancel_scope.cancel()


async def fail() -> None:
    """Exceptions out of several tasks, in a group."""

    async def raise_it() -> None:
        raise ValueError("expected")

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(raise_it)
            nursery.start_soon(raise_it)
            nursery.start_soon(trio.sleep_forever)
    except BaseException as group:
        if any(not isinstance(error, ValueError) for error in group.exceptions):  # type: ignore[attr-defined]
            raise


async def cancel() -> None:
    """Sleeping tasks that are cancelled, and a shield."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        nursery.start_soon(trio.sleep, 1000)
        await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel(reason="enough")
        with trio.CancelScope(shield=True):
            await trio.lowlevel.checkpoint()


async def timeout() -> None:
    """Timeouts that expire, and some that do not."""
    with trio.move_on_after(0.001) as scope:
        await trio.sleep_forever()
    assert scope.cancelled_caught
    with trio.fail_after(1000):
        await trio.sleep(0.0001)
    try:
        with trio.fail_at(trio.current_time()):
            await trio.lowlevel.checkpoint()
    except trio.TooSlowError:
        return
    raise AssertionError("too slow for too slow")


async def channel() -> None:
    """Items from task to task, with the sender and the receiver waiting in turn."""
    send, receive = trio.open_memory_channel[int](1)

    async def produce() -> None:
        with send:  # without a checkpoint, at which a cancellation would take the place of an error
            for number in range(4):
                await send.send(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(produce)
        with receive:
            assert [number async for number in receive] == [0, 1, 2, 3]


async def lock() -> None:
    """Locks, semaphores, conditions and limiters, fought for."""
    mutex, semaphore, limiter, condition = trio.Lock(), trio.Semaphore(1), trio.CapacityLimiter(1), trio.Condition()

    async def use() -> None:
        async with mutex, semaphore, limiter:
            await trio.lowlevel.checkpoint()
        async with condition:
            condition.notify_all()

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(use)
        async with condition:
            with trio.move_on_after(0.001):
                await condition.wait()


async def event() -> None:
    """An event that several tasks wait for, one of them in vain."""
    happened = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(happened.wait)
        nursery.start_soon(happened.wait)
        with trio.move_on_after(0.001):
            await happened.wait()
        happened.set()
    assert happened.statistics().tasks_waiting == 0


async def thread() -> None:
    """Into a thread, and back from there."""
    assert await trio.to_thread.run_sync(trio.from_thread.run_sync, int) == 0


async def entry() -> None:
    """Calls from outside."""
    token = trio.lowlevel.current_trio_token()
    done = trio.Event()
    token.run_sync_soon(int, idempotent=True)
    token.run_sync_soon(done.set)
    await done.wait()


async def socket() -> None:
    """A pair of sockets: at once, with somebody waiting, and with a wait that is cancelled."""
    left, right = trio.socket.socketpair()
    with left, right:
        await left.send(b"x")
        assert await right.recv(10) == b"x"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(right.recv, 10)
            await trio.lowlevel.checkpoint()
            await left.send(b"y")
        with trio.move_on_after(0.001):
            await right.recv(10)


async def stream() -> None:
    """A server and a client on loopback."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listeners[0] as listener, await trio.testing.open_stream_to_socket_listener(listener) as client:
        async with await listener.accept() as server:
            await client.send_all(b"hello")
            assert await server.receive_some() == b"hello"


async def generator() -> None:
    """An asynchronous generator that is left alone."""

    async def count() -> object:
        try:
            for number in range(3):
                yield number
                await trio.lowlevel.checkpoint()
        finally:
            with trio.CancelScope(shield=True):
                await trio.lowlevel.checkpoint()

    async for number in count():  # type: ignore[attr-defined]
        if number == 1:
            break


PROGRAMS: dict[str, Program] = {
    program.__name__: program
    for program in (
        nothing,
        spawn,
        start,
        fail,
        cancel,
        timeout,
        channel,
        lock,
        event,
        thread,
        entry,
        socket,
        stream,
        generator,
    )
}
