"""trio.testing, apart from the clock: checkpoints, sequencer, trio_test, memory and lockstep streams."""

from __future__ import annotations

import inspect
import os
import pathlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import trio
from trio.testing import (
    MemoryReceiveStream,
    MemorySendStream,
    MockClock,
    Sequencer,
    assert_checkpoints,
    assert_no_checkpoints,
    lockstep_stream_one_way_pair,
    lockstep_stream_pair,
    memory_stream_one_way_pair,
    memory_stream_pair,
    memory_stream_pump,
    open_stream_to_socket_listener,
    trio_test,
    wait_all_tasks_blocked,
)

Operations = tuple[Callable[[], Awaitable[object]], ...]


async def blocks(async_fn: Callable[..., Awaitable[object]], *args: object) -> bool:
    """Whether the call is still waiting when nothing else happens; it is cancelled then."""
    with trio.CancelScope() as scope:

        async def cancel() -> None:
            await wait_all_tasks_blocked()
            scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel)
            await async_fn(*args)
            nursery.cancel_scope.cancel()
    return scope.cancelled_caught


# ---- checkpoints ----


def test_assert_checkpoints() -> None:
    async def main() -> None:
        with assert_checkpoints():
            await trio.lowlevel.checkpoint()
        with assert_checkpoints():
            await trio.lowlevel.checkpoint_if_cancelled()
            await trio.lowlevel.cancel_shielded_checkpoint()
        for half in (trio.lowlevel.checkpoint_if_cancelled, trio.lowlevel.cancel_shielded_checkpoint):
            with pytest.raises(AssertionError, match=r"^assert_checkpoints block did not yield!$"):
                with assert_checkpoints():
                    await half()
        with pytest.raises(KeyError), assert_checkpoints():
            raise KeyError

    trio.run(main)


def test_assert_no_checkpoints() -> None:
    async def main() -> None:
        with assert_no_checkpoints():
            pass
        for step in (
            trio.lowlevel.checkpoint,
            trio.lowlevel.checkpoint_if_cancelled,
            trio.lowlevel.cancel_shielded_checkpoint,
        ):
            with pytest.raises(AssertionError, match=r"^assert_no_checkpoints block yielded!$"):
                with assert_no_checkpoints():
                    await step()
        with pytest.raises(KeyError), assert_no_checkpoints():
            raise KeyError
        with pytest.raises(AssertionError) as caught, assert_no_checkpoints():
            await trio.lowlevel.checkpoint()
            raise KeyError
        assert isinstance(caught.value.__context__, KeyError)

    trio.run(main)


def test_checkpoints_need_a_task() -> None:
    for context in (assert_checkpoints, assert_no_checkpoints):
        with pytest.raises(RuntimeError), context():
            pass


# ---- sequencer ----


def test_blocks_run_in_order() -> None:
    order: list[int] = []

    async def run(seq: Sequencer, *positions: int) -> None:
        for position in positions:
            async with seq(position):
                await trio.lowlevel.checkpoint()
                order.append(position)

    async def main() -> None:
        seq = Sequencer()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, seq, 2, 3, 7)
            nursery.start_soon(run, seq, 1, 5)
            nursery.start_soon(run, seq, 0, 4, 6)

    trio.run(main)
    assert order == list(range(8))


def test_a_position_is_good_for_one_use() -> None:
    async def main() -> None:
        seq = Sequencer()
        async with seq(0):
            pass
        with pytest.raises(RuntimeError, match=r"^Attempted to reuse sequence point 0$"):
            async with seq(0):
                pass
        with pytest.raises(KeyError):
            async with seq(1):
                raise KeyError
        async with seq(2):
            pass

    trio.run(main)


def test_a_cancelled_turn_breaks_the_sequence() -> None:
    errors: list[str] = []

    async def wait(seq: Sequencer, position: int) -> None:
        try:
            async with seq(position):
                raise AssertionError("not reached")
        except RuntimeError as exc:
            errors.append(str(exc))

    async def main() -> None:
        seq = Sequencer()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait, seq, 2)
            nursery.start_soon(wait, seq, 3)
            await wait_all_tasks_blocked()
            with trio.CancelScope() as scope:
                scope.cancel()
                await wait(seq, 1)
        await wait(seq, 4)

    trio.run(main)
    assert errors == ["Sequencer wait cancelled -- sequence broken"] + ["sequence broken!"] * 3


