"""Checkpoints in Redis."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Self

import anyio

from stellantis_hal.errors import LeaseStoreError
from stellantis_hal.fleet.checkpoints.fenced import SharedCheckpoints
from stellantis_hal.fleet.checkpoints.store import CheckpointError, MemoryCheckpoints
from stellantis_hal.fleet.leases.redis import RedisLease
from stellantis_hal.storage.durable_redis import DurableRedis
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.fencing import FenceToken, FencingLease, lease_lost
from stellantis_hal.storage.redis import RedisAddress, RedisScript

__all__ = ["RedisCheckpoints"]

_CHECK = """
if ARGV[1] ~= '' then
  local known = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0') or 0
  if known > tonumber(ARGV[2]) then return {'lost', string.format('%.0f', known)} end
  if known < tonumber(ARGV[2]) then redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) end
end
"""
_READ = RedisScript(f"""{_CHECK}
local found = {{'ok'}}
for i = 3, #ARGV do found[i - 1] = redis.call('HGET', KEYS[1], ARGV[i]) end
return found
""")
_WRITE = RedisScript(f"""{_CHECK}
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return {{'ok'}}
""")
_MOST = 500
_RESERVED_FOR = 3.0


class RedisCheckpoints(SharedCheckpoints):
    """Checkpoints in Redis, for any number of processes: ``async with RedisCheckpoints(server) as checkpoints``.

    Args:
        server: a URL, or a coredis client of the caller's.
        fence: the lease of the processes that use one name; None: one process uses a name, and a second is refused.
        namespace: text that sets the checkpoints of one application apart.
        durable: refuse a server that may forget the last second. False: those updates are delivered again.
        timeout: seconds that a call may take, repetitions while the server is away included.
    """

    def __init__(
        self,
        server: RedisAddress,
        *,
        fence: FencingLease | None = None,
        namespace: str = "fleet",
        durable: bool = True,
        timeout: float = 10.0,
    ) -> None:
        self._fence = fence
        self._server = server
        self._namespace = namespace
        self._redis = DurableRedis(
            server,
            "checkpoints",
            namespace,
            "contents",
            "fences",
            durable=durable,
            timeout=timeout,
            failure=CheckpointError,
        )
        self._memory = MemoryCheckpoints()

    def __repr__(self) -> str:
        return f"RedisCheckpoints({self._redis.place})"

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            CheckpointError: the server cannot be reached.
            ConfigurationError: it may forget what it has confirmed, and ``durable`` is set; or coredis is missing.
        """
        await self._redis.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._redis.__aexit__(kind, error, traceback)

    async def _read(self, keys: Collection[str], token: FenceToken | None) -> Mapping[str, bytes]:
        found: dict[str, bytes] = {}
        names = list(keys)
        for start in range(0, len(names), _MOST):
            some = names[start : start + _MOST]
            reply = await self._run(_READ, token, [_encode(key) for key in some])
            found.update((key, bytes(value)) for key, value in zip(some, reply, strict=False) if value is not None)
        return found

    async def _write(self, contents: Mapping[str, bytes], token: FenceToken | None) -> None:
        pairs = list(contents.items())
        for start in range(0, len(pairs), _MOST):
            await self._run(
                _WRITE, token, [part for key, value in pairs[start : start + _MOST] for part in (_encode(key), value)]
            )

    async def _run(self, script: RedisScript, token: FenceToken | None, arguments: list[bytes]) -> list[bytes | None]:
        scope, epoch = (b"", 0) if token is None else (_encode(token.scope), token.epoch)
        reply = await self._redis.run(script, scope, epoch, *arguments)
        if reply[0] == b"lost" and token is not None:
            raise lease_lost(token.scope, token.epoch, int(reply[1]))
        return list(reply[1:])

    @asynccontextmanager
    async def _hold(self, name: str, shared: bool) -> AsyncGenerator[None, None]:
        # Those that share a name have two shards, those that want it alone have one: a lease accepts one of both.
        shards = 2 if shared else 1
        lease = RedisLease(self._server, f"{self._namespace}/{name}#reserved", shards=shards, ttl=_RESERVED_FOR)
        async with self._memory.reserve(name):
            deadline = anyio.current_time() + _RESERVED_FOR + 1.0  # one that was killed is forgotten by then
            while True:
                try:
                    await lease.__aenter__()
                    break
                except LeaseStoreError as error:
                    if isinstance(error.__cause__, StorageError | TimeoutError):
                        raise CheckpointError(f"the name cannot be reserved: {error}") from error
                    if anyio.current_time() >= deadline:
                        raise self.refuse(name, self._redis.place) from error
                await anyio.sleep(0.5)
            try:
                if not shared:
                    await self._wait_for(lease, name, deadline)
                with self._renewed(partial(self._renew, lease, name, shared)):
                    yield
            finally:
                await lease.__aexit__(None, None, None)

    async def _renew(self, lease: RedisLease, name: str, shared: bool) -> None:
        """Make sure that a reservation holds, which is lost while the process is stopped or the server away."""
        if not shared and not lease.shards:
            await self._wait_for(lease, name, anyio.current_time() + _RESERVED_FOR + 1.0)

    async def _wait_for(self, lease: RedisLease, name: str, deadline: float) -> None:
        """Wait until a name is reserved by its lease.

        Raises:
            CheckpointsInUseError: another stream has it.
        """
        while not lease.shards:
            if anyio.current_time() >= deadline:
                raise self.refuse(name, self._redis.place)
            await anyio.sleep(0.2)

    def _reserve(self, name: str, *, shared: bool) -> AbstractAsyncContextManager[None]:
        return self._hold(name, shared)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
