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

A connection moves through these states, kept in `_ssl_engine`:

* *fresh*: nothing was said yet.  The first call that needs the peer performs the handshake, and
  calls that come meanwhile wait for its end.
* *established*: one task may send while another one receives.
* *faulty*: ``Engine.fault`` holds the exception class that every further call raises, either
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

Each carrier works for one task at a time.  Whoever has its turn to write takes all of ``outgoing``, so
ciphertext goes out in the order in which OpenSSL made it.  The calls themselves are guarded by plain
flags, and a call that meets no other pays for no lock at all.

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
from ._ssl_engine import Engine
from ._util import final, fixup_module_metadata

if TYPE_CHECKING:
    from collections.abc import Callable

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


@final
class SSLStream(Stream, Generic[T_Stream]):
    """A `trio.abc.Stream` which encrypts and authenticates what passes through another one.

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
        self._engine = Engine(ssl_context, server_side, server_hostname)
        self._ssl_object = self._engine.ssl_object

    def __getattr__(self, name: str) -> Any:
        if name not in _FORWARDED:
            raise AttributeError(name)
        if name in _FORWARDED_LATER and not self._engine.established:
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
        engine = self._engine
        if engine.fault is not None:
            raise engine.fault
        if engine.established:
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
        engine = self._engine
        if engine.fault is not None:
            raise engine.fault
        if engine.receiving:
            raise _core.BusyResourceError(_RECEIVING)
        engine.receiving = True
        try:
            if not engine.established:
                await self._begin()
            size = RECORD_SIZE
            if max_bytes is not None:
                size = min(size, operator.index(max_bytes))
                if size < 1:
                    raise ValueError("max_bytes must be >= 1")
            if not engine.drained:
                await _core.checkpoint()
            while True:
                if engine.drained:
                    await self._fill()
                try:
                    return engine.read(size)
                except ssl.SSLWantReadError:
                    engine.drained = True
                except ssl.SSLError as exc:
                    engine.spoil()
                    raise _core.BrokenResourceError from exc
        except _core.BrokenResourceError as exc:
            if self._https_compatible and _is_eof(exc.__cause__):
                return b""
            raise
        finally:
            engine.receiving = False

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
        engine = self._engine
        if engine.fault is not None:
            raise engine.fault
        if engine.sending:
            raise _core.BusyResourceError(_SENDING)
        engine.sending = True
        try:
            if not engine.established:
                await self._begin()
            if not data:
                # OpenSSL might take this for an end of file.
                await _core.checkpoint()
                return
            await _core.checkpoint_if_cancelled()
            if isinstance(data, (bytes, bytearray, memoryview)) and len(data) > PIECE_SIZE:
                await self._send_in_pieces(data)
                return
            if engine.write(data):
                await self._flush()
            else:
                await self._drive(engine.ssl_object.write, data)
        finally:
            engine.sending = False

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the transport is ready to send.  A checkpoint.

        See `trio.abc.SendStream.wait_send_all_might_not_block`.  This asks only the transport, so it
        does not perform the handshake, and a promise it is not: TLS may still have to wait.

        Raises:
          BrokenResourceError: the connection is broken.
          BusyResourceError: another task is sending or waiting to send.
          ClosedResourceError: this end is closed.
        """
        engine = self._engine
        if engine.fault is not None:
            raise engine.fault
        if engine.sending:
            raise _core.BusyResourceError(_SENDING)
        engine.sending = True
        try:
            # The receiving task may be sending, on behalf of OpenSSL.
            while engine.writing.taken:
                await engine.writing.wait()
                if engine.fault is not None:
                    raise engine.fault
            engine.writing.taken = True
            try:
                await self.transport_stream.wait_send_all_might_not_block()
            finally:
                engine.writing.release()
        finally:
            engine.sending = False

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
        engine = self._engine
        if engine.fault is not None:
            raise engine.fault
        if engine.receiving:
            raise _core.BusyResourceError(_RECEIVING)
        if engine.sending:
            raise _core.BusyResourceError(_SENDING)
        engine.receiving = engine.sending = True
        try:
            if not engine.established:
                await self._begin()
            await _core.checkpoint()
            await self._drive(engine.ssl_object.unwrap)
            transport: T_Stream = self.transport_stream
            self.transport_stream = None  # type: ignore[assignment]
            engine.fault = _core.ClosedResourceError
            return transport, engine.incoming.read()
        finally:
            engine.receiving = engine.sending = False

    async def aclose(self) -> None:
        """Say goodbye, unless `https_compatible`, and close the transport.  A checkpoint.

        Does not wait for the goodbye of the peer.  A connection that never had its handshake gets it
        now, because no goodbye can be said without; so this may raise `trio.BrokenResourceError`
        if the peer fails authentication.  A broken connection is closed without a word.

        When cancelled, or in case of an error, the transport is closed all the same.
        """
        engine = self._engine
        if engine.fault is _core.ClosedResourceError:
            await _core.checkpoint()
            return
        wordless = self._https_compatible or engine.fault is not None
        engine.fault = _core.ClosedResourceError
        transport = self.transport_stream
        if not wordless:
            try:
                await self._say_goodbye()
            except BaseException:
                await aclose_forcefully(transport)
                raise
        await transport.aclose()

    async def _say_goodbye(self) -> None:
        engine = self._engine
        await self._establish()
        try:
            engine.ssl_object.unwrap()
        except ssl.SSLError:
            # Most often a wish for the peer's goodbye, or a complaint about its unread data.  Ours
            # lies in `outgoing` all the same, unless an unfinished `unwrap` has said it before.
            pass
        try:
            if engine.outgoing.pending:
                await self._flush()
        except _core.BrokenResourceError:
            # Both ends may hang up at once, and the peer got here first.
            pass

    async def _begin(self) -> None:
        """What a public call does that finds no established connection."""
        await self._establish()
        if self._engine.fault is not None:
            # Another task used the time to close it.
            raise self._engine.fault

    async def _establish(self) -> None:
        """Return with the handshake complete, whoever performs it, or raise."""
        engine = self._engine
        if engine.established:
            return
        if engine.shaking.taken:
            await engine.shaking.wait()
            if not engine.established:
                raise _core.BrokenResourceError
            return
        engine.shaking.taken = True
        try:
            await self._drive(engine.shake_hands)
            engine.established = True
        except BaseException:
            # There is no way to take up a handshake that was left in the middle.
            engine.spoil()
            raise
        finally:
            engine.shaking.release()

    async def _send_in_pieces(self, data: bytes | bytearray | memoryview) -> None:
        octets = memoryview(data).cast("B")
        for start in range(0, len(octets), PIECE_SIZE):
            await self._drive(self._engine.ssl_object.write, octets[start : start + PIECE_SIZE])

    async def _drive(
        self,
        operation: Callable[[Unpack[ArgsT]], ResultT],
        *args: Unpack[ArgsT],
    ) -> ResultT:
        """Repeat ``operation`` until OpenSSL stops asking for input, and send what it produced."""
        engine = self._engine
        while True:
            try:
                result = operation(*args)
            except ssl.SSLWantReadError:
                # Wait outside of this block: what is raised there has nothing to do with it.
                pass
            except ssl.SSLError as exc:
                engine.spoil()
                raise _core.BrokenResourceError from exc
            else:
                if engine.outgoing.pending:
                    await self._flush()
                return result
            await self._fill()

    async def _flush(self) -> None:
        """Have the transport send all ciphertext there is (none, if another task was quicker)."""
        engine = self._engine
        while engine.writing.taken:
            await engine.writing.wait()
        if engine.torn:
            raise _core.BrokenResourceError
        ciphertext = engine.take_ciphertext()
        if not ciphertext:
            return
        engine.writing.taken = True
        try:
            await self.transport_stream.send_all(ciphertext)
        except BaseException:
            engine.torn = True
            engine.spoil()
            raise
        finally:
            engine.writing.release()

    async def _fill(self) -> None:
        """Take one step towards more input, after which OpenSSL has to be asked again."""
        engine = self._engine
        if engine.outgoing.pending:
            await self._flush()
            return
        if engine.reading.taken:
            await engine.reading.wait()
            return
        engine.reading.taken = True
        try:
            ciphertext = await self.transport_stream.receive_some()
        finally:
            engine.reading.release()
        if ciphertext:
            engine.incoming.write(ciphertext)
        else:
            engine.incoming.write_eof()
        engine.drained = False


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


# Other modules hand these out before anybody has asked for them by name.
fixup_module_metadata("trio", {"NeedHandshakeError": NeedHandshakeError, "SSLListener": SSLListener, "SSLStream": SSLStream})
