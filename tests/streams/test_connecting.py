"""open_tcp_stream: happy eyeballs against a simulated network, and the real loopback; open_unix_socket."""

from __future__ import annotations

import gc
import os
import pathlib
import socket as stdlib_socket
import warnings
from collections.abc import Sequence
from typing import Any

import pytest

import trio
import trio.testing


class Network(trio.abc.SocketFactory, trio.abc.HostnameResolver):
    """One host with several addresses.  Each address has a delay in seconds and a result: None or an exception."""

    def __init__(self, addresses: dict[str, tuple[float, BaseException | None]]) -> None:
        self.addresses = addresses
        self.sockets: list[FakeSocket] = []
        self.started: dict[str, float] = {}
        self.no_socket_for: set[int] = set()
        trio.socket.set_custom_hostname_resolver(self)
        trio.socket.set_custom_socket_factory(self)

    async def getaddrinfo(self, host: Any, port: Any, *args: Any) -> list[Any]:
        entries: list[Any] = []
        for ip in self.addresses:
            if ":" in ip:
                entries.append((trio.socket.AF_INET6, trio.socket.SOCK_STREAM, 6, "", (ip, port, 0, 0)))
            else:
                entries.append((trio.socket.AF_INET, trio.socket.SOCK_STREAM, 6, "", (ip, port)))
        return entries

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        raise NotImplementedError

    def socket(self, family: int, type: int, proto: int) -> FakeSocket:  # type: ignore[override]
        if family in self.no_socket_for:
            raise OSError("no such family")
        self.sockets.append(FakeSocket(self))
        return self.sockets[-1]

    def check_all_closed(self, *but: object) -> None:
        for sock in self.sockets:
            assert sock.closed != (sock in but)


class FakeSocket(trio.socket.SocketType):
    type = stdlib_socket.SOCK_STREAM

    def __init__(self, network: Network) -> None:
        self.network = network
        self.closed = False
        self.bound: list[object] = []
        self.option_error: BaseException | None = None
        self.bind_error: BaseException | None = None

    def setsockopt(self, *args: object) -> None:
        if self.option_error is not None:
            raise self.option_error

    async def bind(self, address: object) -> None:
        await trio.lowlevel.checkpoint()
        self.bound.append(address)
        if self.bind_error is not None:
            raise self.bind_error

    async def connect(self, address: tuple[Any, ...]) -> None:
        self.ip: str = address[0]
        self.network.started[self.ip] = trio.current_time()
        delay, error = self.network.addresses[self.ip]
        await trio.sleep(delay)
        if error is not None:
            raise error

    def close(self) -> None:
        self.closed = True


def winner_of(stream: trio.SocketStream) -> str:
    assert isinstance(stream.socket, FakeSocket)
    return stream.socket.ip


# ---- the race ----


def test_attempts_are_staggered(autojump_clock: trio.testing.MockClock) -> None:
    async def main() -> None:
        network = Network({"1.1.1.1": (10, None), "2.2.2.2": (10, None), "3.3.3.3": (0.1, None), "4.4.4.4": (0, None)})
        stream = await trio.open_tcp_stream("host.example", 80)
        assert winner_of(stream) == "3.3.3.3"
        assert network.started == pytest.approx({"1.1.1.1": 0, "2.2.2.2": 0.25, "3.3.3.3": 0.5})
        assert trio.current_time() == pytest.approx(0.6)
        network.check_all_closed(stream.socket)

    trio.run(main, clock=autojump_clock)


def test_a_failure_starts_the_next_attempt_at_once(autojump_clock: trio.testing.MockClock) -> None:
    async def main() -> None:
        network = Network({"1.1.1.1": (0.1, OSError("1")), "2.2.2.2": (5, None), "3.3.3.3": (5, None)})
        stream = await trio.open_tcp_stream("host.example", 80, happy_eyeballs_delay=1)
        assert winner_of(stream) == "2.2.2.2"
        assert network.started == pytest.approx({"1.1.1.1": 0, "2.2.2.2": 0.1, "3.3.3.3": 1.1})

    trio.run(main, clock=autojump_clock)


def test_an_infinite_delay_is_one_after_the_other(autojump_clock: trio.testing.MockClock) -> None:
    async def main() -> None:
        network = Network({"1.1.1.1": (100, OSError("1")), "2.2.2.2": (1, None)})
        await trio.open_tcp_stream("host.example", 80, happy_eyeballs_delay=float("inf"))
        assert network.started == {"1.1.1.1": 0, "2.2.2.2": 100}

    trio.run(main, clock=autojump_clock)


