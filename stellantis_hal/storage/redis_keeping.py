"""Redis server as a store that must not forget: retried calls, and a look at its durability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.storage.completed import completed
from stellantis_hal.storage.redis import Argument, RedisConnection, RedisScript
from stellantis_hal.storage.sqlite import StorageError

__all__ = ["keep", "require_durable"]

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.5


async def keep(
    connection: RedisConnection,
    script: RedisScript,
    keys: Sequence[str],
    arguments: Sequence[Argument],
    *,
    within: float,
) -> Any:
    """Run a script that may run twice; repeat it while the server is away, and complete it if the caller is cancelled.

    Args:
        connection: the connection.
        script: the script.
        keys: its keys.
        arguments: its arguments.
        within: seconds after which no further attempt is made.

    Raises:
        StorageError: the server is not reachable, does not respond in time, or refuses the script.
    """

    async def run() -> Any:
        last_start = anyio.current_time() + within
        pause = _FIRST_PAUSE
        while True:
            try:
                return await connection.run(script, keys, arguments)
            except StorageError as error:
                if anyio.current_time() + pause >= last_start or _is_refusal(error):
                    raise
            await anyio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    return await completed(run)


def _is_refusal(error: StorageError) -> bool:
    """Return whether the server answered, and will not answer differently in a moment."""
    return any(word in str(error) for word in ("NOAUTH", "WRONGPASS", "NOPERM", "OOM", "WRONGTYPE", "READONLY"))


async def require_durable(connection: RedisConnection, what: str) -> None:
    """Check that the server has written what it has confirmed.

    Raises:
        ConfigurationError: it may lose the last second, or does not tell.
        StorageError: it cannot be reached.
    """
    await connection.call("PING")
    append_only, policy = await connection.setting("appendonly"), await connection.setting("appendfsync")
    if append_only == "yes" and policy == "always":
        return
    stated = "does not tell its settings" if policy is None else f"has appendonly {append_only}, appendfsync {policy}"
    raise ConfigurationError(
        f"Redis {connection.place} {stated}: {what} may be lost when it ends. Set `appendonly yes` and `appendfsync "
        "always`, use PostgreSQL, or accept the loss with durable=False"
    )
