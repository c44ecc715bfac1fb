"""DTLS between Trio and Trio, between Trio and plain OpenSSL, and over networks that misbehave."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Callable

import pytest
from OpenSSL import SSL

import trio
import trio.testing
from tests.tls.peers import authority, better_than_genuine, certificate
from trio.testing._fake_net import FakeNet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NAME = "dtls.example.org"
HANDSHAKE = 22


def server_context() -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    certificate(NAME).configure_cert(context)
    return context


def client_context(*, trust: bool = True) -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_verify(SSL.VERIFY_PEER)
    if trust:
        authority().configure_trust(context)
    return context


def udp_socket() -> trio.socket.SocketType:
    return trio.socket.socket(type=trio.socket.SOCK_DGRAM)


async def bound_endpoint(**kwargs: int) -> trio.DTLSEndpoint:
    sock = udp_socket()
    await sock.bind(("127.0.0.1", 0))
    return trio.DTLSEndpoint(sock, **kwargs)


async def echo(channel: trio.DTLSChannel) -> None:
    async for packet in channel:
        await channel.send(packet)


@asynccontextmanager
async def serving(
    handler: Callable[[trio.DTLSChannel], Any] = echo,
) -> AsyncIterator[tuple[str, int]]:
    with await bound_endpoint() as endpoint:
        async with trio.open_nursery() as nursery:
            await nursery.start(endpoint.serve, server_context(), handler)
            yield endpoint.socket.getsockname()
            nursery.cancel_scope.cancel()


def is_client_hello(payload: bytes) -> bool:
    return payload[:1] == bytes([HANDSHAKE]) and payload[3:5] + payload[13:14] == b"\0\0\1"


class RawPeer:
    """DTLS by OpenSSL alone, over a socket that is used by hand."""

    def __init__(self, context: SSL.Context, sock: trio.socket.SocketType, peer: Any) -> None:
        context.set_options(SSL.OP_NO_QUERY_MTU)
        self.tls = SSL.Connection(context)
        self.tls.set_ciphertext_mtu(1400)
        self.sock = sock
        self.peer = peer

    def output(self) -> bytes:
        try:
            return self.tls.bio_read(65536)
        except SSL.WantReadError:
            return b""

    async def flush(self) -> None:
        output = self.output()
        if output:
            await self.sock.sendto(output, self.peer)

    async def do(self, operation: Callable[..., Any], *args: object) -> Any:
        while True:
            try:
                result = operation(*args)
            except SSL.WantReadError:
                await self.flush()
                packet, self.peer = await self.sock.recvfrom(65536)
                self.tls.bio_write(packet)
            else:
                await self.flush()
                return result


def test_plain_openssl_as_client() -> None:
    async def main() -> None:
        with udp_socket() as sock:
            async with serving() as address:
                peer = RawPeer(client_context(), sock, address)
                peer.tls.set_connect_state()
                with trio.fail_after(10):
                    await peer.do(peer.tls.do_handshake)
                    for message in (b"hello", b"x" * 1300):
                        await peer.do(peer.tls.send, message)
                        assert await peer.do(peer.tls.recv, 2000) == message

    trio.run(main)


def test_plain_openssl_as_server() -> None:
    async def main() -> None:
        with udp_socket() as sock, await bound_endpoint() as endpoint:
            await sock.bind(("127.0.0.1", 0))
            peer = RawPeer(server_context(), sock, endpoint.socket.getsockname())
            peer.tls.set_accept_state()

            async def serve() -> None:
                # Unlike Trio, it asks for no cookie.
                await peer.do(peer.tls.do_handshake)
                await peer.do(peer.tls.send, await peer.do(peer.tls.recv, 2000))

            channel = endpoint.connect(sock.getsockname(), client_context())
            with trio.fail_after(10):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(serve)
                    await channel.send(b"hello")
                    assert await channel.receive() == b"hello"

    trio.run(main)


async def raw_client(channels: list[trio.DTLSChannel], address: Any, sock: Any) -> RawPeer:
    peer = RawPeer(client_context(), sock, address)
    peer.tls.set_connect_state()
    await peer.do(peer.tls.do_handshake)
    with trio.fail_after(10):
        while not channels:
            await trio.sleep(0.01)
    return peer


@asynccontextmanager
async def channel_and_raw_client() -> AsyncIterator[tuple[trio.DTLSChannel, RawPeer]]:
    channels: list[trio.DTLSChannel] = []

    async def handler(channel: trio.DTLSChannel) -> None:
        await channel.do_handshake()
        channels.append(channel)
        await trio.sleep_forever()

    with udp_socket() as sock:
        async with serving(handler) as address:
            peer = await raw_client(channels, address, sock)
            yield channels[0], peer


@better_than_genuine
def test_goodbye_ends_the_channel() -> None:
    async def main() -> None:
        async with channel_and_raw_client() as (channel, peer):
            async with trio.open_nursery() as nursery:

                async def receive_to_the_end() -> None:
                    with pytest.raises(trio.EndOfChannel):
                        while True:
                            assert await channel.receive() == b"last words"

                nursery.start_soon(receive_to_the_end)
                nursery.start_soon(receive_to_the_end)
                await trio.testing.wait_all_tasks_blocked()
                await peer.do(peer.tls.send, b"last words")
                peer.tls.shutdown()
                await peer.flush()
            with pytest.raises(trio.EndOfChannel):
                await channel.receive()

    trio.run(main)


@better_than_genuine
def test_several_records_in_one_packet() -> None:
    async def main() -> None:
        async with channel_and_raw_client() as (channel, peer):
            for received_by_one_task in (True, False):
                packet = b""
                for message in (b"one", b"two", b"three"):
                    peer.tls.send(message)
                    packet += peer.output()
                received: list[bytes] = []

                async def receive(count: int, received: list[bytes] = received) -> None:
                    for _ in range(count):
                        received.append(await channel.receive())

                with trio.fail_after(5):
                    async with trio.open_nursery() as nursery:
                        for count in [3] if received_by_one_task else [1, 1, 1]:
                            nursery.start_soon(receive, count)
                        await trio.testing.wait_all_tasks_blocked()
                        await peer.sock.sendto(packet, peer.peer)
                assert sorted(received) == [b"one", b"three", b"two"]

    trio.run(main)


@better_than_genuine
def test_duplicates_and_damaged_packets_are_dropped() -> None:
    async def main() -> None:
        async with channel_and_raw_client() as (channel, peer):
            for number in range(20):
                message = b"message %d" % number
                peer.tls.send(message)
                packet = peer.output()
                damaged = bytearray(packet)
                damaged[-1 - number] ^= 1
                for variant in (damaged, packet[:-1], packet[: number + 1], packet, packet, b"", b"x"):
                    await peer.sock.sendto(variant, peer.peer)
                with trio.fail_after(5):
                    assert await channel.receive() == message
            await trio.testing.wait_all_tasks_blocked(0.05)
            with trio.move_on_after(0.05) as scope:
                await channel.receive()
            assert scope.cancelled_caught

    trio.run(main)


@better_than_genuine
def test_refused_certificate_is_an_error_on_both_sides() -> None:
    async def main() -> None:
        errors: list[BaseException] = []

        async def handler(channel: trio.DTLSChannel) -> None:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await channel.do_handshake()
            errors.append(caught.value)

        async with serving(handler) as address:
            with await bound_endpoint() as endpoint:
                channel = endpoint.connect(address, client_context(trust=False))
                with trio.fail_after(10):
                    with pytest.raises(trio.BrokenResourceError) as caught:
                        await channel.send(b"secret")
                    assert isinstance(caught.value.__cause__, SSL.Error)
                    for attempt in (channel.receive(), channel.send(b"x"), channel.do_handshake()):
                        with pytest.raises(trio.BrokenResourceError):
                            await attempt
                    while not errors:
                        await trio.sleep(0.01)
                assert isinstance(errors[0].__cause__, SSL.Error)

    trio.run(main)


@better_than_genuine
def test_contexts_can_be_used_again() -> None:
    async def main() -> None:
        async with serving() as address:
            context = client_context()
            for _ in range(2):
                with await bound_endpoint() as endpoint:
                    channel = endpoint.connect(address, context)
                    await channel.send(b"x")
                    assert await channel.receive() == b"x"

    trio.run(main)


def test_too_long_and_empty_packets() -> None:
    async def main() -> None:
        async with serving() as address:
            with await bound_endpoint() as endpoint:
                channel = endpoint.connect(address, client_context())
                with pytest.raises(ValueError, match="sending empty DTLS"):
                    await channel.send(b"")
                await channel.do_handshake()
                with pytest.raises(SSL.Error, match="dtls message too big"):
                    await channel.send(bytes(2**14 + 1))
                await channel.send(b"fits")
                assert await channel.receive() == b"fits"

    trio.run(main)


def run_with_clock(main: Callable[[], Any]) -> None:
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.005))


@pytest.mark.parametrize("mtu", [1400, 300])
def test_handshake_survives_the_loss_of_any_packet(mtu: int) -> None:
    async def packets_needed_without_packet(lost: int) -> int:
        net = FakeNet()
        net.enable()
        sent = 0

        def route(packet: Any) -> None:
            nonlocal sent
            sent += 1
            if sent != lost:
                net.deliver_packet(packet)

        net.route_packet = route

        async def handler(channel: trio.DTLSChannel) -> None:
            channel.set_ciphertext_mtu(mtu)
            await echo(channel)

        async with serving(handler) as address:
            with await bound_endpoint() as endpoint:
                channel = endpoint.connect(address, client_context())
                channel.set_ciphertext_mtu(mtu)
                with trio.fail_after(300):
                    await channel.do_handshake()
                    needed = sent
                    while True:
                        with trio.move_on_after(5):
                            await channel.send(b"hello")
                            assert await channel.receive() == b"hello"
                            return needed

    async def main() -> None:
        lost = 0
        while lost <= await packets_needed_without_packet(lost):
            lost += 1
        assert lost > 6

    run_with_clock(main)


@pytest.mark.parametrize("seed", range(5))
def test_handshake_with_packets_in_any_order(seed: int) -> None:
    async def main() -> None:
        net = FakeNet()
        net.enable()
        r = random.Random(seed)
        async with trio.open_nursery() as nursery:

            async def deliver(packet: Any) -> None:
                for _ in range(r.choice([1, 1, 2])):
                    await trio.sleep(r.random())
                    net.deliver_packet(packet)

            def route(packet: Any) -> None:
                assert len(packet.payload) <= 300
                nursery.start_soon(deliver, packet)

            net.route_packet = route

            async def handler(channel: trio.DTLSChannel) -> None:
                channel.set_ciphertext_mtu(300)
                await echo(channel)

            async with serving(handler) as address:
                with await bound_endpoint() as endpoint:
                    channel = endpoint.connect(address, client_context())
                    channel.set_ciphertext_mtu(300)
                    with trio.fail_after(300):
                        await channel.send(b"hello")
                        assert await channel.receive() == b"hello"
                    nursery.cancel_scope.cancel()

    run_with_clock(main)


def test_cookies_are_bound_to_address_and_time() -> None:
    async def main() -> None:
        net = FakeNet()
        net.enable()
        hellos: list[Any] = []
        replies: list[int] = []
        started: list[Any] = []

        def route(packet: Any) -> None:
            if is_client_hello(packet.payload):
                hellos.append(packet)
            elif packet.payload[0] == HANDSHAKE:
                replies.append(len(packet.payload))
            net.deliver_packet(packet)

        net.route_packet = route

        async def handler(channel: trio.DTLSChannel) -> None:
            started.append(channel.peer_address)
            await channel.do_handshake()

        async with serving(handler) as address:
            with await bound_endpoint() as endpoint:
                source = endpoint.socket.getsockname()
                await endpoint.connect(address, client_context()).do_handshake()
                first, with_cookie = hellos
            assert started == [source]

            # A stranger who has seen the packet cannot use it.
            with udp_socket() as stranger:
                await stranger.bind(("127.0.0.1", 0))
                replies.clear()
                await stranger.sendto(with_cookie.payload, address)
                await stranger.sendto(first.payload, address)
                await trio.sleep(1)
                # A cookie each, which is shorter than what they have sent.
                assert len(replies) == 2
                assert max(replies) < len(first.payload)
            # And it is of no use later.
            await trio.sleep(100)
            net.deliver_packet(with_cookie)
            await trio.sleep(1)
            assert started == [source]

    run_with_clock(main)


@better_than_genuine
def test_server_survives_noise() -> None:
    async def main() -> None:
        net = FakeNet()
        net.enable()
        r = random.Random(0)
        samples: list[bytes] = []

        def route(packet: Any) -> None:
            samples.append(packet.payload)
            net.deliver_packet(packet)

        async with serving() as address:
            with await bound_endpoint() as endpoint, udp_socket() as noisy:
                net.route_packet = route
                channel = endpoint.connect(address, client_context())
                await channel.do_handshake()
                net.route_packet = None
                for _ in range(2000):
                    noise = bytearray(r.choice(samples))
                    for _ in range(r.choice([1, 1, 1, 5])):
                        noise[r.randrange(len(noise))] = r.randrange(256)
                    del noise[r.choice([len(noise), r.randrange(len(noise))]) :]
                    await noisy.sendto(noise, address)
                    # The established connection's peer sends it, too, or somebody in its name.
                    await endpoint.socket.sendto(noise, address)
                await channel.send(b"still there?")
                assert await channel.receive() == b"still there?"

    run_with_clock(main)


@better_than_genuine
def test_closing_wakes_everybody() -> None:
    async def main() -> None:
        async with serving() as address:
            endpoint = await bound_endpoint()
            channel = endpoint.connect(address, client_context())
            await channel.do_handshake()
            silent = endpoint.connect(("127.0.0.1", 9), client_context())
            async with trio.open_nursery() as nursery:

                async def expect_closed(call: Callable[[], Any]) -> None:
                    with pytest.raises(trio.ClosedResourceError):
                        await call()

                for call in (channel.receive, silent.do_handshake, silent.receive):
                    nursery.start_soon(expect_closed, call)
                await trio.testing.wait_all_tasks_blocked()
                endpoint.close()
            with pytest.raises(trio.ClosedResourceError):
                endpoint.connect(address, client_context())

    trio.run(main)
