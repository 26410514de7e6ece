"""File that replaces another one as a whole."""

import asyncio
import errno
import os
import resource
import stat
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.storage import replaced_file as module
from stellantis_hal.storage.replaced_file import remove_leftovers, replaced_file
from tests.support.functions import returns

CALLS = ("stat", "open", "fchown", "fchmod", "fsync", "replace")
"""System calls of a replacement, in their order; the folder is opened and synced at the end."""
LEFT = "0123456789abcdef.new"
full_device = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")


def write(path: Path, content: bytes, **options: Any) -> None:
    with replaced_file(path, **options) as file:
        file.write(content)


def raise_in_block(error: BaseException, path: str | Path) -> None:
    with replaced_file(path) as file:
        file.write(b"a part")
        raise error


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_bytes(b"old")
    path.chmod(0o640)
    return path


# ------------------------------------------------------------------------------------------------- what takes the place


@pytest.mark.parametrize(
    ("before", "private", "after"),
    [
        (None, False, 0o600),
        (None, True, 0o600),
        (0o640, False, 0o640),
        (0o640, True, 0o600),
        (0o400, False, 0o400),
        (0o666, False, 0o666),
        (0o1666, False, 0o666),
    ],
)
def test_permissions_are_those_of_the_file_that_is_there(
    tmp_path: Path, before: int | None, private: bool, after: int
) -> None:
    path = tmp_path / "a.csv"
    if before is not None:
        path.write_bytes(b"old")
        path.chmod(before)
    umask = os.umask(0o277)
    try:
        with replaced_file(str(path), private=private) as new:
            new.write(b"new")
            assert path.exists() is (before is not None)
            assert stat.S_IMODE(os.fstat(new.fileno()).st_mode) & 0o077 == 0
            assert new.name == str(path)
    finally:
        os.umask(umask)
    assert path.read_bytes() == b"new"
    assert mode_of(path) == after
    assert os.listdir(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("user", [0, 4711])
def test_the_group_is_kept_or_has_no_rights(
    file: Path, refused: bool, user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mode alone would let another group read it. Only root gives a file to another owner."""
    owned = os.stat_result((stat.S_IFREG | 0o664, *file.stat()[1:4], 1001, 1002, *file.stat()[6:]))
    asked: list[tuple[int, int]] = []

    def fchown(descriptor: int, owner: int, group: int) -> None:
        asked.append((owner, group))
        if refused:
            raise PermissionError(errno.EPERM, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", returns(owned))
        patch.setattr(os, "fchown", fchown)
        patch.setattr(os, "geteuid", returns(user))
        write(file, b"new")
    assert asked == [(1001 if user == 0 else -1, 1002)]
    assert mode_of(file) == (0o604 if refused else 0o664)


def test_a_link_leads_to_the_file_that_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(Path("folder", "a.csv"))
    for content in (b"one", b"two"):
        write(tmp_path / "link", content)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "folder" / "a.csv").read_bytes() == content
    assert sorted(os.listdir(tmp_path)) == ["folder", "link"]
    assert os.listdir(tmp_path / "folder") == ["a.csv"]


@pytest.mark.parametrize("kind", ["link", "dangling link", "loop", "link to a folder", "pipe"])
def test_what_others_may_have_put_there_is_replaced(tmp_path: Path, file: Path, kind: str) -> None:
    path = tmp_path / "state"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"link": file, "dangling link": tmp_path / "no", "loop": path}.get(kind, tmp_path))
    with replaced_file(path, follow=False) as new:
        new.write(b"new")
    assert path.lstat().st_mode == stat.S_IFREG | 0o600
    assert (path.read_bytes(), file.read_bytes()) == (b"new", b"old")
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "state"]


@pytest.mark.parametrize("path", ["state", "here/state"])
def test_a_folder_may_be_a_link_all_the_same(tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    with replaced_file(path, follow=False) as new:
        new.write(b"new")
    assert sorted(os.listdir(tmp_path)) == ["here", "state"]


def test_a_relative_path_is_of_the_folder_at_the_beginning(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    with replaced_file("a.csv") as new:
        monkeypatch.chdir(tmp_path / "other")
        new.write(b"new")
    assert file.read_bytes() == b"new"


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127, "n", ".n", "a b\n*?["])
def test_every_name_has_room_beside_it(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, b"new")
    assert os.listdir(tmp_path) == [name]


def test_a_pipe_is_written_itself(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write(tmp_path / "pipe", b"new")
    reader.join()
    assert found == [b"new"]
    assert os.listdir(tmp_path) == ["pipe"]


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="open files have no paths on this system")
def test_an_open_file_that_was_removed_is_written_itself(tmp_path: Path, file: Path) -> None:
    """``/dev/stdout`` leads to one, after a log was removed."""
    with open(file, "rb") as opened:
        file.unlink()
        write(Path(f"/proc/self/fd/{opened.fileno()}"), b"new")
        assert opened.read() == b"new"
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="open files have no paths on this system")
def test_an_open_pipe_is_written_itself() -> None:
    """``/dev/stdout`` leads to one: its path is of no file."""
    reading, writing = os.pipe()
    write(Path(f"/proc/self/fd/{writing}"), b"new")
    os.close(writing)
    with open(reading, "rb") as file:
        assert file.read() == b"new"


# ------------------------------------------------------------------------------------------------- failures


@contextmanager
def failing(name: str, number: int, *, code: int = errno.EIO) -> Generator[list[str]]:
    """Let the nth of the calls of this name fail, counted from 0; the calls are noted."""
    noted: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for each in CALLS:
            patch.setattr(os, each, _noting(getattr(os, each), noted, OSError(code, os.strerror(code)), (name, number)))
        yield noted


def _noting(
    call: Callable[..., Any], noted: list[str], error: OSError, failing_call: tuple[str, int]
) -> Callable[..., Any]:
    name, number = failing_call

    def noting(*arguments: Any, **options: Any) -> Any:
        noted.append(call.__name__)
        if call.__name__ == name and noted.count(name) > number:
            raise error
        return call(*arguments, **options)

    return noting


def test_what_is_called_in_which_order(file: Path) -> None:
    """The file is on the disk before it takes the place, and the name after it."""
    with failing("nothing", 0) as noted:
        write(file, b"new")
    assert [each for each in noted if each not in {"stat", "fchown"}] == [
        "open",
        "fchmod",
        "fsync",
        "replace",
        "open",
        "fsync",
    ]


@pytest.mark.parametrize(
    ("call", "left"),
    [
        (("stat", 0), b"old"),
        (("stat", 1), b"old"),
        (("open", 0), b"old"),
        (("fchmod", 0), b"old"),
        (("fsync", 0), b"old"),
        (("replace", 0), b"old"),
        (("open", 1), b"new"),
        (("fsync", 1), b"new"),
    ],
)
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_an_error_names_the_path_and_leaves_one_file(file: Path, call: tuple[str, int], left: bytes, code: int) -> None:
    with failing(*call, code=code), pytest.raises(OSError, match=os.strerror(code)) as caught:
        write(file, b"new")
    assert (caught.value.errno, caught.value.filename, caught.value.filename2) == (code, str(file), None)
    assert file.read_bytes() == left
    assert mode_of(file) == 0o640
    assert os.listdir(file.parent) == ["a.csv"]


@pytest.mark.parametrize(
    ("name", "number", "code"),
    [
        ("fsync", 0, errno.EINVAL),
        ("fsync", 0, errno.ENOTSUP),
        ("fsync", 1, errno.EINVAL),
        ("open", 1, errno.EACCES),
    ],
)
def test_a_file_system_without_sync_is_used_all_the_same(
    tmp_path: Path, file: Path, name: str, number: int, code: int
) -> None:
    with failing(name, number, code=code):
        write(file, b"new")
    assert file.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.csv"]


@contextmanager
def largest_file(size: int) -> Generator[None]:
    """Let no file become larger, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [5, 100_000], ids=["at the end", "at once"])
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, file: Path, size: int) -> None:
    with largest_file(4), pytest.raises(OSError, match="File too large") as caught:
        write(file, b"n" * size)
    assert caught.value.filename == str(file)
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), asyncio.CancelledError(), ValueError("bad"), OSError("other")])
@pytest.mark.parametrize("is_there", [False, True])
def test_a_block_that_raises_leaves_what_was_there(
    tmp_path: Path, file: Path, error: BaseException, is_there: bool
) -> None:
    """Its own error is raised, though what is in the buffer could not be written either."""
    if not is_there:
        file.unlink()
    with largest_file(4), pytest.raises(type(error)) as caught:
        raise_in_block(error, file)
    assert caught.value is error
    assert os.listdir(tmp_path) == (["a.csv"] if is_there else [])
    assert not is_there or file.read_bytes() == b"old"


