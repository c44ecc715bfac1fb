"""trio.lowlevel.FdStream."""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import trio
from trio.lowlevel import FdStream
from trio.testing import assert_checkpoints, check_one_way_stream, wait_all_tasks_blocked

OURS = "rust" in trio.__version__


def make_pipe() -> tuple[FdStream, FdStream]:
    """(write end, read end)"""
    read, write = os.pipe()
    return FdStream(write), FdStream(read)


def fill_up(stream: FdStream) -> int:
    written = 0
    try:
        while True:
            written += os.write(stream.fileno(), b"x" * 10_000)
    except BlockingIOError:
        return written


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_conformance() -> None:
    async def maker() -> tuple[FdStream, FdStream]:
        return make_pipe()

    async def clogged_maker() -> tuple[FdStream, FdStream]:
        write, read = make_pipe()
        fill_up(write)
        return write, read

    trio.run(check_one_way_stream, maker, clogged_maker)


@pytest.mark.parametrize("bad", [None, "0", 1.0])
def test_arguments(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"^file descriptor must be an int$"):
        FdStream(bad)


@pytest.mark.skipif(not OURS, reason="the original's half-made object complains when it goes")
def test_a_descriptor_that_is_not_open() -> None:
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    with pytest.raises(OSError, match="Bad file descriptor"):
        FdStream(read)
    gc.collect()


@pytest.mark.parametrize("blocking", [True, False])
def test_the_mode_is_restored(blocking: bool) -> None:
    async def main() -> None:
        read, write = os.pipe()
        os.close(write)
        os.set_blocking(read, blocking)
        other = os.dup(read)
        stream = FdStream(read)
        assert stream.fileno() == read
        assert not os.get_blocking(other)
        with assert_checkpoints():
            await stream.aclose()
        assert os.get_blocking(other) is blocking
        assert not is_open(read)
        assert stream.fileno() == -1
        os.close(other)

    trio.run(main)


def test_garbage_is_closed_outside_of_a_run_as_well() -> None:
    write, read = make_pipe()
    fds = write.fileno(), read.fileno()
    assert all(map(is_open, fds))
    del write, read
    gc.collect()
    assert not any(map(is_open, fds))


def test_large_data_arrives_whole() -> None:
    data = os.urandom(2**20)

    async def main() -> None:
        write, read = make_pipe()
        received = bytearray()

        async def receive() -> None:
            async for piece in read:
                received.extend(piece)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            for kind in (bytes, bytearray, memoryview):
                await write.send_all(kind(data))
            await write.aclose()
        assert received == data * 3
        read.close()

    trio.run(main)


def test_the_size_of_a_receive() -> None:
    async def main() -> None:
        write, read = make_pipe()
        async with write, read:
            for bad, error in ((0, ValueError), (-1, ValueError), (1.5, TypeError), ("1", TypeError)):
                with pytest.raises(error, match=r"^max_bytes must be integer >= 1$"):
                    await read.receive_some(bad)  # type: ignore[arg-type]
            await write.send_all(b"abc")
            assert await read.receive_some(1) == b"a"
            with assert_checkpoints():
                assert await read.receive_some() == b"bc"

    trio.run(main)


def test_only_bytes_can_be_sent() -> None:
    async def main() -> None:
        write, read = make_pipe()
        async with write, read:
            with pytest.raises(TypeError, match="bytes-like object is required"):
                await write.send_all("text")  # type: ignore[arg-type]
            with assert_checkpoints():
                await write.send_all(b"")

    trio.run(main)


