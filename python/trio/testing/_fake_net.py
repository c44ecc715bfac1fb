"""A network in memory, for tests of code that talks UDP.

After ``FakeNet().enable()``, within the current `trio.run`, `trio.socket.socket` returns a ``FakeSocket``.
What one of them sends goes through the ``FakeNet``, where the test decides about each packet::

    sendto --> FakeNet.send_packet --> route_packet, if the test has set it --.
                                  `-> deliver_packet <-------------------------'
                                           |
                          FakeSocket._inbox of the socket bound to the destination --> recvfrom

A test's ``route_packet`` may deliver a `UDPPacket` now, later, twice, changed, or not at all, all by
means of ``deliver_packet``.  Nothing is delayed otherwise, and nothing gets lost except packets for
addresses to which no socket is bound.

Only what such tests need is here: datagrams, not streams, no connected sockets, no names.  The rest
raises `NotImplementedError` instead of behaving almost like the real thing.  Mistakes that a real
socket would report as `OSError` are reported with the same ``errno``.

State: ``FakeNet._sockets`` maps each address in use to its socket; a socket is in there exactly from the
moment it is bound until it is closed.  This module is for Trio's own tests and not public yet.
"""

from __future__ import annotations

import builtins
import errno
import ipaddress
import math
import os
import socket as stdlib_socket
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import trio
from trio._util import NoPublicConstructor, final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import NoReturn

    from typing_extensions import Buffer, Self

    from trio._socket import AddressFormat

IPAddress = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

_FIRST_AUTOMATIC_PORT = 50000

_WILDCARDS: dict[int, IPAddress] = {
    stdlib_socket.AF_INET: ipaddress.IPv4Address("0.0.0.0"),
    stdlib_socket.AF_INET6: ipaddress.IPv6Address("::"),
}
_LOOPBACKS: dict[int, IPAddress] = {
    stdlib_socket.AF_INET: ipaddress.IPv4Address("127.0.0.1"),
    stdlib_socket.AF_INET6: ipaddress.IPv6Address("::1"),
}


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class _Field(NamedTuple):
    """Looks to `attrs.evolve` like the description of one of its own fields."""

    name: str
    alias: str
    init: bool = True


class UDPEndpoint(NamedTuple):
    """An IP address and a port."""

    ip: IPAddress
    port: int

    def as_python_sockaddr(self) -> tuple[str, int] | tuple[str, int, int, int]:
        if self.ip.version == 4:
            return self.ip.compressed, self.port
        return self.ip.compressed, self.port, 0, 0

    @classmethod
    def from_python_sockaddr(cls, address: tuple[str, int] | tuple[str, int, int, int]) -> Self:
        if address[2:] not in ((), (0, 0)):
            raise NotImplementedError("FakeNet has neither flow labels nor scopes")
        return cls(ipaddress.ip_address(address[0]), address[1])


class UDPPacket(NamedTuple):
    """A packet under way.  Tests may change a copy of it, with ``_replace`` or `attrs.evolve`."""

    source: UDPEndpoint
    destination: UDPEndpoint
    payload: bytes

    def __repr__(self) -> str:
        return f"UDPPacket(source={self.source!r}, destination={self.destination!r}, payload={self.payload.hex()})"

    def reply(self, payload: bytes) -> UDPPacket:
        """Return a packet with this payload for the way back."""
        return UDPPacket(self.destination, self.source, payload)


UDPPacket.__attrs_attrs__ = tuple(  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    _Field(name, name) for name in UDPPacket._fields
)


@final
class FakeNet:
    """The network.

    Attributes:
      route_packet: None, or what is called with each `UDPPacket` that is sent, instead of
          `deliver_packet`.
    """

    def __init__(self) -> None:
        self.route_packet: Callable[[UDPPacket], object] | None = None
        self._sockets: dict[UDPEndpoint, FakeSocket] = {}
        self._automatic_ports = count(_FIRST_AUTOMATIC_PORT)

    def enable(self) -> None:
        """Make this the network of all sockets that the current `trio.run` creates from now on."""
        trio.socket.set_custom_socket_factory(_SocketFactory(self))
        trio.socket.set_custom_hostname_resolver(_HostnameResolver())

    def send_packet(self, packet: UDPPacket) -> None:
        """Treat a packet as if a socket had sent it just now."""
        if self.route_packet is None:
            self.deliver_packet(packet)
        else:
            self.route_packet(packet)

    def deliver_packet(self, packet: UDPPacket) -> None:
        """Put a packet into the inbox of the socket it is for, if there is one."""
        recipient = self._sockets.get(packet.destination)
        if recipient is not None:
            recipient._inbox_entrance.send_nowait(packet)

    def _bind(self, fake_socket: FakeSocket, ip: IPAddress, port: int) -> UDPEndpoint:
        if ip in _WILDCARDS.values():
            # A machine here has one address only.
            ip = _LOOPBACKS[fake_socket.family]
        if port == 0:
            port = next(self._automatic_ports)
        local = UDPEndpoint(ip, port)
        if local in self._sockets:
            raise _os_error(errno.EADDRINUSE)
        self._sockets[local] = fake_socket
        return local


