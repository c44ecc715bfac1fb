"""What an `SSLStream` consists of between its awaits.

``Engine`` holds the SSLObject with its two memory buffers, and the few facts that calls leave behind
for each other.  Nothing in it waits, except for ``Turn``, by which tasks line up for a job that only one
of them can do at a time.

It is an object of its own, apart from the stream, because assignments to the stream's attributes pass
through ``SSLStream.__setattr__``, and these here happen several times in each call.

Invariants: ``fault`` goes from None to broken to closed, and never back.  ``drained`` is True only if
OpenSSL certainly needs more bytes to produce more cleartext.  ``postponed`` is older than anything in
``outgoing``.
"""

from __future__ import annotations

import ssl

from . import _core


class Turn:
    """A job for one task at a time, free of charge until two tasks want it at once.

    ``taken`` is read and set by the tasks themselves, with no await in between; the one that set it
    calls `release`.  `wait` returns when the turn *was* released: somebody else may have been quicker.
    """

    __slots__ = ("_lot", "taken")

    def __init__(self) -> None:
        self.taken = False
        self._lot: _core.ParkingLot | None = None

    async def wait(self) -> None:
        if self._lot is None:
            self._lot = _core.ParkingLot()
        await self._lot.park()

    def release(self) -> None:
        self.taken = False
        if self._lot is not None:
            self._lot.unpark_all()


class Engine:
    """One connection: OpenSSL, its buffers, and what the running calls must know of each other.

    Only the methods of the SSLStream that owns it touch this.
    """

    __slots__ = (
        "drained",
        "established",
        "fault",
        "incoming",
        "outgoing",
        "postponed",
        "reading",
        "receiving",
        "sending",
        "shaking",
        "ssl_object",
        "torn",
        "writing",
    )

    def __init__(
        self,
        context: ssl.SSLContext,
        server_side: bool,
        server_hostname: str | None,
    ) -> None:
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.ssl_object = context.wrap_bio(
            self.incoming,
            self.outgoing,
            server_side=server_side,
            server_hostname=server_hostname,
        )
        # What every further call raises; None while the connection is usable.
        self.fault: type[Exception] | None = None
        self.established = False
        # A public call of this direction is running (SSLStream allows one of each).
        self.sending = False
        self.receiving = False
        # Who talks to the transport, and who performs the handshake.
        self.writing = Turn()
        self.reading = Turn()
        self.shaking = Turn()
        # A transport write failed halfway, the peer may have got a part of a record.
        self.torn = False
        # Reading would certainly ask for more bytes.  May be False in doubt, never True in doubt.
        self.drained = False
        # Made during the handshake, to be sent in front of whatever is sent next.
        self.postponed = b""

    def spoil(self) -> None:
        if self.fault is None:
            self.fault = _core.BrokenResourceError

    def shake_hands(self) -> None:
        """One attempt at the handshake (raises SSLWantReadError until it is complete)."""
        self.ssl_object.do_handshake()
        # A TLS 1.3 server is done when it has heard from the client and then volunteers session
        # tickets, which nobody waits for.  A client that only ever sends would leave them unread in
        # the transport, where they can block us, or turn the client's close into a connection reset
        # that eats data.  So they go out together with our first data, when the client must read.
        if self.ssl_object.server_side and self.ssl_object.version() == "TLSv1.3":
            self.postponed = self.outgoing.read()

    def read(self, size: int) -> bytes:
        """Decrypt up to ``size`` bytes; ``b""`` when the peer has said goodbye."""
        try:
            data = self.ssl_object.read(size)
        except ssl.SSLZeroReturnError:
            # The same news as an empty result, in the case that we have said goodbye as well.
            return b""
        # More cleartext may hide in undecrypted records, or inside OpenSSL if we took only a part of
        # the last one.  After a goodbye there is no more, but reading again must not wait for it.
        if data and not self.incoming.pending:
            self.drained = len(data) < size or not self.ssl_object.pending()
        return data

    def write(self, data: bytes | bytearray | memoryview) -> bool:
        """Encrypt all of ``data``; False if OpenSSL must hear from the peer first (renegotiation)."""
        try:
            self.ssl_object.write(data)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as exc:
            self.spoil()
            raise _core.BrokenResourceError from exc
        return True

    def take_ciphertext(self) -> bytes:
        ciphertext = self.outgoing.read()
        if self.postponed:
            ciphertext = self.postponed + ciphertext
            self.postponed = b""
        return ciphertext
