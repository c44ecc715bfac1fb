"""``trio.Path``: a `pathlib.Path` whose methods that touch the file system are async.

The split follows `pathlib`'s own.  Everything lexical (joining, suffixes, comparison...) is inherited from
`pathlib.PurePath`, so a Trio path compares and hashes equal to a pure or concrete standard one.  Everything that asks
the operating system is the method of the concrete class, run in a worker thread on a concrete path made for the
occasion; three wrappers differ only in what becomes of the result: returned as it is, turned into a Trio path, or each
item turned into one.

As in `pathlib` there is a class per operating system, and the general name makes the right one.  `PosixPath` and
`WindowsPath` are both importable everywhere; the foreign one can do the lexical part only.

No state beyond the inherited.  Invariant: which methods exist, and with which arguments, is decided by the Python
version's `pathlib` and nothing else.
"""

from __future__ import annotations

import os
import pathlib
import sys
from functools import partial

from ._file_io import AsyncIOWrapper, open_file
from ._threads import to_thread_run_sync
from ._util import final, fixup_module_metadata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from io import BufferedRandom, BufferedReader, BufferedWriter, FileIO, TextIOWrapper
    from typing import IO, Any, BinaryIO, ClassVar, Final, Literal, TypeVar, overload

    from _typeshed import (
        OpenBinaryMode,
        OpenBinaryModeReading,
        OpenBinaryModeUpdating,
        OpenBinaryModeWriting,
        OpenTextMode,
    )
    from typing_extensions import Concatenate, ParamSpec, Self

    P = ParamSpec("P")
    T = TypeVar("T")
    PathT = TypeVar("PathT", bound="Path")


def _wraps_async(wrapped: Callable[..., object]) -> Callable[[Callable[P, T]], Callable[P, Awaitable[T]]]:
    """Decorator: the function runs in a worker thread and presents itself as the async twin of ``wrapped``."""

    def decorate(function: Callable[P, T]) -> Callable[P, Awaitable[T]]:
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return await to_thread_run_sync(partial(function, *args, **kwargs))

        name = wrapped.__name__
        call.__name__ = name
        call.__qualname__ = f"Path.{name}"
        if wrapped.__doc__:
            # Up to Python 3.12 the lines of a docstring are indented as in the source.
            text = wrapped.__doc__.replace("\n        ", "\n")
            call.__doc__ = f"Like :meth:`~pathlib.Path.{name}`, but async.\n\n{text}"
        call.__wrapped__ = wrapped  # type: ignore[attr-defined]  # where `inspect.signature` looks
        return call

    return decorate


def _on_concrete(fn: Callable[Concatenate[pathlib.Path, P], T]) -> Callable[Concatenate[Path, P], T]:
    """The method ``fn`` of a concrete path, as a function of a Trio path."""

    def run(path: Path, /, *args: P.args, **kwargs: P.kwargs) -> T:
        plain_args = [_plain(arg) for arg in args]
        plain_kwargs = {key: _plain(arg) for key, arg in kwargs.items()}
        return fn(path._concrete(path), *plain_args, **plain_kwargs)  # type: ignore[arg-type]

    return run


def _plain(arg: object) -> object:
    # Most methods take any path as an argument, but samefile() calls methods of it, without awaiting.
    return arg._concrete(arg) if isinstance(arg, Path) else arg


def _wrap_method(fn: Callable[Concatenate[pathlib.Path, P], T]) -> Callable[Concatenate[Path, P], Awaitable[T]]:
    """Make ``fn`` async."""
    return _wraps_async(fn)(_on_concrete(fn))


def _wrap_method_path(
    fn: Callable[Concatenate[pathlib.Path, P], pathlib.Path],
) -> Callable[Concatenate[PathT, P], Awaitable[PathT]]:
    """Make ``fn``, which returns a path, async."""
    run = _on_concrete(fn)

    @_wraps_async(fn)
    def to_path(self: PathT, /, *args: P.args, **kwargs: P.kwargs) -> PathT:
        return type(self)(run(self, *args, **kwargs))

    return to_path