class _SocketFactory(trio.abc.SocketFactory):
    def __init__(self, fake_net: FakeNet) -> None:
        self._fake_net = fake_net

    def socket(
        self,
        family: int = stdlib_socket.AF_INET,
        type: int = stdlib_socket.SOCK_STREAM,
        proto: int = 0,
    ) -> FakeSocket:
        return FakeSocket._create(self._fake_net, family, type, proto)


class _HostnameResolver(trio.abc.HostnameResolver):
    """Is only asked about names, since Trio converts numeric addresses itself."""

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> NoReturn:
        raise NotImplementedError("FakeNet doesn't do fake DNS yet")

    async def getnameinfo(
        self,
        sockaddr: tuple[str, int] | tuple[str, int, int, int],
        flags: int,
    ) -> NoReturn:
        raise NotImplementedError("FakeNet doesn't do fake DNS yet")


@final
class FakeSocket(trio.socket.SocketType, metaclass=NoPublicConstructor):
    """A UDP socket of a `FakeNet`; see `trio.socket.SocketType` for its methods."""

    def __init__(self, fake_net: FakeNet, family: int, type: int, proto: int) -> None:
        if family not in _WILDCARDS:
            raise NotImplementedError(f"FakeNet doesn't (yet) support family={family}")
        if type != stdlib_socket.SOCK_DGRAM:
            raise NotImplementedError(f"FakeNet doesn't (yet) support type={type}")
        self._fake_net = fake_net
        self._family = stdlib_socket.AddressFamily(family)
        self._proto = proto
        self._closed = False
        self._local: UDPEndpoint | None = None
        channels: tuple[trio.MemorySendChannel[UDPPacket], trio.MemoryReceiveChannel[UDPPacket]]
        channels = trio.open_memory_channel(math.inf)
        self._inbox_entrance, self._inbox = channels

    @property
    def family(self) -> stdlib_socket.AddressFamily:
        return self._family

    @property
    def type(self) -> stdlib_socket.SocketKind:
        return stdlib_socket.SOCK_DGRAM

    @property
    def proto(self) -> int:
        return self._proto

    def _check_closed(self) -> None:
        if self._closed:
            raise _os_error(errno.EBADF)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._local is not None:
            del self._fake_net._sockets[self._local]
        self._inbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        # Inside this class `type` is the property.
        exc_type: builtins.type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def fileno(self) -> NoReturn:
        raise NotImplementedError("can't get fileno() for FakeNet sockets")

    def detach(self) -> NoReturn:
        raise NotImplementedError("can't detach() a FakeNet socket")

    def get_inheritable(self) -> bool:
        return False

    def set_inheritable(self, inheritable: bool) -> None:
        if inheritable:
            raise NotImplementedError("FakeNet can't make inheritable sockets")

    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> NoReturn:
        self._check_closed()
        raise OSError(f"FakeNet doesn't implement getsockopt({level:d}, {optname:d})")

    def setsockopt(
        self,
        level: int,
        optname: int,
        value: int | Buffer | None,
        optlen: int | None = None,
    ) -> NoReturn:
        self._check_closed()
        v6_only = (stdlib_socket.IPPROTO_IPV6, stdlib_socket.IPV6_V6ONLY)
        if (level, optname) == v6_only and not value:
            raise NotImplementedError("FakeNet always has IPV6_V6ONLY=True")
        raise OSError(f"FakeNet doesn't implement setsockopt({level:d}, {optname:d}, ...)")

    def getsockname(self) -> AddressFormat:
        self._check_closed()
        if self._local is None:
            return _WILDCARDS[self.family].compressed, 0
        return self._local.as_python_sockaddr()

    def getpeername(self) -> NoReturn:
        self._check_closed()
        if self._local is None:
            raise _os_error(errno.ENOTCONN)
        raise AssertionError("This method seems to assume that self._binding has a remote UDPEndpoint")

    async def _resolve(self, address: AddressFormat, flags: int) -> UDPEndpoint:
        """Turn what users write as an address into an endpoint.  A checkpoint."""
        lengths = (2,) if self.family == stdlib_socket.AF_INET else (2, 3, 4)
        if not isinstance(address, tuple) or len(address) not in lengths:
            wanted = "port" if lengths == (2,) else "port, [flowinfo, [scopeid]]"
            raise ValueError(f"address should be a (host, {wanted}) tuple")
        if address[2:] not in ((), (0,), (0, 0)):
            raise NotImplementedError("FakeNet has neither flow labels nor scopes")
        host, port = address[:2]
        found = await trio.socket.getaddrinfo(host or None, port, self.family, stdlib_socket.SOCK_DGRAM, self.proto, flags)
        sockaddr: Any = found[0][4]
        return UDPEndpoint.from_python_sockaddr(sockaddr)

    async def bind(self, address: AddressFormat) -> None:
        self._check_closed()
        if self._local is not None:
            raise _os_error(errno.EINVAL)
        wanted = await self._resolve(address, stdlib_socket.AI_PASSIVE)
        self._local = self._fake_net._bind(self, wanted.ip, wanted.port)

    async def connect(self, address: AddressFormat) -> NoReturn:
        raise NotImplementedError("FakeNet does not (yet) support connected sockets")

    # Sending.

    async def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[tuple[int, int, Buffer]] = (),
        flags: int = 0,
        address: AddressFormat | None = None,
    ) -> int:
        self._check_closed()
        if tuple(ancdata):
            raise NotImplementedError("FakeNet doesn't support ancillary data")
        if flags != 0:
            raise NotImplementedError(f"FakeNet send flags must be 0, not {flags}")
        if address is None:
            raise _os_error(errno.ENOTCONN)
        destination = await self._resolve(address, 0)
        # What an unbound socket sends has to come from somewhere.
        if self._local is None:
            self._local = self._fake_net._bind(self, _WILDCARDS[self.family], 0)
        payload = b"".join(buffers)
        self._fake_net.send_packet(UDPPacket(self._local, destination, payload))
        return len(payload)

    async def send(self, data: Buffer, flags: int = 0) -> int:
        return await self.sendmsg([data], flags=flags)

    async def sendto(self, *args: Any) -> int:
        if len(args) == 2:
            data, address = args
            return await self.sendmsg([data], address=address)
        if len(args) == 3:
            data, flags, address = args
            return await self.sendmsg([data], flags=flags, address=address)
        raise TypeError("wrong number of arguments")

    # Receiving.

    async def _next_packet(self, flags: int) -> UDPPacket:
        self._check_closed()
        if flags != 0:
            raise NotImplementedError("FakeNet doesn't support any recv flags")
        if self._local is None:
            raise NotImplementedError(
                "The code will most likely hang if you try to receive on a fakesocket without a "
                "binding. If that is not the case, or you explicitly want to test that, remove this "
                "warning."
            )
        return await self._inbox.receive()

    async def recvmsg_into(
        self,
        buffers: Iterable[Buffer],
        ancbufsize: int = 0,
        flags: int = 0,
    ) -> tuple[int, list[tuple[int, int, bytes]], int, AddressFormat]:
        if ancbufsize != 0:
            raise NotImplementedError("FakeNet doesn't support ancillary data")
        packet = await self._next_packet(flags)
        rest = packet.payload
        for buffer in buffers:
            with memoryview(buffer).cast("B") as room:
                size = min(len(room), len(rest))
                room[:size] = rest[:size]
            rest = rest[size:]
        written = len(packet.payload) - len(rest)
        truncated = stdlib_socket.MSG_TRUNC if rest else 0
        return written, [], truncated, packet.source.as_python_sockaddr()

    async def recvmsg(
        self,
        bufsize: int,
        ancbufsize: int = 0,
        flags: int = 0,
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, AddressFormat]:
        buffer = bytearray(bufsize)
        size, ancdata, flags, address = await self.recvmsg_into([buffer], ancbufsize, flags)
        return bytes(buffer[:size]), ancdata, flags, address

    async def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, AddressFormat]:
        data, _, _, address = await self.recvmsg(bufsize, flags=flags)
        return data, address

    async def recv(self, bufsize: int, flags: int = 0) -> bytes:
        return (await self.recvfrom(bufsize, flags))[0]

    async def recvfrom_into(
        self,
        buffer: Buffer,
        nbytes: int = 0,
        flags: int = 0,
    ) -> tuple[int, AddressFormat]:
        if nbytes not in (0, memoryview(buffer).nbytes):
            raise NotImplementedError("partial recvfrom_into")
        size, _, _, address = await self.recvmsg_into([buffer], flags=flags)
        return size, address

    async def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        return (await self.recvfrom_into(buffer, nbytes, flags))[0]
