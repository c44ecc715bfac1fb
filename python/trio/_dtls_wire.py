"""The little of the DTLS wire format that Trio has to understand itself.

OpenSSL does the cryptography and almost all of the protocol.  What it cannot do through memory
buffers, Trio does, and for that it has to look at packets:

* a server answers a client's first message with a cookie before it keeps any state about the client,
  so it must find the cookie in a ClientHello and write a HelloVerifyRequest;
* lost handshake messages are repeated under new record numbers, so records have to be taken apart
  and put together (see `_dtls_flight`).

A packet holds one or more *records*.  A record of the type "handshake" holds *fragments* of handshake
messages.  All numbers are big endian::

    record     type(1) version(2) epoch(2) number(6) length(2) | payload
    fragment   type(1) message length(3) message number(2) offset(3) length(3) | piece of the message
    hello      version(2) random(32) session id(1+n) cookie(1+n) ...

Epoch and record number are handled together as one 64 bit integer, ``epoch_seqno``.  Epoch 0 is the
time before encryption: only those payloads can be read here.

Everything is a pure function on bytes, without state.  What comes from the network may be anything:
the functions called ``*_untrusted`` accept every input and raise nothing but `BadPacket`.  See
:rfc:`6347`, sections 4.1 to 4.3.2.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_RECORD = struct.Struct("!B2sQH")
_FRAGMENT = struct.Struct("!B3sH3s3s")

RECORD_OVERHEAD = _RECORD.size
FRAGMENT_OVERHEAD = _FRAGMENT.size

_EPOCH_SHIFT = 48
_HELLO_FIXED_PART = 2 + 32  # version and random


class BadPacket(Exception):
    """The bytes are not what was looked for.  Never leaves Trio."""


class ContentType(IntEnum):
    """What is inside a record."""

    change_cipher_spec = 20
    alert = 21
    handshake = 22
    application_data = 23


class HandshakeType(IntEnum):
    """The handshake messages with a meaning here."""

    client_hello = 1
    hello_verify_request = 3


class ProtocolVersion:
    """The version field of a record.  The numbers count down from "minus TLS 1.1"."""

    DTLS10 = bytes([254, 255])
    DTLS12 = bytes([254, 253])


class Record(NamedTuple):
    """One record, its payload encrypted if the epoch is not 0."""

    content_type: int
    version: bytes
    epoch_seqno: int
    payload: bytes

    @property
    def epoch(self) -> int:
        return self.epoch_seqno >> _EPOCH_SHIFT


class HandshakeFragment(NamedTuple):
    """A piece (often all) of one handshake message."""

    msg_type: int
    msg_len: int
    msg_seq: int
    frag_offset: int
    frag_len: int
    frag: bytes


def encode_record(record: Record) -> bytes:
    header = _RECORD.pack(
        record.content_type,
        record.version,
        record.epoch_seqno,
        len(record.payload),
    )
    return header + record.payload


def encode_handshake_fragment(fragment: HandshakeFragment) -> bytes:
    header = _FRAGMENT.pack(
        fragment.msg_type,
        fragment.msg_len.to_bytes(3, "big"),
        fragment.msg_seq,
        fragment.frag_offset.to_bytes(3, "big"),
        fragment.frag_len.to_bytes(3, "big"),
    )
    return header + fragment.frag


def decode_records_untrusted(packet: bytes) -> Iterator[Record]:
    """Take a packet apart, from the front, until its end or the first error."""
    position = 0
    while position < len(packet):
        body = position + RECORD_OVERHEAD
        if body > len(packet):
            raise BadPacket("incomplete record header")
        content_type, version, number, size = _RECORD.unpack_from(packet, position)
        position = body + size
        if position > len(packet):
            raise BadPacket("incomplete record")
        yield Record(content_type, version, number, bytes(packet[body:position]))


def decode_handshake_fragment_untrusted(payload: bytes) -> HandshakeFragment:
    """Decode the payload of a record, which must be one fragment and nothing else."""
    if len(payload) < FRAGMENT_OVERHEAD:
        raise BadPacket("incomplete handshake header")
    msg_type, total, msg_seq, offset, size = _FRAGMENT.unpack_from(payload)
    fragment = HandshakeFragment(
        msg_type,
        int.from_bytes(total, "big"),
        msg_seq,
        int.from_bytes(offset, "big"),
        int.from_bytes(size, "big"),
        payload[FRAGMENT_OVERHEAD:],
    )
    if fragment.frag_len != len(fragment.frag):
        raise BadPacket("handshake fragment and record disagree about the length")
    return fragment


def is_handshake_untrusted(packet: bytes) -> bool:
    """Tell whether a packet starts with a handshake record, encrypted or not."""
    return len(packet) >= RECORD_OVERHEAD and packet[0] == ContentType.handshake


def is_client_hello_untrusted(packet: bytes) -> bool:
    """Tell cheaply whether a packet deserves `decode_client_hello_untrusted`."""
    return (
        is_handshake_untrusted(packet)
        and len(packet) > RECORD_OVERHEAD
        and packet[3:5] == b"\x00\x00"  # the epoch
        and packet[RECORD_OVERHEAD] == HandshakeType.client_hello
    )


def decode_client_hello_untrusted(packet: bytes) -> tuple[int, bytes, bytes]:
    """Decode a packet that must be one whole, unfragmented ClientHello.

    A server without state could not put fragments together, so the protocol allows none here.

    Returns:
      The epoch and record number; the cookie (empty in a first attempt); and the message without the
      cookie, which a client repeats to the bit when it is sent a cookie.
    """
    records = list(decode_records_untrusted(packet))
    if len(records) != 1 or records[0].content_type != ContentType.handshake:
        raise BadPacket("not a single handshake record")
    if records[0].epoch:
        raise BadPacket("encrypted")
    fragment = decode_handshake_fragment_untrusted(records[0].payload)
    if fragment.msg_type != HandshakeType.client_hello:
        raise BadPacket("not a ClientHello")
    if fragment.frag_offset or fragment.frag_len != fragment.msg_len:
        raise BadPacket("fragmented ClientHello")
    hello = fragment.frag
    try:
        before = _HELLO_FIXED_PART + 1 + hello[_HELLO_FIXED_PART]
        start = before + 1
        end = start + hello[before]
    except IndexError:
        raise BadPacket("incomplete ClientHello") from None
    if end > len(hello):
        raise BadPacket("incomplete cookie")
    return records[0].epoch_seqno, hello[start:end], hello[:before] + hello[end:]


def encode_hello_verify_request(epoch_seqno: int, cookie: bytes) -> bytes:
    """Write the packet that asks a client to repeat its ClientHello with this cookie.

    Args:
      epoch_seqno: from the record of the ClientHello.  The server has no counter of its own yet.
      cookie: at most 255 bytes, but old clients only know 32.
    """
    message = ProtocolVersion.DTLS10 + bytes([len(cookie)]) + cookie
    fragment = HandshakeFragment(
        msg_type=HandshakeType.hello_verify_request,
        msg_len=len(message),
        msg_seq=0,
        frag_offset=0,
        frag_len=len(message),
        frag=message,
    )
    return encode_record(
        Record(
            content_type=ContentType.handshake,
            # Always this one, whatever version will be agreed upon later.
            version=ProtocolVersion.DTLS10,
            epoch_seqno=epoch_seqno,
            payload=encode_handshake_fragment(fragment),
        ),
    )
