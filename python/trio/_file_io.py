"""Files without blocking: any file object, with the methods that do I/O made async.

No operating system offers asynchronous files that keep what Python programs expect of a file, so every such method runs
in a worker thread.  The wrapper has no methods of its own for that.  Two tables say which names of a file are forwarded
as they are and which become async; whether a particular wrapper has one of them depends on the object inside, as files
differ (there is no ``readinto`` on a text file).  An async method is built when it is first used and kept on the
wrapper.

A wrapper has no state beyond the file's.  It does not serialise anything: two tasks that use one file at the same time
get what two threads would get.  Invariant: nothing that is async here touches the file after its caller has been told
that it was cancelled, as worker threads are always waited for; and ``aclose`` closes, cancelled or not.
"""

from __future__ import annotations

import io
from functools import partial
from types import GenericAlias

from . import _core
from ._abc import AsyncResource
from ._threads import to_thread_run_sync
from ._util import async_wraps

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Iterable
    from typing import IO, Any, AnyStr, BinaryIO, Generic, Literal, Protocol, TypeVar, Union, overload

    from _typeshed import (
        OpenBinaryMode,
        OpenBinaryModeReading,
        OpenBinaryModeUpdating,
        OpenBinaryModeWriting,
        OpenTextMode,
    )
    from typing_extensions import Buffer, TypeAlias

    FileT = TypeVar("FileT")
    FileT_co = TypeVar("FileT_co", covariant=True)
    T = TypeVar("T")
    T_co = TypeVar("T_co", covariant=True)
    AnyStr_co = TypeVar("AnyStr_co", str, bytes, covariant=True)
    T_contra = TypeVar("T_contra", contravariant=True)

    OpenTarget: TypeAlias = Union[str, bytes, os.PathLike[str], os.PathLike[bytes], int]
    Opener: TypeAlias = Callable[[str, int], int]

    # One protocol per name, so that a wrapper has exactly the attributes of the file that it wraps.

    class _HasBuffer(Protocol[T_co]):
        @property
        def buffer(self) -> T_co: ...

    class _HasClosed(Protocol):
        @property
        def closed(self) -> bool: ...

    class _HasCloseFd(Protocol):
        @property
        def closefd(self) -> bool: ...

    class _HasEncoding(Protocol):
        @property
        def encoding(self) -> str: ...

    class _HasErrors(Protocol):
        @property
        def errors(self) -> str | None: ...

    class _HasFileNo(Protocol):
        def fileno(self) -> int: ...

    class _HasGetBuffer(Protocol):
        def getbuffer(self) -> memoryview: ...

    class _HasGetValue(Protocol[AnyStr_co]):
        def getvalue(self) -> AnyStr_co: ...

    class _HasIsATTY(Protocol):
        def isatty(self) -> bool: ...

    class _HasLineBuffering(Protocol):
        @property
        def line_buffering(self) -> bool: ...

    class _HasMode(Protocol):
        @property
        def mode(self) -> str: ...

    class _HasName(Protocol):
        # the type that typeshed gives the attribute
        @property
        def name(self) -> Any: ...

    class _HasNewlines(Protocol[T_co]):
        @property
        def newlines(self) -> T_co: ...

    class _HasRaw(Protocol[T_co]):
        @property
        def raw(self) -> T_co: ...

    class _HasReadable(Protocol):
        def readable(self) -> bool: ...

    class _HasSeekable(Protocol):
        def seekable(self) -> bool: ...

    class _HasWritable(Protocol):
        def writable(self) -> bool: ...

    class _CanClose(Protocol):
        def close(self) -> None: ...

    class _CanDetach(Protocol[T_co]):
        def detach(self) -> T_co: ...

    class _CanFlush(Protocol):
        def flush(self) -> None: ...

    class _CanPeek(Protocol[AnyStr_co]):
        def peek(self, size: int = 0, /) -> AnyStr_co: ...

    class _CanRead(Protocol[AnyStr_co]):
        def read(self, size: int | None = ..., /) -> AnyStr_co: ...

    class _CanRead1(Protocol[AnyStr_co]):
        def read1(self, size: int = ..., /) -> AnyStr_co: ...

    class _CanReadAll(Protocol[T_co]):
        def readall(self) -> T_co: ...

    class _CanReadInto(Protocol):
        def readinto(self, buf: Buffer, /) -> int | None: ...

    class _CanReadInto1(Protocol):
        def readinto1(self, buffer: Buffer, /) -> int: ...

    class _CanReadLine(Protocol[AnyStr_co]):
        def readline(self, size: int = ..., /) -> AnyStr_co: ...

    class _CanReadLines(Protocol[AnyStr]):
        def readlines(self, hint: int = ..., /) -> list[AnyStr]: ...

    class _CanSeek(Protocol):
        def seek(self, target: int, whence: int = 0, /) -> int: ...

    class _CanTell(Protocol):
        def tell(self) -> int: ...

    class _CanTruncate(Protocol):
        def truncate(self, size: int | None = ..., /) -> int: ...

    class _CanWrite(Protocol[T_contra]):
        def write(self, data: T_contra, /) -> int: ...

    class _CanWriteLines(Protocol[T_contra]):
        def writelines(self, lines: Iterable[T_contra], /) -> None: ...

