"""The life of a single `trio.Process`: started by hand, waited for, signalled, looked at."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

import trio
import trio.testing
from trio.lowlevel import open_process

OURS = "rust" in trio.__version__
SLEEP = ["sleep", "1000"]


@pytest.fixture(params=["pidfd", "no pidfd"], autouse=True)
def both_ways_of_waiting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no pidfd":
        monkeypatch.setattr("trio._subprocess.can_try_pidfd_open", False)


def test_running_then_exited() -> None:
    async def main() -> None:
        process = await open_process(["cat"], stdin=subprocess.PIPE)
        assert process.returncode is None
        assert process.poll() is None
        assert process.pid > 0
        assert repr(process) == f"<trio.Process ['cat']: running with PID {process.pid}>"
        assert process.stdin is not None
        await process.stdin.aclose()
        with trio.testing.assert_checkpoints():
            assert await process.wait() == 0
        assert process.returncode == process.poll() == 0
        assert repr(process) == "<trio.Process ['cat']: exited with status 0>"
        with trio.testing.assert_checkpoints():
            assert await process.wait() == 0

    trio.run(main)


def test_exit_status() -> None:
    async def main() -> None:
        process = await open_process("exit 42", shell=True)
        assert await process.wait() == 42
        assert repr(process) == "<trio.Process 'exit 42': exited with status 42>"

    trio.run(main)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1])
def test_signals(number: signal.Signals) -> None:
    async def main() -> None:
        process = await open_process(SLEEP)
        if number == signal.SIGTERM:
            process.terminate()
        elif number == signal.SIGKILL:
            process.kill()
        else:
            process.send_signal(number)
        assert await process.wait() == -number
        assert repr(process) == f"<trio.Process {SLEEP!r}: exited with signal {int(number)}>"
        process.kill()  # nothing there any more, and no complaint

    trio.run(main)


def test_many_waiters_some_of_them_cancelled() -> None:
    async def main() -> None:
        process = await open_process(SLEEP)
        results: list[int] = []

        async def wait() -> None:
            results.append(await process.wait())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            nursery.start_soon(wait)
            async with trio.open_nursery() as impatient:
                for _ in range(3):
                    impatient.start_soon(wait)
                await trio.testing.wait_all_tasks_blocked()
                impatient.cancel_scope.cancel()
            assert process.returncode is None
            process.kill()
        assert results == [-signal.SIGKILL] * 2

    trio.run(main)


def test_a_waiter_learns_what_somebody_else_polled() -> None:
    async def main() -> None:
        process = await open_process(SLEEP)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.wait)
            await trio.testing.wait_all_tasks_blocked()
            process.kill()
            while process.poll() is None:  # on purpose without letting the loop look
                pass
            nursery.cancel_scope.deadline = trio.current_time() + 10
        assert not nursery.cancel_scope.cancelled_caught

    trio.run(main)


def test_waiting_in_a_later_run() -> None:
    async def start() -> trio.Process:
        process = await open_process(SLEEP)
        with trio.move_on_after(0.01):
            await process.wait()
        return process

    async def wait_again(process: trio.Process) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.wait)
            await trio.testing.wait_all_tasks_blocked()
            process.kill()
        assert process.returncode == -signal.SIGKILL

    process = trio.run(start)
    if process._pidfd is None and not OURS:
        process.kill()
        process._proc.wait()
        pytest.skip("upstream's thread reports to the run that is over")
    trio.run(wait_again, process)


@pytest.mark.skipif(not OURS, reason="upstream needs a run for this")
def test_looking_at_a_process_after_the_run() -> None:
    async def start() -> trio.Process:
        return await open_process(SLEEP)

    process = trio.run(start)
    assert process.returncode is None
    process.kill()
    assert process._proc.wait() == -signal.SIGKILL
    assert process.returncode == -signal.SIGKILL
    assert "exited with signal 9" in repr(process)


@pytest.mark.skipif(not OURS, reason="upstream needs a run for this")
def test_looking_at_a_process_from_another_thread() -> None:
    async def main() -> None:
        process = await open_process(SLEEP)

        def watch() -> None:
            while process.poll() is None:
                pass

        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.wait)
            nursery.start_soon(trio.to_thread.run_sync, watch)
            await trio.testing.wait_all_tasks_blocked()
            process.kill()
            nursery.cancel_scope.deadline = trio.current_time() + 10
        assert not nursery.cancel_scope.cancelled_caught
        assert process._pidfd is None

    trio.run(main)


def test_an_exit_status_that_nobody_can_know() -> None:
    # With SIGCHLD ignored, the kernel throws the status away. Like Popen, we say 0.
    async def main() -> None:
        process = await open_process(SLEEP)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(process.wait)
            await trio.testing.wait_all_tasks_blocked()
            process.kill()
        assert process.returncode == 0

    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        trio.run(main)
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_no_descriptor_is_left(descriptors: Callable[[], list[str]]) -> None:
    async def main() -> None:
        before = descriptors()
        process = await open_process(["true"])
        await process.wait()
        assert descriptors() == before

    trio.run(main)


def test_it_cannot_be_made_or_inherited_from() -> None:
    with pytest.raises(TypeError, match=r"^trio\.Process has no public constructor$"):
        trio.Process()
    with pytest.raises(TypeError, match="does not support subclassing"):

        class Sub(trio.Process):  # type: ignore[misc]
            pass


def test_it_resembles_popen() -> None:
    async def main() -> None:
        process = await open_process(["true"])
        assert process.args == ["true"]
        assert (process.universal_newlines, process.encoding, process.errors) == (False, None, None)
        assert process.stdin is process.stdout is process.stderr is process.stdio is None
        await process.wait()

    trio.run(main)


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the interpreter has no such warning")
def test_no_warning_about_encodings() -> None:
    code = "import trio; trio.run(trio.run_process, ['true'])"
    subprocess.run([sys.executable, "-X", "warn_default_encoding", "-W", "error", "-c", code], check=True)