# ---- trio_test ----


def test_trio_test_makes_a_synchronous_function() -> None:
    @trio_test
    async def function(x: int, *, y: int = 1) -> int:
        """Adds."""
        await trio.lowlevel.checkpoint()
        return x + y

    assert function(2, y=3) == 5
    assert not inspect.iscoroutinefunction(function)
    assert (function.__name__, function.__doc__) == ("function", "Adds.")
    assert list(inspect.signature(function).parameters) == ["x", "y"]


def test_trio_test_finds_clocks_and_instruments() -> None:
    class Counter(trio.abc.Instrument):
        runs = 0

        def before_run(self) -> None:
            self.runs += 1

    @trio_test
    async def current_clock(*args: object, **kwargs: object) -> object:
        return trio.lowlevel.current_clock()

    clock, one, two = MockClock(), Counter(), Counter()
    assert current_clock(x=clock, one=one, two=two) is clock
    assert (one.runs, two.runs) == (1, 1)
    assert current_clock(clock, one) is not clock  # positional arguments are not looked at
    assert one.runs == 1
    with pytest.raises(ValueError, match=r"^too many clocks spoil the broth!$"):
        current_clock(x=clock, y=MockClock())


# ---- a client for a listener ----


@pytest.mark.parametrize(
    ("family", "host"),
    [
        (trio.socket.AF_INET, "127.0.0.1"),
        (trio.socket.AF_INET, "0.0.0.0"),
        (trio.socket.AF_INET6, "::"),
        (trio.socket.AF_UNIX, ""),
    ],
)
def test_open_stream_to_socket_listener(family: int, host: str, tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        sock = trio.socket.socket(family)
        try:
            await sock.bind(os.fspath(tmp_path / "sock") if family == trio.socket.AF_UNIX else (host, 0))
        except OSError as exc:  # pragma: no cover
            sock.close()
            pytest.skip(str(exc))
        sock.listen()
        async with trio.SocketListener(sock) as listener:
            async with await open_stream_to_socket_listener(listener) as client, await listener.accept() as server:
                await client.send_all(b"x")
                assert await server.receive_some() == b"x"
        with pytest.raises(OSError):
            await open_stream_to_socket_listener(listener)

    trio.run(main)


# ---- memory streams ----


def test_a_memory_send_stream() -> None:
    async def main() -> None:
        stream = MemorySendStream()
        for data in (b"one", bytearray(b"two"), memoryview(b"three"), b""):
            with assert_checkpoints():
                await stream.send_all(data)
        with assert_checkpoints():
            await stream.wait_send_all_might_not_block()
        assert stream.get_data_nowait(4) == b"onet"
        with assert_checkpoints():
            assert await stream.get_data(max_bytes=2) == b"wo"
        assert isinstance(stream.get_data_nowait(), bytearray)
        with pytest.raises(trio.WouldBlock):
            stream.get_data_nowait()
        assert await blocks(stream.get_data)
        with pytest.raises(TypeError):
            await stream.send_all("text")  # type: ignore[arg-type]
        await stream.send_all(b"rest")
        with assert_checkpoints():
            await stream.aclose()
        operations: Operations = (lambda: stream.send_all(b""), stream.wait_send_all_might_not_block)
        for operation in operations:
            with pytest.raises(trio.ClosedResourceError):
                await operation()
        assert await stream.get_data() == b"rest"
        assert await stream.get_data() == stream.get_data_nowait() == b""

    trio.run(main)


def test_a_cancelled_memory_send_leaves_no_trace() -> None:
    async def main() -> None:
        stream = MemorySendStream()
        with trio.CancelScope() as scope:
            scope.cancel()
            await stream.send_all(b"lost")
        with pytest.raises(trio.WouldBlock):
            stream.get_data_nowait()

    trio.run(main)


def test_a_memory_receive_stream() -> None:
    async def main() -> None:
        stream = MemoryReceiveStream()
        assert await blocks(stream.receive_some)
        stream.put_data(b"hello")
        with assert_checkpoints():
            assert await stream.receive_some(2) == b"he"
        with trio.CancelScope() as scope:
            scope.cancel()
            await stream.receive_some()
        stream.put_eof()
        stream.put_eof()
        with pytest.raises(trio.ClosedResourceError):
            stream.put_data(b"")
        assert [piece async for piece in stream] == [b"llo"]
        await stream.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some()

    trio.run(main)


@pytest.mark.parametrize(("bad", "error"), [(0, ValueError), (-1, ValueError), ("1", TypeError), (1.5, TypeError)])
def test_sizes_are_checked(bad: Any, error: type[Exception]) -> None:
    async def main() -> None:
        sender, receiver = MemorySendStream(), MemoryReceiveStream()
        with pytest.raises(error):
            sender.get_data_nowait(bad)
        with pytest.raises(error):
            memory_stream_pump(sender, receiver, max_bytes=bad)
        for stream in (receiver, lockstep_stream_one_way_pair()[1]):
            with pytest.raises(error):
                await stream.receive_some(bad)

    trio.run(main)


def test_the_hooks() -> None:
    log: list[str] = []

    def async_hook(name: str) -> Callable[[], Awaitable[None]]:
        async def hook() -> None:
            log.append(name)

        return hook

    async def main() -> None:
        sender = MemorySendStream(async_hook("send"), async_hook("wait"), lambda: log.append("close"))
        await sender.send_all(b"x")
        await sender.wait_send_all_might_not_block()
        sender.close()
        await sender.aclose()
        assert log == ["send", "wait", "close", "close"]
        log.clear()

        receiver = MemoryReceiveStream(async_hook("receive"), lambda: log.append("close"))
        receiver.put_data(b"x")
        await receiver.receive_some()
        await receiver.aclose()
        assert log == ["receive", "close"]

        late = MemoryReceiveStream()
        assert late.receive_some_hook is None
        late.put_data(b"first ")

        async def put_more() -> None:
            late.put_data(b"second")

        late.receive_some_hook = put_more
        assert await late.receive_some() == b"first second"

    trio.run(main)


def test_one_task_per_stream() -> None:
    async def main() -> None:
        sender = MemorySendStream(trio.sleep_forever, trio.sleep_forever)
        operations: Operations = (lambda: sender.send_all(b"x"), sender.wait_send_all_might_not_block)
        for operation in operations:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(operation)
                await wait_all_tasks_blocked()
                for other in operations:
                    with pytest.raises(trio.BusyResourceError, match=r"^another task is using this stream$"):
                        await other()
                nursery.cancel_scope.cancel()
        idle = MemorySendStream()
        receiver = MemoryReceiveStream()
        for waiter, text in ((idle.get_data, "already fetching data"), (receiver.receive_some, "using this stream")):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(waiter)
                await wait_all_tasks_blocked()
                with pytest.raises(trio.BusyResourceError, match=text):
                    await waiter()
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_closing_wakes_the_receiver() -> None:
    async def main() -> None:
        receiver = MemoryReceiveStream()

        async def receive() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await receiver.receive_some()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await wait_all_tasks_blocked()
            receiver.close()

    trio.run(main)


def test_the_pump() -> None:
    async def main() -> None:
        sender, receiver = MemorySendStream(), MemoryReceiveStream()
        assert memory_stream_pump(sender, receiver) is False
        await sender.send_all(b"abc")
        assert memory_stream_pump(sender, receiver, max_bytes=2) is True
        assert await receiver.receive_some() == b"ab"
        await sender.aclose()
        assert memory_stream_pump(sender, receiver)
        assert memory_stream_pump(sender, receiver)
        assert [piece async for piece in receiver] == [b"c"]

        sender, receiver = MemorySendStream(), MemoryReceiveStream()
        await receiver.aclose()
        await sender.send_all(b"x")
        with pytest.raises(trio.BrokenResourceError, match=r"^MemoryReceiveStream was closed$"):
            memory_stream_pump(sender, receiver)
        assert memory_stream_pump(sender, receiver) is False  # the data is lost

    trio.run(main)


def test_memory_pairs() -> None:
    async def main() -> None:
        sender, receiver = memory_stream_one_way_pair()
        await sender.send_all(b"x" * 10**6)
        assert len(await receiver.receive_some()) == 10**6
        sender.send_all_hook = None
        await sender.send_all(b"held back")
        assert await blocks(receiver.receive_some)
        sender.close()
        assert await receiver.receive_some() == b"held back"

        one, two = memory_stream_pair()
        for here, there in ((one, two), (two, one)):
            await here.send_all(b"x")
            assert await there.receive_some() == b"x"
        await one.send_eof()
        assert await two.receive_some() == b""
        await two.send_all(b"y")
        assert await one.receive_some() == b"y"
        await one.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await two.send_all(b"z")

    trio.run(main)


# ---- lockstep streams ----


def test_lockstep_sending_waits_for_the_last_byte() -> None:
    async def main() -> None:
        sender, receiver = lockstep_stream_one_way_pair()
        async with trio.open_nursery() as nursery:
            done = trio.Event()

            async def send() -> None:
                await sender.send_all(b"abc")
                done.set()

            nursery.start_soon(send)
            for byte in b"abc":
                await wait_all_tasks_blocked()
                assert not done.is_set()
                assert await receiver.receive_some(1) == bytes([byte])
            await done.wait()

    trio.run(main)


def test_lockstep_waiting_for_a_receiver() -> None:
    async def main() -> None:
        sender, receiver = lockstep_stream_one_way_pair()
        assert await blocks(sender.wait_send_all_might_not_block)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receiver.receive_some)
            with assert_checkpoints():
                await sender.wait_send_all_might_not_block()
            with assert_checkpoints():
                await sender.wait_send_all_might_not_block()
            await sender.send_all(b"x")
        assert await blocks(sender.wait_send_all_might_not_block)

    trio.run(main)


