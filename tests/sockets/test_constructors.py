"""Making sockets, and everything about them that never waits."""

from __future__ import annotations

import gc
import os
import socket as stdlib_socket
import sys
import tempfile

import pytest

import trio


def test_defaults() -> None:
    async def main() -> None:
        with trio.socket.socket() as sock:
            assert (sock.family, sock.type, sock.proto) == (trio.socket.AF_INET, trio.socket.SOCK_STREAM, 0)
            assert not os.get_blocking(sock.fileno())
            assert not sock.get_inheritable()
            sock.set_inheritable(True)
            assert os.get_inheritable(sock.fileno())

    trio.run(main)


def test_the_interface_cannot_be_instantiated_but_implemented() -> None:
    with pytest.raises(TypeError, match=r"^SocketType is an abstract class; use trio\.socket\.socket "):
        trio.socket.SocketType()

    class Half(trio.socket.SocketType):
        def fileno(self) -> int:
            return 42

    half = Half()
    assert isinstance(half, trio.socket.SocketType)
    assert half.fileno() == 42
    with pytest.raises(NotImplementedError):
        half.close()
    with pytest.raises(NotImplementedError):
        half.recv(1)
    with pytest.raises(NotImplementedError):
        _ = half.family


def test_from_stdlib_socket_takes_exact_sockets_only() -> None:
    class Special(stdlib_socket.socket):
        pass

    with pytest.raises(TypeError, match=r"^expected object of type 'socket.socket', not 'int'$"):
        trio.socket.from_stdlib_socket(1)  # type: ignore[arg-type]
    with Special() as special:
        with pytest.raises(TypeError, match=r"not 'Special'$"):
            trio.socket.from_stdlib_socket(special)


def test_the_kernel_says_what_a_descriptor_is() -> None:
    async def main() -> None:
        with stdlib_socket.socket(stdlib_socket.AF_UNIX, stdlib_socket.SOCK_DGRAM) as original:
            wrong = (trio.socket.AF_INET, trio.socket.SOCK_STREAM)
            with trio.socket.fromfd(original.fileno(), *wrong) as copy:
                assert copy.fileno() != original.fileno()
                assert (copy.family, copy.type) == (trio.socket.AF_UNIX, trio.socket.SOCK_DGRAM)
            same = trio.socket.socket(*wrong, fileno=original.fileno())
            assert (same.family, same.type) == (trio.socket.AF_UNIX, trio.socket.SOCK_DGRAM)
            assert same.detach() == original.fileno()

    trio.run(main)


def test_what_is_no_socket_is_refused_and_nothing_leaks() -> None:
    async def main() -> None:
        gc.collect()  # nothing of earlier tests may go away meanwhile
        with tempfile.TemporaryFile() as file:
            before = os.listdir("/proc/self/fd")
            with pytest.raises(OSError, match="Socket operation on non-socket"):
                trio.socket.fromfd(file.fileno(), trio.socket.AF_INET, trio.socket.SOCK_STREAM)
            with pytest.raises(OSError, match="Socket operation on non-socket"):
                trio.socket.socket(fileno=file.fileno())
            if "rust" in trio.__version__:  # upstream keeps the duplicate
                assert os.listdir("/proc/self/fd") == before
        with pytest.raises(OSError, match="Bad file descriptor"):
            trio.socket.fromfd(2**20, trio.socket.AF_INET, trio.socket.SOCK_STREAM)

    trio.run(main)


def test_a_custom_factory_makes_new_sockets_only() -> None:
    class Factory(trio.abc.SocketFactory):
        def socket(self, family: int = 0, type: int = 0, proto: int = 0) -> trio.socket.SocketType:
            return ("made", family, type, proto)  # type: ignore[return-value]

    async def main() -> None:
        factory = Factory()
        assert trio.socket.set_custom_socket_factory(factory) is None
        made: object = trio.socket.socket()
        assert made == ("made", trio.socket.AF_INET, trio.socket.SOCK_STREAM, 0)
        made = trio.socket.socket(1, 2, 3)
        assert made == ("made", 1, 2, 3)
        left, right = trio.socket.socketpair()
        left.close()
        with trio.socket.socket(fileno=right.detach()) as real:
            assert isinstance(real, trio.socket.SocketType)
        assert trio.socket.set_custom_socket_factory(None) is factory
        with trio.socket.socket() as real:
            assert isinstance(real, trio.socket.SocketType)

    trio.run(main)
    with pytest.raises(RuntimeError):
        trio.socket.set_custom_socket_factory(None)


