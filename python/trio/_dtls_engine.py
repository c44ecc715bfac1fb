"""The DTLS state machine of OpenSSL, fed and emptied by hand.

The only module that imports pyOpenSSL, which is an optional dependency: nothing else in Trio needs
it, so `_dtls` imports this module when the first `DTLSEndpoint` is made.  (The standard library's
`ssl` has no DTLS.)

An ``Engine`` is one connection.  It never waits and never touches the network.  A packet that came in
is given to one of its methods, runs through OpenSSL on the spot, and whatever OpenSSL wants to send
lies in its output buffer afterwards.  Reading the buffer gives a concatenation of records in which
the borders of packets are lost, so it is emptied after each step that produces something.

Errors: ``Engine.Error``, which is `OpenSSL.SSL.Error`, for everything that ends the connection.  "Need
more packets" is not an error here.
"""

from __future__ import annotations

from weakref import WeakSet

from OpenSSL import SSL

# A UDP payload cannot be longer.
MAX_PACKET_SIZE = 0xFFFF - 8

# Nor a record's content.
MAX_CLEARTEXT_SIZE = 2**14

# Contexts can only be changed until their first use, but users may use one again and again.
_prepared_contexts: WeakSet[SSL.Context] = WeakSet()


class Engine:
    """One connection.

    Args:
      context: went through `prepare`.
      server: which side this is.
    """

    Error = SSL.Error

    @staticmethod
    def prepare(context: SSL.Context) -> None:
        """Make the settings in ``context`` that an engine depends on, if it was not done before."""
        if context in _prepared_contexts:
            return
        # Memory buffers know of no MTU to query, and a renegotiation would need the repetition of
        # lost messages that we only have for the first handshake.
        context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
        # Cookies were checked before a server's engine is made.
        context.set_cookie_verify_callback(_accept_any_cookie)
        _prepared_contexts.add(context)

    def __init__(self, context: SSL.Context, *, server: bool) -> None:
        self._connection = SSL.Connection(context)
        if server:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()
        # Messages are cut later, to sizes that may change between repetitions.
        self._connection.set_ciphertext_mtu(MAX_PACKET_SIZE)

    def accept_hello(self, packet: bytes) -> bool:
        """Let a server begin with a ClientHello that already has a cookie; False if it is unfit."""
        self._connection.bio_write(packet)
        try:
            self._connection.DTLSv1_listen()
        except SSL.Error:
            return False
        return True

    def advance_handshake(self, packet: bytes | None) -> bool:
        """Take the handshake as far as possible with one more packet; True when it is complete."""
        if packet:
            self._connection.bio_write(packet)
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        return True

    def output(self) -> bytes:
        """Take out what OpenSSL wants to send."""
        chunks = []
        while True:
            try:
                chunks.append(self._connection.bio_read(MAX_PACKET_SIZE))
            except SSL.WantReadError:
                return b"".join(chunks)

    def encrypt(self, cleartext: bytes) -> bytes:
        """Return the packet for ``cleartext``."""
        if len(cleartext) > MAX_CLEARTEXT_SIZE:
            # OpenSSL says the same, but not reliably: after a read that found nothing to read
            # pyOpenSSL takes its refusal for a wish to read.
            raise SSL.Error([("SSL routines", "", "dtls message too big")])
        self._connection.send(cleartext)
        return self.output()

    def decrypt(self, packet: bytes) -> tuple[list[bytes], bool]:
        """Return the cleartext of each record, and whether the peer has said goodbye.

        A packet that is damaged, forged or a duplicate has no cleartext.
        """
        self._connection.bio_write(packet)
        cleartexts = []
        while True:
            try:
                cleartexts.append(self._connection.recv(MAX_PACKET_SIZE))
            except SSL.WantReadError:
                return cleartexts, False
            except SSL.ZeroReturnError:
                return cleartexts, True

    def set_packet_size(self, size: int) -> None:
        self._connection.set_ciphertext_mtu(size)

    def cleartext_size(self) -> int:
        return self._connection.get_cleartext_mtu()


def _accept_any_cookie(connection: SSL.Connection, cookie: bytes) -> bool:
    return True
