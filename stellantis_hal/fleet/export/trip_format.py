"""Protocol of the file formats of trips, and what a file in one of them has."""

from __future__ import annotations

from abc import abstractmethod
from typing import BinaryIO, Protocol

import attrs

from stellantis_hal.fleet.export.trip_row import TripRow

__all__ = ["ForeignContentError", "TripFileScan", "TripFormat"]


@attrs.define
class TripFileScan:
    """What a file of trips has.

    Attributes:
        end: bytes up to the end of its last complete record, where it is continued.
        separator: what must be written there before the next record.
        trips: number of complete records.
        torn: bytes of a last record that was written in part.
        keys: their keys.
        is_foreign: whether other software wrote it in another layout, so that it must be written anew to be continued.
    """

    end: int = 0
    separator: bytes = b""
    trips: int = 0
    torn: int = 0
    keys: set[int] = attrs.field(factory=set, repr=False)
    is_foreign: bool = False

    def add(self, key: int | None, end: int) -> None:
        """Add a record that ends at this byte."""
        self.trips += 1
        self.end = end
        if key is not None:
            self.keys.add(key)


class ForeignContentError(ValueError):
    """A file has something else than trips in this format; the message says what."""


class TripFormat(Protocol):
    """A file format. A file is the head, records with a separator between them, and the tail.

    Attributes:
        name: its name.
        head: bytes before the first record.
        separator: bytes between two records.
        tail: bytes after the last record.
    """

    name: str
    head: bytes
    separator: bytes
    tail: bytes

    @abstractmethod
    def record(self, row: TripRow) -> str:
        """Return a row as text without its separator. It has no line break but inside quotes and at its end."""
        ...

    @abstractmethod
    def scan(self, file: BinaryIO) -> TripFileScan:
        """Read what a file has, from its beginning. A last record that was written in part is left out.

        Raises:
            ForeignContentError: it has something else.
        """
        ...