OPERATIONS: list[Callable[[FdStream], Awaitable[object]]] = [
    lambda stream: stream.send_all(b"x"),
    lambda stream: stream.send_all(b""),
    lambda stream: stream.wait_send_all_might_not_block(),
    lambda stream: stream.receive_some(1),
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_closed_stream(operation: Callable[[FdStream], Awaitable[object]]) -> None:
    async def main() -> None:
        write, read = make_pipe()
        for stream in (write, read):
            stream.close()
            stream.close()
            with pytest.raises(trio.ClosedResourceError, match=r"^file was already closed$"):
                await operation(stream)
            with assert_checkpoints():
                await stream.aclose()

    trio.run(main)


def test_closing_wakes_both_directions() -> None:
    async def main() -> None:
        async def closed(operation: Callable[[], Awaitable[object]]) -> None:
            with pytest.raises(trio.ClosedResourceError):
                await operation()

        for operation in ("receive_some", "send_all"):
            write, read = make_pipe()
            fill_up(write)
            async with trio.open_nursery() as nursery:
                if operation == "send_all":
                    nursery.start_soon(closed, lambda write=write: write.send_all(b"x" * 10_000))
                else:
                    while len(await read.receive_some()) == 65536:
                        pass
                    nursery.start_soon(closed, read.receive_some)
                await wait_all_tasks_blocked()
                (write if operation == "send_all" else read).close()
            write.close()
            read.close()

    trio.run(main)


def test_one_task_per_direction() -> None:
    async def main() -> None:
        write, read = make_pipe()
        async with write, read, trio.open_nursery() as nursery:
            nursery.start_soon(read.receive_some)
            await wait_all_tasks_blocked()
            for size in (1, 0):
                with pytest.raises(trio.BusyResourceError, match=r"^another task is using this stream for receive$"):
                    await read.receive_some(size)
            nursery.cancel_scope.cancel()
        write, read = make_pipe()
        fill_up(write)
        async with write, read, trio.open_nursery() as nursery:
            nursery.start_soon(write.wait_send_all_might_not_block)
            await wait_all_tasks_blocked()
            operations: list[Callable[[], Awaitable[object]]] = [
                lambda: write.send_all(b""),
                write.wait_send_all_might_not_block,
            ]
            for operation in operations:
                with pytest.raises(trio.BusyResourceError, match=r"^another task is using this stream for send$"):
                    await operation()
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_broken_pipes() -> None:
    async def main() -> None:
        write, read = make_pipe()
        await read.aclose()
        async with write:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await write.send_all(b"x")
            assert isinstance(caught.value.__cause__, BrokenPipeError)

    trio.run(main)


def test_other_errors() -> None:
    async def main() -> None:
        async with FdStream(os.open("/", os.O_RDONLY)) as stream:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await stream.receive_some(1)
            assert isinstance(caught.value.__cause__, IsADirectoryError)

    trio.run(main)


def test_closing_twice_spares_the_next_owner_of_the_number() -> None:
    async def main() -> None:
        write, read = make_pipe()
        number = read.fileno()
        await write.aclose()
        await read.aclose()
        new_read, new_write = os.pipe()
        if new_read != number:
            os.dup2(new_read, number)
            os.close(new_read)
        async with FdStream(number) as again, trio.open_nursery() as nursery:
            nursery.start_soon(again.receive_some)
            await wait_all_tasks_blocked()
            await read.aclose()
            await wait_all_tasks_blocked()
            assert len(nursery.child_tasks) == 1
            assert is_open(number)
            os.close(new_write)

    trio.run(main)


def test_a_descriptor_closed_behind_our_back() -> None:
    async def main() -> None:
        write, read = make_pipe()
        os.close(write.fileno())
        with pytest.raises(trio.ClosedResourceError):
            await write.send_all(b"x")
        with pytest.raises(OSError, match="Bad file descriptor") as caught:
            write.close()
        assert caught.value.errno == errno.EBADF
        write.close()
        read.close()

    trio.run(main)


def test_is_closed_even_if_its_mode_cannot_be_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        read_end, write_end = os.pipe()
        try:
            stream = trio.lowlevel.FdStream(write_end)

            def refuse(fd: int, blocking: bool) -> None:
                raise OSError(errno.EIO, "refused")

            with monkeypatch.context() as patch:
                patch.setattr(os, "set_blocking", refuse)
                with pytest.raises(OSError, match="refused"):
                    await stream.aclose()
            assert os.read(read_end, 1) == b""  # nobody can write any more
        finally:
            os.close(read_end)

    trio.run(main)
