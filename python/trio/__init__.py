"""Trio: structured concurrency for Python, on a native event loop.

The public names are here and in the submodules `trio.abc`, `trio.from_thread`, `trio.lowlevel`, `trio.socket`,
`trio.testing` and `trio.to_thread`. What a program needs from its first line on is imported at once; the rest (TLS,
processes, files, sockets) when it is first used, so that ``import trio`` stays cheap. Tools see all names either way.
"""

from __future__ import annotations

import sys

if "trio._core._generated_run" in sys.modules:  # which only the original has
    from ._installation import MIXED

    raise ImportError(MIXED)

try:
    from . import _native as _native
except ImportError as _error:
    from ._installation import explain_missing

    raise ImportError(explain_missing(_error)) from _error

from . import _lazy
from ._channel import (
    MemoryChannelStatistics as MemoryChannelStatistics,
    MemoryReceiveChannel as MemoryReceiveChannel,
    MemorySendChannel as MemorySendChannel,
    open_memory_channel as open_memory_channel,
)
from ._core import (
    TASK_STATUS_IGNORED as TASK_STATUS_IGNORED,
    BrokenResourceError as BrokenResourceError,
    BusyResourceError as BusyResourceError,
    Cancelled as Cancelled,
    CancelScope as CancelScope,
    ClosedResourceError as ClosedResourceError,
    EndOfChannel as EndOfChannel,
    Nursery as Nursery,
    RunFinishedError as RunFinishedError,
    TrioInternalError as TrioInternalError,
    WouldBlock as WouldBlock,
    current_effective_deadline as current_effective_deadline,
    current_time as current_time,
    open_nursery as open_nursery,
    run as run,
)
from ._native import (
    CapacityLimiter as CapacityLimiter,
    Condition as Condition,
    Event as Event,
    Lock as Lock,
    Semaphore as Semaphore,
    StrictFIFOLock as StrictFIFOLock,
    move_on_after as move_on_after,
    move_on_at as move_on_at,
    sleep as sleep,
    sleep_forever as sleep_forever,
    sleep_until as sleep_until,
)
from ._util import fixup_module_metadata
from ._version import __version__ as __version__

fixup_module_metadata(__name__, globals())

TYPE_CHECKING = bool(0)  # False, but completion engines cannot know
if TYPE_CHECKING:
    from . import (
        abc as abc,
        from_thread as from_thread,
        lowlevel as lowlevel,
        socket as socket,
        testing as testing,
        to_thread as to_thread,
    )
    from ._core import TaskStatus as TaskStatus
    from ._deprecate import TrioDeprecationWarning as TrioDeprecationWarning
    from ._dtls import (
        DTLSChannel as DTLSChannel,
        DTLSChannelStatistics as DTLSChannelStatistics,
        DTLSEndpoint as DTLSEndpoint,
    )
    from ._file_io import open_file as open_file, wrap_file as wrap_file
    from ._highlevel_generic import StapledStream as StapledStream, aclose_forcefully as aclose_forcefully
    from ._highlevel_open_tcp_listeners import open_tcp_listeners as open_tcp_listeners, serve_tcp as serve_tcp
    from ._highlevel_open_tcp_stream import open_tcp_stream as open_tcp_stream
    from ._highlevel_open_unix_stream import open_unix_socket as open_unix_socket
    from ._highlevel_serve_listeners import serve_listeners as serve_listeners
    from ._highlevel_socket import SocketListener as SocketListener, SocketStream as SocketStream
    from ._highlevel_ssl_helpers import (
        open_ssl_over_tcp_listeners as open_ssl_over_tcp_listeners,
        open_ssl_over_tcp_stream as open_ssl_over_tcp_stream,
        serve_ssl_over_tcp as serve_ssl_over_tcp,
    )
    from ._path import Path as Path, PosixPath as PosixPath, WindowsPath as WindowsPath
    from ._safe_channel import as_safe_channel as as_safe_channel
    from ._signals import open_signal_receiver as open_signal_receiver
    from ._ssl import (
        NeedHandshakeError as NeedHandshakeError,
        SSLListener as SSLListener,
        SSLStream as SSLStream,
    )
    from ._subprocess import Process as Process, run_process as run_process
    from ._sync import (
        CapacityLimiterStatistics as CapacityLimiterStatistics,
        ConditionStatistics as ConditionStatistics,
        EventStatistics as EventStatistics,
        LockStatistics as LockStatistics,
    )
    from ._timeouts import TooSlowError as TooSlowError, fail_after as fail_after, fail_at as fail_at

_lazy.install(
    __name__,
    {
        "abc": "",
        "from_thread": "",
        "lowlevel": "",
        "socket": "",
        "to_thread": "",
        "CapacityLimiterStatistics": "_sync",
        "ConditionStatistics": "_sync",
        "DTLSChannel": "_dtls",
        "DTLSChannelStatistics": "_dtls",
        "DTLSEndpoint": "_dtls",
        "EventStatistics": "_sync",
        "LockStatistics": "_sync",
        "NeedHandshakeError": "_ssl",
        "Path": "_path",
        "PosixPath": "_path",
        "Process": "_subprocess",
        "SSLListener": "_ssl",
        "SSLStream": "_ssl",
        "SocketListener": "_highlevel_socket",
        "SocketStream": "_highlevel_socket",
        "StapledStream": "_highlevel_generic",
        "TaskStatus": "_core",
        "TooSlowError": "_timeouts",
        "TrioDeprecationWarning": "_deprecate",
        "WindowsPath": "_path",
        "aclose_forcefully": "_highlevel_generic",
        "as_safe_channel": "_safe_channel",
        "fail_after": "_timeouts",
        "fail_at": "_timeouts",
        "open_file": "_file_io",
        "open_signal_receiver": "_signals",
        "open_ssl_over_tcp_listeners": "_highlevel_ssl_helpers",
        "open_ssl_over_tcp_stream": "_highlevel_ssl_helpers",
        "open_tcp_listeners": "_highlevel_open_tcp_listeners",
        "open_tcp_stream": "_highlevel_open_tcp_stream",
        "open_unix_socket": "_highlevel_open_unix_stream",
        "run_process": "_subprocess",
        "serve_listeners": "_highlevel_serve_listeners",
        "serve_ssl_over_tcp": "_highlevel_ssl_helpers",
        "serve_tcp": "_highlevel_open_tcp_listeners",
        "wrap_file": "_file_io",
    },
)
del TYPE_CHECKING, fixup_module_metadata, sys
