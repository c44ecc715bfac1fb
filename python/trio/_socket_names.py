"""From host and service names to socket addresses, without ever blocking the event loop.

Three layers, each usable alone:

* :func:`encode_hostname` turns a name into the ASCII bytes that resolvers understand, by IDNA 2008 (RFC 5891) with the
  UTS 46 mapping.  The standard library would apply IDNA 2003, which maps some names to a different host.
* :func:`getaddrinfo`, :func:`getnameinfo` and :func:`getprotobyname` mirror their namesakes in `socket`.  A query that
  consists of numbers is answered in place, as it cannot block; the others go to the run's custom resolver if there is
  one, and else to a worker thread that is abandoned on cancellation.
* :func:`_resolve_address_nocp` brings an address that a user gave to a socket method into the form that the system call
  takes.  The suffix warns that it is no checkpoint when the address is already numeric.

State: the custom resolver, a run-local variable.  The functions of the `socket` module are looked up for each call, so
whoever replaces them there is heard.
"""

from __future__ import annotations

import os
import socket as _stdlib_socket

from . import _core
from ._socket_ops import _try_sync
from ._threads import to_thread_run_sync

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import AddressFamily, SocketKind
    from typing import Literal, Union

    from typing_extensions import TypeAlias

    from ._abc import HostnameResolver
    from ._socket_interface import AddressFormat

    _GetAddrInfoEntry: TypeAlias = Union[
        tuple[Literal[AddressFamily.AF_INET], SocketKind, int, str, tuple[str, int]],
        tuple[Literal[AddressFamily.AF_INET6], SocketKind, int, str, Union[tuple[str, int, int, int], tuple[int, bytes]]],
    ]
else:
    _GetAddrInfoEntry = tuple

_NUMERIC_ONLY = _stdlib_socket.AI_NUMERICHOST | _stdlib_socket.AI_NUMERICSERV
_NUMERIC_RESULT = _stdlib_socket.NI_NUMERICHOST | _stdlib_socket.NI_NUMERICSERV

_resolver: _core.RunVar[HostnameResolver | None] = _core.RunVar("hostname_resolver")


def set_custom_hostname_resolver(hostname_resolver: HostnameResolver | None) -> HostnameResolver | None:
    """Send this run's name lookups to an object of your own.

    Args:
      hostname_resolver: implements `trio.abc.HostnameResolver`; None goes back to the system's resolver.

    Returns the resolver that was set before, or None.  Queries that are numeric throughout do not reach the resolver,
    and host names reach it encoded (see :func:`getaddrinfo`).  `RuntimeError` outside of a run.  Not a checkpoint.

    See "Virtual networking for testing" in Trio's reference manual.
    """
    previous = _resolver.get(None)
    _resolver.set(hostname_resolver)
    return previous


def encode_hostname(hostname: str) -> bytes:
    """Encode a host name for the domain name system.

    ASCII passes through unchanged.  Anything else is mapped by UTS 46 (case folding, width variants, alternative dots)
    and encoded by IDNA 2008, RFC 5891; `idna.IDNAError`, a `UnicodeError`, if the name has no valid encoding.  Not a
    checkpoint.
    """
    if hostname.isascii():
        return hostname.encode("ascii")
    import idna

    return idna.encode(hostname, uts46=True)