def _wrap_method_path_iterable(
    fn: Callable[Concatenate[pathlib.Path, P], Iterable[pathlib.Path]],
) -> Callable[Concatenate[PathT, P], Awaitable[Iterable[PathT]]]:
    """Make ``fn``, which yields paths, async; the result is awaited as a whole and then iterated without waiting."""
    run = _on_concrete(fn)

    @_wraps_async(fn)
    def to_paths(self: PathT, /, *args: P.args, **kwargs: P.kwargs) -> Iterable[PathT]:
        return iter([type(self)(path) for path in run(self, *args, **kwargs)])

    if to_paths.__doc__:
        to_paths.__doc__ += (
            "\n\nAwait it, then iterate as usual: ``for entry in await path.method():``.  All entries are collected "
            "before the first is handed out.\n"
        )
    return to_paths


class Path(pathlib.PurePath):
    """A path of the file system, like `pathlib.Path` but with async methods for everything that may block.

    Making one gives a `PosixPath` or a `WindowsPath`, as the operating system has it.  The async methods run their
    namesake in a worker thread: they are checkpoints, cannot be interrupted once they run, and raise what their
    namesake raises.  Methods and operators that only work on the text of the path are not async, and return Trio paths.

    See "Asynchronous path objects" in Trio's reference manual.
    """

    __slots__ = ()

    _concrete: ClassVar[type[pathlib.Path]] = pathlib.Path

    def __new__(cls, *args: str | os.PathLike[str]) -> Self:
        if cls is Path:
            native = WindowsPath if os.name == "nt" else PosixPath
            return native.__new__(native, *args)  # type: ignore[return-value]
        return super().__new__(cls, *args)

    def __repr__(self) -> str:
        return f"trio.Path({str(self)!r})"

    def as_uri(self) -> str:
        """The path as a ``file:`` URI; `ValueError` if it is relative."""
        return self._concrete(self).as_uri()

    @classmethod
    async def cwd(cls) -> Self:
        """Like :meth:`pathlib.Path.cwd`, but async: the current working directory."""
        return cls(await to_thread_run_sync(pathlib.Path.cwd))

    @classmethod
    async def home(cls) -> Self:
        """Like :meth:`pathlib.Path.home`, but async: the user's home directory."""
        return cls(await to_thread_run_sync(pathlib.Path.home))

    if TYPE_CHECKING:

        @overload
        async def open(
            self,
            mode: OpenTextMode = "r",
            buffering: int = -1,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
        ) -> AsyncIOWrapper[TextIOWrapper]: ...

        @overload
        async def open(
            self,
            mode: OpenBinaryModeReading,
            buffering: Literal[-1, 1] = -1,
            encoding: None = None,
            errors: None = None,
            newline: None = None,
        ) -> AsyncIOWrapper[BufferedReader]: ...

        @overload
        async def open(
            self,
            mode: OpenBinaryModeWriting,
            buffering: Literal[-1, 1] = -1,
            encoding: None = None,
            errors: None = None,
            newline: None = None,
        ) -> AsyncIOWrapper[BufferedWriter]: ...

        @overload
        async def open(
            self,
            mode: OpenBinaryModeUpdating,
            buffering: Literal[-1, 1] = -1,
            encoding: None = None,
            errors: None = None,
            newline: None = None,
        ) -> AsyncIOWrapper[BufferedRandom]: ...

        @overload
        async def open(
            self,
            mode: OpenBinaryMode,
            buffering: Literal[0],
            encoding: None = None,
            errors: None = None,
            newline: None = None,
        ) -> AsyncIOWrapper[FileIO]: ...

        @overload
        async def open(
            self,
            mode: OpenBinaryMode,
            buffering: int = -1,
            encoding: None = None,
            errors: None = None,
            newline: None = None,
        ) -> AsyncIOWrapper[BinaryIO]: ...

        @overload
        async def open(
            self,
            mode: str,
            buffering: int = -1,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
        ) -> AsyncIOWrapper[IO[Any]]: ...

    async def open(
        self,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> AsyncIOWrapper[Any]:
        """Open the file, like :func:`trio.open_file` does with this path."""
        return await open_file(self._concrete(self), mode, buffering, encoding, errors, newline)

    # The rest is pathlib's, sorted by what becomes of the result.  Version checks only say when a method came or went.

    absolute: Final = _wrap_method_path(pathlib.Path.absolute)
    expanduser: Final = _wrap_method_path(pathlib.Path.expanduser)
    readlink: Final = _wrap_method_path(pathlib.Path.readlink)
    rename: Final = _wrap_method_path(pathlib.Path.rename)
    replace: Final = _wrap_method_path(pathlib.Path.replace)
    resolve: Final = _wrap_method_path(pathlib.Path.resolve)

    glob: Final = _wrap_method_path_iterable(pathlib.Path.glob)
    iterdir: Final = _wrap_method_path_iterable(pathlib.Path.iterdir)
    rglob: Final = _wrap_method_path_iterable(pathlib.Path.rglob)

    chmod: Final = _wrap_method(pathlib.Path.chmod)
    exists: Final = _wrap_method(pathlib.Path.exists)
    if sys.version_info >= (3, 13):
        full_match: Final = _wrap_method(pathlib.Path.full_match)  # type: ignore[assignment,unused-ignore]
    group: Final = _wrap_method(pathlib.Path.group)
    if sys.version_info >= (3, 10):
        hardlink_to: Final = _wrap_method(pathlib.Path.hardlink_to)
    is_block_device: Final = _wrap_method(pathlib.Path.is_block_device)
    is_char_device: Final = _wrap_method(pathlib.Path.is_char_device)
    is_dir: Final = _wrap_method(pathlib.Path.is_dir)
    is_fifo: Final = _wrap_method(pathlib.Path.is_fifo)
    is_file: Final = _wrap_method(pathlib.Path.is_file)
    if sys.version_info >= (3, 12):
        is_junction: Final = _wrap_method(pathlib.Path.is_junction)
    is_mount: Final = _wrap_method(pathlib.Path.is_mount)
    is_socket: Final = _wrap_method(pathlib.Path.is_socket)
    is_symlink: Final = _wrap_method(pathlib.Path.is_symlink)
    lchmod: Final = _wrap_method(pathlib.Path.lchmod)
    if sys.version_info < (3, 12):
        link_to: Final = _wrap_method(pathlib.Path.link_to)
    lstat: Final = _wrap_method(pathlib.Path.lstat)
    mkdir: Final = _wrap_method(pathlib.Path.mkdir)
    owner: Final = _wrap_method(pathlib.Path.owner)
    read_bytes: Final = _wrap_method(pathlib.Path.read_bytes)
    read_text: Final = _wrap_method(pathlib.Path.read_text)
    rmdir: Final = _wrap_method(pathlib.Path.rmdir)
    samefile: Final = _wrap_method(pathlib.Path.samefile)
    stat: Final = _wrap_method(pathlib.Path.stat)
    symlink_to: Final = _wrap_method(pathlib.Path.symlink_to)
    touch: Final = _wrap_method(pathlib.Path.touch)
    unlink: Final = _wrap_method(pathlib.Path.unlink)
    write_bytes: Final = _wrap_method(pathlib.Path.write_bytes)
    write_text: Final = _wrap_method(pathlib.Path.write_text)


@final
class PosixPath(Path, pathlib.PurePosixPath):
    """The `Path` of systems other than Windows."""

    __slots__ = ()

    _concrete: ClassVar[type[pathlib.Path]] = pathlib.PosixPath


@final
class WindowsPath(Path, pathlib.PureWindowsPath):
    """The `Path` of Windows; elsewhere its async methods raise `NotImplementedError`."""

    __slots__ = ()

    _concrete: ClassVar[type[pathlib.Path]] = pathlib.WindowsPath


# Path() hands out the other two before anybody has asked for them by name.
fixup_module_metadata("trio", {"Path": Path, "PosixPath": PosixPath, "WindowsPath": WindowsPath})
