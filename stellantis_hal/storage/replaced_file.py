"""File that replaces another one as a whole: at any time the old or the new one is at its path, complete."""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import time
import zlib
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Final

__all__ = ["naming", "remove_leftovers", "replaced_file"]

_IS_POSIX: Final = os.name == "posix"
"""Whether files have an owner, a group and a mode, and folders can be opened."""
_PRIVATE: Final = 0o600
_LONGEST_NAME: Final = 200
"""Bytes of a file's name that the name of the file beside it has room for."""
_WITHOUT_SYNC: Final = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}
_MOVE_TIMEOUT: Final = 2.0
"""Seconds in which a reader on Windows, which needs milliseconds, has closed the file."""
_MOVE_PAUSE: Final = 0.01


@contextmanager
def replaced_file(path: str | os.PathLike[str], *, private: bool = False, follow: bool = True) -> Generator[BinaryIO]:
    """Yield an empty binary file, which takes the place of the one at a path when the block ends.

    Where the block raises, or is cancelled, the one that is there stays, and the new one is removed. A power cut leaves
    one of the two too: the new one is on the disk before it takes the place, and its name when this returns.

    A symbolic link is followed. What is no regular file, as ``/dev/stdout`` or a pipe, is opened and written itself.

    The new file has the permissions and the group of the one that is there; where the system refuses its group, the
    group has no rights. The first file at a path can be read by its owner only. Access lists, and other names of the
    old file (hard links), are not kept.

    It blocks: call it in a thread, or where nothing else runs.

    Args:
        path: the file, in a folder that exists.
        private: whether only the owner can read it, although the one that is there has other permissions.
        follow: whether links are followed and pipes written; otherwise they are replaced, because others may have put
            them there.

    Raises:
        OSError: it cannot be written; the error names the path.
    """
    path = os.fspath(path)
    target = os.path.realpath(path) if follow else _own_path(path)
    with naming(path):
        there = _status_of(path, follow=follow)  # the system may refuse links that others have put there
        is_regular = there is None or _is_regular(there, target)
    if follow and not is_regular:
        with _NamedFile(path, path, "w") as raw:
            yield (file := io.BufferedWriter(raw))
            file.flush()
        return
    new = f"{_start_of_names(target)}{os.urandom(8).hex()}.new"
    with naming(path):
        raw = _NamedFile(path, new, "x+")
    try:
        file = io.BufferedWriter(raw)
        yield file
        with naming(path):
            file.flush()
            _set_rights(raw.fileno(), there if is_regular and not private else None)
            _sync(raw.fileno())
            raw.close()
            _move(new, target)
    except BaseException:
        with suppress(OSError):  # the first error is the one to report
            raw.close()  # not the buffer, which would write what it has
        with suppress(OSError):
            os.unlink(new)
        raise
    with naming(path):
        _sync_folder(os.path.dirname(target))


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove the files that processes left beside a path or link, because they were killed in :func:`replaced_file`.

    It is for a caller that keeps other writers of the path away, by a lock. What others have put there stays.

    Raises:
        OSError: one of them cannot be removed.
    """
    folder, start = os.path.split(_start_of_names(_own_path(path)))
    try:
        names = os.listdir(folder)
    except PermissionError:  # a folder that can be written to, but not listed
        return
    for name in names:
        if name.startswith(start) and re.fullmatch(r"[0-9a-f]{16}\.new", name[len(start) :]):
            with suppress(FileNotFoundError, PermissionError, IsADirectoryError):  # gone already, or made by others
                os.unlink(os.path.join(folder, name))


class _NamedFile(io.FileIO):
    """A new file, readable by its owner only, whose name and errors are those of the path that it is for."""

    def __init__(self, path: str, file: str, mode: str) -> None:
        super().__init__(file, mode, opener=_open_private)
        self.name = path

    def write(self, content: Any, /) -> int:
        """Write a part of a text, as any file does."""
        with naming(os.fspath(self.name)):
            return super().write(content)


def _open_private(file: str, flags: int) -> int:
    return os.open(file, flags, _PRIVATE)


@contextmanager
def naming(path: str) -> Generator[None]:
    """Let errors of the system name a path, not the file beside it, which is gone."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # else it is one of this package, whose text names the path
            error.filename = path
            del error.filename2
        raise


def _own_path(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a file or link itself."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


def _status_of(path: str, *, follow: bool) -> os.stat_result | None:
    try:
        return os.stat(path, follow_symlinks=follow)
    except FileNotFoundError:
        return None


def _is_regular(there: os.stat_result, target: str) -> bool:
    """Return whether a file is one on a disk, and has this path; an open file that was removed has none."""
    if not stat.S_ISREG(there.st_mode):
        return False
    found = _status_of(target, follow=False)
    return found is not None and os.path.samestat(there, found)


def _start_of_names(target: str) -> str:
    """Return how the paths of the files beside a target start: hidden, and with its name, if that is not too long."""
    folder, name = os.path.split(target)
    if len(encoded := os.fsencode(name)) > _LONGEST_NAME:
        name = f"{zlib.crc32(encoded):08x}"
    return os.path.join(folder, f".{name}.")


def _set_rights(descriptor: int, there: os.stat_result | None) -> None:
    """Set group and permissions of a new file as those of the one that is there; None: its owner alone has rights."""
    if not _IS_POSIX:
        return
    new = os.fstat(descriptor)
    mode = _PRIVATE
    if there is not None:
        mode = there.st_mode & 0o777
        if (new.st_uid, new.st_gid) != (there.st_uid, there.st_gid):
            try:
                os.fchown(descriptor, there.st_uid if os.geteuid() == 0 else -1, there.st_gid)
            except PermissionError:
                mode &= ~0o070  # they were given to another group
    if stat.S_IMODE(new.st_mode) != mode:  # an umask or an access list of the folder may have changed it
        os.fchmod(descriptor, mode)


def _sync(descriptor: int) -> None:
    """Wait until the disk has a file or a folder; not where its file system cannot tell."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _WITHOUT_SYNC:
            raise


def _sync_folder(folder: str) -> None:
    """Wait until the disk has the names in a folder, where the system lets it be opened."""
    if not _IS_POSIX:
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:  # a folder that can be written to, but not listed
        return
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def _move(new: str, target: str) -> None:
    """Replace a file; where the system refuses while another process reads it, as Windows does, try again."""
    deadline = time.monotonic() + _MOVE_TIMEOUT
    while True:
        try:
            os.replace(new, target)
        except PermissionError:
            if _IS_POSIX or time.monotonic() >= deadline:
                raise
            time.sleep(_MOVE_PAUSE)
        else:
            return
