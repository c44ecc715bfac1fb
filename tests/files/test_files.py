"""`open_file` and `wrap_file`: which attributes a wrapper has, and that its methods neither block nor get lost."""

from __future__ import annotations

import io
import os
import pathlib
import threading
from collections.abc import Callable

import pytest

import trio
import trio.testing


def test_text_and_bytes(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        path = tmp_path / "file"
        async with await trio.open_file(path, "w", encoding="utf-8", newline="\n") as file:
            with trio.testing.assert_checkpoints():
                assert await file.write("zwölf\n") == 6
            await file.writelines(["Boxkämpfer\n", "jagen"])
            await file.flush()
            assert await file.tell() > 0
        async with await trio.open_file(path, "rb") as binary:
            assert await binary.read(3) == b"zw\xc3"
            assert await binary.seek(0) == 0
            assert await binary.readline() == "zwölf\n".encode()
            assert len(await binary.readlines()) == 2
        async with await trio.open_file(os.fspath(path), encoding="utf-8") as file:
            assert await file.read() == "zwölf\nBoxkämpfer\njagen"

    trio.run(main)


def test_iteration_over_lines(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        (tmp_path / "file").write_text("a\nb\n\nc")
        async with await trio.open_file(tmp_path / "file") as file:
            assert [line async for line in file] == ["a\n", "b\n", "\n", "c"]
            assert [line async for line in file] == []

    trio.run(main)


@pytest.mark.parametrize(
    ("mode", "buffering", "kind"),
    [
        ("r", -1, io.TextIOWrapper),
        ("rb", -1, io.BufferedReader),
        ("wb", -1, io.BufferedWriter),
        ("rb+", -1, io.BufferedRandom),
        ("rb", 0, io.FileIO),
    ],
)
def test_the_file_inside_is_what_open_gives(tmp_path: pathlib.Path, mode: str, buffering: int, kind: type[object]) -> None:
    async def main() -> None:
        path = tmp_path / "file"
        path.touch()
        async with await trio.open_file(path, mode, buffering) as file:
            assert type(file.wrapped) is kind
            assert file.name == os.fspath(path)
            assert file.fileno() == file.wrapped.fileno()
            assert not file.closed
        assert file.closed
        assert file.wrapped.closed

    trio.run(main)


def test_arguments_of_open_arrive(tmp_path: pathlib.Path) -> None:
    opened: list[str] = []

    def opener(path: str, flags: int) -> int:
        opened.append(path)
        return os.open(path, flags, 0o600)

    async def main() -> None:
        path = os.fspath(tmp_path / "file")
        async with await trio.open_file(path, "w", 1, "latin-1", "replace", "\r\n", True, opener) as file:
            assert (file.encoding, file.errors, file.line_buffering) == ("latin-1", "replace", True)
            await file.write("€\n")
        assert opened == [path]
        assert pathlib.Path(path).read_bytes() == b"?\r\n"

        fd = os.open(path, os.O_RDONLY)
        file = await trio.open_file(fd, closefd=False)
        await file.aclose()
        os.close(fd)

    trio.run(main)


def test_errors_of_open(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        with trio.testing.assert_checkpoints(), pytest.raises(FileNotFoundError):
            await trio.open_file(tmp_path / "nothing")
        with pytest.raises(IsADirectoryError):
            await trio.open_file(tmp_path, "w")
        with pytest.raises(ValueError, match="invalid mode"):
            await trio.open_file(tmp_path / "file", "q")

    trio.run(main)


class Minimal:
    """As little as a file can have."""

    def __init__(self) -> None:
        self.threads: list[bool] = []

    def _note(self) -> None:
        self.threads.append(threading.current_thread() is threading.main_thread())

    def read(self, *args: object, **kwargs: object) -> tuple[object, object]:
        self._note()
        return args, kwargs

    def close(self) -> None:
        self._note()


def test_any_object_that_reads_and_closes_is_a_file() -> None:
    async def main() -> None:
        minimal = Minimal()
        file = trio.wrap_file(minimal)
        assert file.wrapped is minimal
        assert await file.read(1, size=2) == ((1,), {"size": 2})
        await file.aclose()
        assert minimal.threads == [False, False]

    trio.run(main)


def test_other_objects_are_not() -> None:
    class OnlyCloses:
        def close(self) -> None:
            raise NotImplementedError

    class NotCallable(OnlyCloses):
        read = None

    for thing in ("text", None, OnlyCloses(), NotCallable(), trio.wrap_file(io.BytesIO())):
        with pytest.raises(TypeError) as caught:
            trio.wrap_file(thing)
        assert str(caught.value) == f"{thing} does not implement required duck-file methods: close and (read or write)"


@pytest.mark.parametrize("make", [io.StringIO, io.BytesIO, Minimal])
def test_a_wrapper_has_what_its_file_has(make: Callable[[], object]) -> None:
    forwarded = {"closed", "encoding", "errors", "fileno", "getbuffer", "getvalue", "isatty", "name", "newlines"}
    asynchronous = {"read", "read1", "readinto", "readline", "seek", "tell", "truncate", "write", "writelines"}
    plain = make()
    file = trio.wrap_file(plain)
    for name in forwarded | asynchronous:
        assert hasattr(file, name) is hasattr(plain, name) is (name in dir(file))
    for name in forwarded & set(dir(plain)):
        assert type(getattr(file, name)) is type(getattr(plain, name))
    for name in asynchronous & set(dir(plain)):
        assert getattr(file, name) is getattr(file, name)
        assert getattr(file, name).__qualname__ == f"AsyncIOWrapper.{name}"
    for name in ("close", "__enter__", "__iter__", "anything_else"):
        with pytest.raises(AttributeError, match=f"^{name}$"):
            getattr(file, name)


def test_detach_wraps_again() -> None:
    async def main() -> None:
        raw = io.BytesIO(b"abc")
        file = trio.wrap_file(io.BufferedReader(raw))  # type: ignore[type-var,unused-ignore]
        with trio.testing.assert_checkpoints():
            inner = await file.detach()
        assert type(inner) is type(file)
        assert inner.wrapped is raw

    trio.run(main)


def test_a_cancelled_operation_does_nothing(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        async with await trio.open_file(tmp_path / "file", "w") as file:
            with trio.CancelScope() as scope:
                scope.cancel()
                await file.write("not this")
            assert scope.cancelled_caught
            await file.write("but this")
        assert (tmp_path / "file").read_text() == "but this"

    trio.run(main)


def test_aclose_closes_even_if_cancelled(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        file = await trio.open_file(tmp_path / "file", "w")
        await file.write("kept")
        with trio.CancelScope() as scope:
            scope.cancel()
            await file.aclose()
        assert scope.cancelled_caught
        assert file.closed
        assert (tmp_path / "file").read_text() == "kept"
        with trio.testing.assert_checkpoints():
            await file.aclose()
        with pytest.raises(ValueError, match="closed file"):
            await file.write("x")

    trio.run(main)


def test_a_slow_file_does_not_hold_up_the_loop() -> None:
    release = threading.Event()

    class Slow(Minimal):
        def read(self, *args: object, **kwargs: object) -> tuple[object, object]:
            assert release.wait(10)
            return (), {}

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.wrap_file(Slow()).read)
            await trio.testing.wait_all_tasks_blocked(0.01)
            release.set()

    trio.run(main)
