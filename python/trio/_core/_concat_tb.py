"""Joining two tracebacks.

A traceback is a singly linked list from the outermost frame inwards.  Its nodes belong to the exceptions that refer to
them, so the front part of a joined list has to consist of fresh nodes, while the rear part can be shared.
"""

from __future__ import annotations

from types import TracebackType


def concat_tb(head: TracebackType | None, tail: TracebackType | None) -> TracebackType | None:
    """A traceback that shows the entries of ``head`` and then those of ``tail``; neither is modified."""
    first: TracebackType | None = None
    last: TracebackType | None = None
    while head is not None:
        node = TracebackType(None, head.tb_frame, head.tb_lasti, head.tb_lineno)
        if last is None:
            first = node
        else:
            last.tb_next = node
        last, head = node, head.tb_next
    if last is None:
        return tail
    last.tb_next = tail
    return first
