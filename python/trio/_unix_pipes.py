"""Streams over file descriptors that can be polled: pipes, terminals, and whatever else behaves like them.

:class:`FdStream` owns a descriptor.  Its state is that number, which becomes -1 when it is closed, and whether
the descriptor was in blocking mode before; and for each direction, whether a task is busy with it.

The mode is an attribute not of the descriptor but of the *open file description* behind it (see open(2)), which
other processes may share.  So it is put back on closing, best effort though this is.

A number is no safe handle: once closed, the next ``open`` anywhere in the process may get the same one.  Hence
the rule that every system call takes the number from the object anew, after each wait, and that -1 makes it
fail with EBADF.
"""

from __future__ import annotations

import errno
import os

from . import _core
from ._abc import Stream
from ._core._run import TheIOManager
from ._util import ConflictDetector, final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_io = TheIOManager()  # waits through methods that can be replaced, to get in between a wake-up and what follows it
_DEFAULT_RECEIVE_SIZE = 64 * 1024  # bytes; also what a pipe holds on Linux, see pipe(7)


def _raise_stream_error(exc: OSError) -> NoReturn:
    """Translate an error of a system call into the terms of `trio.abc`; to be called where ``exc`` is being handled."""
    if exc.errno == errno.EBADF:
        raise _core.ClosedResourceError("file was already closed") from None
    raise _core.BrokenResourceError from exc


@final
class FdStream(Stream):
    """A `trio.abc.Stream` over a file descriptor that was opened elsewhere, such as one end of a pipe.

    Reading and writing go to the same descriptor; for one that has only a single direction, use only the
    methods for that, and join two of them with `trio.StapledStream`.  Regular files and block devices are always
    "ready" and block nevertheless: use `trio.open_file` for these, and `trio.SocketStream` for sockets.

    Args:
      fd: the file descriptor, which the stream takes over, and switches to non-blocking mode until it is closed.

    Raises:
      TypeError: ``fd`` is not an integer.
      OSError: it is not an open file descriptor.

    Standard input and output are a trap: they are usually shared with other processes, the shell for one, and
    all of these see the mode change.  See `the reference
    <https://trio.readthedocs.io/en/stable/reference-lowlevel.html#trio.lowlevel.FdStream>`__.
    """

    _fd = -1  # so that __del__ finds nothing to do when __init__ has failed

    def __init__(self, fd: int) -> None:
        if not isinstance(fd, int):
            raise TypeError("file descriptor must be an int")
        self._was_blocking = os.get_blocking(fd)
        os.set_blocking(fd, False)
        self._fd = fd
        self._sending = ConflictDetector("another task is using this stream for send")
        self._receiving = ConflictDetector("another task is using this stream for receive")

    def __del__(self) -> None:
        self._release()

    def _release(self) -> None:
        """Close the descriptor, if that has not been done, without a word to the run loop (there may be none any more)."""
        fd, self._fd = self._fd, -1
        if fd != -1:
            try:
                os.set_blocking(fd, self._was_blocking)
            finally:
                os.close(fd)

    def _check_open(self) -> None:
        if self._fd == -1:
            raise _core.ClosedResourceError("file was already closed")

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of ``data``.  A checkpoint.  See `trio.abc.SendStream.send_all`."""
        with self._sending:
            self._check_open()
            await _core.checkpoint()
            with memoryview(data) as view, view.cast("B") as octets:
                sent = 0
                while sent < len(octets):
                    with octets[sent:] as rest:
                        try:
                            sent += os.write(self._fd, rest)
                        except BlockingIOError:
                            await _io.wait_writable(self._fd)
                        except OSError as exc:
                            _raise_stream_error(exc)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the descriptor is writable.  A checkpoint.  See `trio.abc.SendStream.wait_send_all_might_not_block`."""
        with self._sending:
            self._check_open()
            try:
                await _io.wait_writable(self._fd)
            except BrokenPipeError as exc:
                raise _core.BrokenResourceError from exc

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Read between 1 and ``max_bytes`` bytes (default 65,536), or ``b""`` at the end of the data.  A checkpoint.

        See `trio.abc.ReceiveStream.receive_some`.
        """
        with self._receiving:
            if max_bytes is None:
                max_bytes = _DEFAULT_RECEIVE_SIZE
            elif not isinstance(max_bytes, int):
                raise TypeError("max_bytes must be integer >= 1")
            elif max_bytes < 1:
                raise ValueError("max_bytes must be integer >= 1")
            await _core.checkpoint()
            while True:
                try:
                    return os.read(self._fd, max_bytes)
                except BlockingIOError:
                    await _io.wait_readable(self._fd)
                except OSError as exc:
                    _raise_stream_error(exc)

    def close(self) -> None:
        """Close the file descriptor now.  Tasks that are using the stream get `trio.ClosedResourceError`.  Not a checkpoint."""
        if self._fd != -1:
            _core.notify_closing(self._fd)
            self._release()

    async def aclose(self) -> None:
        """The same as `close`, followed by a checkpoint."""
        self.close()
        await _core.checkpoint()

    def fileno(self) -> int:
        """The file descriptor, or -1 after it was closed."""
        return self._fd
