"""Name resolution: what is looked up where, by whom, and under which spelling."""

from __future__ import annotations

import socket as stdlib_socket
import threading
from typing import Any

import pytest

import trio
import trio.testing

OURS = "rust" in trio.__version__


class Recorder:
    """Stands in for a function of the `socket` module, and notes who called it with what."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, answer: object = None) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.in_main_thread: list[bool] = []
        original = getattr(stdlib_socket, name)

        def replacement(*args: object) -> object:
            self.calls.append(args)
            self.in_main_thread.append(threading.current_thread() is threading.main_thread())
            numeric = len(args) == 6 and int(args[5]) & stdlib_socket.AI_NUMERICHOST  # type: ignore[call-overload]
            return original(*args) if answer is None or numeric else answer

        monkeypatch.setattr(stdlib_socket, name, replacement)


def test_numbers_are_answered_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch, "getaddrinfo")

    async def main() -> None:
        for host in ("127.0.0.1", b"127.0.0.1", "::1"):
            with trio.testing.assert_checkpoints():
                found = await trio.socket.getaddrinfo(host, "80", type=trio.socket.SOCK_STREAM)
            text = host if isinstance(host, str) else host.decode()
            assert [(entry[1], entry[4][:2]) for entry in found] == [(trio.socket.SOCK_STREAM, (text, 80))]

    trio.run(main)
    assert recorder.in_main_thread == [True] * 3


def test_names_are_looked_up_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch, "getaddrinfo", answer=["found"])

    async def main() -> None:
        with trio.testing.assert_checkpoints():
            found: object = await trio.socket.getaddrinfo("example.org", "http", 2, 1, 6, 0)
        assert found == ["found"]

    trio.run(main)
    assert recorder.in_main_thread[-1] is False
    assert recorder.calls[-1] == (b"example.org", "http", 2, 1, 6, 0)


def test_errors_of_numeric_queries_do_not_start_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch, "getaddrinfo")

    async def main() -> None:
        with trio.testing.assert_checkpoints(), pytest.raises(trio.socket.gaierror):
            await trio.socket.getaddrinfo("::1", 80, trio.socket.AF_INET)
        with pytest.raises(TypeError):
            await trio.socket.getaddrinfo(5, 80)  # type: ignore[arg-type]

    trio.run(main)
    assert all(recorder.in_main_thread)


def test_a_cancelled_lookup_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    proceed = threading.Event()
    numeric = stdlib_socket.getaddrinfo

    def slow(host: Any, port: Any, family: int, kind: int, proto: int, flags: int) -> object:
        if flags & stdlib_socket.AI_NUMERICHOST:
            return numeric(host, port, family, kind, proto, flags)
        proceed.wait()
        return []

    monkeypatch.setattr(stdlib_socket, "getaddrinfo", slow)

    async def main() -> None:
        with trio.move_on_after(0.05) as scope:
            await trio.socket.getaddrinfo("example.org", 80)
        assert scope.cancelled_caught

    try:
        trio.run(main)
    finally:
        proceed.set()


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("example.org", b"example.org"),
        ("Example.ORG", b"Example.ORG"),
        ("under_score and blank", b"under_score and blank"),
        ("", b""),
        ("straße.de", b"xn--strae-oqa.de"),  # IDNA 2003 would say strasse.de
        ("BÜCHER.example", b"xn--bcher-kva.example"),
        ("bu\u0308cher.example", b"xn--bcher-kva.example"),
        ("例え。テスト", b"xn--r8jz45g.xn--zckzah"),
        ("ｗｉｄｅ.example", b"wide.example"),
        ("xn--bcher-kva.example", b"xn--bcher-kva.example"),
    ],
)
def test_encode_hostname(name: str, encoded: bytes) -> None:
    assert trio.lowlevel.encode_hostname(name) == encoded


@pytest.mark.parametrize("name", ["☃.example", "-ü", "ü" * 80, "ü.." + "x"])
def test_names_that_cannot_be_encoded(name: str) -> None:
    with pytest.raises(UnicodeError):
        trio.lowlevel.encode_hostname(name)


def test_names_reach_the_system_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch, "getaddrinfo", answer=["found"])

    async def main() -> None:
        await trio.socket.getaddrinfo("straße.de", 80)
        with pytest.raises(UnicodeError):
            await trio.socket.getaddrinfo("☃.example", 80)

    trio.run(main)
    assert b"xn--strae-oqa.de" in [call[0] for call in recorder.calls]


class Resolver(trio.abc.HostnameResolver):
    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    async def getaddrinfo(  # type: ignore[override]
        self, host: object, port: object, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[tuple[object, ...]]:
        self.asked.append((host, port, family, type, proto, flags))
        return [(trio.socket.AF_INET, trio.socket.SOCK_STREAM, 6, "", ("127.0.0.1", 42))]

    async def getnameinfo(self, sockaddr: object, flags: int) -> tuple[str, str]:
        self.asked.append((sockaddr, flags))
        return ("host", "service")


def test_a_custom_resolver_gets_what_is_not_numeric() -> None:
    async def main() -> None:
        resolver = Resolver()
        assert trio.socket.set_custom_hostname_resolver(resolver) is None
        [entry] = await trio.socket.getaddrinfo("Bücher.example", "www", 2, 1, 6, trio.socket.AI_CANONNAME)
        assert entry[4] == ("127.0.0.1", 42)
        await trio.socket.getaddrinfo("127.0.0.1", 80)
        assert await trio.socket.getnameinfo(("127.0.0.1", 80), 0) == ("host", "service")
        assert resolver.asked == [
            (b"xn--bcher-kva.example", "www", 2, 1, 6, trio.socket.AI_CANONNAME),
            (("127.0.0.1", 80), 0),
        ]
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
            await sock.connect(("anything.example", 80))
            assert sock.getpeername() == ("127.0.0.1", 42)
        assert trio.socket.set_custom_hostname_resolver(None) is resolver
        assert trio.socket.set_custom_hostname_resolver(None) is None

    trio.run(main)


def test_the_resolver_belongs_to_one_run() -> None:
    async def first() -> None:
        trio.socket.set_custom_hostname_resolver(Resolver())

    async def second() -> None:
        assert trio.socket.set_custom_hostname_resolver(None) is None

    trio.run(first)
    trio.run(second)
    with pytest.raises(RuntimeError):
        trio.socket.set_custom_hostname_resolver(None)


def test_getnameinfo() -> None:
    numeric = trio.socket.NI_NUMERICHOST | trio.socket.NI_NUMERICSERV

    async def main() -> None:
        with trio.testing.assert_checkpoints():
            assert await trio.socket.getnameinfo(("127.0.0.1", 80), numeric) == ("127.0.0.1", "80")
        assert await trio.socket.getnameinfo(("127.0.0.1", 80), 0) == stdlib_socket.getnameinfo(("127.0.0.1", 80), 0)
        for flags in (0, numeric):
            with trio.testing.assert_checkpoints(), pytest.raises(trio.socket.gaierror):
                await trio.socket.getnameinfo(("localhost", 80), flags)
            with pytest.raises(TypeError):
                await trio.socket.getnameinfo("127.0.0.1", flags)  # type: ignore[arg-type]

    trio.run(main)


@pytest.mark.skipif(not OURS, reason="upstream uses a thread for this, too")
def test_getnameinfo_formats_numbers_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch, "getnameinfo")
    numeric = trio.socket.NI_NUMERICHOST | trio.socket.NI_NUMERICSERV

    async def main() -> None:
        await trio.socket.getnameinfo(("127.0.0.1", 80), numeric | trio.socket.NI_DGRAM)
        await trio.socket.getnameinfo(("127.0.0.1", 80), trio.socket.NI_NUMERICHOST)

    trio.run(main)
    assert recorder.in_main_thread == [True, False]


def test_getprotobyname() -> None:
    async def main() -> None:
        assert await trio.socket.getprotobyname("tcp") == trio.socket.IPPROTO_TCP
        with pytest.raises(OSError, match="protocol not found"):
            await trio.socket.getprotobyname("no such protocol")

    trio.run(main)