@full_device
def test_a_device_that_fails_is_named() -> None:
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        write(Path("/dev/full"), b"new")
    with pytest.raises(KeyboardInterrupt):
        raise_in_block(KeyboardInterrupt(), "/dev/full")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("missing/a.csv", FileNotFoundError),
        ("dangling", FileNotFoundError),
        ("loop", OSError),
        (".", IsADirectoryError),
        ("a.csv/b.csv", NotADirectoryError),
        ("n" * 256, OSError),
    ],
)
def test_what_cannot_be_a_file_is_named(tmp_path: Path, file: Path, name: str, kind: type[OSError]) -> None:
    (tmp_path / "dangling").symlink_to(tmp_path / "missing" / "b.csv")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(kind) as caught:
        write(tmp_path / name, b"new")
    assert caught.value.filename == str(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "dangling", "loop"]


def test_the_first_error_is_reported(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unlink(_: str) -> None:
        raise OSError(errno.EACCES, "another reason")

    monkeypatch.setattr(os, "unlink", unlink)
    with failing("fsync", 0), pytest.raises(OSError, match=os.strerror(errno.EIO)):
        write(file, b"new")


@given(
    st.one_of(st.none(), st.binary(max_size=20)),
    st.lists(st.binary(max_size=20_000), max_size=4),
    st.tuples(st.sampled_from(CALLS), st.integers(0, 3)),
)
def test_one_of_two_contents_is_there_whatever_fails(
    tmp_path_factory: pytest.TempPathFactory,
    old: bytes | None,
    pieces: list[bytes],
    call: tuple[str, int],
) -> None:
    folder = tmp_path_factory.mktemp("case")
    path = folder / "a.csv"
    if old is not None:
        path.write_bytes(old)
    failed = ""
    with failing(*call):
        try:
            with replaced_file(path) as new:
                for piece in pieces:
                    new.write(piece)
        except OSError as error:
            failed = error.filename
    assert failed in {"", str(path)}
    found = path.read_bytes() if path.exists() else None
    assert found in ({old, b"".join(pieces)} if failed else {b"".join(pieces)})
    assert os.listdir(folder) == ([] if found is None else ["a.csv"])


# ------------------------------------------------------------------------------------------------- leftovers


def test_two_writers_do_not_mix(tmp_path: Path, file: Path) -> None:
    with replaced_file(file) as one, replaced_file(file) as two:
        one.write(b"one")
        two.write(b"two, and longer")
    assert file.read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_only_files_beside_the_path_are_removed(tmp_path: Path, file: Path) -> None:
    kept = {"a.csv", f".b.csv.{LEFT}", f".a.csv.b.{LEFT}", ".a.csv.lock", f"a.csv.{LEFT}", f".a.csv.{LEFT}~"}
    for name in kept | {f".a.csv.{LEFT}", f".a.csv.{'0' * 16}.new"}:
        (tmp_path / name).touch()
    remove_leftovers(file)
    assert set(os.listdir(tmp_path)) == kept


def test_what_a_killed_process_leaves_is_removed(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", returns(None))  # it has no time to clean up
        with pytest.raises(KeyboardInterrupt):
            raise_in_block(KeyboardInterrupt(), file)
    assert len(os.listdir(tmp_path)) == 2
    remove_leftovers(file)
    assert os.listdir(tmp_path) == ["a.csv"]


def test_leftovers_that_another_process_removes_are_no_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listdir", returns([f".a.csv.{LEFT}"]))
    remove_leftovers(file)


def test_what_others_have_put_beside_the_path_is_no_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else they could keep a token from being stored."""
    (file.parent / f".a.csv.{LEFT}").mkdir()
    remove_leftovers(file)
    assert (file.parent / f".a.csv.{LEFT}").exists()

    def unlink(_: str) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "unlink", unlink)
    remove_leftovers(file)


def test_a_folder_that_cannot_be_listed_keeps_leftovers(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def listdir(_: str) -> list[str]:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "listdir", listdir)
    remove_leftovers(file)


# ------------------------------------------------------------------------------------------------- Windows


@pytest.mark.parametrize("refusals", [2, 10_000])
def test_a_file_that_is_being_read_is_replaced_later(
    tmp_path: Path, file: Path, refusals: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter(range(refusals))
    replace = os.replace

    def refuse(new: str, target: str) -> None:
        if next(left, None) is not None:
            raise PermissionError(errno.EACCES, "Access is denied", new, None, target)
        replace(new, target)

    monkeypatch.setattr(module, "_IS_POSIX", False)
    monkeypatch.setattr(module, "_MOVE_TIMEOUT", 0.05)
    monkeypatch.setattr(os, "replace", refuse)
    if refusals == 2:
        write(file, b"new")
        assert file.read_bytes() == b"new"
    else:
        with pytest.raises(PermissionError) as caught:
            write(file, b"new")
        assert (caught.value.filename, caught.value.filename2) == (str(file), None)
        assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.csv"]
