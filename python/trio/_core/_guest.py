"""How a worker thread that has waited for a guest run hands over to the host.

This is Python and not part of the native driver for the sake of programs that end just then. Up to Python 3.13 an interpreter
that is being finalised ends daemon threads by unwinding their stacks, as soon as they ask for its lock. That may be inside
of the host's function, and no native frame may be below it, because unwinding one aborts the process.
"""

from __future__ import annotations

from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from outcome import Outcome


def call_host(
    run_sync_soon_threadsafe: Callable[[Callable[[], object]], object],
    resume: Callable[[Outcome[None]], object],
    outcome: Outcome[None],
) -> None:
    """Have the host call ``resume(outcome)`` in its own thread."""
    run_sync_soon_threadsafe(partial(resume, outcome))
