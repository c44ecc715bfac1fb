"""Encrypted datagrams: DTLS on UDP sockets, for clients and servers.

The layers, each in its own module, with packets going up and down between them::

      _dtls_channel     DTLSChannel, one connection with one peer
      _dtls_flight      repeats the handshake's messages until they are answered
      _dtls_engine      OpenSSL's state machine
      _dtls (here)      DTLSEndpoint, one UDP socket shared by many connections
      _dtls_cookie      proof of a client's address, before there is a connection
      _dtls_wire        reading and writing the outer layers of packets

One system task per endpoint, ``_receive_loop``, reads the socket and sorts packets by their sender's
address: a ClientHello goes to the cookie check and may become a new channel for `DTLSEndpoint.serve`,
anything else goes to the channel of this address, if there is one.  The loop knows its endpoint by a
weak reference only, so that a forgotten endpoint can be collected; its ``__del__`` closes the socket,
which ends the loop.  Channels are held weakly too: they belong to their users, and to the task that
handles them.

Whoever sends holds ``_send_lock``, as only one task may wait until the socket becomes writable.

Invariant: a channel in ``_channels`` is neither closed nor replaced.  See :rfc:`6347` for the protocol,
and :rfc:`9147` for the most readable account of its timers.
"""

from __future__ import annotations

import errno
import math
import warnings
from contextlib import suppress
from socket import SOCK_DGRAM
from typing import TYPE_CHECKING, NamedTuple
from weakref import ReferenceType, WeakValueDictionary, ref

from . import _core
from ._channel import open_memory_channel
from ._dtls_channel import DTLSChannel, DTLSChannelStatistics
from ._dtls_cookie import CookieMint
from ._dtls_wire import (
    BadPacket,
    ContentType,
    HandshakeFragment,
    HandshakeType,
    ProtocolVersion,
    Record,
    decode_client_hello_untrusted,
    encode_handshake_fragment,
    encode_hello_verify_request,
    encode_record,
    is_client_hello_untrusted,
)
from ._sync import Lock
from ._util import final, fixup_module_metadata

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from OpenSSL import SSL
    from typing_extensions import Self, TypeVarTuple, Unpack

    from ._channel import MemoryReceiveChannel, MemorySendChannel
    from ._core import TaskStatus
    from ._socket import AddressFormat, SocketType

    PosArgsT = TypeVarTuple("PosArgsT")

# The names of the wire format are looked for here as well.
__all__ = [
    "BadPacket",
    "ContentType",
    "DTLSChannel",
    "DTLSChannelStatistics",
    "DTLSEndpoint",
    "HandshakeFragment",
    "HandshakeType",
    "ProtocolVersion",
    "Record",
    "decode_client_hello_untrusted",
    "encode_handshake_fragment",
    "encode_record",
]

MAX_PACKET_SIZE = 0xFFFF - 8  # of a UDP payload


class _Listening(NamedTuple):
    """What the receive loop must know of a running `DTLSEndpoint.serve`."""

    ssl_context: SSL.Context
    arrivals: MemorySendChannel[DTLSChannel]


async def _receive_loop(endpoint_ref: ReferenceType[DTLSEndpoint], sock: SocketType) -> None:
    """Read the socket for as long as the endpoint exists.  Runs as a system task."""
    try:
        while True:
            try:
                packet, address = await sock.recvfrom(MAX_PACKET_SIZE)
            except OSError as exc:
                if exc.errno in (errno.EBADF, errno.ENOTSOCK):
                    break
                # The late news that a packet of ours was refused somewhere.
                packet, address = b"", None
                await _core.cancel_shielded_checkpoint()
            endpoint = endpoint_ref()
            if endpoint is None:
                return
            await endpoint._dispatch(packet, address)
            del endpoint
    except _core.ClosedResourceError:
        pass
    # The socket is closed, maybe behind the endpoint's back.
    endpoint = endpoint_ref()
    if endpoint is not None:
        endpoint.close()


