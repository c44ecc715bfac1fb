"""open_tcp_listeners, serve_tcp and serve_listeners."""

from __future__ import annotations

import errno
import logging
import os
import socket as stdlib_socket
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pytest

import trio
from trio.testing import memory_stream_pair, open_stream_to_socket_listener, wait_all_tasks_blocked


def has_ipv6() -> bool:
    try:
        with stdlib_socket.socket(stdlib_socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")


async def close_all(*resources: trio.abc.AsyncResource) -> None:
    for resource in resources:
        await resource.aclose()


# ---- opening listeners ----


def test_everywhere_by_default() -> None:
    async def main() -> None:
        listeners = await trio.open_tcp_listeners(0)
        assert type(listeners) is list
        assert {listener.socket.getsockname()[0] for listener in listeners} <= {"0.0.0.0", "::"}
        for listener in listeners:
            async with await open_stream_to_socket_listener(listener), await listener.accept():
                pass
        await close_all(*listeners)

    trio.run(main)


def test_a_given_host_and_port() -> None:
    async def main() -> None:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        address = listener.socket.getsockname()
        assert listener.socket.getsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_REUSEADDR)
        with pytest.raises(OSError, match="in use"):
            await trio.open_tcp_listeners(address[1], host=b"127.0.0.1")
        await listener.aclose()
        [again] = await trio.open_tcp_listeners(address[1], host="127.0.0.1")
        assert again.socket.getsockname() == address
        await again.aclose()

    trio.run(main)


def test_lingering_connections_do_not_keep_the_port() -> None:
    async def main() -> None:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        client = await open_stream_to_socket_listener(listener)
        server = await listener.accept()
        port = listener.socket.getsockname()[1]
        await close_all(server, client, listener)  # whoever closes first lingers: the server
        [again] = await trio.open_tcp_listeners(port, host="127.0.0.1")
        await again.aclose()

    trio.run(main)


@needs_ipv6
def test_the_families_have_sockets_of_their_own() -> None:
    async def main() -> bool:
        [six] = await trio.open_tcp_listeners(0, host="::1")
        async with six:
            assert six.socket.getsockopt(trio.socket.IPPROTO_IPV6, trio.socket.IPV6_V6ONLY)
            try:
                [four] = await trio.open_tcp_listeners(six.socket.getsockname()[1], host="127.0.0.1")
            except OSError:  # the port that is free for IPv6 may be taken for IPv4, by another program
                return False
            await four.aclose()
            return True

    assert any(trio.run(main) for _ in range(10))


@pytest.mark.parametrize("port", [None, "80", b"80", 80.0])
def test_bad_ports(port: Any) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match=r"^port must be an int not "):
            await trio.open_tcp_listeners(port)
        with pytest.raises(TypeError, match=r"^port must be an int not "):
            await trio.serve_tcp(None, port)  # type: ignore[arg-type]

    trio.run(main)


@pytest.mark.parametrize("backlog", [1.5, "1", float("inf")])
def test_bad_backlogs(backlog: Any) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match=rf"^backlog must be an int or None, not {backlog!r}$"):
            await trio.open_tcp_listeners(0, backlog=backlog)

    trio.run(main)


class FakeSocket(trio.socket.SocketType):
    type = stdlib_socket.SOCK_STREAM

    def __init__(self, poison: str | None) -> None:
        self.poison = poison
        self.log: list[Any] = []

    def _do(self, what: str, *args: object) -> None:
        self.log.append((what, *args))
        if what == self.poison:
            raise OSError(errno.EACCES, what)

    def setsockopt(self, *args: object) -> None:
        self._do("setsockopt")

    def getsockopt(self, *args: object) -> int:  # type: ignore[override]
        return 1

    async def bind(self, address: object) -> None:
        await trio.lowlevel.checkpoint()
        self._do("bind")

    def listen(self, backlog: int = 0) -> None:
        self._do("listen", backlog)

    def close(self) -> None:
        self._do("close")


class FakeNetwork(trio.abc.SocketFactory, trio.abc.HostnameResolver):
    def __init__(self, families: Sequence[int], unsupported: Mapping[int, int], poison: str | None = None) -> None:
        self.families = families
        self.unsupported = unsupported
        self.poison = poison
        self.sockets: list[FakeSocket] = []
        trio.socket.set_custom_socket_factory(self)
        trio.socket.set_custom_hostname_resolver(self)

    async def getaddrinfo(self, host: Any, port: Any, *args: Any) -> list[Any]:
        return [(family, trio.socket.SOCK_STREAM, 0, "", ("x", port)) for family in self.families]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        raise NotImplementedError

    def socket(self, family: int, type: int, proto: int) -> FakeSocket:  # type: ignore[override]
        if family in self.unsupported:
            raise OSError(self.unsupported[family], "not here")
        last = len(self.sockets) == len(self.families) - 1
        self.sockets.append(FakeSocket(self.poison if last else None))
        return self.sockets[-1]


BOTH = [trio.socket.AF_INET, trio.socket.AF_INET6]


@pytest.mark.parametrize(("given", "used"), [(None, 0xFFFF), (10**9, 0xFFFF), (7, 7), (0, 0)])
def test_the_backlog(given: int | None, used: int) -> None:
    async def main() -> None:
        network = FakeNetwork(BOTH, {})
        assert len(await trio.open_tcp_listeners(80, host="name", backlog=given)) == 2
        for sock in network.sockets:
            assert ("listen", used) in sock.log

    trio.run(main)


