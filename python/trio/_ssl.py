"""TLS over any byte stream.

The standard library offers TLS in two shapes: wrapped around a blocking socket, or as a
:class:`ssl.SSLObject` that talks to two memory buffers and never touches the network.  This module
is the second shape plus somebody to carry the bytes::

      send_all(cleartext)                              receive_some() -> cleartext
             |                                                ^
          write()  --------->  SSLObject (OpenSSL)  -------  read()
                                 |            ^
                             outgoing      incoming          two ssl.MemoryBIO
                                 |            ^
                              _flush()      _fill()          the only two carriers
                                 v            |
                                 transport_stream

A connection moves through these states, kept in ``_Tls``:

* *fresh*: nothing was said yet.  The first call that needs the peer performs the handshake, and
  calls that come meanwhile wait for its end.
* *established*: one task may send while another one receives.
* *faulty*: ``_Tls.fault`` holds the exception class that every further call raises, either
  `trio.BrokenResourceError` (the two ends no longer agree about the byte stream) or
  `trio.ClosedResourceError` (we closed it, or handed the transport back).  Closed replaces broken,
  never the other way round.

OpenSSL reports "I need bytes from the peer first" as `ssl.SSLWantReadError`, from any operation: a
TLS 1.2 renegotiation makes writes wait for reads.  `SSLStream._drive` is the loop which serves that,
and rests on two rules:

1. *Nobody waits for the peer while ciphertext sits in* ``outgoing``, or both ends might wait for each
   other.  `_fill` flushes first, and then lets its caller ask OpenSSL again.
2. *No await lies between OpenSSL asking for bytes and the start of the transport read*, or another
   task could have fed those bytes to OpenSSL meanwhile and the read would wait for bytes that the
   peer has no reason to send.

Each carrier works for one task at a time, in ``_Turn`` order: ciphertext is taken out of ``outgoing``
by whoever holds the turn and goes out in the order in which OpenSSL made it.  The calls themselves
are guarded by plain flags, so a call that meets no other pays for no lock at all.

Every public coroutine is a checkpoint.  Where the transport is used its own checkpoint does the job.
Where cleartext is waiting already the checkpoint comes *before* OpenSSL is asked for it, so that a
cancelled call never drops data.
"""

from __future__ import annotations

import operator
import ssl
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import _core
from ._abc import Listener, Stream
from ._highlevel_generic import aclose_forcefully
from ._util import final

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from typing_extensions import TypeVarTuple, Unpack

    ArgsT = TypeVarTuple("ArgsT")

ResultT = TypeVar("ResultT")
T_Stream = TypeVar("T_Stream", bound=Stream)

# The most cleartext that fits into one TLS record, which is as much as one SSL_read returns.
RECORD_SIZE = 2**14

# Cleartext is encrypted and sent in pieces of at most this size, to bound the memory for ciphertext.
PIECE_SIZE = 2**18

# Attributes of the SSLObject that SSLStream shows as its own: these at any time ...
_ALWAYS_FORWARDED = frozenset({"context", "pending", "server_hostname", "server_side", "session"})

# ... and these once the handshake has made them meaningful.
_FORWARDED_LATER = frozenset(
    {
        "cipher",
        "compression",
        "get_channel_binding",
        "getpeercert",
        "selected_alpn_protocol",
        "selected_npn_protocol",
        "session_reused",
        "shared_ciphers",
        "version",
    },
)
_FORWARDED = _ALWAYS_FORWARDED | _FORWARDED_LATER

_SENDING = "another task is currently sending data on this SSLStream"
_RECEIVING = "another task is currently receiving data on this SSLStream"


class NeedHandshakeError(Exception):
    """The answer to this question is a product of the handshake, which is not complete yet.

    Raised by the attributes of `SSLStream` (and methods of `DTLSChannel`) that describe the
    negotiated connection, such as the peer's certificate or the cipher.
    """