else:

    class _Subscriptable:
        """What ``typing.Generic[FileT_co]`` is at run time, without importing `typing`."""

        __class_getitem__ = classmethod(GenericAlias)

    FileT_co = None
    Generic = {FileT_co: _Subscriptable}


# Forwarded as they are: what needs no I/O.
_FILE_SYNC_ATTRS: set[str] = {
    "buffer",
    "closed",
    "closefd",
    "encoding",
    "errors",
    "fileno",
    "getbuffer",
    "getvalue",
    "isatty",
    "line_buffering",
    "mode",
    "name",
    "newlines",
    "raw",
    "readable",
    "seekable",
    "writable",
}

# Made async: what may have to wait for a disk.
_FILE_ASYNC_METHODS: set[str] = {
    "flush",
    "peek",
    "read",
    "read1",
    "readall",
    "readinto",
    "readinto1",
    "readline",
    "readlines",
    "seek",
    "tell",
    "truncate",
    "write",
    "writelines",
}


def _in_thread(method: Callable[..., object], file_type: type[object], name: str) -> Callable[..., Awaitable[object]]:
    """The async version of a file's bound method."""

    @async_wraps(AsyncIOWrapper, file_type, name)
    async def call(*args: object, **kwargs: object) -> object:
        return await to_thread_run_sync(partial(method, *args, **kwargs))

    return call


class AsyncIOWrapper(AsyncResource, Generic[FileT_co]):
    """A file whose I/O methods are async; :func:`trio.open_file` and :func:`trio.wrap_file` make them.

    It has those attributes of a standard file object that the wrapped object has.  The methods that may block are
    async, iteration over lines is ``async for``, and the context manager is ``async with``, which closes the file.

    See "Asynchronous filesystem I/O" in Trio's reference manual.
    """

    def __init__(self, file: FileT_co) -> None:
        self._file = file

    @property
    def wrapped(self) -> FileT_co:
        """The file object inside."""
        return self._file

    if not TYPE_CHECKING:  # static tools would take it for a promise that every attribute exists

        def __getattr__(self, name: str) -> object:
            if name in _FILE_SYNC_ATTRS:
                return getattr(self._file, name)
            if name in _FILE_ASYNC_METHODS:
                method = _in_thread(getattr(self._file, name), self._file.__class__, name)
                setattr(self, name, method)  # found without coming here from now on
                return method
            raise AttributeError(name)

    def __dir__(self) -> Iterable[str]:
        names = set(super().__dir__())
        names.update(name for name in _FILE_SYNC_ATTRS | _FILE_ASYNC_METHODS if hasattr(self._file, name))
        return names

    def __aiter__(self) -> AsyncIOWrapper[FileT_co]:
        return self

    async def __anext__(self: AsyncIOWrapper[_CanReadLine[AnyStr]]) -> AnyStr:
        line = await self.readline()
        if line:
            return line
        raise StopAsyncIteration

    async def detach(self: AsyncIOWrapper[_CanDetach[T]]) -> AsyncIOWrapper[T]:
        """Like `io.BufferedIOBase.detach`, but async, and the file object that comes out is wrapped again.

        A checkpoint.
        """
        return wrap_file(await to_thread_run_sync(self._file.detach))

    async def aclose(self: AsyncIOWrapper[_CanClose]) -> None:
        """Like `io.IOBase.close`, but async.

        A checkpoint, but the file is closed even if the call is cancelled: then `trio.Cancelled` is raised afterwards.
        """
        with _core.CancelScope(shield=True):
            await to_thread_run_sync(self._file.close)
        await _core.checkpoint_if_cancelled()

    if TYPE_CHECKING:
        # The two tables once more, for type checkers.

        @property
        def buffer(self: AsyncIOWrapper[_HasBuffer[T]]) -> T: ...
        @property
        def closed(self: AsyncIOWrapper[_HasClosed]) -> bool: ...
        @property
        def closefd(self: AsyncIOWrapper[_HasCloseFd]) -> bool: ...
        @property
        def encoding(self: AsyncIOWrapper[_HasEncoding]) -> str: ...
        @property
        def errors(self: AsyncIOWrapper[_HasErrors]) -> str | None: ...
        @property
        def line_buffering(self: AsyncIOWrapper[_HasLineBuffering]) -> bool: ...
        @property
        def mode(self: AsyncIOWrapper[_HasMode]) -> str: ...
        @property
        def name(self: AsyncIOWrapper[_HasName]) -> Any: ...
        @property
        def newlines(self: AsyncIOWrapper[_HasNewlines[T]]) -> T: ...
        @property
        def raw(self: AsyncIOWrapper[_HasRaw[T]]) -> T: ...
        def fileno(self: AsyncIOWrapper[_HasFileNo]) -> int: ...
        def getbuffer(self: AsyncIOWrapper[_HasGetBuffer]) -> memoryview: ...
        def getvalue(self: AsyncIOWrapper[_HasGetValue[AnyStr]]) -> AnyStr: ...
        def isatty(self: AsyncIOWrapper[_HasIsATTY]) -> bool: ...
        def readable(self: AsyncIOWrapper[_HasReadable]) -> bool: ...
        def seekable(self: AsyncIOWrapper[_HasSeekable]) -> bool: ...
        def writable(self: AsyncIOWrapper[_HasWritable]) -> bool: ...

        async def flush(self: AsyncIOWrapper[_CanFlush]) -> None: ...
        async def peek(self: AsyncIOWrapper[_CanPeek[AnyStr]], size: int = 0, /) -> AnyStr: ...
        async def read(self: AsyncIOWrapper[_CanRead[AnyStr]], size: int | None = -1, /) -> AnyStr: ...
        async def read1(self: AsyncIOWrapper[_CanRead1[AnyStr]], size: int = -1, /) -> AnyStr: ...
        async def readall(self: AsyncIOWrapper[_CanReadAll[T]]) -> T: ...
        async def readinto(self: AsyncIOWrapper[_CanReadInto], buf: Buffer, /) -> int | None: ...
        async def readinto1(self: AsyncIOWrapper[_CanReadInto1], buffer: Buffer, /) -> int: ...
        async def readline(self: AsyncIOWrapper[_CanReadLine[AnyStr]], size: int = -1, /) -> AnyStr: ...
        async def readlines(self: AsyncIOWrapper[_CanReadLines[AnyStr]], hint: int = -1, /) -> list[AnyStr]: ...
        async def seek(self: AsyncIOWrapper[_CanSeek], target: int, whence: int = 0, /) -> int: ...
        async def tell(self: AsyncIOWrapper[_CanTell]) -> int: ...
        async def truncate(self: AsyncIOWrapper[_CanTruncate], size: int | None = None, /) -> int: ...
        async def write(self: AsyncIOWrapper[_CanWrite[T]], data: T, /) -> int: ...
        async def writelines(self: AsyncIOWrapper[_CanWriteLines[T]], lines: Iterable[T], /) -> None: ...


