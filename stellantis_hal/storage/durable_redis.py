"""Redis server as a store that must not forget: repeated calls, and a look at its durability."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import anyio

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.redis import (
    Argument,
    RedisAddress,
    RedisConnection,
    RedisScript,
    is_of_replica,
    is_refusal,
    key_prefix,
)
from stellantis_hal.storage.run_to_completion import run_to_completion
from stellantis_hal.validation import require_flags, require_seconds

__all__ = ["DurableRedis", "keep"]

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

    It is repeated too where the server became a replica, because another one may take its address: unless it was one
    from the start, or for the whole of a call.

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
                reply = await connection.run(script, keys, arguments)
            except StorageError as error:
                cause = error.__cause__
                is_over = anyio.current_time() + pause >= last_start
                if is_of_replica(cause) and (is_over or script.digest not in connection.executed):
                    connection.executed.discard(script.digest)
                    raise
                if is_over or is_refusal(cause):
                    raise
            else:
                connection.executed.add(script.digest)
                return reply
            await anyio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    return await run_to_completion(run)


class DurableRedis:
    """Connection of one store, and its keys in one slot; entered around its use.

    Args:
        server: a URL, or a coredis client of the caller's.
        what: it keeps, in names of keys and in messages (``"tokens"``).
        namespace: text that sets the keys of one application apart.
        parts: the last parts of its keys.
        durable: whether to refuse a server that may forget the last second.
        timeout: seconds that a call may take, repetitions included.
        failure: raised where the server cannot be reached on entry.
    """

    def __init__(
        self,
        server: RedisAddress,
        what: str,
        namespace: str,
        *parts: str,
        durable: bool,
        timeout: float,
        failure: Callable[[str], Exception],
    ) -> None:
        require_flags(durable=durable)
        require_seconds("timeout", timeout)
        self._connection = RedisConnection(server)
        self._what = what
        self._durable = durable
        self._timeout = timeout
        self._failure = failure
        prefix = key_prefix(what, namespace)
        self._keys = tuple(f"{prefix}:{part}" for part in parts)

    @property
    def place(self) -> str:
        """The server, for messages, without user and password."""
        return f"Redis {self._connection.place}"

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            Exception: that of ``failure``: the server cannot be reached.
            ConfigurationError: it may forget what it has confirmed, and ``durable`` is set; or coredis is missing.
        """
        await self._connection.__aenter__()
        try:
            if self._durable:
                await self._require_durable()
        except BaseException as error:
            await self._connection.__aexit__(None, None, None)
            if isinstance(error, StorageError):
                raise self._failure(f"the {self._what} cannot be reached: {error}") from error
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._connection.__aexit__(kind, error, traceback)

    async def run(self, script: RedisScript, *arguments: Argument) -> Any:
        """Run a script on the keys as :func:`keep` does.

        Raises:
            StorageError: the server is not reachable, does not respond in time, or refuses the script.
        """
        return await keep(self._connection, script, self._keys, arguments, within=self._timeout)

    async def _require_durable(self) -> None:
        """Check that the server has written what it has confirmed."""
        await self._connection.call("PING")
        append_only = await self._connection.setting("appendonly")
        policy = await self._connection.setting("appendfsync")
        if append_only == "yes" and policy == "always":
            return
        stated = (
            "does not tell its settings" if policy is None else f"has appendonly {append_only}, appendfsync {policy}"
        )
        raise ConfigurationError(
            f"{self.place} {stated}: {self._what} may be lost when it ends. Set `appendonly yes` and `appendfsync "
            "always`, use PostgreSQL, or accept the loss with durable=False"
        )
