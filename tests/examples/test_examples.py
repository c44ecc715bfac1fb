"""Each program under ``examples`` is run as a reader would run it, and its output checked.

The programs are processes of their own: what is tested is the installed package,
not what a test session has made of it.  Servers say which port they listen on.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LIMIT = 30  # seconds


def run(name: str, *arguments: str) -> str:
    """What a program prints; it has to end well and say nothing on stderr."""
    finished = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


class Server:
    """A running server: its process, its output, and the port it listens on."""

    def __init__(self, process: subprocess.Popen[str], output: IO[str]) -> None:
        self.process = process
        self.output = output
        found = re.match(r"listening on port (\d+)", output.readline())
        assert found is not None
        self.port = int(found[1])

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT)


@contextmanager
def server(name: str) -> Iterator[Server]:
    """Run a server until the end of the block.

    It is ended with SIGTERM, not Ctrl-C: a KeyboardInterrupt that happens to arrive
    in a callback of the garbage collector is dropped by the interpreter.
    """
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / name)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        try:
            yield Server(process, process.stdout)
        finally:
            process.terminate()


def test_every_example_is_tested() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [file.name for file in EXAMPLES.glob("*.py") if f'"{file.name}"' not in text] == []


def test_quickstart() -> None:
    begin = time.monotonic()
    printed = run("quickstart.py").splitlines()
    assert 1.0 < time.monotonic() - begin < 3.0
    assert printed[0] == "main: started"
    assert sorted(printed[1:3]) == [f"child{n}: started! Sleeping for 1 seconds." for n in (1, 2)]
    assert sorted(printed[3:5]) == ["child1: exiting!", "child2: exiting!"]
    assert printed[5:] == ["main: all children exited"]


def test_echo() -> None:
    with server("echo_server.py") as echo:
        assert run("echo_client.py", str(echo.port)) == "8890 bytes came back, as sent\n"
        assert echo.output.readline() == "connection 1: 8890 bytes echoed\n"


def test_echo_survives_a_peer_that_vanishes() -> None:
    with server("echo_server.py") as echo:
        with echo.connect() as rude:
            rude.sendall(b"x" * 100)
            # Closing with SO_LINGER at zero sends a reset.
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        echo.output.readline()
        assert run("echo_client.py", str(echo.port), "10") == "70 bytes came back, as sent\n"


def test_tls_echo() -> None:
    lines = run("tls_echo.py").splitlines()
    assert lines[0] == "trusting client: 'hello' over TLSv1.3"
    assert sorted(lines[1:]) == [
        "server: a client broke off",
        "suspicious client: SSLCertVerificationError",
    ]


def test_udp() -> None:
    lines = run("udp.py").splitlines()
    assert [re.sub(r" \(attempt \d\)", "", line) for line in lines] == [
        "one -> ONE",
        "two -> TWO",
        "three -> THREE",
        "four -> FOUR",
    ]
    assert lines[2].endswith("(attempt 2)")


def test_pipeline() -> None:
    printed = run("pipeline.py").splitlines()
    assert printed == ["1000 lines, from 999 to 000", "exit statuses: 0 0"]


def test_thread_fanout(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"file{number:02}").write_bytes(b"x" * 10_000 * number)
    finished = subprocess.run(
        [sys.executable, str(EXAMPLES / "thread_fanout.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=True,
    )
    lines = finished.stdout.splitlines()
    assert len(lines) == 21
    assert lines[0] == "e3b0c44298fc1c14 file00"
    assert lines[-1] == "20 files, 1900000 bytes"


def test_http_server() -> None:
    with server("http_server.py") as web:
        connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=LIMIT)
        connection.request("GET", "/")
        response = connection.getresponse()
        assert response.status == 200
        assert b'"now"' in response.read()
        connection.request("POST", "/echo", body=b"abc" * 10_000)  # on the same connection
        assert connection.getresponse().read() == b"abc" * 10_000
        connection.request("GET", "/nowhere")
        assert connection.getresponse().status == 404
        connection.close()
        with web.connect() as broken:
            broken.sendall(b"this is no HTTP\r\n\r\n")
            assert broken.recv(1000).startswith(b"HTTP/1.1 400 ")
        assert web.output.readline() == "GET /\n"


def test_chat_server() -> None:
    with server("chat_server.py") as room:
        anna, ben = room.connect(), room.connect()
        with anna, ben, anna.makefile("rw") as a, ben.makefile("rw") as b:

            def say(file: IO[str], line: str) -> None:
                file.write(line + "\n")
                file.flush()

            assert a.readline() == b.readline() == "your name?\n"
            say(a, "anna")
            assert a.readline() == "* anna has come\n"
            say(a, "is anyone here?")
            say(b, "")
            assert b.readline() == "not that one\n"
            say(b, "ben")
            assert a.readline() == b.readline() == "* ben has come\n"
            say(b, "I am")
            assert a.readline() == "ben: I am\n"
            say(a, "good")
            assert b.readline() == "anna: good\n"
            ben.shutdown(socket.SHUT_RDWR)
            assert a.readline() == "* ben has gone\n"


def test_graceful_shutdown() -> None:
    with server("graceful_shutdown.py") as shop:
        with shop.connect() as order, order.makefile() as answers:
            assert answers.readline() == "confirmed\n"
            os.kill(shop.process.pid, signal.SIGTERM)
            assert shop.output.readline() == "SIGTERM: no new orders\n"
            assert shop.output.readline() == "waiting for 1 orders\n"
            with pytest.raises(ConnectionRefusedError):
                shop.connect()
            assert answers.readline() == "delivered\n"
            assert shop.output.readline() == "every order was delivered\n"
            assert shop.process.wait(LIMIT) == 0


def test_slow_steps() -> None:
    assert run("slow_steps.py") == "__main__.rude held up the loop before line 42 of rude\n"
