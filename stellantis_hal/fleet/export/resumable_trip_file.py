"""Trip file by its path: complete after each row, and continued when it is opened again."""

from __future__ import annotations

import io
import logging
import os
import stat
from contextlib import ExitStack, suppress
from typing import Final, Literal

from stellantis_hal.fleet.export.destination import TripFileError
from stellantis_hal.fleet.export.geojson import GeoJsonFormat
from stellantis_hal.fleet.export.trip_format import ForeignContentError, TripFileScan, TripFormat
from stellantis_hal.fleet.export.trip_row import TripRow
from stellantis_hal.hal.redaction import mask_text
from stellantis_hal.storage.replaced_file import naming, replaced_file

__all__ = ["FileMode", "TripFile"]

_log = logging.getLogger("stellantis_hal")
_SCANNED_AT_ONCE: Final = 1 << 18

FileMode = Literal["append", "new", "replace"]
"""What happens to a file that has trips: it is continued, refused, or overwritten."""


class TripFile:
    """A file of trips that is complete after each row, and continued when it is opened again.

    Each row is written by one call, together with the end of the format, and handed to the operating system before
    :meth:`append` returns: so a process that is killed loses no row that was written, and leaves a valid file.

    Args:
        path: the file, in an existing folder.
        format_: its format.
        mode: what happens to a file that has content.

    Raises:
        TripFileError: the file has content that would be lost, or cannot be continued, or another writer has it open.
        OSError: the file cannot be opened.
    """

    def __init__(self, path: str, format_: TripFormat, mode: FileMode) -> None:
        self._path = path
        self._absolute_path = os.path.abspath(path)  # the working directory may change later
        self._format = format_
        self._file = _open_locked(path)
        try:
            with naming(path):
                content = self._prepare(mode)
        except BaseException:
            self._file.close()
            raise
        self.found: int = content.trips
        self._identity = _identity_of(os.fstat(self._file.fileno()))
        self._keys = content.keys
        self._end = content.end
        self._separator = content.separator

    def _prepare(self, mode: FileMode) -> TripFileScan:
        """Make the file one that ends with a complete record and the end of the format."""
        size = os.fstat(self._file.fileno()).st_size
        content = TripFileScan() if mode == "replace" or not size else self._scan(size)
        if mode == "new" and size:
            count = f"{content.trips} trip{'' if content.trips == 1 else 's'}"
            raise self._error(size, count, 'pass mode="append" to continue it, or mode="replace" to')
        if content.is_foreign:
            content = self._rewrite()
        elif content.torn:
            _log.warning(
                "%s ended with an incomplete record of %d bytes, which was removed: its write was interrupted; "
                "trips that were not acknowledged are delivered again",
                mask_text(self._path),
                content.torn,
            )
        if content.trips:
            _log.info("%s is continued after %d trips", mask_text(self._path), content.trips)
        head = b"" if content.end else self._format.head
        if head or os.fstat(self._file.fileno()).st_size != content.end + len(self._format.tail):
            self._file.truncate(content.end)
            _write(self._file, content.end, head + self._format.tail)
            content.end += len(head)
        return content

    def _scan(self, size: int) -> TripFileScan:
        self._file.seek(0)
        buffer = io.BufferedReader(self._file, _SCANNED_AT_ONCE)
        try:
            return self._format.scan(buffer)
        except ForeignContentError as error:
            advice = 'choose another path, or pass mode="replace" to'
            raise self._error(size, f"no trips as {self._format.name}: {error}", advice) from error
        finally:
            buffer.detach()  # the file stays open

    def _error(self, size: int, found: str, advice: str) -> TripFileError:
        return TripFileError(
            f"{self._path} exists and has {found} ({size:,} bytes): {advice} overwrite it", path=self._path
        )

    def _rewrite(self) -> TripFileScan:
        """Replace a collection of another layout by the same in ours, and lock it before it has its name."""
        assert isinstance(self._format, GeoJsonFormat)  # noqa: S101 - no other format has layouts
        self._file.seek(0)
        body = self._format.rewritten(self._file.readall())
        with ExitStack() as closing:
            with replaced_file(self._path) as new:
                new.write(body)
                other = closing.enter_context(io.FileIO(os.dup(new.fileno()), "r+"))  # keeps the lock
                _lock(other)
            closing.pop_all()
        self._file.close()
        self._file = other
        _log.info("%s had another layout and was written anew, to be continued", mask_text(self._path))
        return self._scan(len(body))

    def append(self, row: TripRow) -> bool:
        """Write a row; return whether it was written: False where the trip is there already.

        Raises:
            TripFileError: another program removed or replaced the file, so that nothing can be written to it.
            OSError: it was not written; the file is as it was, as far as the system allows.
        """
        self._check_path()
        key = row.key
        if key is not None and key in self._keys:
            return False
        record = self._separator + self._format.record(row).encode()
        try:
            with naming(self._path):
                _write(self._file, self._end, record + self._format.tail)
        except BaseException:
            with suppress(OSError):  # a full disk has room for the tail, where a part of the row was
                self._file.truncate(self._end)
                _write(self._file, self._end, self._format.tail)
            raise
        self._end += len(record)
        self._separator = self._format.separator
        if key is not None:
            self._keys.add(key)
        return True

    def _check_path(self) -> None:
        """Raise where the path no longer leads to the file: what is written to it would not be found."""
        try:
            found = _identity_of(os.stat(self._absolute_path))
        except FileNotFoundError:
            found = None
        if found != self._identity:
            raise TripFileError(
                f"{self._path} was {'removed or renamed' if found is None else 'replaced'} by another program after it "
                "was opened: the trips written so far are not in it. Call trip_writer() again and write them again",
                path=self._path,
            )

    def close(self) -> None:
        """Wait until the disk has the file, and close it.

        Raises:
            TripFileError: another program removed or replaced the file.
        """
        try:
            with naming(self._path):
                os.fsync(self._file.fileno())
            self._check_path()
        finally:
            self._file.close()


def _identity_of(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _open_locked(path: str) -> io.FileIO:
    """Open a regular file for this writer alone, and create it where there is none, readable by its owner only."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0), 0o600)
    file = io.FileIO(descriptor, "r+")
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise TripFileError(f"{path} is no regular file: pass an open text file instead of its path", path=path)
        _lock(file)
        if _identity_of(os.stat(path)) != _identity_of(os.fstat(descriptor)):
            raise BlockingIOError  # another writer put a new file in its place before it was locked
    except BlockingIOError as error:
        file.close()
        raise TripFileError(
            f"{path} is open in another writer: close that one first, or choose another path", path=path
        ) from error
    except BaseException:
        file.close()
        raise
    return file


def _lock(file: io.FileIO) -> None:
    """Exclude other writers until the file is closed, where the system has POSIX locks.

    Raises:
        BlockingIOError: another writer has it open.
    """
    try:
        import fcntl  # POSIX only
    except ImportError:
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks
        return


def _write(file: io.FileIO, position: int, content: bytes) -> None:
    file.seek(position)
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]
