"""Flights: what one side of a DTLS handshake sends before it waits for the other side.

UDP loses packets, and DTLS copes by repeating the whole last flight until it is answered.  OpenSSL
can do that, but only by a clock and with packet sizes of its own; so Trio does it, from the output
OpenSSL gave when it produced the flight for the first time.  The same bytes cannot be sent twice, as
receivers drop records whose number they have seen.  Hence a flight is kept as a list of *parts*, and
each sending numbers the records anew and cuts messages to the packet size of the moment:

* ``Message``: a handshake message.  May be cut anywhere (except for the ClientHello).
* ``Unit``: another record from before encryption, like ChangeCipherSpec.  Gets a new number.
* ``Sealed``: an encrypted record, the Finished message.  Its number is part of the encryption, so it
  is repeated as it is; a receiver drops it only if it has it already.

``read_flight`` turns output into parts, ``FlightWriter`` turns parts into packets; its counter only
grows, so that within one connection no number is ever used twice.  ``Handshake`` ties both to the
engine, and is what a `DTLSChannel` uses.  Its current flight only changes when OpenSSL has something
new to say.  Nothing here waits or knows the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Union

from ._dtls_wire import (
    FRAGMENT_OVERHEAD,
    RECORD_OVERHEAD,
    ContentType,
    HandshakeFragment,
    HandshakeType,
    Record,
    decode_handshake_fragment_untrusted,
    decode_records_untrusted,
    encode_handshake_fragment,
    encode_record,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ._dtls_engine import Engine


class Message(NamedTuple):
    version: bytes
    msg_type: int
    msg_seq: int
    body: bytes


class Unit(NamedTuple):
    record: Record


class Sealed(NamedTuple):
    record: Record


Part = Union[Message, Unit, Sealed]


def read_flight(output: bytes) -> list[Part]:
    """Take the output of OpenSSL apart.  Fragments of a message come in order there."""
    parts: list[Part] = []
    for record in decode_records_untrusted(output):
        if record.epoch:
            parts.append(Sealed(record))
        elif record.content_type != ContentType.handshake:
            parts.append(Unit(record))
        else:
            piece = decode_handshake_fragment_untrusted(record.payload)
            message = Message(record.version, piece.msg_type, piece.msg_seq, piece.frag)
            if piece.frag_offset:
                begun = parts.pop()
                assert isinstance(begun, Message)
                message = begun._replace(body=begun.body + piece.frag)
            parts.append(message)
    return parts


def _identity(part: Part) -> tuple[object, ...]:
    """Equal for a part and its repetition by OpenSSL, which renumbers and encrypts anew."""
    if isinstance(part, Message):
        return (Message, part.msg_type, part.msg_seq)
    return (type(part), part.record.content_type)


def without_repetition(parts: Sequence[Part], last: Sequence[Part]) -> list[Part]:
    """Drop repetitions of the flight ``last`` from the front of ``parts``.

    OpenSSL looks at the real time whenever it is called in a handshake, and may find that its own
    timer has expired.  Then it puts out the last flight again, unasked.
    """
    seen = [_identity(part) for part in last]
    rest = list(parts)
    while seen and [_identity(part) for part in rest[: len(seen)]] == seen:
        del rest[: len(seen)]
    return rest


class FlightWriter:
    """Writes flights in packets of limited size, with a fresh number in every plain record.

    Args:
      first_number: of the first record.  A server starts at the number of the ClientHello.
    """

    def __init__(self, first_number: int) -> None:
        self._next_number = first_number

    def packets(self, flight: Sequence[Part], mtu: int) -> list[bytes]:
        """Encode a flight in packets of at most ``mtu`` bytes, unless a part cannot be made to fit."""
        packets = [b""]
        for part in flight:
            if isinstance(part, Message):
                for piece in self._cut(part, mtu, mtu - len(packets[-1])):
                    self._add(packets, piece, mtu)
            elif isinstance(part, Unit):
                self._add(packets, self._numbered(part.record), mtu)
            else:
                self._add(packets, encode_record(part.record), mtu)
        return [packet for packet in packets if packet]

    def _add(self, packets: list[bytes], encoded: bytes, mtu: int) -> None:
        if packets[-1] and len(packets[-1]) + len(encoded) > mtu:
            packets.append(encoded)
        else:
            packets[-1] += encoded

    def _numbered(self, record: Record) -> bytes:
        number = self._next_number
        self._next_number += 1
        return encode_record(record._replace(epoch_seqno=number))

    def _cut(self, message: Message, mtu: int, room: int) -> Iterator[bytes]:
        """Yield records with pieces of a message, of which the first may have ``room`` bytes."""
        overhead = RECORD_OVERHEAD + FRAGMENT_OVERHEAD
        length = len(message.body)
        start = 0
        while True:
            size = room - overhead
            if message.msg_type == HandshakeType.client_hello:
                size = length
            elif size <= 0:
                # Not worth a start in this packet; and at least one byte in the next, to get done.
                size = max(mtu - overhead, 1)
            piece = message.body[start : start + size]
            fragment = HandshakeFragment(
                msg_type=message.msg_type,
                msg_len=length,
                msg_seq=message.msg_seq,
                frag_offset=start,
                frag_len=len(piece),
                frag=piece,
            )
            payload = encode_handshake_fragment(fragment)
            yield self._numbered(Record(ContentType.handshake, message.version, 0, payload))
            start += len(piece)
            if start >= length:
                return
            room = mtu


class Handshake:
    """One side's part in the handshake, as far as it does not depend on time.

    Args:
      engine: a connection at its start.
      first_number: see `FlightWriter`.

    Attributes:
      complete: whether the connection is ready to carry data.
      flight: what was sent last, or is to be sent next.  When the handshake is complete this is
          empty unless we had the last word, in which case the peer may need to hear it again.
    """

    def __init__(self, engine: Engine, first_number: int) -> None:
        self._engine = engine
        self._writer = FlightWriter(first_number)
        self.complete = False
        self.flight: list[Part] = []

    def advance(self, packet: bytes | None = None) -> bool:
        """Let OpenSSL hear a packet; True if this led to a new flight or to the end.

        Raises `OpenSSL.SSL.Error` if the handshake failed.  The flight is OpenSSL's complaint then.
        """
        try:
            self.complete = self._engine.advance_handshake(packet)
        except self._engine.Error:
            self.flight = self._news()
            raise
        news = self._news()
        if news or self.complete:
            self.flight = news
        return bool(news) or self.complete

    def _news(self) -> list[Part]:
        return without_repetition(read_flight(self._engine.output()), self.flight)

    def packets(self, mtu: int) -> list[bytes]:
        """Encode the current flight, each time with new numbers."""
        return self._writer.packets(self.flight, mtu)
