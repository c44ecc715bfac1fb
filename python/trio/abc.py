"""The public namespace ``trio.abc``: interfaces to implement, or to check against with `isinstance`.

Everything is defined in :mod:`trio._abc`.  The public names are fixed up by the package to say ``trio.abc``, so that users never
meet the private module.
"""

from ._abc import (
    AsyncResource as AsyncResource,
    Channel as Channel,
    Clock as Clock,
    HalfCloseableStream as HalfCloseableStream,
    HostnameResolver as HostnameResolver,
    Instrument as Instrument,
    Listener as Listener,
    ReceiveChannel as ReceiveChannel,
    ReceiveStream as ReceiveStream,
    SendChannel as SendChannel,
    SendStream as SendStream,
    SocketFactory as SocketFactory,
    Stream as Stream,
)