def test_lockstep_cancelled_data_still_arrives() -> None:
    async def main() -> None:
        sender, receiver = lockstep_stream_one_way_pair()
        assert await blocks(sender.send_all, b"abc")
        assert await receiver.receive_some() == b"abc"

    trio.run(main)


def test_lockstep_closing() -> None:
    async def main() -> None:
        async def fails(error: type[Exception], async_fn: Callable[..., Awaitable[object]], *args: object) -> None:
            with pytest.raises(error):
                await async_fn(*args)

        one, two = lockstep_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fails, trio.ClosedResourceError, one.receive_some)
            nursery.start_soon(fails, trio.ClosedResourceError, one.send_all, b"left over")
            await wait_all_tasks_blocked()
            await one.aclose()
        assert await two.receive_some() == b"left over"
        assert await two.receive_some() == b""
        await fails(trio.BrokenResourceError, two.send_all, b"x")
        await fails(trio.BrokenResourceError, two.send_all, b"")
        await two.wait_send_all_might_not_block()
        await two.aclose()
        await fails(trio.ClosedResourceError, two.send_all, b"x")
        await fails(trio.ClosedResourceError, two.wait_send_all_might_not_block)
        await fails(trio.ClosedResourceError, two.receive_some)

    trio.run(main)


def test_lockstep_one_task_per_side() -> None:
    async def main() -> None:
        sender, receiver = lockstep_stream_one_way_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sender.send_all, b"x")
            await wait_all_tasks_blocked()
            operations: Operations = (lambda: sender.send_all(b"x"), sender.wait_send_all_might_not_block)
            for operation in operations:
                with pytest.raises(trio.BusyResourceError, match=r"^another task is already sending$"):
                    await operation()
            nursery.cancel_scope.cancel()
        assert await receiver.receive_some() == b"x"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receiver.receive_some)
            await wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError, match=r"^another task is already receiving$"):
                await receiver.receive_some()
            nursery.cancel_scope.cancel()

    trio.run(main)


# ---- names ----


def test_public_names() -> None:
    names = [name for name in dir(trio.testing) if not name.startswith("_") and name != "annotations"]
    for name in names:
        assert getattr(trio.testing, name).__module__ == "trio.testing"
    assert "FakeNet" not in names
    assert not hasattr(trio.testing, "nonsense")
