"""Leases in Redis, by the clock of the server."""

from __future__ import annotations

from stellantis_hal.storage.durable_redis import keep
from stellantis_hal.storage.leases.table import LeaseView, ShardOwnerRecord
from stellantis_hal.storage.redis import RedisAddress, RedisConnection, RedisScript, key_prefix

__all__ = ["RedisLeaseTable"]

_DIGITS = 15  # Lua counts exactly as far

_BEAT = RedisScript("""
local time = redis.call('TIME')
local now, ttl = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[3])
local members = redis.call('HGETALL', KEYS[1])
for i = 1, #members, 2 do
  local seen = tonumber(string.match(members[i + 1], '^(%d+):')) or 0
  if seen < now - ttl or seen > now + ttl then redis.call('HDEL', KEYS[1], members[i]) end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f:%s', now, ARGV[2]))
return {redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}
""")
_TAKE = RedisScript("""
local owned = redis.call('HGET', KEYS[2], ARGV[1])
local epoch = owned and tonumber(string.match(owned, '^(%d+):')) or 0
if epoch ~= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f:%s', epoch + 1, ARGV[2]))
return epoch + 1
""")
_GIVE = RedisScript("""
if redis.call('HGET', KEYS[2], ARGV[1]) == ARGV[3] .. ':' .. ARGV[2] then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[3] .. ':')
end
return 1
""")
_LEAVE = RedisScript("""
redis.call('HDEL', KEYS[1], ARGV[1])
local shards = redis.call('HGETALL', KEYS[2])
for i = 1, #shards, 2 do
  local epoch, member = string.match(shards[i + 1], '^(%d+):(.*)$')
  if member == ARGV[1] then redis.call('HSET', KEYS[2], shards[i], epoch .. ':') end
end
return 1
""")


class RedisLeaseTable:
    """Rows of one lease in two hashes of one slot.

    Args:
        server: a URL, or a coredis client of the caller's.
        name: of the lease.
        timeout: seconds that a call may take, repetitions included.
    """

    def __init__(self, server: RedisAddress, name: str, *, timeout: float) -> None:
        self._connection = RedisConnection(server)
        self._timeout = timeout
        prefix = key_prefix("lease", name)
        self._keys = (f"{prefix}:members", f"{prefix}:shards")
        self._is_open = False

    @property
    def place(self) -> str:
        """The server."""
        return f"Redis {self._connection.place}"

    async def open(self) -> None:
        """Make the pool."""
        await self._connection.__aenter__()
        self._is_open = True

    async def beat(self, member: str, *, shards: int, ttl: float) -> LeaseView:
        """Record that a member lives, and return the lease."""
        arguments = (member, shards, round(ttl * 1000))
        members, owners = await keep(self._connection, _BEAT, self._keys, arguments, within=self._timeout)
        # Other programs may have written into the hashes: what is no member and no shard is left out.
        return LeaseView(
            members={
                other: count
                for other, value in _pairs(members)
                if (count := _number(value.partition(":")[2] or "0")) is not None
            },
            shards={number: _owned(value) for shard, value in _pairs(owners) if (number := _number(shard)) is not None},
        )

    async def take(self, shard: int, member: str, epoch: int) -> int | None:
        """Take a shard whose epoch is still this one."""
        taken = await keep(self._connection, _TAKE, self._keys, (shard, member, epoch), within=self._timeout)
        return int(taken) or None

    async def give(self, shard: int, member: str, epoch: int) -> None:
        """Release a shard."""
        await keep(self._connection, _GIVE, self._keys, (shard, member, epoch), within=self._timeout)

    async def leave(self, member: str) -> None:
        """Remove a member."""
        if self._is_open:
            await keep(self._connection, _LEAVE, self._keys, (member,), within=self._timeout)

    async def close(self) -> None:
        """Close the pool."""
        if self._is_open:
            self._is_open = False
            await self._connection.__aexit__(None, None, None)


def _pairs(reply: object) -> list[tuple[str, str]]:
    if isinstance(reply, dict):
        return [(_text(key), _text(value)) for key, value in reply.items()]
    flat = [_text(part) for part in reply] if isinstance(reply, list) else []
    return list(zip(flat[::2], flat[1::2], strict=False))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _owned(value: str) -> ShardOwnerRecord:
    epoch, _, member = value.partition(":")
    return ShardOwnerRecord(member, _number(epoch) or 0)


def _number(text: str) -> int | None:
    """Return a number of the scripts; None for any other text."""
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else None
