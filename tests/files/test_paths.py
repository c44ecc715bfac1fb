"""`trio.Path`: a pure path in every lexical respect, and `pathlib.Path` run elsewhere in all others."""

from __future__ import annotations

import copy
import inspect
import os
import pathlib
import pickle
import stat
import sys
from collections.abc import Callable

import pytest

import trio
import trio.testing

OURS = "rust" in trio.__version__

# Methods of pathlib.Path that trio.Path leaves out, or that do nothing but compute.
NOT_ASYNC = {"as_uri", "from_uri", "walk"}

# What pathlib has had from Python 3.14 on, which upstream's Path does not have.
LATER = {"copy", "copy_into", "info", "move", "move_into"}


def methods_of_pathlib() -> set[str]:
    """What the concrete class adds to the pure one on this Python, and what it changes."""
    return {
        name
        for name in dir(pathlib.Path)
        if not name.startswith("_") and getattr(pathlib.Path, name) is not getattr(pathlib.PurePath, name, None)
    } - (NOT_ASYNC | LATER)


def test_the_general_name_gives_the_native_class() -> None:
    path = trio.Path("a", "b")
    assert type(path) is trio.PosixPath
    assert isinstance(path, pathlib.PurePosixPath)
    assert not isinstance(path, pathlib.Path)
    assert isinstance(path, os.PathLike)
    assert repr(path) == "trio.Path('a/b')"
    assert (str(path), bytes(path), os.fspath(path)) == ("a/b", b"a/b", "a/b")
    assert repr(trio.Path()) == "trio.Path('.')"


@pytest.mark.parametrize("argument", [1, None, b"bytes"])
def test_other_arguments_are_refused(argument: object) -> None:
    with pytest.raises(TypeError):
        trio.Path(argument)  # type: ignore[arg-type]


def test_it_equals_and_hashes_like_other_paths() -> None:
    ours, theirs = trio.Path("/a/b"), pathlib.Path("/a/b")
    assert ours == theirs
    assert theirs == ours
    assert ours == pathlib.PurePosixPath("/a/b")
    assert len({ours, theirs, trio.PosixPath("/a/b")}) == 1
    assert ours != "/a/b"
    assert ours < trio.Path("/a/c")
    assert pathlib.Path("/a/a") < ours
    assert sorted([trio.Path("b"), pathlib.Path("a")]) == [pathlib.Path("a"), trio.Path("b")]


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        (lambda path: path / "c", "/a/b.txt/c"),
        (lambda path: path / pathlib.Path("c"), "/a/b.txt/c"),
        (lambda path: "/x" / trio.Path("y"), "/x/y"),
        (lambda path: path.parent, "/a"),
        (lambda path: path.parents[1], "/"),
        (lambda path: path.joinpath("c", "d"), "/a/b.txt/c/d"),
        (lambda path: path.with_name("c"), "/a/c"),
        (lambda path: path.with_suffix(".py"), "/a/b.py"),
        (lambda path: path.with_stem("c"), "/a/c.txt"),
        (lambda path: path.relative_to("/a"), "b.txt"),
        (copy.copy, "/a/b.txt"),
        (copy.deepcopy, "/a/b.txt"),
        (lambda path: pickle.loads(pickle.dumps(path)), "/a/b.txt"),
        (trio.Path, "/a/b.txt"),
    ],
)
def test_computing_with_paths_gives_trio_paths(compute: Callable[[trio.Path], trio.Path], expected: str) -> None:
    result = compute(trio.Path("/a/b.txt"))
    assert type(result) is trio.PosixPath
    assert str(result) == expected


def test_the_rest_of_the_pure_interface_is_there() -> None:
    path = trio.Path("/a/b.tar.gz")
    assert (path.name, path.stem, path.suffix, path.suffixes) == ("b.tar.gz", "b.tar", ".gz", [".tar", ".gz"])
    assert path.match("*.gz")
    assert path.is_absolute()
    assert path.is_relative_to("/a")
    assert path.as_posix() == "/a/b.tar.gz"
    assert path.as_uri() == "file:///a/b.tar.gz"
    with pytest.raises(ValueError, match=r"relative path(s)? can't be expressed as (a )?file URI"):
        trio.Path("a").as_uri()


def test_paths_have_no_room_for_attributes() -> None:
    with pytest.raises(AttributeError):
        trio.Path("a").colour = "red"  # type: ignore[attr-defined]


def test_the_two_concrete_classes_are_final() -> None:
    for cls in (trio.PosixPath, trio.WindowsPath):
        with pytest.raises(TypeError):
            type("Sub", (cls,), {})


def test_the_foreign_class_computes_and_does_no_more() -> None:
    path = trio.WindowsPath("c:\\a") / "b"
    assert type(path) is trio.WindowsPath
    assert path.parts == ("c:\\", "a", "b")
    assert repr(path) == f"trio.Path({str(path)!r})"

    async def main() -> None:
        with pytest.raises(NotImplementedError, match="cannot instantiate 'WindowsPath' on your system"):
            await path.exists()

    trio.run(main)


