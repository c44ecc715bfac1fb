"""The public namespace ``trio.testing``: tools for testing code that uses Trio.

Each tool lives in a private module of its own, or in the core where it needs the loop's help
(:class:`MockClock`, :func:`wait_all_tasks_blocked`) or the thread cache's (:func:`active_thread_count`,
:func:`wait_all_threads_completed`). None of them is imported by ``import trio``.

``RaisesGroup`` and ``Matcher`` are kept for old test suites: pytest has taken them over.  They are imported when
first asked for, and asking warns.  Trio's own tests use them as ``_RaisesGroup`` and ``_Matcher``, which do not
warn.
"""

import trio as _trio

from .. import _lazy
from .._core import MockClock as MockClock, wait_all_tasks_blocked as wait_all_tasks_blocked
from .._threads import (
    active_thread_count as active_thread_count,
    wait_all_threads_completed as wait_all_threads_completed,
)
from .._util import fixup_module_metadata as _fixup_module_metadata
from ._check_streams import (
    check_half_closeable_stream as check_half_closeable_stream,
    check_one_way_stream as check_one_way_stream,
    check_two_way_stream as check_two_way_stream,
)
from ._checkpoints import (
    assert_checkpoints as assert_checkpoints,
    assert_no_checkpoints as assert_no_checkpoints,
)
from ._lockstep_streams import (
    lockstep_stream_one_way_pair as lockstep_stream_one_way_pair,
    lockstep_stream_pair as lockstep_stream_pair,
)
from ._memory_streams import (
    MemoryReceiveStream as MemoryReceiveStream,
    MemorySendStream as MemorySendStream,
    memory_stream_one_way_pair as memory_stream_one_way_pair,
    memory_stream_pair as memory_stream_pair,
    memory_stream_pump as memory_stream_pump,
)
from ._network import open_stream_to_socket_listener as open_stream_to_socket_listener
from ._sequencer import Sequencer as Sequencer
from ._trio_test import trio_test as trio_test

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._raises_group import Matcher as _Matcher, RaisesGroup as _RaisesGroup  # noqa: F401
else:

    def __getattr__(name: str) -> object:
        """The two classes that moved to pytest, in all their disguises; anything else does not exist."""
        if name not in ("RaisesGroup", "Matcher", "_RaisesGroup", "_Matcher", "_raises_group"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if not name.startswith("_"):
            from .._deprecate import warn_deprecated

            successor = {"RaisesGroup": "pytest.RaisesGroup", "Matcher": "pytest.RaisesExc"}[name]
            warn_deprecated(
                f"{__name__}.{name}",
                "0.33.0",
                issue=3326,
                instead=f"See https://docs.pytest.org/en/stable/reference/reference.html#{successor}",
            )
        from importlib import import_module

        module = import_module("._raises_group", __name__)
        return module if name == "_raises_group" else getattr(module, name.lstrip("_"))


del TYPE_CHECKING
_fixup_module_metadata(__name__, globals())

# A test should see what it does itself, and not what is imported when it is the first to do so.
_lazy.fetch_all(_trio)