def test_closing_detaching_duplicating() -> None:
    async def main() -> None:
        sock = trio.socket.socket()
        with sock as entered:
            assert entered is sock
            with sock.dup() as copy:
                assert isinstance(copy, trio.socket.SocketType)
                assert copy.fileno() != sock.fileno()
        assert sock.fileno() == -1
        sock.close()
        assert sock.detach() == -1

        sock = trio.socket.socket()
        fd = sock.detach()
        assert sock.fileno() == -1
        os.close(fd)

    trio.run(main)


def test_repr_names_the_class_and_the_state() -> None:
    async def main() -> None:
        left, right = trio.socket.socketpair()
        with left, right:
            assert repr(left).startswith(f"<trio.socket.socket fd={left.fileno()}, ")
        assert repr(left).startswith("<trio.socket.socket [closed] fd=-1, ")

    trio.run(main)


@pytest.mark.parametrize(
    ("how", "ended"),
    [(trio.socket.SHUT_RD, False), (trio.socket.SHUT_WR, True), (trio.socket.SHUT_RDWR, True)],
)
def test_did_shutdown_SHUT_WR(how: int, ended: bool) -> None:
    async def main() -> None:
        left, right = trio.socket.socketpair()
        with left, right:
            assert not left.did_shutdown_SHUT_WR
            left.shutdown(how)
            assert left.did_shutdown_SHUT_WR is ended
            assert not right.did_shutdown_SHUT_WR
            if ended:
                assert await right.recv(1) == b""

    trio.run(main)


def test_a_failed_shutdown_changes_nothing() -> None:
    async def main() -> None:
        with trio.socket.socket() as sock:
            with pytest.raises(OSError, match="not connected"):
                sock.shutdown(trio.socket.SHUT_WR)
            assert not sock.did_shutdown_SHUT_WR

    trio.run(main)


def test_options() -> None:
    async def main() -> None:
        with trio.socket.socket() as sock:
            option = (trio.socket.SOL_SOCKET, trio.socket.SO_REUSEADDR)
            sock.setsockopt(*option, 1)
            assert sock.getsockopt(*option) == 1
            assert sock.getsockopt(*option, 4) == (1).to_bytes(4, sys.byteorder)
            sock.setsockopt(*option, (0).to_bytes(4, sys.byteorder))
            assert sock.getsockopt(*option) == 0
            with pytest.raises(TypeError, match="invalid value for argument 'value', must not be None"):
                sock.setsockopt(*option, None)  # type: ignore[call-overload]
            with pytest.raises(TypeError, match="invalid value for argument 'value': 1, must be None"):
                sock.setsockopt(*option, 1, 4)  # type: ignore[call-overload]

    trio.run(main)


def test_the_namespace_has_no_blocking_functions() -> None:
    for name in ("create_connection", "create_server", "gethostbyname", "getfqdn", "getservbyname", "timeout"):
        assert not hasattr(trio.socket, name)


def test_the_namespace_has_the_constants_of_the_standard_library() -> None:
    errno_names = {"EAGAIN", "EBADF", "EWOULDBLOCK"}
    constants = {name for name in vars(stdlib_socket) if name.isupper() and not name.startswith("_")}
    for name in constants - errno_names:
        assert getattr(trio.socket, name) is getattr(stdlib_socket, name)
    assert not errno_names & set(dir(trio.socket))
    for name in ("gaierror", "herror", "htons", "inet_pton", "if_nametoindex", "gethostname"):
        assert getattr(trio.socket, name) is getattr(stdlib_socket, name)
