"""The interfaces that Trio's own classes implement and that users may implement themselves.

There are three families, and nothing here has state of its own:

* *plug points of the runtime*: :class:`Clock` and :class:`Instrument`, objects of the user's that the run loop
  calls.  (The plug points of :mod:`trio.socket` have a module of their own, :mod:`trio._abc_sockets`, because
  that one needs `socket`.)
* *byte transports*: :class:`SendStream` and :class:`ReceiveStream`, joined in :class:`Stream` and
  :class:`HalfCloseableStream`, handed out by a :class:`Listener`.  Bytes in order, without message boundaries;
* *object transports*: :class:`SendChannel` and :class:`ReceiveChannel`, joined in :class:`Channel`.

The transports all rest on :class:`AsyncResource`: something whose closing is an async operation, and which is
closed when an ``async with`` block ends.

Two rules hold for every method of a transport.  Each call is a checkpoint, also when it could finish at
once.  And a direction belongs to one task at a time: a second task in the same direction gets
`trio.BusyResourceError` from byte transports, while object transports let any number of tasks wait.

Every class declares empty ``__slots__``, so that an implementation decides for itself whether its objects carry
a ``__dict__``.

This module is imported very early, by the core itself, and `typing` is slow to import; type checkers therefore
see `typing.Generic` as the base of the parametrised classes, and the interpreter sees the stand-in
:class:`Generic` below.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import trio

from ._native import MemoryReceiveChannel, MemorySendChannel, SystemClock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Generic as Generic, TypeVar

    from typing_extensions import Self

    from ._abc_sockets import HostnameResolver as HostnameResolver, SocketFactory as SocketFactory
    from .lowlevel import Task

    ReceiveType = TypeVar("ReceiveType", covariant=True)
    SendType = TypeVar("SendType", contravariant=True)
    T = TypeVar("T")
    T_resource = TypeVar("T_resource", bound="AsyncResource", covariant=True)
else:
    from types import GenericAlias

    ReceiveType = SendType = T = T_resource = object

    class Generic:
        """Lets a class be subscripted, as ``Generic[T]`` in a list of bases and as ``TheClass[int]`` afterwards.

        The parameters are remembered for introspection and otherwise without effect.
        """

        __slots__ = ()
        __class_getitem__ = classmethod(GenericAlias)

    def __getattr__(name: str) -> object:
        """The interfaces that moved out, for those who look for every interface here."""
        if name not in ("HostnameResolver", "SocketFactory"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from . import _abc_sockets

        return getattr(_abc_sockets, name)


NO_SLOTS = ()  # one spelling for all the classes below, none of which has instance attributes

# ---- plug points of the runtime ----


class Clock(ABC):
    """A source of time for one run, given to :func:`trio.run` as ``clock``.

    Times are floats in seconds on a scale the clock chooses; only differences mean something, and time may not
    run backwards.

    See `the reference on custom clocks
    <https://trio.readthedocs.io/en/stable/reference-testing.html#time-and-timeouts>`__ for the clock most tests
    want.
    """

    __slots__ = NO_SLOTS

    @abstractmethod
    def start_clock(self) -> None:
        """Called once, when the run that uses this clock begins."""

    @abstractmethod
    def current_time(self) -> float:
        """The time now, in seconds.  This is what :func:`trio.current_time` returns."""

    @abstractmethod
    def deadline_to_sleep_time(self, deadline: float) -> float:
        """How long the operating system may be waited upon before ``deadline`` has to be looked at again.

        Args:
          deadline: a time on this clock's scale.

        Returns:
          Real seconds.  Too little is harmless, as the loop asks again after waking; too much makes timeouts
          late.  Zero or less means that the deadline has passed already.
        """


class Instrument(ABC):  # noqa: B024 (nothing has to be overridden)
    """Receives a call whenever the run loop does something worth observing.

    Override what interests you and hand an instance to :func:`trio.run` or
    :func:`trio.lowlevel.add_instrument`.  A hook that stays as it is costs the loop nothing.  Hooks are called
    synchronously, inside the loop; should one raise, the instrument is dropped and the exception logged, and
    the run goes on.  The `section on instrumentation
    <https://trio.readthedocs.io/en/stable/reference-lowlevel.html#debugging-and-instrumentation>`__ of the
    reference has examples.
    """

    __slots__ = NO_SLOTS

    def before_run(self) -> None:  # noqa: B027
        """The run is about to start; not even the main task exists."""

    def after_run(self) -> None:  # noqa: B027
        """The run is over, :func:`trio.run` is about to return."""

    def task_spawned(self, task: Task) -> None:  # noqa: B027
        """``task`` was created and has not run yet."""

    def task_scheduled(self, task: Task) -> None:  # noqa: B027
        """``task`` became runnable; some time later it will actually run."""

    def before_task_step(self, task: Task) -> None:  # noqa: B027
        """``task`` is going to run until its next schedule point."""

    def after_task_step(self, task: Task) -> None:  # noqa: B027
        """``task`` ran up to a schedule point, or ended."""

    def task_exited(self, task: Task) -> None:  # noqa: B027
        """``task`` is done and will not be seen again."""

    def before_io_wait(self, timeout: float) -> None:  # noqa: B027
        """The loop is about to ask the operating system for events.

        Args:
          timeout: the longest time it will block, in seconds.
        """

    def after_io_wait(self, timeout: float) -> None:  # noqa: B027
        """The loop came back from asking for events.

        Args:
          timeout: the number that :meth:`before_io_wait` got, whether or not that much time has passed.
        """


# ---- closing ----


class AsyncResource(ABC):
    """Something that has to be closed, and whose closing may block.

    Used as ``async with resource:``, which closes it on the way out.  The contract is laid out in
    `Abstract base classes <https://trio.readthedocs.io/en/stable/reference-io.html#trio.abc.AsyncResource>`__.
    """

    __slots__ = NO_SLOTS

    @abstractmethod
    async def aclose(self) -> None:
        """Close the resource, gracefully if that is possible.  A checkpoint.

        A graceful close may block (say, to tell the peer); it can be cancelled, and then it still closes the
        resource, only less politely, before `trio.Cancelled` comes out.  No other exception should: there is
        nothing a caller could do about it.  Closing twice is allowed and does nothing the second time.

        Tasks that are using the resource meanwhile, or try to afterwards, get `trio.ClosedResourceError`.  To
        close without waiting for anything, use :func:`trio.aclose_forcefully`.
        """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


# ---- byte transports ----


class SendStream(AsyncResource):
    """The sending half of a byte stream.

    A stream is not a file: what one call sends may arrive in several pieces, or together with what the next
    call sends.
    """

    __slots__ = NO_SLOTS

    @abstractmethod
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of ``data``, however often the transport has to be asked.  A checkpoint.

        Returning says that the data was handed over, not that the peer has received it.  After an exception,
        cancellation included, there is no telling how much of it was.

        Raises:
          trio.BusyResourceError: another task is sending, or waiting in :meth:`wait_send_all_might_not_block`.
          trio.BrokenResourceError: the connection failed, for example because the peer went away.
          trio.ClosedResourceError: this end was closed, before or during the call.
        """

    @abstractmethod
    async def wait_send_all_might_not_block(self) -> None:
        """Block until a :meth:`send_all` has a chance of not blocking.  A checkpoint.

        A hint for senders that would rather decide late what to send: it may return early, and the `send_all`
        that follows may block after all.  It must not be late: as long as it blocks, `send_all` would.

        Raises:
          trio.BusyResourceError: another task is sending, or waiting here as well.
          trio.BrokenResourceError: the connection failed; an implementation may also return and let `send_all`
            say so.
          trio.ClosedResourceError: this end was closed, before or during the call.
        """


