"""The public namespace ``trio.abc``: interfaces to implement, or to check against with `isinstance`.

Everything is defined in :mod:`trio._abc` and :mod:`trio._abc_sockets`, but says of itself that it comes from
here, so that users never meet the private modules.
"""

from ._abc import (
    AsyncResource as AsyncResource,
    Channel as Channel,
    Clock as Clock,
    HalfCloseableStream as HalfCloseableStream,
    Instrument as Instrument,
    Listener as Listener,
    ReceiveChannel as ReceiveChannel,
    ReceiveStream as ReceiveStream,
    SendChannel as SendChannel,
    SendStream as SendStream,
    Stream as Stream,
)
from ._abc_sockets import HostnameResolver as HostnameResolver, SocketFactory as SocketFactory
from ._util import fixup_module_metadata as _fixup_module_metadata

_fixup_module_metadata(__name__, globals())
