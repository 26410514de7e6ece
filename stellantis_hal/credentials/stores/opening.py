"""Token store of a place: a path or a URL."""

from __future__ import annotations

import os
from pathlib import PurePath
from urllib.parse import urlsplit

from stellantis_hal.credentials.stores.file import FileTokenStore
from stellantis_hal.credentials.stores.postgres import PostgresTokenStore
from stellantis_hal.credentials.stores.redis import RedisTokenStore
from stellantis_hal.credentials.stores.sqlite import SQLiteTokenStore

__all__ = ["token_file", "token_store"]

_SQLITE = {".db", ".sqlite", ".sqlite3"}


def token_file(path: str | os.PathLike[str]) -> FileTokenStore | SQLiteTokenStore:
    """Return the store of a path: in SQLite where it ends with ``.db``, ``.sqlite`` or ``.sqlite3``."""
    return SQLiteTokenStore(path) if PurePath(path).suffix.lower() in _SQLITE else FileTokenStore(path)


def token_store(place: str) -> FileTokenStore | SQLiteTokenStore | PostgresTokenStore | RedisTokenStore:
    """Return the store of a path, or of a URL of PostgreSQL or Redis."""
    scheme = urlsplit(place).scheme if "://" in place else ""
    if scheme in {"postgresql", "postgres"}:
        return PostgresTokenStore(place)
    if scheme in {"redis", "rediss", "unix"}:
        return RedisTokenStore(place)
    if scheme:
        raise ValueError(f"no token store has URLs that begin with {scheme}://; pass a path, postgresql:// or redis://")
    return token_file(place)
