"""The library ``outside.c``: compiled when it is needed, loaded into this process.

`Outside` makes system calls of this process fail by plan and has the kernel send signals at exact instants.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("outside.c")

# Numbers on x86-64.
CALLS = {
    "read": 0,
    "write": 1,
    "close": 3,
    "poll": 7,
    "ioctl": 16,
    "socket": 41,
    "connect": 42,
    "accept": 43,
    "sendto": 44,
    "recvfrom": 45,
    "sendmsg": 46,
    "recvmsg": 47,
    "shutdown": 48,
    "bind": 49,
    "listen": 50,
    "getsockname": 51,
    "getpeername": 52,
    "socketpair": 53,
    "setsockopt": 54,
    "getsockopt": 55,
    "fcntl": 72,
    "epoll_wait": 232,
    "epoll_ctl": 233,
    "ppoll": 271,
    "epoll_pwait": 281,
    "accept4": 288,
    "eventfd2": 290,
    "epoll_create1": 291,
    "pipe2": 293,
}
EVER = 1 << 40


def why_not() -> str:
    """Why the library cannot be used here, or nothing."""
    if platform.machine() != "x86_64" or platform.system() != "Linux":
        return "faults are injected on x86-64 Linux only"
    if shutil.which("cc") is None:
        return "there is no C compiler"
    return ""


def compiled() -> ctypes.CDLL:
    """Compile the library into a folder that goes away with this process, and load it."""
    folder = tempfile.mkdtemp(prefix="outside-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = os.path.join(folder, "outside.so")
    command = ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", file, str(SOURCE)]
    subprocess.run([*command, "-lrt"], check=True)
    library = ctypes.CDLL(file)
    long, integer = ctypes.c_long, ctypes.c_int
    library.outside_watch.argtypes = [ctypes.POINTER(integer), integer]
    library.outside_plan.argtypes = [long, long, long, long]
    library.outside_plan.restype = None
    library.outside_count.argtypes = [long]
    library.outside_count.restype = long
    library.outside_injected.argtypes = []
    library.outside_injected.restype = long
    library.outside_signal.argtypes = [integer, long]
    return library


class Outside:
    """The world around this process."""

    def __init__(self) -> None:
        self._library = compiled()

    def watch(self) -> None:
        """Have every call of `CALLS` counted and made to fail by plan, until this process ends.

        Processes that this one starts must not execute another program.
        """
        numbers = (ctypes.c_int * len(CALLS))(*CALLS.values())
        refused = self._library.outside_watch(numbers, len(CALLS))
        if refused:
            raise OSError(refused, os.strerror(refused))

    def plan(self, call: str, error: int, start: int = 1, times: int = 1) -> None:
        """Let ``times`` calls fail, from the ``start``-th on that is made from now on."""
        self._library.outside_plan(CALLS[call], start, times, error)

    def count_only(self) -> None:
        """Begin to count anew, and let nothing fail."""
        self._library.outside_plan(-1, 0, 0, 0)

    def counts(self) -> dict[str, int]:
        """How often each call was made since the last plan."""
        found = {call: self._library.outside_count(number) for call, number in CALLS.items()}
        return {call: count for call, count in found.items() if count}

    def end_plan(self) -> int:
        """Let nothing fail any more; says how many calls did."""
        return int(self._library.outside_injected())

    def signal_in(self, number: int, seconds: float) -> None:
        """Have the kernel send this process a signal soon; 0 seconds take it back."""
        refused = self._library.outside_signal(number, int(seconds * 1e9))
        if refused:
            raise OSError(refused, os.strerror(refused))
