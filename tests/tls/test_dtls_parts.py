"""The parts of DTLS that are pure functions: packets, cookies, flights."""

from __future__ import annotations

import random

import pytest

wire = pytest.importorskip("trio._dtls_wire", reason="this project's own modules")
flight = pytest.importorskip("trio._dtls_flight")
cookies = pytest.importorskip("trio._dtls_cookie")

ADDRESS = ("192.0.2.7", 4433)


def hello(cookie: bytes = b"", msg_seq: int = 0, number: int = 5) -> bytes:
    body = (
        wire.ProtocolVersion.DTLS12 + bytes(range(32)) + b"\x03abc" + bytes([len(cookie)]) + cookie + b"the ciphers and the rest"
    )
    fragment = wire.HandshakeFragment(1, len(body), msg_seq, 0, len(body), body)
    payload = wire.encode_handshake_fragment(fragment)
    return wire.encode_record(wire.Record(22, wire.ProtocolVersion.DTLS10, number, payload))


def test_client_hello() -> None:
    number, cookie, rest = wire.decode_client_hello_untrusted(hello(b"crumbs"))
    assert (number, cookie) == (5, b"crumbs")
    # What remains does not depend on the cookie, nor on the numbers of message and record.
    assert rest == wire.decode_client_hello_untrusted(hello(msg_seq=1, number=9))[2]
    assert b"the ciphers" in rest
    assert wire.is_client_hello_untrusted(hello())


def test_every_truncation_and_extension_is_refused() -> None:
    packet = hello(b"crumbs")
    bad = [packet[:length] for length in range(len(packet))]
    bad += [packet + b"\0", packet + packet]
    for candidate in bad:
        wire.is_client_hello_untrusted(candidate)
        with pytest.raises(wire.BadPacket):
            wire.decode_client_hello_untrusted(candidate)


def test_noise_is_refused_politely() -> None:
    r = random.Random(0)
    good = hello(b"crumbs")
    for _ in range(20_000):
        noise = bytearray(good if r.random() < 0.9 else r.randbytes(r.randrange(90)))
        for _ in range(r.randrange(4)):
            if noise:
                noise[r.randrange(len(noise))] = r.choice([0, 1, 255, r.randrange(256)])
        wire.is_client_hello_untrusted(bytes(noise))
        wire.is_handshake_untrusted(bytes(noise))
        try:
            wire.decode_client_hello_untrusted(bytes(noise))
        except wire.BadPacket:
            pass


def test_hello_verify_request() -> None:
    packet = wire.encode_hello_verify_request(7, b"c" * 32)
    (record,) = wire.decode_records_untrusted(packet)
    assert record[:3] == (22, b"\xfe\xff", 7)
    fragment = wire.decode_handshake_fragment_untrusted(record.payload)
    assert fragment.msg_type == 3
    assert fragment.frag == b"\xfe\xff\x20" + b"c" * 32
    assert not wire.is_client_hello_untrusted(packet)


def test_cookies() -> None:
    mint = cookies.CookieMint()
    now = 12_345.0
    cookie = mint.cookie(now, ADDRESS, b"hello")
    assert len(cookie) <= 32  # the most that DTLS 1.0 knows
    assert mint.accepts(cookie, now, ADDRESS, b"hello")
    assert mint.accepts(cookie, now + cookies.PERIOD, ADDRESS, b"hello")
    assert not mint.accepts(cookie, now + 2 * cookies.PERIOD, ADDRESS, b"hello")
    assert not mint.accepts(cookie, now - cookies.PERIOD, ADDRESS, b"hello")
    assert not mint.accepts(cookie, now, ("192.0.2.7", 4434), b"hello")
    assert not mint.accepts(cookie, now, ADDRESS, b"hullo")
    assert not mint.accepts(b"", now, ADDRESS, b"hello")
    assert not mint.accepts(cookie[:-1], now, ADDRESS, b"hello")
    assert not cookies.CookieMint().accepts(cookie, now, ADDRESS, b"hello")
    # Even at the beginning of time.
    assert mint.accepts(mint.cookie(0, ADDRESS, b""), 0, ADDRESS, b"")


def some_flight() -> list[object]:
    version = wire.ProtocolVersion.DTLS12
    return [
        flight.Message(version, 2, 1, b"server hello"),
        flight.Message(version, 11, 2, bytes(range(256)) * 10),
        flight.Message(version, 14, 3, b""),
        flight.Unit(wire.Record(20, version, 99, b"\1")),
        flight.Sealed(wire.Record(22, version, 1 << 48, b"encrypted" * 4)),
    ]


@pytest.mark.parametrize("mtu", [26, 30, 60, 100, 300, 548, 1472, 65527])
def test_flights_in_packets_of_every_size(mtu: int) -> None:
    writer = flight.FlightWriter(17)
    numbers = []
    for _ in range(3):
        packets = writer.packets(some_flight(), mtu)
        # One part cannot be made smaller than it is.
        assert max(map(len, packets)) <= max(mtu, 13 + 36)
        assert all(packets)
        output = b"".join(packets)
        for record in wire.decode_records_untrusted(output):
            if not record.epoch:
                numbers.append(record.epoch_seqno)
        normalized = [
            part._replace(record=part.record._replace(epoch_seqno=99)) if isinstance(part, flight.Unit) else part
            for part in flight.read_flight(output)
        ]
        assert normalized == some_flight()
    assert numbers == list(range(17, 17 + len(numbers)))


def test_packets_are_well_filled() -> None:
    packets = flight.FlightWriter(0).packets(some_flight(), 548)
    assert len(packets) == 6  # 2716 bytes with all headers
    assert all(len(packet) > 500 for packet in packets[:-1])


def test_client_hello_stays_whole() -> None:
    message = flight.Message(wire.ProtocolVersion.DTLS10, 1, 0, bytes(400))
    (packet,) = flight.FlightWriter(0).packets([message], 100)
    assert len(packet) == 425


def test_repetitions_are_recognized() -> None:
    last = some_flight()
    again = [
        part._replace(record=part.record._replace(payload=b"encrypted anew")) if isinstance(part, flight.Sealed) else part
        for part in some_flight()
    ]
    version = wire.ProtocolVersion.DTLS12
    news = [flight.Message(version, 4, 4, b"ticket"), *again[3:]]
    assert flight.without_repetition(again, last) == []
    assert flight.without_repetition(again + again, last) == []
    assert flight.without_repetition(news, last) == news
    assert flight.without_repetition(again + news, last) == news
    assert flight.without_repetition(news, []) == news
    # A retry has the same type, but another number.
    first = [flight.Message(version, 1, 0, b"hello")]
    second = [flight.Message(version, 1, 1, b"hello with cookie")]
    assert flight.without_repetition(second, first) == second
