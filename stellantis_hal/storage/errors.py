"""Error of storage: a database that cannot be used."""

from __future__ import annotations

from stellantis_hal.errors import StellantisError

__all__ = ["StorageError"]


class StorageError(StellantisError):
    """A database could not be opened, read or written.

    Attributes:
        path: its file; empty where it is no file.
        waited: seconds that the call ran in the thread of the database, most of them for the lock of the file.
    """

    def __init__(self, message: str, *, path: str = "", waited: float = 0.0) -> None:
        super().__init__(message)
        self.path = path
        self.waited = waited
