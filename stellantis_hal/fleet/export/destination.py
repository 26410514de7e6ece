"""Protocol of destinations of trips, and the error of a file that would lose its content."""

from __future__ import annotations

from typing import Protocol

from stellantis_hal.errors import StellantisError
from stellantis_hal.fleet.export.trip_row import TripRow

__all__ = ["TripDestination", "TripFileError"]


class TripFileError(StellantisError, FileExistsError):
    """A file has content that would be lost, or cannot be continued. It was not changed.

    Attributes:
        path: the file; empty where it has no name.
    """

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


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