@pytest.mark.parametrize(
    ("given", "tried"),
    [
        (["1.1.1.1", "2.2.2.2", "::3", "::4"], ["1.1.1.1", "::3", "2.2.2.2", "::4"]),
        (["::1", "::2", "::3", "4.4.4.4"], ["::1", "4.4.4.4", "::2", "::3"]),
        (["::1", "2.2.2.2", "::3"], ["::1", "2.2.2.2", "::3"]),
        (["::1", "::2", "::3"], ["::1", "::2", "::3"]),
        (["1.1.1.1"], ["1.1.1.1"]),
    ],
)
def test_the_second_attempt_uses_the_other_family(
    given: Sequence[str], tried: Sequence[str], autojump_clock: trio.testing.MockClock
) -> None:
    async def main() -> None:
        network = Network({ip: (1, OSError("no")) for ip in given})
        with pytest.raises(OSError, match=r"^all attempts"):
            await trio.open_tcp_stream("host.example", 80, happy_eyeballs_delay=2)
        assert list(network.started) == tried

    trio.run(main, clock=autojump_clock)


def test_a_missing_family_is_only_a_failed_attempt(autojump_clock: trio.testing.MockClock) -> None:
    async def main() -> None:
        network = Network({"::1": (0, None), "2.2.2.2": (0.5, None)})
        network.no_socket_for = {trio.socket.AF_INET6}
        assert winner_of(await trio.open_tcp_stream("host.example", 80)) == "2.2.2.2"
        assert network.started == {"2.2.2.2": 0}

    trio.run(main, clock=autojump_clock)


def test_all_fail(autojump_clock: trio.testing.MockClock) -> None:
    async def main() -> None:
        errors = [OSError("one"), OSError("two")]
        network = Network({"1.1.1.1": (1, errors[0]), "2.2.2.2": (2, errors[1])})
        with pytest.raises(OSError, match=r"^all attempts to connect to host.example:80 failed$") as caught:
            await trio.open_tcp_stream("host.example", 80)
        group: Any = caught.value.__cause__
        assert group.message == "all attempts to connect to host.example:80 failed"
        assert list(group.exceptions) == errors
        network.check_all_closed()

    trio.run(main, clock=autojump_clock)


def test_no_addresses() -> None:
    async def main() -> None:
        Network({})
        with pytest.raises(OSError, match=r"^no results found for hostname lookup: host.example:80$"):
            await trio.open_tcp_stream("host.example", 80)
        with pytest.raises(OSError, match=r"^no results found for hostname lookup: \[weird:name\]:80$"):
            await trio.open_tcp_stream(b"weird:name", 80)

    trio.run(main)


def test_other_errors_end_the_race(autojump_clock: trio.testing.MockClock) -> None:
    async def main() -> None:
        network = Network({"1.1.1.1": (5, None), "2.2.2.2": (0, KeyError())})
        with pytest.RaisesGroup(KeyError):
            await trio.open_tcp_stream("host.example", 80)
        network.check_all_closed()

    trio.run(main, clock=autojump_clock)


def test_cancellation_closes_everything(autojump_clock: trio.testing.MockClock) -> None:
    async def main() -> None:
        network = Network({f"1.1.1.{i}": (10, None) for i in range(5)})
        with trio.move_on_after(0.6) as scope:
            await trio.open_tcp_stream("host.example", 80)
        assert scope.cancelled_caught
        assert trio.current_time() == pytest.approx(0.6)
        assert len(network.sockets) == 3
        network.check_all_closed()

    trio.run(main, clock=autojump_clock)


def test_the_winner_is_closed_if_no_stream_comes_of_it() -> None:
    class Oops(BaseException):
        pass

    async def main() -> None:
        network = Network({"1.1.1.1": (0, None)})
        make = network.socket

        def poisoned(*args: int) -> FakeSocket:
            sock = make(*args)
            sock.option_error = Oops()
            return sock

        network.socket = poisoned  # type: ignore[method-assign, assignment]
        with pytest.raises(Oops):
            await trio.open_tcp_stream("host.example", 80)
        network.check_all_closed()

    trio.run(main)


# ---- the local address ----