@pytest.mark.parametrize("poison", ["setsockopt", "bind", "listen"])
def test_all_or_none(poison: str) -> None:
    async def main() -> None:
        network = FakeNetwork(BOTH, {}, poison)
        with pytest.raises(PermissionError, match=poison):
            await trio.open_tcp_listeners(80, host="name")
        for sock in network.sockets:
            assert sock.log[-1] == ("close",)

    trio.run(main)


def test_families_that_do_not_exist() -> None:
    text = "This system doesn't support any of the kinds of socket that that address could use"

    async def main() -> None:
        FakeNetwork(BOTH, {trio.socket.AF_INET6: errno.EAFNOSUPPORT})
        assert len(await trio.open_tcp_listeners(80, host="name")) == 1

        FakeNetwork(BOTH, dict.fromkeys(BOTH, errno.EAFNOSUPPORT))
        with pytest.raises(OSError, match=text) as caught:
            await trio.open_tcp_listeners(80, host="name")
        assert caught.value.errno == errno.EAFNOSUPPORT
        assert [str(e) for e in caught.value.__cause__.exceptions] == [  # type: ignore[union-attr]
            f"[Errno {errno.EAFNOSUPPORT}] not here"
        ] * 2

        network = FakeNetwork(BOTH, {trio.socket.AF_INET6: errno.EPERM})
        with pytest.raises(PermissionError):
            await trio.open_tcp_listeners(80, host="name")
        assert network.sockets[0].log[-1] == ("close",)

    trio.run(main)


# ---- serving ----


class Listener(trio.abc.Listener[Any]):
    """Accepts what the test puts into a channel: streams, or exceptions to raise."""

    def __init__(self) -> None:
        self.put, self.get = trio.open_memory_channel[Any](100)
        self.closed = False

    async def accept(self) -> Any:
        result = await self.get.receive()
        if isinstance(result, BaseException):
            raise result
        return result

    async def aclose(self) -> None:
        self.closed = True
        await trio.lowlevel.checkpoint()


def test_serve_tcp() -> None:
    async def echo(stream: trio.SocketStream) -> None:
        async for data in stream:
            await stream.send_all(data.upper())

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            listeners: Any = await nursery.start(partial(trio.serve_tcp, echo, 0, host="127.0.0.1", backlog=3))
            [listener] = listeners
            async with await open_stream_to_socket_listener(listener) as one:
                async with await open_stream_to_socket_listener(listener) as two:
                    for stream in (two, one):
                        await stream.send_all(b"hello")
                        assert await stream.receive_some() == b"HELLO"
            nursery.cancel_scope.cancel()
        with pytest.raises(trio.ClosedResourceError):
            await listener.accept()

    trio.run(main)


def test_connections_are_closed_forcefully() -> None:
    deadlines: list[float] = []

    class Stream(trio.abc.AsyncResource):
        async def aclose(self) -> None:
            deadlines.append(trio.current_effective_deadline())
            await trio.lowlevel.checkpoint()

    async def handler(stream: Stream) -> None:
        coro: Any = trio.lowlevel.current_task().coro
        # What monitors rely on: a real coroutine whose frame shows both arguments.
        assert coro.cr_frame.f_locals == {"stream": stream, "handler": handler}
        assert coro.cr_code.co_name == "_run_handler"
        raise KeyError

    async def main() -> None:
        listeners = [Listener(), Listener()]
        await listeners[1].put.send(Stream())
        with pytest.RaisesGroup(KeyError):
            await trio.serve_listeners(handler, listeners)
        assert all(listener.closed for listener in listeners)

    trio.run(main)
    assert deadlines == [-float("inf")]


def test_handlers_can_live_elsewhere() -> None:
    finished = []

    async def handler(stream: Any) -> None:
        finished.append(await stream.receive_some(1))

    async def main() -> None:
        listener = Listener()
        async with trio.open_nursery() as handlers:
            async with trio.open_nursery() as nursery:
                returned = await nursery.start(partial(trio.serve_listeners, handler, [listener], handler_nursery=handlers))
                assert returned == [listener]
                client, server = memory_stream_pair()
                await listener.put.send(server)
                await wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
            assert listener.closed
            assert len(handlers.child_tasks) == 1
            await client.send_all(b"x")
        assert finished == [b"x"]

    trio.run(main)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
def test_a_shortage_is_waited_out(code: int, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        listener = Listener()
        shortage = OSError(code, "shortage")
        await listener.put.send(shortage)
        await listener.put.send(shortage)
        await listener.put.send(KeyError())
        with pytest.RaisesGroup(KeyError):
            await trio.serve_listeners(None, [listener])  # type: ignore[arg-type]
        assert trio.current_time() == pytest.approx(0.2)
        first, _ = [record for record in caplog.records if record.name == "trio.serve_listeners"]
        assert first.levelno == logging.ERROR
        assert first.getMessage() == (f"accept returned {errno.errorcode[code]} ({os.strerror(code)}); retrying in 0.1 seconds")
        assert first.exc_info is not None
        assert first.exc_info[1] is shortage

    trio.run(main, clock=autojump_clock)


@pytest.mark.parametrize("error", [OSError(errno.ECONNABORTED, "x"), OSError(errno.EAGAIN, "x"), KeyError()])
def test_other_errors_end_the_server(error: Exception) -> None:
    async def main() -> None:
        listeners = [Listener(), Listener()]
        await listeners[0].put.send(error)
        with pytest.RaisesGroup(pytest.RaisesExc(type(error), check=lambda exc: exc is error)):
            await trio.serve_listeners(None, listeners)  # type: ignore[arg-type]
        assert all(listener.closed for listener in listeners)

    trio.run(main)