@final
class DTLSEndpoint:
    """A UDP socket for any number of DTLS connections, as client and server at once.

    Needs the package pyOpenSSL.  Works as a context manager that closes it, and should be closed, as
    it owns the socket.  Documented in Trio's reference under "I/O in Trio", section "Datagram TLS
    support"; the protocol is :rfc:`6347`.

    Args:
      socket (~trio.socket.SocketType): of type ``SOCK_DGRAM``.  A server should bind it first.
          Nobody else may use it from now on.
      incoming_packets_buffer (int): how many packets that nobody has asked for yet each connection
          keeps.  More are dropped, see `DTLSChannel.statistics`.

    Attributes:
      socket: as given.
      incoming_packets_buffer: as given.
    """

    def __init__(self, socket: SocketType, *, incoming_packets_buffer: int = 10) -> None:
        # There is nothing to close, as far as __del__ is concerned, unless all goes well here.
        self._closed = True
        from ._dtls_engine import Engine

        if socket.type != SOCK_DGRAM:
            raise ValueError("DTLS requires a SOCK_DGRAM socket")
        self._engine_class = Engine
        self.socket: SocketType = socket
        self.incoming_packets_buffer = incoming_packets_buffer
        # By the peer's address.  Channels belong to their users: one that is forgotten goes away.
        self._channels: WeakValueDictionary[AddressFormat, DTLSChannel] = WeakValueDictionary()
        self._listening: _Listening | None = None
        self._mint = CookieMint()
        self._send_lock = Lock()
        self._receive_loop_runs = False
        self._closed = False

    def __del__(self) -> None:
        if not self._closed:
            warnings.warn(f"unclosed DTLS endpoint {self!r}", ResourceWarning, stacklevel=2, source=self)
            # A real socket can only be closed inside of trio.run.
            with suppress(RuntimeError):
                self.close()

    def close(self) -> None:
        """Close the socket and with it all connections.

        Their methods, and those of this object, raise `trio.ClosedResourceError` from now on; a
        running `serve` ends when its handlers do.  Closing again does nothing.
        """
        if self._closed:
            return
        self._closed = True
        self.socket.close()
        for channel in list(self._channels.values()):
            channel.close()
        if self._listening is not None:
            self._listening.arrivals.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def connect(self, address: tuple[str, int], ssl_context: SSL.Context) -> DTLSChannel:
        """Make a channel to a server.  Nothing is sent before the channel is used.

        A connection with the same address that exists already is cut off, see `DTLSChannel`.

        Args:
          address: of the server, in the form in which ``recvfrom`` would return it: no names.
          ssl_context (OpenSSL.SSL.Context): for the method ``DTLS_METHOD``.  Some options that Trio
              depends on are switched on in it.

        Raises:
          ClosedResourceError: the endpoint is closed.
        """
        if self._closed:
            raise _core.ClosedResourceError
        self._engine_class.prepare(ssl_context)
        engine = self._engine_class(ssl_context, server=False)
        channel = DTLSChannel._create(self, address, engine)
        self._install(channel)
        return channel

    async def serve(
        self,
        ssl_context: SSL.Context,
        async_fn: Callable[[DTLSChannel, Unpack[PosArgsT]], Awaitable[object]],
        *args: Unpack[PosArgsT],
        task_status: TaskStatus[None] = _core.TASK_STATUS_IGNORED,
    ) -> None:
        """Run ``async_fn(channel, *args)`` in a task for each client that connects.  A checkpoint.

        Ends only by cancellation, by an exception in a handler, or after `close` when all handlers
        are done.  With ``await nursery.start(...)`` it reports when clients can connect.

        A handler starts when its client has proved its address.  The handshake is left to the
        handler, implicitly or with `DTLSChannel.do_handshake`, and so are its errors.  The channel is
        closed when the handler returns.

        Args:
          ssl_context (OpenSSL.SSL.Context): with the server's certificate, for ``DTLS_METHOD``.  Some
              options that Trio depends on, and the callback for cookies, are set in it.

        Raises:
          BusyResourceError: ``serve`` is running already.
          ClosedResourceError: the endpoint is closed.
        """
        if self._closed:
            raise _core.ClosedResourceError
        if self._listening is not None:
            raise _core.BusyResourceError("another task is already listening")
        self._engine_class.prepare(ssl_context)

        async def handle(channel: DTLSChannel) -> None:
            with channel:
                await async_fn(channel, *args)

        channels: tuple[MemorySendChannel[DTLSChannel], MemoryReceiveChannel[DTLSChannel]]
        channels = open_memory_channel(math.inf)
        entrance, arrivals = channels
        self._ensure_receive_loop()
        self._listening = _Listening(ssl_context, entrance)
        try:
            with entrance, arrivals:
                async with _core.open_nursery() as nursery:
                    task_status.started()
                    async for channel in arrivals:
                        nursery.start_soon(handle, channel)
        finally:
            self._listening = None

    def _ensure_receive_loop(self) -> None:
        if not self._receive_loop_runs:
            self._receive_loop_runs = True
            this: ReferenceType[DTLSEndpoint] = ref(self)
            _core.spawn_system_task(_receive_loop, this, self.socket)

    def _install(self, channel: DTLSChannel) -> None:
        predecessor = self._channels.get(channel.peer_address)
        if predecessor is not None:
            predecessor._replace()
        self._channels[channel.peer_address] = channel

    async def _transmit(self, packet: bytes, address: AddressFormat) -> None:
        # Not the other way round: acquire() alone would be a second checkpoint in each call.
        if self._send_lock.locked():
            await self._send_lock.acquire()
        else:
            self._send_lock.acquire_nowait()
        try:
            await self.socket.sendto(packet, address)
        finally:
            self._send_lock.release()

    async def _dispatch(self, packet: bytes, address: AddressFormat) -> None:
        """Do with a packet from the network what it deserves, which may be nothing."""
        if is_client_hello_untrusted(packet):
            await self._greet(packet, address)
        elif packet:
            channel = self._channels.get(address)
            if channel is not None:
                await channel._deliver(packet)

    async def _greet(self, packet: bytes, address: AddressFormat) -> None:
        """Answer a ClientHello with a cookie, or make a channel if it comes with one."""
        if self._listening is None:
            return
        try:
            number, cookie, hello = decode_client_hello_untrusted(packet)
        except BadPacket:
            return
        now = _core.current_time()
        if not self._mint.accepts(cookie, now, address, hello):
            cookie = self._mint.cookie(now, address, hello)
            with suppress(OSError):
                await self._transmit(encode_hello_verify_request(number, cookie), address)
            return
        origin = (cookie, hello)
        present = self._channels.get(address)
        if present is not None and present._origin == origin:
            # A duplicate.  If the client repeated it because it lacks our answer, so will we.
            return
        engine = self._engine_class(self._listening.ssl_context, server=True)
        if engine.accept_hello(packet):
            channel = DTLSChannel._create(self, address, engine, number, origin)
            self._install(channel)
            self._listening.arrivals.send_nowait(channel)


# The endpoint hands out the other two before anybody has asked for them by name.
fixup_module_metadata(
    "trio", {"DTLSChannel": DTLSChannel, "DTLSChannelStatistics": DTLSChannelStatistics, "DTLSEndpoint": DTLSEndpoint}
)
