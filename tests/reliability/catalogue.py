"""The studies, in the order in which they are run and reported."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A study: its module, and what the page says about it."""

    name: str
    title: str
    about: str
    build: str = "release"
    """Which build it needs: the one that users install, or one with debug assertions."""


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
        "The kernel sends SIGINT at a random instant to a program that is busy with nurseries, timeouts, channels, locks, "
        "sockets and threads. One KeyboardInterrupt has to come out, every task has to have ended, and nothing may stay behind.",
    ),
    Entry(
        "cycles",
        "reference cycles that die",
        "Each kind of object is made part of a reference cycle, very often, and dropped. None of them may survive a collection.",
    ),
    Entry(
        "steady",
        "steady loops",
        "Each loop does the same thing over and over, in a process that has warmed up. Between its middle and its end, memory "
        "and the number of objects, descriptors and threads must not grow.",
    ),
    Entry(
        "calls",
        "calls from many threads and signals at once",
        "Threads and a signal handler call into a run with `TrioToken.run_sync_soon`, while it is busy, as fast as they can. "
        "Every call has to arrive, once, and in the order of its thread.",
    ),
    Entry(
        "load",
        "load",
        "Very much at once, on loopback: connections, sleeping tasks, deadlines, slow readers, connections that come and go. "
        "Nothing may be lost. Fairness is measured in genuine Trio, too, in the same run.",
    ),
    Entry(
        "endings",
        "ends of processes, and forks",
        "Programs that end at an awkward moment, or fork: the interpreter shuts down while runs are alive in the main thread, in "
        "other threads, or as guests; a child process is forked in the main thread, in a worker thread, outside of a run and "
        "inside. Each has to end by itself, with the exit status that it asked for and without an unexpected word on stderr.",
    ),
    Entry(
        "panics",
        "panics in the native core",
        "A build with debug assertions has tripwires in the core. Each is made to go off under each program, in a run of its own "
        "and in a guest run. The run has to end with TrioInternalError, whatever the program does with what it sees; nothing "
        "may crash, hang or stay behind, and the next run has to work.",
        build="assertions",
    ),
    Entry(
        "models",
        "data structures and their models",
        "proptest makes up sequences of operations on the data structures of the loop; each is compared, after every operation, "
        "with a model that does the same in the most obvious way.",
    ),
    Entry(
        "shortage",
        "memory that cannot be had",
        "The allocators of CPython fail by plan. A small program for each kind of thing is run once per allocation that it "
        "makes; and for every fifth allocation as a guest, and in a process in which nothing has run before. It may end with "
        "MemoryError, or with an error that was caused by one; never with a crash or a hang, and afterwards the interpreter is "
        "as good as new. CPython 3.12 and 3.13 themselves crash if they have no memory for a function, so an older one is used.",
    ),
    Entry(
        "references",
        "builds that check themselves",
        "The package's own tests on a build with debug assertions under `-X dev`, and on a debug build of CPython, which checks "
        "reference counts, destructors and freed memory. There the sum of all references is looked at, too: repeating a "
        "program must not change it.",
    ),
    Entry(
        "memcheck",
        "memory under valgrind",
        "The package's own tests under valgrind's memcheck, which knows of every byte whether it may be used and was ever "
        "written; on a build with debug assertions, and with every Python object in a block of its own.",
    ),
)
