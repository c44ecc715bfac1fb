"""The studies, in the order in which they are run and reported."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A study: its module, and what the page says about it."""

    name: str
    title: str
    about: str


STUDIES = (
    Entry(
        "syscalls",
        "system calls that fail",
        "A seccomp filter hands every system call of the poller and of the sockets to a handler, which lets it fail by plan. "
        "Programs for each kind of I/O are run once per call that they make and per error, as a run of their own and as a guest.",
    ),
    Entry(
        "interrupts",
        "Ctrl-C at every instant",
        "The kernel sends SIGINT at a random instant to a program that is busy with nurseries, timeouts, channels, locks, sockets "
        "and threads. One KeyboardInterrupt has to come out, every task has to have ended, and nothing may stay behind.",
    ),
)
