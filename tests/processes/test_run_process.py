"""`run_process`: what goes in, what comes out, and that the child is gone afterwards, whatever happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import trio
import trio.testing

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup

SLEEP = ["sleep", "1000"]
# Says that it is there, and takes no notice of SIGTERM. Reading from a pipe, not sleeping, leaves no grandchild behind.
STUBBORN = ["sh", "-c", "trap '' TERM; echo ready; read line"]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("data", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
def test_bytes_in_bytes_out(data: Any) -> None:
    async def main() -> None:
        with trio.testing.assert_checkpoints():
            result = await trio.run_process(["cat"], stdin=data, capture_stdout=True, capture_stderr=True)
        assert isinstance(result, subprocess.CompletedProcess)
        assert (result.args, result.returncode, result.stdout, result.stderr) == (["cat"], 0, b"abc", b"")
        assert type(result.stdout) is bytes

    trio.run(main)


def test_by_default_nothing_in_and_nothing_captured(capfd: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        result = await trio.run_process("cat; echo out; echo err >&2", shell=True)
        assert result.stdout is result.stderr is None

    trio.run(main)
    assert capfd.readouterr() == ("out\n", "err\n")


def test_more_than_the_pipes_hold_in_both_directions() -> None:
    async def main() -> None:
        data = os.urandom(2**20)
        result = await trio.run_process("tee /dev/stderr", shell=True, stdin=data, capture_stdout=True, capture_stderr=True)
        assert result.stdout == result.stderr == data

    trio.run(main)


def test_a_child_that_does_not_read_its_input() -> None:
    async def main() -> None:
        result = await trio.run_process(["true"], stdin=bytes(2**20))
        assert result.returncode == 0

    trio.run(main)


def test_errors_can_be_captured_with_the_output() -> None:
    async def main() -> None:
        result = await trio.run_process("echo out; echo err >&2", shell=True, capture_stdout=True, stderr=subprocess.STDOUT)
        assert (result.stdout, result.stderr) == (b"out\nerr\n", None)

    trio.run(main)


def test_check() -> None:
    command = "echo out; echo err >&2; exit 3"

    async def main() -> None:
        with pytest.raises(subprocess.CalledProcessError) as caught:
            await trio.run_process(command, shell=True, capture_stdout=True, capture_stderr=True)
        error = caught.value
        assert (error.cmd, error.returncode, error.stdout, error.stderr) == (command, 3, b"out\n", b"err\n")
        result = await trio.run_process(command, shell=True, check=False, capture_stdout=True, stderr=subprocess.DEVNULL)
        assert (result.returncode, result.stdout) == (3, b"out\n")
        with pytest.raises(subprocess.CalledProcessError, match="SIGKILL"):
            await trio.run_process("kill -9 $$", shell=True)

    trio.run(main)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"stdin": "text"}, UnicodeError, "process stdin must be bytes, not str"),
        (
            {"stdin": subprocess.PIPE},
            ValueError,
            "stdin=subprocess.PIPE is only valid with nursery.start, since that's the only way to access the pipe; "
            "use nursery.start or pass the data you want to write directly",
        ),
        (
            {"stdout": subprocess.PIPE},
            ValueError,
            "stdout=subprocess.PIPE is only valid with nursery.start, since that's the only way to access the pipe",
        ),
        (
            {"stderr": subprocess.PIPE},
            ValueError,
            "stderr=subprocess.PIPE is only valid with nursery.start, since that's the only way to access the pipe",
        ),
        (
            {"capture_stdout": True, "stdout": None},
            ValueError,
            "can't specify both stdout and capture_stdout",
        ),
        (
            {"capture_stderr": True, "stderr": subprocess.STDOUT},
            ValueError,
            "can't specify both stderr and capture_stderr",
        ),
    ],
)
def test_combinations_that_cannot_work(options: dict[str, Any], error: type[Exception], message: str) -> None:
    async def main() -> None:
        with pytest.raises(error) as caught:
            await trio.run_process(["true"], **options)
        assert str(caught.value) == message

    trio.run(main)


def test_a_program_that_is_not_there(descriptors: Callable[[], list[str]]) -> None:
    async def main() -> None:
        before = descriptors()
        with pytest.raises(FileNotFoundError):
            await trio.run_process(["/nonexistent/program"], capture_stdout=True)
        assert descriptors() == before

    trio.run(main)


def test_no_descriptor_is_left(descriptors: Callable[[], list[str]]) -> None:
    async def main() -> None:
        before = descriptors()
        await trio.run_process(["cat"], stdin=b"abc", capture_stdout=True, capture_stderr=True)
        with pytest.raises(subprocess.CalledProcessError):
            await trio.run_process(["false"])
        with trio.move_on_after(0.05):
            await trio.run_process(SLEEP, stdin=b"", capture_stdout=True)
        assert descriptors() == before

    trio.run(main)


def test_cancelling_terminates_the_child() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            process = await nursery.start(partial(trio.run_process, SLEEP))
            nursery.cancel_scope.cancel()
        assert process.returncode == -signal.SIGTERM
        assert not is_alive(process.pid)

    trio.run(main)


def test_an_error_elsewhere_terminates_the_child() -> None:
    async def main() -> None:
        processes: list[trio.Process] = []
        with pytest.raises((BaseExceptionGroup, ZeroDivisionError)):
            async with trio.open_nursery() as nursery:
                processes.append(await nursery.start(trio.run_process, SLEEP))
                raise ZeroDivisionError
        assert processes[0].returncode == -signal.SIGTERM

    trio.run(main)


def test_a_stubborn_child_is_killed_after_five_seconds(autojump_clock: trio.testing.MockClock) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            process = await nursery.start(partial(trio.run_process, STUBBORN, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            await process.stdout.receive_some()
            with pytest.warns(RuntimeWarning, match="ignored SIGTERM for 5 seconds.*Trying SIGKILL"):
                start = trio.current_time()
                nursery.cancel_scope.cancel()
                with trio.CancelScope(shield=True):
                    await process.wait()
                assert trio.current_time() - start == pytest.approx(5)
        assert process.returncode == -signal.SIGKILL
        await process.stdin.aclose()
        await process.stdout.aclose()

    trio.run(main, clock=autojump_clock)


def test_a_child_that_cannot_be_signalled_is_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    def terminate(process: trio.Process) -> None:
        process.kill()
        raise PermissionError("not yours")

    monkeypatch.setattr(trio.Process, "terminate", terminate)

    async def main() -> None:
        with pytest.warns(RuntimeWarning, match=r"tried to kill process .*, but failed with: .*not yours"):
            with trio.move_on_after(0.05):
                await trio.run_process(SLEEP)

    trio.run(main)


def test_deliver_cancel_is_shielded_and_ends_with_the_child() -> None:
    log: list[str] = []

    async def deliver(process: trio.Process) -> None:
        await trio.sleep(0.01)
        log.append("not cancelled yet")
        process.send_signal(signal.SIGUSR1)
        try:
            await trio.sleep_forever()
        finally:
            log.append(f"cancelled after the exit: {process.returncode}")

    async def main() -> None:
        with trio.move_on_after(0.05) as scope:
            await trio.run_process(SLEEP, deliver_cancel=deliver)
        assert scope.cancelled_caught

    trio.run(main)
    assert log == ["not cancelled yet", f"cancelled after the exit: {-signal.SIGUSR1}"]


def test_an_error_in_deliver_cancel_is_reported() -> None:
    async def deliver(process: trio.Process) -> None:
        process.kill()
        raise KeyError("mine")

    async def main() -> None:
        with trio.move_on_after(0.05):
            await trio.run_process(SLEEP, deliver_cancel=deliver)

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(main)
    [error] = caught.value.exceptions
    assert isinstance(error, KeyError)


def test_in_the_background_the_pipes_belong_to_the_user() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            process = await nursery.start(partial(trio.run_process, ["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            assert isinstance(process, trio.Process)
            assert process.returncode is None
            await process.stdio.send_all(b"there and back")
            assert await process.stdio.receive_some() == b"there and back"
            await process.stdio.send_eof()
        assert process.returncode == 0
        await process.stdio.aclose()

    trio.run(main)


def test_in_the_background_captured_streams_are_out_of_reach() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            process = await nursery.start(partial(trio.run_process, ["cat"], capture_stdout=True))
            assert process.stdin is process.stdout is process.stdio is None

    trio.run(main)


def test_in_the_background_failure_reaches_the_nursery() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.run_process, ["false"])

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(main)
    [error] = caught.value.exceptions
    assert isinstance(error, subprocess.CalledProcessError)
    assert error.returncode == 1
