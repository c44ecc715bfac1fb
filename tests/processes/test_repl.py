"""``python -m trio``, seen from outside: what is typed, what is printed, and Ctrl-C."""

from __future__ import annotations

import os
import pathlib
import pty
import signal
import subprocess
import sys
import time

import pytest

COMMAND = [sys.executable, "-u", "-m", "trio"]


def session(lines: str) -> tuple[str, str, int]:
    """Feed the console some lines; returns what it printed, its errors and prompts, and its exit status."""
    done = subprocess.run(COMMAND, input=lines.encode(), capture_output=True, timeout=50)
    return done.stdout.decode().replace(">>> ", "").replace("... ", ""), done.stderr.decode(), done.returncode


def test_the_banner_says_what_is_special() -> None:
    _, errors, status = session("")
    assert errors.startswith(f"trio REPL {sys.version} on {sys.platform}\n")
    assert 'Use "await" directly instead of "trio.run()".' in errors
    assert errors.count(">>> import trio\n") == 1
    assert status == 0


def test_await_and_ordinary_statements() -> None:
    output, _, status = session(
        "async def double(x):\n"
        "    await trio.sleep(0)\n"
        "    return 2 * x\n"
        "\n"
        "y = await double(21)\n"
        "y\n"
        "[await double(i) for i in range(3)]\n"
        "with trio.move_on_after(0) as scope: await trio.sleep_forever()\n"
        "\n"
        "scope.cancelled_caught\n"
        "__name__\n"
    )
    assert output.split("\n")[:4] == ["42", "[0, 2, 4]", "True", "'__main__'"]
    assert status == 0


def test_errors_show_the_users_frames_only() -> None:
    _, errors, status = session(
        "async def fail():\n    raise ValueError('on purpose')\n\nawait fail()\n1/0\nprint('still here')\n"
    )
    assert errors.count("Traceback (most recent call last):") == 2
    assert "ValueError: on purpose" in errors
    assert "ZeroDivisionError" in errors
    assert ".py" not in errors.split(">>> import trio\n", 1)[1]
    assert status == 0


def test_the_last_error_is_kept_for_debuggers() -> None:
    output, _, _ = session("1/0\nimport sys\nsys.last_type.__name__, sys.last_traceback.tb_frame.f_code.co_filename\n")
    assert output.startswith("('ZeroDivisionError', '<console>')")


@pytest.mark.parametrize(("statement", "status"), [("exit()", 0), ("raise SystemExit(3)", 3), ("import sys; sys.exit(4)", 4)])
def test_leaving(statement: str, status: int) -> None:
    output, _, got = session(f"{statement}\nprint('not reached')\n")
    assert "not reached" not in output
    assert got == status


def test_an_exit_inside_a_group_does_not_leave() -> None:
    output, errors, status = session(
        "import sys\n"
        "if sys.version_info < (3, 11): from exceptiongroup import BaseExceptionGroup\n"
        "\n"
        "raise BaseExceptionGroup('several', [SystemExit(3), ValueError()])\n"
        "print('reached')\n"
    )
    assert "reached" in output
    assert "several" in errors
    assert status == 0


def test_tasks_run_while_the_user_thinks() -> None:
    output, _, _ = session(
        "async def later():\n"
        "    print('ran')\n"
        "\n"
        "_ = trio.lowlevel.spawn_system_task(later)\n"
        "await trio.sleep(0.05)\n"
        "print('next')\n"
    )
    assert output.split("\n")[:2] == ["ran", "next"]


def test_forgotten_coroutines_are_not_mentioned_at_the_end() -> None:
    _, errors, _ = session("async def f(): pass\n\nx = f()\n")
    assert "never awaited" not in errors


class Terminal:
    """The console on a pseudo-terminal, as a person would meet it."""

    def __init__(self) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, COMMAND)

    def read_until(self, end: bytes) -> bytes:
        seen = b""
        while not seen.endswith(end):
            seen += os.read(self.fd, 4096)
        return seen

    def close(self) -> None:
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def may_type_for_the_user() -> bool:
    setting = pathlib.Path("/proc/sys/dev/tty/legacy_tiocsti")
    return not setting.exists() or setting.read_text().strip() == "1"


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not may_type_for_the_user(), reason="the kernel forbids TIOCSTI")
def test_ctrl_c_at_the_prompt_gives_a_new_prompt() -> None:
    terminal = Terminal()
    try:
        terminal.read_until(b"import trio\r\n>>> ")
        for typed in (b"", b"half a statem"):
            os.write(terminal.fd, typed)
            if typed:
                terminal.read_until(typed)
            os.kill(terminal.pid, signal.SIGINT)
            assert b"KeyboardInterrupt" in terminal.read_until(b">>> ")
        os.write(terminal.fd, b"6 * 7\n")
        assert b"42" in terminal.read_until(b"\r\n>>> ")
        os.write(terminal.fd, b"exit()\n")
    finally:
        terminal.close()


def wait_until_it_sleeps(pid: int) -> None:
    """Wait until the main thread of a process sleeps in the kernel.

    A signal that comes between the interpreter's last look for signals and the sleep does not end the sleep.
    """
    asleep = 0
    while asleep < 5:
        time.sleep(0.01)
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        asleep = asleep + 1 if state == "S" else 0


@pytest.mark.parametrize("statement", ["await trio.sleep_forever()", "import time; time.sleep(1000)"])
def test_ctrl_c_interrupts_a_statement(statement: str) -> None:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as console:
        assert console.stdin is not None
        assert console.stdout is not None
        console.stdin.write(f"print('re' + 'ady'); {statement}\n".encode())
        console.stdin.flush()
        seen = b""
        while b"ready\n" not in seen:
            seen += os.read(console.stdout.fileno(), 4096)
        wait_until_it_sleeps(console.pid)
        console.send_signal(signal.SIGINT)
        output, errors = console.communicate(b"print('go' + 'es on')\n", timeout=50)
        assert b"Traceback" in errors
        assert b"KeyboardInterrupt" in errors
        assert b"goes on" in output