def _is_eof(exc: BaseException | None) -> bool:
    """Tell whether OpenSSL complained about an end of file without a goodbye before it."""
    if isinstance(exc, ssl.SSLEOFError):
        return True
    # Some combinations of OpenSSL 3 and Python use the general class with this reason.
    return isinstance(exc, ssl.SSLError) and exc.reason == "UNEXPECTED_EOF_WHILE_READING"


class _Turn:
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


class _Tls:
    """The TLS engine, its two buffers, and what the running calls must know of each other.

    Only the methods of the SSLStream that owns it touch this.  It is an object of its own because
    assignments on SSLStream pass through ``__setattr__``, which would slow every call down.
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
        self.writing = _Turn()
        self.reading = _Turn()
        self.shaking = _Turn()
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

    def read(self, max_bytes: int) -> bytes:
        """Decrypt up to ``max_bytes``; ``b""`` when the peer has said goodbye."""
        try:
            data = self.ssl_object.read(max_bytes)
        except ssl.SSLZeroReturnError:
            # The same news as an empty result, in the case that we have said goodbye as well.
            return b""
        # More cleartext may hide in undecrypted records, or inside OpenSSL if we took only a part of
        # the last one.  After a goodbye there is no more, but reading again must not wait for it.
        if data and not self.incoming.pending:
            self.drained = len(data) < max_bytes or not self.ssl_object.pending()
        return data

    def take_ciphertext(self) -> bytes:
        ciphertext = self.outgoing.read()
        if self.postponed:
            ciphertext = self.postponed + ciphertext
            self.postponed = b""
        return ciphertext


@final
class SSLStream(Stream, Generic[T_Stream]):
    r"""A `trio.abc.Stream` which encrypts and authenticates what passes through another one.

    A thin asynchronous face of :class:`ssl.SSLObject`, for any transport: a `SocketStream`, a pair
    of pipes, a stream for tests, another SSLStream.  Documented in Trio's reference under "I/O in
    Trio", section "SSL / TLS support"; the protocols are :rfc:`8446` (TLS 1.3) and :rfc:`5246` (TLS 1.2).

    Creating the object exchanges nothing with the peer.  Authentication happens in the handshake, and
    that is performed by the first call that needs it, or by an explicit `do_handshake`.

    Args:
      transport_stream (~trio.abc.Stream): carries the ciphertext.  Nobody else may use it until
          `unwrap` has given it back, and `aclose` closes it too.
      ssl_context (~ssl.SSLContext): certificates and policy.
      server_hostname (str, bytes or None): the name that the server's certificate must be for, also
          sent as Server Name Indication.  Text that is not ASCII is encoded by the rules of
          IDNA 2008 (see `trio.lowlevel.encode_hostname`).  Clients practically always need it: no
          name is checked when it is missing.
      server_side (bool): whether this end is the server.
      https_compatible (bool): how strict to be about the end of the connection.  A TLS peer is
          meant to say goodbye (``close_notify``) before it closes the transport, or else nobody can
          tell the end of the data from an attacker who cut the line.  With False (the default)
          `aclose` says goodbye and a missing goodbye is an error; with True neither is the case.
          That is the custom with HTTP, whose messages carry their own length.

    Attributes:
      transport_stream (~trio.abc.Stream): the stream underneath, None after `unwrap`.

    One task may send while another one receives.  Two at once in the same direction are a
    `trio.BusyResourceError`.

    When the peer breaks the protocol, fails authentication, or the transport fails in the middle of
    a write, then the running call raises `trio.BrokenResourceError` (with the `ssl.SSLError` as
    ``__cause__``, if there is one) or the transport's exception, and all later calls
    `trio.BrokenResourceError`.

    The attributes of the SSLObject that describe the connection can be used directly on this object:
    ``context``, ``pending``, ``server_hostname``, ``server_side``, ``session``, and after the
    handshake (`NeedHandshakeError` before) ``cipher``, ``compression``, ``get_channel_binding``,
    ``getpeercert``, ``selected_alpn_protocol``, ``selected_npn_protocol``, ``session_reused``,
    ``shared_ciphers``, ``version``.
    """

    def __init__(
        self,
        transport_stream: T_Stream,
        ssl_context: ssl.SSLContext,
        *,
        server_hostname: str | bytes | None = None,
        server_side: bool = False,
        https_compatible: bool = False,
    ) -> None:
        if isinstance(server_hostname, str) and not server_hostname.isascii():
            from .lowlevel import encode_hostname

            server_hostname = encode_hostname(server_hostname)
        if server_hostname is not None and not isinstance(server_hostname, str):
            server_hostname = server_hostname.decode("ascii")
        self.transport_stream: T_Stream = transport_stream
        self._https_compatible = https_compatible
        self._tls = _Tls(ssl_context, server_side, server_hostname)
        self._ssl_object = self._tls.ssl_object

    def __getattr__(self, name: str) -> Any:
        if name not in _FORWARDED:
            raise AttributeError(name)
        if name in _FORWARDED_LATER and not self._tls.established:
            raise NeedHandshakeError(f"call do_handshake() before calling {name!r}")
        return getattr(self._ssl_object, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name in _FORWARDED:
            setattr(self._ssl_object, name, value)
        else:
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *_FORWARDED]

    async def do_handshake(self) -> None:
        """Make sure that the handshake has been performed.  A checkpoint.

        Calling it is optional, as the other methods see to the handshake themselves.  It is useful
        before looking at attributes like ``getpeercert``, or to have authentication errors appear
        here.  After the first time it does nothing, and any number of tasks may call it.

        Raises:
          BrokenResourceError: the handshake fails now, or the connection was broken before.
          ClosedResourceError: this end is closed.
        """
        tls = self._tls
        if tls.fault is not None:
            raise tls.fault
        if tls.established:
            await _core.checkpoint()
        else:
            await self._begin()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Wait for cleartext from the peer and return some of it.  A checkpoint.

        See `trio.abc.ReceiveStream.receive_some`.  Performs the handshake first if need be.

        Args:
          max_bytes (int or None): at most so many bytes are returned.  At most the contents of one
              TLS record (16 KiB) ever are, so None (the default) is as good as any large number.

        Returns:
          bytes: ``b""`` means that the peer has ended the stream.  It still can receive.  With
          ``https_compatible=True`` it may also mean that the transport ended without a goodbye,
          and then the connection counts as broken from here on.

        Raises:
          BrokenResourceError: the peer broke the protocol, or the transport ended without a goodbye.
          BusyResourceError: another task is receiving.
          ClosedResourceError: this end is closed.
        """
        tls = self._tls
        if tls.fault is not None:
            raise tls.fault
        if tls.receiving:
            raise _core.BusyResourceError(_RECEIVING)
        tls.receiving = True
        try:
            if not tls.established:
                await self._begin()
            if max_bytes is None:
                max_bytes = RECORD_SIZE
            elif operator.index(max_bytes) < 1:
                raise ValueError("max_bytes must be >= 1")
            if not tls.drained:
                await _core.checkpoint()
            while True:
                if tls.drained:
                    await self._fill()
                try:
                    return tls.read(max_bytes)
                except ssl.SSLWantReadError:
                    tls.drained = True
                except ssl.SSLError as exc:
                    tls.spoil()
                    raise _core.BrokenResourceError from exc
        except _core.BrokenResourceError as exc:
            if self._https_compatible and _is_eof(exc.__cause__):
                return b""
            raise
        finally:
            tls.receiving = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt ``data`` and hand all of it to the transport.  A checkpoint.

        See `trio.abc.SendStream.send_all`.  Performs the handshake first if need be.  When this call
        is cancelled or fails while the transport is at work, then nobody knows how much has been
        sent, and the connection is broken.

        Raises:
          BrokenResourceError: the connection is broken, or the peer is gone.
          BusyResourceError: another task is sending or waiting to send.
          ClosedResourceError: this end is closed.
        """
        tls = self._tls
        if tls.fault is not None:
            raise tls.fault
        if tls.sending:
            raise _core.BusyResourceError(_SENDING)
        tls.sending = True
        try:
            if not tls.established:
                await self._begin()
            if not data:
                # OpenSSL might take this for an end of file.
                await _core.checkpoint()
                return
            await _core.checkpoint_if_cancelled()
            if isinstance(data, (bytes, bytearray, memoryview)) and len(data) > PIECE_SIZE:
                await self._send_in_pieces(data)
                return
            try:
                tls.ssl_object.write(data)
            except ssl.SSLWantReadError:
                await self._drive(tls.ssl_object.write, data)
            except ssl.SSLError as exc:
                tls.spoil()
                raise _core.BrokenResourceError from exc
            else:
                await self._flush()
        finally:
            tls.sending = False

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the transport is ready to send.  A checkpoint.

        See `trio.abc.SendStream.wait_send_all_might_not_block`.  This asks only the transport, so it
        does not perform the handshake, and a promise it is not: TLS may still have to wait.

        Raises:
          BrokenResourceError: the connection is broken.
          BusyResourceError: another task is sending or waiting to send.
          ClosedResourceError: this end is closed.
        """
        tls = self._tls
        if tls.fault is not None:
            raise tls.fault
        if tls.sending:
            raise _core.BusyResourceError(_SENDING)
        tls.sending = True
        try:
            # The receiving task may be sending, on behalf of OpenSSL.
            while tls.writing.taken:
                await tls.writing.wait()
                if tls.fault is not None:
                    raise tls.fault
            tls.writing.taken = True
            try:
                await self.transport_stream.wait_send_all_might_not_block()
            finally:
                tls.writing.release()
        finally:
            tls.sending = False

    async def unwrap(self) -> tuple[Stream, bytes | bytearray]:
        """End the encryption, but keep the transport to go on with unencrypted.  A checkpoint.

        Says goodbye and waits for the peer's.  There must be no other call on this object and no
        unread data from the peer.  This is for protocols which define such a step; to be done with the
        connection use `aclose`.

        Returns:
          tuple: the transport stream, and the bytes (often none) that had been read from it already
          and came after the peer's goodbye.  This object is closed then.

        Raises:
          BrokenResourceError: the peer did not answer with a goodbye.
          BusyResourceError: another task is sending or receiving.
          ClosedResourceError: this end is closed.
        """
        tls = self._tls
        if tls.fault is not None:
            raise tls.fault
        if tls.receiving:
            raise _core.BusyResourceError(_RECEIVING)
        if tls.sending:
            raise _core.BusyResourceError(_SENDING)
        tls.receiving = tls.sending = True
        try:
            if not tls.established:
                await self._begin()
            await _core.checkpoint()
            await self._drive(tls.ssl_object.unwrap)
            transport: T_Stream = self.transport_stream
            self.transport_stream = None  # type: ignore[assignment]
            tls.fault = _core.ClosedResourceError
            return transport, tls.incoming.read()
        finally:
            tls.receiving = tls.sending = False

    async def aclose(self) -> None:
        """Say goodbye, unless `https_compatible`, and close the transport.  A checkpoint.

        Does not wait for the goodbye of the peer.  A connection that never had its handshake gets it
        now, because no goodbye can be said without; so this may raise `trio.BrokenResourceError`
        if the peer fails authentication.  A broken connection is closed without a word.

        When cancelled, or in case of an error, the transport is closed all the same.
        """
        tls = self._tls
        if tls.fault is _core.ClosedResourceError:
            await _core.checkpoint()
            return
        wordless = self._https_compatible or tls.fault is not None
        tls.fault = _core.ClosedResourceError
        transport = self.transport_stream
        if not wordless:
            try:
                await self._say_goodbye()
            except BaseException:
                await aclose_forcefully(transport)
                raise
        await transport.aclose()

    async def _say_goodbye(self) -> None:
        tls = self._tls
        await self._establish()
        try:
            tls.ssl_object.unwrap()
        except ssl.SSLError:
            # Most often a wish for the peer's goodbye, or a complaint about its unread data.  Ours
            # lies in `outgoing` all the same.
            pass
        try:
            await self._flush()
        except _core.BrokenResourceError:
            # Both ends may hang up at once, and the peer got here first.
            pass

    async def _begin(self) -> None:
        """What a public call does that finds no established connection."""
        await self._establish()
        if self._tls.fault is not None:
            # Another task used the time to close it.
            raise self._tls.fault

    async def _establish(self) -> None:
        """Return with the handshake complete, whoever performs it, or raise."""
        tls = self._tls
        if tls.established:
            return
        if tls.shaking.taken:
            await tls.shaking.wait()
            if not tls.established:
                raise _core.BrokenResourceError
            return
        tls.shaking.taken = True
        try:
            await self._drive(tls.shake_hands)
            tls.established = True
        except BaseException:
            # There is no way to take up a handshake that was left in the middle.
            tls.spoil()
            raise
        finally:
            tls.shaking.release()

    async def _send_in_pieces(self, data: bytes | bytearray | memoryview) -> None:
        octets = memoryview(data).cast("B")
        for start in range(0, len(octets), PIECE_SIZE):
            await self._drive(self._tls.ssl_object.write, octets[start : start + PIECE_SIZE])

    async def _drive(
        self,
        operation: Callable[[Unpack[ArgsT]], ResultT],
        *args: Unpack[ArgsT],
    ) -> ResultT:
        """Repeat ``operation`` until OpenSSL stops asking for input, and send what it produced."""
        tls = self._tls
        while True:
            try:
                result = operation(*args)
            except ssl.SSLWantReadError:
                await self._fill()
            except ssl.SSLError as exc:
                tls.spoil()
                raise _core.BrokenResourceError from exc
            else:
                if tls.outgoing.pending:
                    await self._flush()
                return result

    async def _flush(self) -> None:
        """Have the transport send all ciphertext there is (none, if another task was quicker)."""
        tls = self._tls
        while tls.writing.taken:
            await tls.writing.wait()
        if tls.torn:
            raise _core.BrokenResourceError
        ciphertext = tls.take_ciphertext()
        if not ciphertext:
            return
        tls.writing.taken = True
        try:
            await self.transport_stream.send_all(ciphertext)
        except BaseException:
            tls.torn = True
            tls.spoil()
            raise
        finally:
            tls.writing.release()

    async def _fill(self) -> None:
        """Take one step towards more input, after which OpenSSL has to be asked again."""
        tls = self._tls
        if tls.outgoing.pending:
            await self._flush()
            return
        if tls.reading.taken:
            await tls.reading.wait()
            return
        tls.reading.taken = True
        try:
            ciphertext = await self.transport_stream.receive_some()
        finally:
            tls.reading.release()
        if ciphertext:
            tls.incoming.write(ciphertext)
        else:
            tls.incoming.write_eof()
        tls.drained = False


