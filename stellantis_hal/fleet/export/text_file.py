"""Open text file as a destination of trips, and sinks that only write."""

from __future__ import annotations

import codecs
import io
import json
import os
from contextlib import suppress
from typing import Protocol

from stellantis_hal.fleet.export.destination import TripFileError
from stellantis_hal.fleet.export.trip_format import TripFormat
from stellantis_hal.fleet.export.trip_row import TripRow

__all__ = ["SupportsWrite", "TextDestination"]


class SupportsWrite(Protocol):
    """Text sink, such as an open file."""

    def write(self, text: str, /) -> object:
        """Write the whole text."""
        ...


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
