"""Looking at what tasks are waiting for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import types
    from collections.abc import Iterator


def _frame_and_next(awaited: object) -> tuple[types.FrameType | None, object] | None:
    """The frame of something that is being awaited, and what it awaits in turn; ``None`` if it has no frames."""
    for prefix in ("cr", "gi", "ag"):
        if hasattr(awaited, f"{prefix}_frame"):
            inner = f"{prefix}_await" if prefix != "gi" else "gi_yieldfrom"
            return getattr(awaited, f"{prefix}_frame"), getattr(awaited, inner)
    return None


def _behind_async_generator_step(step: object) -> object:
    """The generator that an ``asend``, ``athrow`` or ``__anext__`` object steps; it does not offer it as an attribute."""
    import gc

    for candidate in gc.get_referents(step):
        if hasattr(candidate, "ag_frame"):
            return candidate
    return None


def await_frames(coroutine: object) -> Iterator[tuple[types.FrameType, int]]:
    """Walk the chain of awaits from ``coroutine`` inwards: pairs of a frame and the line it is at."""
    awaited: object = coroutine
    while awaited is not None:
        found = _frame_and_next(awaited)
        if found is None:
            if type(awaited).__name__ not in ("async_generator_asend", "async_generator_athrow"):
                return
            awaited = _behind_async_generator_step(awaited)
            continue
        frame, awaited = found
        if frame is None:
            continue
        yield frame, frame.f_lineno