@final
class SSLListener(Listener[SSLStream[T_Stream]]):
    """A listener whose connections are servers' `SSLStream` objects.

    Args:
      transport_listener (~trio.abc.Listener): accepts the connections to wrap.
      ssl_context (~ssl.SSLContext): must hold the server's certificate.
      https_compatible (bool): handed on to each `SSLStream`.

    Attributes:
      transport_listener (~trio.abc.Listener): the listener underneath.
    """

    def __init__(
        self,
        transport_listener: Listener[T_Stream],
        ssl_context: ssl.SSLContext,
        *,
        https_compatible: bool = False,
    ) -> None:
        self.transport_listener = transport_listener
        self._ssl_context = ssl_context
        self._https_compatible = https_compatible

    async def accept(self) -> SSLStream[T_Stream]:
        """Wait for a connection and wrap it.  A checkpoint.

        No handshake happens here, or one silent client could keep all the others waiting: the
        handler's first call on the stream performs it.

        Raises what the transport's ``accept`` does.
        """
        transport = await self.transport_listener.accept()
        try:
            return SSLStream(
                transport,
                self._ssl_context,
                server_side=True,
                https_compatible=self._https_compatible,
            )
        except BaseException:
            await aclose_forcefully(transport)
            raise

    async def aclose(self) -> None:
        """Close the transport listener.  Connections accepted before live on.  A checkpoint."""
        await self.transport_listener.aclose()
