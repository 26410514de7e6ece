"""Pool of connections to Redis of a constant size."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

__all__ = ["pool_like", "pool_of"]


def pool_of(url: str, options: Mapping[str, Any]) -> Any:
    """Return a pool for a URL, with options of coredis' ``ConnectionPool``.

    Raises:
        ImportError: coredis is not installed.
        ValueError: the URL cannot be read.
    """
    return _pool_class().from_url(url, decode_components=True, **options)


def pool_like(pool: Any) -> Any | None:
    """Return a pool with the settings of one of coredis; None where it is of a kind that has more than settings."""
    from coredis import ConnectionPool  # an extra

    if type(pool) is not ConnectionPool:
        return None
    settings = {name: value for name, value in pool.connection_kwargs.items() if name != "processing_budget"}
    return _pool_class()(
        connection_class=pool.connection_class,
        location=pool.location,
        max_connections=pool.max_connections,
        timeout=pool.timeout,
        **settings,
    )


@cache
def _pool_class() -> Any:
    from coredis import ConnectionPool  # an extra

    class Pool(ConnectionPool[Any]):
        """A pool that has a place for each connection that is not leased.

        That of coredis 6.9 loses the place of a connection that ends while it is leased, or before it is made: of a
        call that was cancelled or not answered in time, or of a server that cut it. With the last place, it is at an
        end.
        """

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._leased = 0

        async def get_connection(self, **options: Any) -> Any:
            self._leased += 1
            try:
                return await super().get_connection(**options)
            except BaseException:
                self._end_lease()
                raise

        def release(self, connection: Any) -> None:
            try:
                super().release(connection)
            finally:
                self._end_lease()

        def _end_lease(self) -> None:
            self._leased -= 1
            while len(self._available_connections) + self._leased < self.max_connections:
                self._available_connections.append_nowait(None)

    return Pool
