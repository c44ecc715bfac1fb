"""Run blocking functions in worker threads: :func:`run_sync`, and the limiter that says how many at a time."""

from __future__ import annotations

from ._threads import current_default_thread_limiter, to_thread_run_sync as run_sync
from ._util import fixup_module_metadata as _fixup_module_metadata

__all__ = ["current_default_thread_limiter", "run_sync"]

_fixup_module_metadata(__name__, globals())
