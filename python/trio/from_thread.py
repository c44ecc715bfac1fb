"""Functions for code that runs in a thread beside Trio's: call into the event loop, or notice that it wants to stop."""

from __future__ import annotations

from ._threads import (
    from_thread_check_cancelled as check_cancelled,
    from_thread_run as run,
    from_thread_run_sync as run_sync,
)
from ._util import fixup_module_metadata as _fixup_module_metadata

__all__ = ["check_cancelled", "run", "run_sync"]

_fixup_module_metadata(__name__, globals())