async def getaddrinfo(
    host: bytes | str | None,
    port: bytes | str | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[_GetAddrInfoEntry]:
    """Look up the addresses of a host and service.

    Arguments and result are those of `socket.getaddrinfo`, except that a `str` host is encoded by IDNA 2008 (see
    :func:`trio.lowlevel.encode_hostname`), not 2003.  A custom resolver is asked if one is set.  Failure raises
    `socket.gaierror`.  A checkpoint; if cancelled, a lookup in progress is abandoned.
    """
    # Numbers need no lookup, so try that first.  The C library reports "not a number" as EAI_NONAME, for host and
    # service alike; any other error would only come up again.
    async with _try_sync(_is_not_numeric):
        found = _stdlib_socket.getaddrinfo(host, port, family, type, proto, flags | _NUMERIC_ONLY)
        return found  # type: ignore[return-value]
    if isinstance(host, str):
        host = encode_hostname(host)
    resolver = _resolver.get(None)
    if resolver is not None:
        return await resolver.getaddrinfo(host, port, family, type, proto, flags)
    found = await to_thread_run_sync(_stdlib_socket.getaddrinfo, host, port, family, type, proto, flags, abandon_on_cancel=True)
    return found  # type: ignore[return-value]


def _is_not_numeric(exc: BaseException) -> bool:
    return isinstance(exc, _stdlib_socket.gaierror) and exc.errno == _stdlib_socket.EAI_NONAME


async def getnameinfo(sockaddr: tuple[str, int] | tuple[str, int, int, int], flags: int) -> tuple[str, str]:
    """Look up the names of a host and service by their numbers.

    Arguments and result are those of `socket.getnameinfo`; the host in ``sockaddr`` has to be numeric, else
    `socket.gaierror`.  A custom resolver is asked if one is set.  A checkpoint; if cancelled, a lookup in progress is
    abandoned.
    """
    resolver = _resolver.get(None)
    if resolver is not None:
        return await resolver.getnameinfo(sockaddr, flags)
    if isinstance(flags, int) and flags & _NUMERIC_RESULT == _NUMERIC_RESULT:
        # Numbers in, numbers out: pure formatting.
        async with _try_sync():
            return _stdlib_socket.getnameinfo(sockaddr, flags)
    return await to_thread_run_sync(_stdlib_socket.getnameinfo, sockaddr, flags, abandon_on_cancel=True)


async def getprotobyname(name: str) -> int:
    """Look up an Internet protocol's number by its name, like `socket.getprotobyname`.

    `OSError` for an unknown name.  A checkpoint; runs in a worker thread, as it reads a system database.
    """
    return await to_thread_run_sync(_stdlib_socket.getprotobyname, name, abandon_on_cancel=True)


async def _resolve_address_nocp(
    type_: int,
    family: AddressFamily,
    proto: int,
    *,
    ipv6_v6only: bool | int,
    address: AddressFormat,
    local: bool,
) -> AddressFormat:
    """Bring ``address`` into the form that system calls take for a socket of this family, type and protocol.

    ``local`` says that the address is for this end: a null host then means every interface, not the loopback one.
    ``ipv6_v6only`` is the socket's option of that name: without it an IPv6 socket may be given IPv4 addresses.
    Not a checkpoint if there is nothing to look up.  Addresses of unknown families are returned as they are.
    """
    if family == _stdlib_socket.AF_UNIX:
        return os.fspath(address)
    if not needs_lookup(family, address):
        return address
    host, port, *flow_and_scope = address
    if host == "":  # the standard library's second spelling of "no host"
        host = None
    elif host == "<broadcast>":  # and its name for this one
        host = "255.255.255.255"
    flags = _stdlib_socket.AI_PASSIVE if local else 0
    if family == _stdlib_socket.AF_INET6 and not ipv6_v6only:
        flags |= _stdlib_socket.AI_V4MAPPED
    found = await getaddrinfo(host, port, family, type_, proto, flags)
    sockaddr = found[0][4]
    # The lookup knows nothing of the flow label, and of the scope only what a "%interface" in the name says.
    return (*sockaddr[:2], *flow_and_scope, *sockaddr[2 + len(flow_and_scope) :])


def needs_lookup(family: int, address: AddressFormat) -> bool:
    """Whether there is anything but numbers in ``address``; `ValueError` if it has not the shape its family asks for.

    Only the two Internet families have names to look up.
    """
    if family == _stdlib_socket.AF_INET:
        shape, longest = "(host, port)", 2
    elif family == _stdlib_socket.AF_INET6:
        shape, longest = "(host, port, [flowinfo, [scopeid]])", 4
    else:
        return False
    if not isinstance(address, tuple) or not 2 <= len(address) <= longest:
        raise ValueError(f"address should be a {shape} tuple")
    host, port = address[:2]
    if not isinstance(host, str) or not isinstance(port, int):
        return True
    try:
        _stdlib_socket.inet_pton(family, host)
    except (OSError, ValueError):  # not a number; or not even text that could be one
        return True
    return False
