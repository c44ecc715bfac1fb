"""The interfaces with which users replace the network beneath :mod:`trio.socket`.

A test can put a simulated network in the place of the real one with a :class:`SocketFactory` and a
:class:`HostnameResolver`; both are set per run and have no state here.  They are part of :mod:`trio.abc`, and
separate from the other interfaces only because the core imports those, and need not import `socket` with them.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod

from ._abc import NO_SLOTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._socket import _GetAddrInfoEntry
    from .socket import SocketType


class HostnameResolver(ABC):
    """A replacement for the system's name resolution, see :func:`trio.socket.set_custom_hostname_resolver`."""

    __slots__ = NO_SLOTS

    @abstractmethod
    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[_GetAddrInfoEntry]:
        """Translate a host and a port into socket addresses, like :func:`trio.socket.getaddrinfo`.

        Called only for what needs resolving: numeric addresses never get here.  A host given as text has been
        encoded already, by the rules of IDNA 2008, so ``host`` is ``bytes`` or `None`.
        """

    @abstractmethod
    async def getnameinfo(self, sockaddr: tuple[str, int] | tuple[str, int, int, int], flags: int) -> tuple[str, str]:
        """Translate a socket address into a host and a service name, like :func:`trio.socket.getnameinfo`."""


class SocketFactory(ABC):
    """A replacement for the kernel's sockets, see :func:`trio.socket.set_custom_socket_factory`."""

    __slots__ = NO_SLOTS

    @abstractmethod
    def socket(
        self,
        family: socket.AddressFamily | int = socket.AF_INET,
        type: socket.SocketKind | int = socket.SOCK_STREAM,
        proto: int = 0,
    ) -> SocketType:
        """Create a socket; takes the same arguments as :func:`trio.socket.socket`, fd aside.

        Returns an object of a subclass of :class:`trio.socket.SocketType`.  A factory that has no socket to
        offer for these arguments raises `OSError`, as the kernel would.
        """