def test_every_method_of_pathlib_is_there_and_async() -> None:
    for name in methods_of_pathlib():
        if hasattr(trio.Path, name):
            assert inspect.iscoroutinefunction(getattr(trio.Path, name)), name
    missing = {name for name in methods_of_pathlib() if not hasattr(trio.Path, name)}
    assert not missing


def test_methods_have_the_signature_of_this_pythons_pathlib() -> None:
    for name in methods_of_pathlib() - {"cwd", "home", "open"}:
        ours, theirs = getattr(trio.Path, name), getattr(pathlib.Path, name)
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters), name
        assert ours.__name__ == name
        assert ours.__qualname__.endswith(f".{name}")
        assert ours.__doc__ is None or f"pathlib.Path.{name}" in ours.__doc__ or "PurePath" in ours.__doc__


def test_reading_and_writing(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        path = trio.Path(tmp_path) / "file"
        assert not await path.exists()
        with trio.testing.assert_checkpoints():
            assert await path.write_text("grün", encoding="utf-8") == 4
        assert await path.read_bytes() == "grün".encode()
        assert await path.read_text("utf-8") == "grün"
        assert await path.write_bytes(b"x") == 1
        async with await path.open("a") as file:
            await file.write("yz")
        assert await path.read_text() == "xyz"
        assert (await path.stat()).st_size == 3
        assert await path.is_file()
        assert not await path.is_dir()
        assert await path.unlink() is None
        with trio.testing.assert_checkpoints(), pytest.raises(FileNotFoundError):
            await path.unlink()
        await path.unlink(missing_ok=True)

    trio.run(main)


def test_what_returns_a_path_returns_ours(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        base = await trio.Path(tmp_path).resolve()
        file = base / "file"
        await file.touch()
        link = base / "link"
        await link.symlink_to("file")
        assert await link.is_symlink()
        results = {
            "readlink": (await link.readlink(), "file"),
            "resolve": (await link.resolve(), str(file)),
            "absolute": (await trio.Path("x").absolute(), os.path.join(os.getcwd(), "x")),
            "expanduser": (await trio.Path("~/x").expanduser(), os.path.expanduser("~/x")),
            "rename": (await file.rename(base / "renamed"), str(base / "renamed")),
            "replace": (await (base / "renamed").replace(os.fspath(file)), str(file)),
            "cwd": (await trio.Path.cwd(), os.getcwd()),
            "home": (await trio.Path.home(), os.path.expanduser("~")),
        }
        for name, (result, expected) in results.items():
            assert type(result) is trio.PosixPath, name
            assert str(result) == expected, name

    trio.run(main)


def test_directories_are_read_as_a_whole(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        base = trio.Path(tmp_path)
        await (base / "sub" / "deep").mkdir(parents=True)
        for name in ("a.txt", "sub/b.txt", "sub/deep/c.txt"):
            await (base / name).touch()
        with trio.testing.assert_checkpoints():
            entries = await base.iterdir()
        assert iter(entries) is entries  # an iterator, as with pathlib
        await (base / "a.txt").unlink()
        found = list(entries)
        assert sorted(path.name for path in found) == ["a.txt", "sub"]
        assert all(type(path) is trio.PosixPath for path in found)
        assert {path.name for path in await base.glob("*/*.txt")} == {"b.txt"}
        assert {path.name for path in await base.rglob("*.txt")} == {"b.txt", "c.txt"}
        with pytest.raises(FileNotFoundError):
            await (base / "nothing").iterdir()
        with pytest.raises(ValueError, match="Unacceptable pattern"):
            await base.glob("")

    trio.run(main)


def test_questions_about_the_file_system(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        path = trio.Path(tmp_path)
        for name in ("is_mount", "is_socket", "is_fifo", "is_block_device", "is_char_device", "is_symlink"):
            assert await getattr(path, name)() is False
        assert await trio.Path("/").is_mount()
        assert await trio.Path("/dev/null").is_char_device()
        assert await path.owner() == path_owner(tmp_path)
        await path.chmod(0o700)
        assert stat.S_IMODE((await path.lstat()).st_mode) == 0o700
        assert await path.samefile(os.fspath(tmp_path))
        assert await path.samefile(tmp_path)

    def path_owner(path: pathlib.Path) -> str:
        return path.owner()

    trio.run(main)


@pytest.mark.skipif(not OURS, reason="upstream's fails on its own kind of path")
def test_samefile_knows_trio_paths(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        assert await trio.Path(tmp_path).samefile(trio.Path(tmp_path))
        assert not await trio.Path(tmp_path).samefile(other_path=trio.Path("/"))

    trio.run(main)


@pytest.mark.skipif(sys.version_info < (3, 10), reason="hardlink_to is new in Python 3.10")
def test_links(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        target, link = trio.Path(tmp_path) / "target", trio.Path(tmp_path) / "link"
        await target.write_text("x")
        await link.hardlink_to(target)
        assert (await link.stat()).st_nlink == 2

    trio.run(main)


def test_a_cancelled_method_does_nothing(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        path = trio.Path(tmp_path) / "file"
        with trio.CancelScope() as scope:
            scope.cancel()
            await path.touch()
        assert scope.cancelled_caught
        assert not await path.exists()

    trio.run(main)