def test_a_local_address_is_bound_to() -> None:
    async def main() -> None:
        network = Network({"1.1.1.1": (0, None)})
        await trio.open_tcp_stream("host.example", 80, local_address="9.9.9.9")
        assert network.sockets[0].bound == [("9.9.9.9", 0)]
        await trio.open_tcp_stream("host.example", 80)
        assert network.sockets[1].bound == []

    trio.run(main)


def test_a_local_address_that_does_not_fit() -> None:
    async def main() -> None:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            host, port = listener.socket.getsockname()
            for wrong in ("::", "::1", "not an address"):
                with pytest.raises(OSError, match=rf"^all attempts to connect to 127.0.0.1:{port} failed$") as caught:
                    await trio.open_tcp_stream(host, port, local_address=wrong)
                [reason] = caught.value.__cause__.exceptions  # type: ignore[union-attr]
                assert str(reason) == (f"local_address={wrong!r} is incompatible with remote address ('127.0.0.1', {port})")
            async with await trio.open_tcp_stream(host, port, local_address="127.0.0.2") as stream:
                assert stream.socket.getsockname()[0] == "127.0.0.2"
            async with await trio.open_tcp_stream(host, port, local_address="0.0.0.0"):
                pass

    trio.run(main)


# ---- arguments, and the real thing ----


@pytest.mark.parametrize("host", [None, 5, bytearray(b"127.0.0.1")])
def test_bad_hosts(host: Any) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match=r"^host must be str or bytes, not "):
            await trio.open_tcp_stream(host, 80)

    trio.run(main)


@pytest.mark.parametrize("port", [None, "http", b"80", 80.0])
def test_bad_ports(port: Any) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match=r"^port must be int, not "):
            await trio.open_tcp_stream("127.0.0.1", port)

    trio.run(main)


def test_refused() -> None:
    async def main() -> None:
        with trio.socket.socket() as unused:
            await unused.bind(("127.0.0.1", 0))
            with pytest.raises(OSError, match=r"^all attempts to connect to 127.0.0.1:") as caught:
                await trio.open_tcp_stream(*unused.getsockname())
            [reason] = caught.value.__cause__.exceptions  # type: ignore[union-attr]
            assert isinstance(reason, ConnectionRefusedError)

    trio.run(main)


def test_nothing_stays_open() -> None:
    async def main() -> None:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        address = listener.socket.getsockname()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            async with await trio.open_tcp_stream(*address) as client, await listener.accept() as server:
                await client.send_all(b"ping")
                assert await server.receive_some() == b"ping"
        await listener.aclose()
        for _ in range(5):
            with pytest.raises(OSError, match=r"^all attempts"):
                await trio.open_tcp_stream(*address)
        assert len(os.listdir("/proc/self/fd")) == before - 1

    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        trio.run(main)
        gc.collect()


# ---- Unix sockets ----


def test_a_unix_socket(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "socket"

    async def main() -> None:
        with stdlib_socket.socket(stdlib_socket.AF_UNIX) as server:
            server.bind(os.fspath(path))
            server.listen()
            for name in (path, os.fspath(path), os.fsencode(path), trio.Path(path)):
                async with await trio.open_unix_socket(name) as stream:
                    assert isinstance(stream, trio.SocketStream)
                    peer, _ = server.accept()
                    with peer:
                        await stream.send_all(b"x")
                        assert peer.recv(10) == b"x"

    trio.run(main)


def test_an_abstract_unix_socket() -> None:
    async def main() -> None:
        with stdlib_socket.socket(stdlib_socket.AF_UNIX) as server:
            server.bind("")  # the kernel invents an abstract name
            server.listen()
            async with await trio.open_unix_socket(server.getsockname()):
                server.accept()[0].close()

    trio.run(main)


def test_unix_sockets_that_cannot_be_reached(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        for bad in (4, 4.5, None, ["x"]):
            with pytest.raises(TypeError):
                await trio.open_unix_socket(bad)  # type: ignore[arg-type]
        with pytest.raises(FileNotFoundError):
            await trio.open_unix_socket(tmp_path / "missing")
        with pytest.raises(OSError, match="too long"):
            await trio.open_unix_socket("x" * 200)
        (tmp_path / "file").write_text("")
        with pytest.raises(ConnectionRefusedError):
            await trio.open_unix_socket(tmp_path / "file")

    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        trio.run(main)
        gc.collect()
