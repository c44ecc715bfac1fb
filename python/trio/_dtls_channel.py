"""One DTLS connection: the handshake in time, and packets in and out.

A ``DTLSChannel`` is *fresh* until the handshake makes it *established*.  From either state it may become

* *closed*, by its user or together with the endpoint,
* *replaced*: the peer started over, or we did, and an address has one connection at most,
* *failed*: OpenSSL gave up.

These three are final.  `DTLSChannel._check` turns them into exceptions, and entering one of them closes
the inbox, which wakes the tasks that wait for packets and makes them check.

The inbox connects two sides.  The endpoint's receive loop puts packets of this peer into it and drops
what does not fit, as networks do.  The users' tasks take packets out, in ``do_handshake`` (under a
lock, so it is one task only) and then in ``receive``.  OpenSSL is only ever called by the users' tasks,
and never across an await.

The last flight of a handshake is special: nothing answers it.  If it is lost then only the peer will
notice, and repeat its own last flight.  That is why a handshake packet for an established channel
makes us repeat ours, if we had the last word.  The other side must not, else both could go on
forever.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from socket import AF_INET
from typing import TYPE_CHECKING

from . import _core
from ._abc import Channel
from ._channel import open_memory_channel
from ._dtls_flight import Handshake
from ._dtls_wire import is_handshake_untrusted
from ._record import Record
from ._ssl import NeedHandshakeError
from ._sync import Lock
from ._timeouts import move_on_after
from ._util import NoPublicConstructor, final

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from ._channel import MemoryReceiveChannel, MemorySendChannel
    from ._dtls import DTLSEndpoint
    from ._dtls_engine import Engine
    from ._socket import AddressFormat, SocketType

MAX_RETRANSMIT_TIMEOUT = 60.0  # seconds
# So many losses of a flight in a row look as if its packets were too large for the network.
LOSSES_BEFORE_SMALLER_PACKETS = 2

# What the headers of IP and UDP take away from a packet, what Ethernet can carry, and what every
# network must be able to carry (RFC 791, RFC 8200).
_IPV4_SIZES = (20 + 8, 1500, 576)
_IPV6_SIZES = (40 + 8, 1500, 1280)


def _payload_sizes(sock: SocketType) -> tuple[int, int]:
    """Return the largest payload that usually arrives, and the one that always should."""
    headers, usual, guaranteed = _IPV4_SIZES if sock.family == AF_INET else _IPV6_SIZES
    return usual - headers, guaranteed - headers


class DTLSChannelStatistics(Record):
    """What `DTLSChannel.statistics` returns; immutable, compares by value.

    Attributes:
      incoming_packets_dropped_in_trio (int): packets from this peer that had reached this process
          and were thrown away because nobody called `DTLSChannel.receive` in time.
    """

    incoming_packets_dropped_in_trio: int


@final
class DTLSChannel(Channel[bytes], metaclass=NoPublicConstructor):
    """A DTLS connection, a `trio.abc.Channel` for packets of bytes.

    Comes from `DTLSEndpoint.connect` or `DTLSEndpoint.serve`.  What UDP does to packets happens here
    too: they may get lost, and overtake each other.  Those that arrive are authentic, and arrive once.

    Any number of tasks may use all methods at the same time.  Works as a context manager, with
    ``with`` or ``async with``, that closes the channel.  Documented in Trio's reference under "I/O in
    Trio", section "Datagram TLS support".

    When the peer starts a new connection from the same address, or this process does with
    `DTLSEndpoint.connect`, then this one is dead: its methods raise `trio.BrokenResourceError`.  They
    do too after OpenSSL reported a fatal error.

    Attributes:
      endpoint (DTLSEndpoint): the endpoint that this channel uses.
      peer_address: the other end, in the form that sockets use for addresses.
    """

    def __init__(
        self,
        endpoint: DTLSEndpoint,
        peer_address: AddressFormat,
        engine: Engine,
        first_record_number: int = 0,
        origin: tuple[bytes, bytes] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.peer_address = peer_address
        self._engine = engine
        self._handshake = Handshake(engine, first_record_number)
        self._handshake_lock = Lock()
        # For a server's channel, the ClientHello that made it: its cookie, and the rest.
        self._origin = origin
        self._ciphertext_mtu, self._safe_mtu = _payload_sizes(endpoint.socket)

        channels: tuple[MemorySendChannel[bytes], MemoryReceiveChannel[bytes]]
        channels = open_memory_channel(endpoint.incoming_packets_buffer)
        self._inbox_entrance, self._inbox = channels
        self._packets_dropped = 0
        # More cleartext, from a peer that puts several records into one packet.
        self._surplus: deque[bytes] = deque()
        self._peer_said_goodbye = False

        # The three final states.
        self._closed = False
        self._replaced = False
        self._failure: BaseException | None = None

    def _check(self) -> None:
        """Raise if the channel is in a final state."""
        if self._closed:
            raise _core.ClosedResourceError
        if self._replaced:
            raise _core.BrokenResourceError("peer tore down this connection to start a new one")
        if self._failure is not None:
            raise _core.BrokenResourceError("DTLS connection failed") from self._failure

    def _replace(self) -> None:
        self._replaced = True
        self._inbox.close()

    def _fail(self, exc: BaseException) -> None:
        self._failure = exc
        self._inbox.close()

    def close(self) -> None:
        """Close this connection.  The endpoint and its other connections stay open.

        Tasks that wait in this channel's methods, and later calls, get `trio.ClosedResourceError`.
        Nothing is sent to the peer.  Closing again does nothing.
        """
        if self._closed:
            return
        self._closed = True
        self._inbox.close()
        if self.endpoint._channels.get(self.peer_address) is self:
            del self.endpoint._channels[self.peer_address]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def aclose(self) -> None:
        """Do what `close` does, as a checkpoint."""
        self.close()
        await _core.checkpoint()

    async def do_handshake(self, *, initial_retransmit_timeout: float = 1.0) -> None:
        """Make sure that the handshake has been performed.  A checkpoint.

        Calling it is optional: `send` and `receive` see to the handshake themselves.  If it is
        cancelled, then another call takes up where it stopped.

        Args:
          initial_retransmit_timeout (float): seconds to wait for the peer's answer before the
              question is repeated.  Doubles with each loss, up to 60.  The standard recommends one
              second for networks of which nothing is known.  There is no limit to the number of
              repetitions.

        Raises:
          BrokenResourceError: the handshake failed (``__cause__`` is the `OpenSSL.SSL.Error`), or a
              new connection has replaced this one.
          ClosedResourceError: the channel or its endpoint is closed.
          OSError: the system refuses to send to the peer's address.
        """
        async with self._handshake_lock:
            self._check()
            if self._handshake.complete:
                return
            try:
                await self._exchange_flights(initial_retransmit_timeout)
            except self._engine.Error as exc:
                self._fail(exc)
                # Tell the peer why, if OpenSSL has put that into words.
                with suppress(OSError):
                    await self._send_flight(self._safe_mtu)
                self._check()
            self._engine.set_packet_size(self._ciphertext_mtu)

    async def _exchange_flights(self, initial_timeout: float) -> None:
        """Send flights, and repeat them until they are answered, to the end of the handshake."""
        if not self._handshake.flight:
            self._handshake.advance()
        timeout = initial_timeout
        mtu = self._ciphertext_mtu
        losses = 0
        while True:
            await self._send_flight(mtu)
            # Not earlier: it is sending that binds a client's socket to a port to receive on.
            self.endpoint._ensure_receive_loop()
            if self._handshake.complete:
                return
            answered = False
            with move_on_after(timeout):
                while not answered:
                    answered = self._handshake.advance(await self._next_packet())
            if not answered:
                losses += 1
                timeout = min(2 * timeout, MAX_RETRANSMIT_TIMEOUT)
                if losses == LOSSES_BEFORE_SMALLER_PACKETS:
                    mtu = min(mtu, self._safe_mtu)
                continue
            if losses == 0:
                # A lossy network keeps its longer timeout until something gets through at once.
                timeout = initial_timeout
            losses = 0

    async def _send_flight(self, mtu: int) -> None:
        for packet in self._handshake.packets(mtu):
            await self.endpoint._transmit(packet, self.peer_address)

    async def _next_packet(self) -> bytes:
        try:
            return await self._inbox.receive()
        except _core.ClosedResourceError:
            pass
        self._check()
        raise AssertionError("only a final state closes the inbox")

    async def _deliver(self, packet: bytes) -> None:
        """Take a packet from the receive loop."""
        if self._handshake.complete and is_handshake_untrusted(packet):
            await self._repeat_last_word()
            return
        try:
            self._inbox_entrance.send_nowait(packet)
        except _core.WouldBlock:
            self._packets_dropped += 1
        except _core.BrokenResourceError:
            # Failed, but not closed yet.
            pass

    async def _repeat_last_word(self) -> None:
        """React to a peer which is not aware that the handshake is complete."""
        with suppress(OSError):
            await self._send_flight(min(self._ciphertext_mtu, self._safe_mtu))

    async def send(self, data: bytes) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Encrypt ``data`` and send it as one packet.  A checkpoint.

        Performs the handshake first if need be.  As with all of UDP, nobody can tell whether it arrives.

        Args:
          data (bytes): not empty, and if it should be likely to arrive then not longer than
              `get_cleartext_mtu` says.

        Raises:
          BrokenResourceError: see `do_handshake`.
          ClosedResourceError: the channel or its endpoint is closed.
          ValueError: ``data`` is empty.
          OpenSSL.SSL.Error: ``data`` is longer than any DTLS packet can be, 16 KiB.
        """
        self._check()
        if not data:
            raise ValueError("openssl doesn't support sending empty DTLS packets")
        if not self._handshake.complete:
            await self.do_handshake()
            self._check()
        await self.endpoint._transmit(self._engine.encrypt(data), self.peer_address)

    async def receive(self) -> bytes:
        """Wait for a packet from the peer and return its cleartext.  A checkpoint.

        Performs the handshake first if need be.  Cancelling this loses no packet.  Packets which
        arrive while nobody receives are kept, up to the number given to the endpoint as
        ``incoming_packets_buffer``.

        Raises:
          BrokenResourceError: see `do_handshake`.
          ClosedResourceError: the channel or its endpoint is closed.
          EndOfChannel: the peer said that it will send no more.  (Trio does not say so itself.)
        """
        if not self._handshake.complete:
            await self.do_handshake()
        while True:
            self._check()
            if self._surplus:
                await _core.checkpoint()
                if self._surplus:
                    return self._surplus.popleft()
            if self._peer_said_goodbye:
                raise _core.EndOfChannel
            packet = await self._next_packet()
            if is_handshake_untrusted(packet):
                # It was waiting here when the handshake became complete.
                await self._repeat_last_word()
            elif packet:
                cleartexts = self._decrypt(packet)
                if cleartexts:
                    self._surplus.extend(cleartexts[1:])
                    return cleartexts[0]

    def _decrypt(self, packet: bytes) -> list[bytes]:
        try:
            cleartexts, self._peer_said_goodbye = self._engine.decrypt(packet)
        except self._engine.Error as exc:
            self._fail(exc)
            self._check()
            raise
        if len(cleartexts) > 1 or self._peer_said_goodbye:
            # Other tasks in receive() wait for packets only, so make them look around.
            for _ in range(self._inbox.statistics().tasks_waiting_receive):
                self._inbox_entrance.send_nowait(b"")
        return cleartexts

    def set_ciphertext_mtu(self, new_mtu: int) -> None:
        """Tell Trio the size of the largest packet that can reach the peer.

        `send` does not enforce it.  It has two effects: the messages of a handshake that begins later
        are cut to fit (they are cut smaller anyway if nothing seems to arrive, but that takes some
        timeouts to find out), and `get_cleartext_mtu` computes with it.

        Args:
          new_mtu (int): bytes of UDP payload, that is without the headers of IP and UDP which take
              28 bytes with IPv4 and 48 with IPv6.  Before the first call Trio assumes Ethernet, which
              makes it 1472 and 1452.
        """
        if not isinstance(new_mtu, int):
            raise TypeError("an integer is required")
        self._ciphertext_mtu = new_mtu
        if self._handshake.complete:
            self._engine.set_packet_size(new_mtu)

    def get_cleartext_mtu(self) -> int:
        """Return how many bytes `send` can put into a packet of the size in `set_ciphertext_mtu`.

        Raises:
          NeedHandshakeError: the overhead depends on the cipher, which is not agreed upon yet.
        """
        if not self._handshake.complete:
            raise NeedHandshakeError
        return self._engine.cleartext_size()

    def statistics(self) -> DTLSChannelStatistics:
        """Return figures for debugging, a `DTLSChannelStatistics`."""
        return DTLSChannelStatistics(self._packets_dropped)
