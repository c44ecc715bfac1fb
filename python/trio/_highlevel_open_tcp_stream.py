"""Connecting to a TCP service by name: "happy eyeballs".

A name may stand for many addresses, and some of them may lead nowhere: the classic case is a host with an IPv6
address behind a network that loses IPv6 packets.  Trying one address after the other means waiting for a timeout
of minutes; trying all at once is unfair to the servers.  :rfc:`6555` proposes a compromise, and :class:`_Race`
implements it:

* attempts start in the order in which the resolver prefers the addresses, amended by
  :func:`reorder_for_rfc_6555_section_5_4`;
* the next one starts when the latest one has failed, or when it had its head start (:data:`DEFAULT_DELAY`),
  whichever comes first;
* the first connection wins, and the others are abandoned.

Every socket goes into one set as soon as it exists, and :func:`close_all` closes what is in the set at the
end.  The winner leaves the set only when it has become a stream, so there is no moment at which an exception
could leave a socket open.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress

from . import _core, socket as tsocket
from ._highlevel_socket import SocketStream
from ._sync import Event
from ._timeouts import move_on_after
from .socket import getaddrinfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, MutableSequence, Sequence

    from ._socket import _GetAddrInfoEntry
    from .socket import SocketType

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup

DEFAULT_DELAY = 0.250  # seconds; section 5.5 of the RFC suggests 150 to 250 ms


@contextmanager
def close_all() -> Generator[set[SocketType], None, None]:
    """Context manager that gives an empty set, and closes everything that is in the set when the block ends.

    Everything is closed even if closing something fails; the errors come out afterwards.
    """
    sockets: set[SocketType] = set()
    errors: list[BaseException] = []
    try:
        yield sockets
    finally:
        for sock in sockets:
            try:
                sock.close()
            except BaseException as exc:
                errors.append(exc)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise BaseExceptionGroup("", errors)


def reorder_for_rfc_6555_section_5_4(targets: MutableSequence[_GetAddrInfoEntry]) -> None:
    """Let the second attempt use another address family than the first one, if there is another; in place.

    If a family does not work at all, this finds out after one attempt instead of after all of that
    family.  Otherwise the order stays as the resolver gave it.
    """
    for index, (family, *_) in enumerate(targets):
        if family != targets[0][0]:
            targets.insert(1, targets.pop(index))
            return


def format_host_port(host: str | bytes, port: int | str) -> str:
    """Write host and port the usual way, for error messages: ``example.com:80`` or ``[::1]:80``."""
    name = host.decode("ascii") if isinstance(host, bytes) else host
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


async def _bind_locally(sock: SocketType, local_address: str, remote: object) -> None:
    # With a port of 0 the kernel would reserve a free port now.  This option tells it to choose when the peer is
    # known, so that one port can serve connections to several peers; see ip(7).  Where it is missing we run out
    # of ports sooner.
    option = getattr(tsocket, "IP_BIND_ADDRESS_NO_PORT", None)
    if option is not None:
        with suppress(OSError):
            sock.setsockopt(tsocket.IPPROTO_IP, option, 1)
    try:
        await sock.bind((local_address, 0))
    except OSError:
        raise OSError(f"local_address={local_address!r} is incompatible with remote address {remote!r}") from None


class _Race:
    """Several attempts to connect, with staggered starts.

    Attributes:
      winner: the socket that was connected first, if any was.
      errors: why the attempts failed that did.
      opened: every socket that was opened; the caller closes them.
    """

    def __init__(self, opened: set[SocketType], delay: float, local_address: str | None) -> None:
        self.winner: SocketType | None = None
        self.errors: list[OSError] = []
        self.opened = opened
        self._delay = delay
        self._local_address = local_address

    async def run(self, targets: Sequence[_GetAddrInfoEntry]) -> None:
        """Return when there is a winner, or nobody left to become one."""
        async with _core.open_nursery() as nursery:
            for family, kind, protocol, _, address in targets:
                failed = Event()
                nursery.start_soon(self._attempt, nursery, failed, (family, kind, protocol), address)
                with move_on_after(self._delay):
                    await failed.wait()

    async def _attempt(
        self,
        nursery: _core.Nursery,
        failed: Event,
        socket_args: tuple[int, int, int],
        address: tuple[object, ...],
    ) -> None:
        try:
            sock = tsocket.socket(*socket_args)
            self.opened.add(sock)
            if self._local_address is not None:
                await _bind_locally(sock, self._local_address, address)
            await sock.connect(address)
        except OSError as exc:
            self.errors.append(exc)
            failed.set()
        else:
            # Two attempts may succeed in the same tick; then either will do.
            self.winner = sock
            nursery.cancel_scope.cancel(reason="another connection attempt succeeded")


async def open_tcp_stream(
    host: str | bytes,
    port: int,
    *,
    happy_eyeballs_delay: float | None = DEFAULT_DELAY,
    local_address: str | None = None,
) -> SocketStream:
    """Connect to a TCP port of a host, with "happy eyeballs" if the host has several addresses.  A checkpoint.

    Args:
      host: a host name, or an IPv4 or IPv6 address.
      port: a number from 1 to 65535.
      happy_eyeballs_delay: how long an attempt goes on alone before another address is tried at the same time,
        in seconds. `None` is the default of 0.25; `math.inf` means to wait for each attempt to fail.
      local_address: the local IP address to connect from, if the choice should not be the system's.  Only remote
        addresses of its family can then be reached.  The wildcard addresses ``"0.0.0.0"`` and ``"::"`` choose
        just the family.

    Returns:
      A connected `trio.SocketStream`.

    Raises:
      OSError: all attempts failed, and ``__cause__`` is a group of the reasons; or the host has no address.
      socket.gaierror: the name could not be resolved.
      TypeError, ValueError: an argument is of the wrong type.

    See :rfc:`6555`, its successor :rfc:`8305`, and
    `the reference <https://trio.readthedocs.io/en/stable/reference-io.html#trio.open_tcp_stream>`__.
    """
    # Names of services are refused because the resolver would be free to find an UDP service by that name, and
    # None would mean the loopback interface here and all interfaces for a listener.
    if not isinstance(host, (str, bytes)):
        raise ValueError(f"host must be str or bytes, not {host!r}")
    if not isinstance(port, int):
        raise TypeError(f"port must be int, not {port!r}")
    delay = DEFAULT_DELAY if happy_eyeballs_delay is None else happy_eyeballs_delay

    targets = await getaddrinfo(host, port, type=tsocket.SOCK_STREAM)
    if not targets:
        raise OSError(f"no results found for hostname lookup: {format_host_port(host, port)}")
    reorder_for_rfc_6555_section_5_4(targets)

    with close_all() as opened:
        race = _Race(opened, delay, local_address)
        await race.run(targets)
        if race.winner is None:
            message = f"all attempts to connect to {format_host_port(host, port)} failed"
            raise OSError(message) from ExceptionGroup(message, race.errors)
        stream = SocketStream(race.winner)
        opened.remove(race.winner)
        return stream
