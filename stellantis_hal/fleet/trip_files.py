"""Destinations of written trips: a file by its path, which is continued, and an open text file."""

from __future__ import annotations

import codecs
import io
import json
import logging
import os
import stat
import tempfile
from contextlib import suppress
from typing import Final, Literal, Protocol

from stellantis_hal.errors import StellantisError
from stellantis_hal.fleet.trip_formats import ForeignContentError, GeoJsonFormat, TripFileContent, TripFormat, TripRow
from stellantis_hal.hal.redaction import mask_text

__all__ = ["FileMode", "SupportsWrite", "TextDestination", "TripDestination", "TripFile", "TripFileError"]

_log = logging.getLogger("stellantis_hal")
_SCANNED_AT_ONCE: Final = 1 << 18

FileMode = Literal["append", "new", "replace"]
"""What happens to a file that has trips: it is continued, refused, or overwritten."""


class TripFileError(StellantisError, FileExistsError):
    """A file has content that would be lost, or cannot be continued. It was not changed.

    Attributes:
        path: the file; empty where it has no name.
    """

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class SupportsWrite(Protocol):
    """Text sink, such as an open file."""

    def write(self, text: str, /) -> object:
        """Write the whole text."""
        ...


class TripDestination(Protocol):
    """What rows are written to.

    Attributes:
        found: trips that it had before.
    """

    found: int

    def append(self, row: TripRow) -> bool:
        """Write a row; return whether it was written: False where the trip is there already."""
        ...

    def close(self) -> None:
        """Complete the file."""
        ...


# ------------------------------------------------------------------------------------------------- by path


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
            content = self._prepare(mode)
        except BaseException:
            self._file.close()
            raise
        self.found: int = content.trips
        self._identity = _identity_of(os.fstat(self._file.fileno()))
        self._keys = content.keys
        self._end = content.end
        self._separator = content.separator

    def _prepare(self, mode: FileMode) -> TripFileContent:
        """Make the file one that ends with a complete record and the end of the format."""
        size = os.fstat(self._file.fileno()).st_size
        content = TripFileContent() if mode == "replace" or not size else self._scan(size)
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

    def _scan(self, size: int) -> TripFileContent:
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

    def _rewrite(self) -> TripFileContent:
        """Replace a collection of another layout by the same in ours, and lock it before it has its name."""
        assert isinstance(self._format, GeoJsonFormat)  # noqa: S101 - no other format has layouts
        self._file.seek(0)
        body = self._format.rewritten(self._file.readall())
        path = os.path.realpath(self._path)
        descriptor, temporary = tempfile.mkstemp(prefix=".trips-", dir=os.path.dirname(path))
        other = io.FileIO(descriptor, "r+")
        try:
            _lock(other)
            _write(other, 0, body)
            os.fsync(descriptor)
            os.chmod(temporary, stat.S_IMODE(os.fstat(self._file.fileno()).st_mode))
            os.replace(temporary, path)
        except BaseException:
            other.close()
            os.unlink(temporary)
            raise
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


# ------------------------------------------------------------------------------------------------- open text files


class TextDestination:
    """An open text file, which stays open. Rows are written at its position, each by one call.

    Raises:
        TripFileError: the file has content after its position, which would be lost, or content that cannot be
            continued.
    """

    found = 0

    def __init__(self, file: SupportsWrite, format_: TripFormat) -> None:
        self._file = file
        self._format = format_
        self._name = _name_of(file)
        if format_.name == "csv" and (reconfigure := getattr(file, "reconfigure", None)) is not None:
            with suppress(io.UnsupportedOperation):  # it was read from before
                reconfigure(newline="")  # line ends of CSV must not be translated: Windows would show blank lines
        encoding = getattr(file, "encoding", None)
        self._is_unicode = not isinstance(encoding, str) or codecs.lookup(encoding).name.startswith("utf")
        self._before = format_.head.decode()
        if self._position():
            self._continue()

    def _position(self) -> int:
        """Return the position in the file; 0 where it has none.

        Raises:
            TripFileError: there is content after it.
        """
        try:
            position = self._file.tell()  # type: ignore[attr-defined]  # a text sink may have no position
            end = self._file.seek(0, os.SEEK_END)  # type: ignore[attr-defined]
            self._file.seek(position)  # type: ignore[attr-defined]
        except (AttributeError, OSError, ValueError):
            return 0
        if position != end:
            raise TripFileError(
                f"the file {self._name or 'object'} has content after its position {position}, which would be "
                'overwritten: open it with mode "a", or pass its path to trip_writer()',
                path=self._name,
            )
        return int(position)

    def _continue(self) -> None:
        """Continue after what the file has: without a head, and not within a record.

        Raises:
            TripFileError: the format has an end that cannot be taken back, or the last record is incomplete.
        """
        if self._format.tail:
            reason = f"the end of a {self._format.name} collection cannot be taken back in an open text file"
        elif _last_byte(self._name) not in {b"", b"\n"}:
            reason = "its last record is incomplete or has no line break"
        else:
            self._before = ""
            return
        raise TripFileError(
            f"the file {self._name or 'object'} has content and cannot be continued: {reason}; "
            'pass its path to trip_writer(), as in trip_writer("trips.geojson")',
            path=self._name,
        )

    def append(self, row: TripRow) -> bool:
        """Write a row, and hand it to the operating system where the file has a buffer."""
        record = self._format.record(row)
        if not self._is_unicode and self._format.name != "csv":
            record = "".join(char if char.isascii() else json.dumps(char)[1:-1] for char in record)
        self._write(self._before + record)
        self._before = self._format.separator.decode()
        return True

    def close(self) -> None:
        """Write the end of the format, and the head where there was no row."""
        head = self._format.head.decode()
        if rest := (head if self._before == head else "") + self._format.tail.decode():
            self._write(rest)

    def _write(self, text: str) -> None:
        self._file.write(text)
        flush = getattr(self._file, "flush", None)
        if flush is not None:
            flush()


def _name_of(file: SupportsWrite) -> str:
    """Return the path of an open file; empty where it has none."""
    name = getattr(file, "name", "")
    return name if isinstance(name, str) and os.path.isfile(name) else ""


def _last_byte(path: str) -> bytes:
    """Return the last byte of a file; empty where it is empty, has no path or cannot be read."""
    try:
        with open(path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1)
    except OSError:
        return b""