class ReceiveStream(AsyncResource):
    """The receiving half of a byte stream.

    ``async for data in stream`` gives what :meth:`receive_some` returns, and ends where the data ends.
    """

    __slots__ = NO_SLOTS

    @abstractmethod
    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Wait until there is data, and return what there is.  A checkpoint.

        Args:
          max_bytes: the most to return, at least 1.  `None` leaves it to the stream to choose something sensible.

        Returns:
          Between 1 and ``max_bytes`` bytes, or an empty string if the peer has sent everything it is going to send.

        Raises:
          trio.BusyResourceError: another task is receiving.
          trio.BrokenResourceError: the connection failed, so that this is not a proper end of the data.
          trio.ClosedResourceError: this end was closed, before or during the call.
        """

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes | bytearray:
        data = await self.receive_some()
        if data:
            return data
        raise StopAsyncIteration


class Stream(SendStream, ReceiveStream):
    """A byte stream in both directions, such as a connection.

    The directions are independent: one task may send while another one receives.  Closing ends both.
    """

    __slots__ = NO_SLOTS


class HalfCloseableStream(Stream):
    """A byte stream whose sending direction can be ended on its own."""

    __slots__ = NO_SLOTS

    @abstractmethod
    async def send_eof(self) -> None:
        """Tell the peer that no more data will come, and keep receiving.  A checkpoint.

        The peer sees the end of the data after everything sent before.  On this side `~SendStream.send_all` raises
        `trio.ClosedResourceError` from now on; saying it again changes nothing.

        Raises:
          trio.BusyResourceError: another task is sending.
          trio.BrokenResourceError: the connection failed.
          trio.ClosedResourceError: this end was closed.
        """


class Listener(AsyncResource, Generic[T_resource]):
    """Waits for peers and gives a resource, usually a :class:`Stream`, for each of them."""

    __slots__ = NO_SLOTS

    @abstractmethod
    async def accept(self) -> T_resource:
        """Wait for the next peer and return the resource that leads to it.  A checkpoint.

        Raises:
          trio.ClosedResourceError: the listener was closed, before or during the call.
        """


# ---- object transports ----


class SendChannel(AsyncResource, Generic[SendType]):
    """The sending end of a transport for Python objects.

    Like `SendStream` for objects instead of bytes, except that each object is delivered whole, and that several
    tasks may wait in it.
    """

    __slots__ = NO_SLOTS

    @abstractmethod
    async def send(self, value: SendType) -> None:
        """Pass ``value`` on, waiting for room if there is none.  A checkpoint.

        Raises:
          trio.BrokenResourceError: nobody can receive any more.
          trio.ClosedResourceError: this end was closed, before or during the call.
          trio.BusyResourceError: only from a channel that cannot serve several senders.
        """


class ReceiveChannel(AsyncResource, Generic[ReceiveType]):
    """The receiving end of a transport for Python objects.

    ``async for value in channel`` takes values until the other end is closed.
    """

    __slots__ = NO_SLOTS

    @abstractmethod
    async def receive(self) -> ReceiveType:
        """Take the next value, waiting for one if there is none.  A checkpoint.

        Raises:
          trio.EndOfChannel: the sending side was closed and everything it sent has been received.
          trio.BrokenResourceError: the channel failed otherwise.
          trio.ClosedResourceError: this end was closed, before or during the call.
          trio.BusyResourceError: only from a channel that cannot serve several receivers.
        """

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ReceiveType:
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None


class Channel(SendChannel[T], ReceiveChannel[T]):
    """A transport for Python objects in both directions.

    What is sent here is received at the other end of the connection, not by this object's own
    :meth:`~ReceiveChannel.receive`.
    """

    __slots__ = NO_SLOTS


# Native classes implement the interfaces without inheriting from them.
Clock.register(SystemClock)
SendChannel.register(MemorySendChannel)
ReceiveChannel.register(MemoryReceiveChannel)
