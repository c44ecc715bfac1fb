"""What `open_process` accepts, connects, refuses, and cleans up."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import pytest

import trio
from trio.lowlevel import open_process

ECHO_BOTH = ["sh", "-c", "read line; echo out $line; echo err $line >&2"]


async def read_all(stream: trio.abc.ReceiveStream | None) -> bytes:
    assert stream is not None
    chunks = []
    async with stream:
        async for chunk in stream:
            chunks.append(bytes(chunk))
    return b"".join(chunks)


def test_three_pipes() -> None:
    async def main() -> None:
        pipe = subprocess.PIPE
        process = await open_process(ECHO_BOTH, stdin=pipe, stdout=pipe, stderr=pipe)
        assert process.stdin is not None
        assert process.stdio is not None
        assert (process.stdio.send_stream, process.stdio.receive_stream) == (process.stdin, process.stdout)
        async with process.stdin:
            await process.stdin.send_all(b"hello\n")
        assert await read_all(process.stdout) == b"out hello\n"
        assert await read_all(process.stderr) == b"err hello\n"
        assert await process.wait() == 0

    trio.run(main)


def test_errors_can_go_with_the_output() -> None:
    async def main() -> None:
        process = await open_process(ECHO_BOTH, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.stderr is None
        assert process.stdio is not None
        await process.stdio.send_all(b"hello\n")
        await process.stdio.send_eof()
        assert await read_all(process.stdio) == b"out hello\nerr hello\n"
        await process.wait()

    trio.run(main)


def test_one_pipe_makes_no_stdio() -> None:
    async def main() -> None:
        process = await open_process(["echo", "x"], stdout=subprocess.PIPE)
        assert process.stdin is None
        assert process.stdio is None
        assert await read_all(process.stdout) == b"x\n"
        await process.wait()

    trio.run(main)


def test_files_and_descriptors_as_targets() -> None:
    async def main() -> None:
        with tempfile.TemporaryFile() as file:
            process = await open_process(["echo", "object"], stdout=file)
            await process.wait()
            process = await open_process(["echo", "number"], stdout=file.fileno())
            await process.wait()
            file.seek(0)
            assert file.read() == b"object\nnumber\n"

    trio.run(main)


def test_options_reach_popen(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        process = await open_process(
            "pwd; echo $GREETING",
            shell=True,
            cwd=tmp_path,
            env={"GREETING": "hi"},
            stdout=subprocess.PIPE,
        )
        assert await read_all(process.stdout) == os.fsencode(tmp_path.resolve()) + b"\nhi\n"
        await process.wait()

    trio.run(main)


def test_the_child_inherits_only_what_it_should() -> None:
    # one extra descriptor is the directory that ls reads
    async def main() -> None:
        first = await open_process(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        second = await open_process(["ls", "/proc/self/fd"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert (await read_all(second.stdout)).split() == [b"0", b"1", b"2", b"3"]
        for process in (first, second):
            assert process.stdin is not None
            assert process.stdout is not None
            await process.stdin.aclose()
            await process.stdout.aclose()
            await process.wait()

    trio.run(main)


@pytest.mark.parametrize("option", ["universal_newlines", "text", "encoding", "errors", "bufsize"])
def test_text_and_buffers_are_refused(option: str) -> None:
    async def main(function: Any) -> None:
        with pytest.raises(TypeError) as caught:
            await function(["true"], **{option: 1})
        assert str(caught.value) == (
            f"trio.Process only supports communicating over unbuffered byte streams; the '{option}' option is not supported"
        )
        await trio.run_process(["true"], **{option: None})

    trio.run(main, open_process)
    trio.run(main, trio.run_process)


@pytest.mark.parametrize(
    ("command", "shell", "message"),
    [
        ("ls", False, "command must be a sequence (not a string or bytes) if shell=False on UNIX systems"),
        (b"ls", False, "command must be a sequence (not a string or bytes) if shell=False on UNIX systems"),
        (["ls"], True, "command must be a string or bytes (not a sequence) if shell=True on UNIX systems"),
        (
            pathlib.Path("/bin/ls"),
            True,
            "command must be a string or bytes (not a sequence) if shell=True on UNIX systems",
        ),
    ],
)
def test_command_and_shell_have_to_agree(command: Any, shell: bool, message: str) -> None:
    async def main() -> None:
        with pytest.raises(TypeError) as caught:
            await open_process(command, shell=shell)
        assert str(caught.value) == message

    trio.run(main)


@pytest.mark.parametrize("command", [["true"], ("true",), pathlib.Path("/bin/true"), trio.Path("/bin/true")])
def test_commands_that_are_fine(command: Any) -> None:
    async def main() -> None:
        process = await open_process(command)
        assert await process.wait() == 0
        assert process.args == command

    trio.run(main)


@pytest.mark.parametrize(
    ("command", "options", "error"),
    [
        (["/nonexistent/program"], {}, FileNotFoundError),
        (["/"], {}, PermissionError),
        (["true"], {"cwd": "/nonexistent"}, FileNotFoundError),
        (["true"], {"no_such_option": 1}, TypeError),
        (["true"], {"stdin": "text"}, AttributeError),
        (["true"], {"stdin": 10**6}, OSError),
    ],
)
def test_a_failure_leaves_nothing_open(
    command: Any, options: dict[str, Any], error: type[Exception], descriptors: Callable[[], list[str]]
) -> None:
    async def main() -> None:
        before = descriptors()
        pipe = subprocess.PIPE
        with pytest.raises(error):
            await open_process(command, **{"stdin": pipe, "stdout": pipe, "stderr": pipe, **options})
        assert descriptors() == before

    trio.run(main)


def test_a_cancelled_start_starts_nothing(tmp_path: pathlib.Path, descriptors: Callable[[], list[str]]) -> None:
    async def main() -> None:
        before = descriptors()
        with trio.CancelScope() as scope:
            scope.cancel()
            await open_process(["touch", tmp_path / "here"], stdin=subprocess.PIPE)
        assert scope.cancelled_caught
        assert descriptors() == before
        assert not (tmp_path / "here").exists()

    trio.run(main)


def test_starting_does_not_block_the_loop() -> None:
    async def main() -> None:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await trio.sleep(0.01)
                ticks += 1

        def dawdle() -> None:
            import time

            time.sleep(0.2)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(tick)
            process = await open_process([sys.executable, "-c", ""], executable="/bin/true", preexec_fn=dawdle)
            await process.wait()
            nursery.cancel_scope.cancel()
        assert ticks >= 3

    trio.run(main)
