"""A process that watches its part of a fleet; ``killing`` runs several, and kills them."""

import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import anyio

from stellantis_hal import (
    Application,
    Brand,
    CheckpointStore,
    Lease,
    PostgresCheckpoints,
    PostgresLease,
    RateLimits,
    RedisCheckpoints,
    RedisLease,
    SQLiteCheckpoints,
    StellantisClient,
    Token,
    TokenBucketLimiter,
    Update,
    watch,
)


@asynccontextmanager
async def shared(
    engine: str, place: str, name: str, shards: int
) -> AsyncGenerator[tuple[Lease, CheckpointStore], None]:
    """Enter a lease and the store that it fences."""
    async with AsyncExitStack() as stack:
        if engine == "sqlite":
            file = await stack.enter_async_context(SQLiteCheckpoints(place))
            yield await stack.enter_async_context(file.lease(name, shards=shards)), file
        elif engine == "postgres":
            lease = await stack.enter_async_context(PostgresLease(place, name, shards=shards))
            yield lease, await stack.enter_async_context(PostgresCheckpoints(place, fence=lease))
        else:
            redis = await stack.enter_async_context(RedisLease(place, name, shards=shards))
            yield redis, await stack.enter_async_context(RedisCheckpoints(place, fence=redis, namespace=name))


async def main(settings: dict[str, Any]) -> None:
    output = os.open(settings["output"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    application = Application(settings["client_id"], settings["client_secret"])
    limiter = TokenBucketLimiter(RateLimits(400, 10_000_000))
    urls = {"base_url": settings["url"], "identity_url": settings["identity_url"]}
    async with (
        StellantisClient(application, limiter=limiter, **urls) as client,
        shared(settings["engine"], settings["place"], settings["name"], settings["shards"]) as (lease, checkpoints),
    ):
        accounts = [
            client.account(Token(each["token"]), brand=Brand[each["brand"]], key=each["key"])
            for each in settings["accounts"]
        ]
        async with watch(
            lease.of(accounts),
            every=timedelta(seconds=settings["every"]),
            what="trips",
            adapt=None,
            checkpoints=checkpoints,
        ) as updates:
            with anyio.open_signal_receiver(signal.SIGTERM) as signals:
                async with anyio.create_task_group() as tasks:

                    async def stop() -> None:
                        async for _ in signals:
                            updates.stop()
                            return

                    tasks.start_soon(stop)
                    async for event in updates:
                        if isinstance(event, Update):
                            os.write(output, f"{os.getpid()} {event.id}\n".encode())
                    tasks.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main, json.loads(sys.stdin.read()))