if TYPE_CHECKING:

    @overload
    async def open_file(
        file: OpenTarget,
        mode: OpenTextMode = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Opener | None = None,
    ) -> AsyncIOWrapper[io.TextIOWrapper]: ...

    @overload
    async def open_file(
        file: OpenTarget,
        mode: OpenBinaryModeReading,
        buffering: Literal[-1, 1] = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        closefd: bool = True,
        opener: Opener | None = None,
    ) -> AsyncIOWrapper[io.BufferedReader]: ...

    @overload
    async def open_file(
        file: OpenTarget,
        mode: OpenBinaryModeWriting,
        buffering: Literal[-1, 1] = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        closefd: bool = True,
        opener: Opener | None = None,
    ) -> AsyncIOWrapper[io.BufferedWriter]: ...

    @overload
    async def open_file(
        file: OpenTarget,
        mode: OpenBinaryModeUpdating,
        buffering: Literal[-1, 1] = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        closefd: bool = True,
        opener: Opener | None = None,
    ) -> AsyncIOWrapper[io.BufferedRandom]: ...

    @overload
    async def open_file(
        file: OpenTarget,
        mode: OpenBinaryMode,
        buffering: Literal[0],
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        closefd: bool = True,
        opener: Opener | None = None,
    ) -> AsyncIOWrapper[io.FileIO]: ...

    @overload
    async def open_file(
        file: OpenTarget,
        mode: OpenBinaryMode,
        buffering: int,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        closefd: bool = True,
        opener: Opener | None = None,
    ) -> AsyncIOWrapper[BinaryIO]: ...

    @overload
    async def open_file(
        file: OpenTarget,
        mode: str,
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Opener | None = None,
    ) -> AsyncIOWrapper[IO[Any]]: ...


async def open_file(
    file: OpenTarget,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Opener | None = None,
) -> AsyncIOWrapper[Any]:
    """Open a file, like the built-in :func:`open` but without blocking.

    Args: those of :func:`open`.

    Returns an asynchronous file object, to be closed with ``await file.aclose()`` or used in ``async with``.  Raises
    what :func:`open` raises.  A checkpoint; opening happens in a worker thread.

    See "Asynchronous filesystem I/O" in Trio's reference manual.
    """
    return wrap_file(await to_thread_run_sync(io.open, file, mode, buffering, encoding, errors, newline, closefd, opener))


def wrap_file(file: FileT) -> AsyncIOWrapper[FileT]:
    """Make an asynchronous file object from any file object.

    Args:
      file: needs a method ``close`` and one of ``read`` and ``write``, else `TypeError`; the rest is optional.

    Not a checkpoint.

    See "Asynchronous filesystem I/O" in Trio's reference manual.
    """

    def has(name: str) -> bool:
        return callable(getattr(file, name, None))

    if has("close") and (has("read") or has("write")):
        return AsyncIOWrapper(file)
    raise TypeError(f"{file} does not implement required duck-file methods: close and (read or write)")
