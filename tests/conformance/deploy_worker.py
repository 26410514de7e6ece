"""A worker of a service that receives notifications, watches cars and answers calls; ``test_rolling_deploy`` runs some.

It shares the limiter, the tokens, the checkpoints, the lease and the inbox with the others, writes ``ready`` where it
works, and ends on SIGTERM after what it has in hand.
"""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Generator
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from typing import Any

import anyio
import uvicorn

from stellantis_hal import (
    Application,
    Brand,
    RateLimits,
    Receiver,
    RedisLimiter,
    SQLiteInbox,
    StellantisClient,
    StellantisError,
    Update,
    watch,
)
from stellantis_hal.credentials.stores.opening import token_store
from stellantis_hal.notifications import EventStream
from tests.conformance.fleet_worker import shared


class Server(uvicorn.Server):
    """A server that leaves the signals to the program."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class Worker:
    """The worker, writing what it was given to a file that all share."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.output = os.open(settings["output"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, *words: object) -> None:
        os.write(self.output, f"{os.getpid()} {' '.join(map(str, words))}\n".encode())

    async def run(self) -> None:
        settings = self.settings
        async with AsyncExitStack() as stack:
            limits = RateLimits(settings["per_second"], 100_000_000)
            limiter = await stack.enter_async_context(
                RedisLimiter(settings["redis"], settings["client_id"], limits, processes=3)
            )
            tokens = token_store(settings["place"])
            await stack.enter_async_context(tokens)  # type: ignore[arg-type]
            client = await stack.enter_async_context(
                StellantisClient(
                    Application(settings["client_id"], settings["client_secret"]),
                    base_url=settings["url"],
                    identity_url=settings["identity_url"],
                    limiter=limiter,
                )
            )
            inbox = await stack.enter_async_context(SQLiteInbox(settings["inbox"]))
            receiver = Receiver(inbox, path=settings["path"], token=settings["token"])
            server = Server(uvicorn.Config(receiver, port=settings["port"], log_level="error", lifespan="on"))
            accounts = [
                client.account(tokens, brand=Brand[each["brand"]], key=each["key"]) for each in settings["accounts"]
            ]
            lease, checkpoints = await stack.enter_async_context(
                shared(settings["engine"], settings["place"], "fleet", shards=len(accounts))
            )
            events = receiver.events()
            updates = await stack.enter_async_context(
                watch(
                    lease.of(accounts),
                    every=timedelta(seconds=0.5),
                    what="trips",
                    adapt=None,
                    checkpoints=checkpoints,
                )
            )
            signals = stack.enter_context(anyio.open_signal_receiver(signal.SIGTERM))

            async def stop() -> None:
                async for _ in signals:
                    server.should_exit = True
                    updates.stop(within=5)
                    events.stop()
                    return

            async def serve() -> None:
                await server.serve()

            async def call() -> None:
                while True:
                    for account in accounts:
                        try:
                            await account.user()
                        except StellantisError as error:
                            self.write("error", f"{type(error).__name__}: {error}")
                        await anyio.sleep(0.3)

            async with anyio.create_task_group() as calling:
                calling.start_soon(call)
                async with anyio.create_task_group() as tasks:
                    for part in (stop, serve):
                        tasks.start_soon(part)
                    tasks.start_soon(self.take, events)
                    tasks.start_soon(self.follow, updates)
                    while not server.started:  # noqa: ASYNC110 - it has no event
                        await anyio.sleep(0.05)
                    self.write("ready")
                calling.cancel_scope.cancel()

    async def take(self, events: EventStream) -> None:
        async with events:
            async for event in events:
                self.write("note", event.id)
                await anyio.sleep(0.01)  # its work, in which it may be killed

    async def follow(self, updates: AsyncIterator[Any]) -> None:
        async for event in updates:
            if isinstance(event, Update):
                self.write("trip", event.id)
            else:
                self.write("other", type(event).__name__)


if __name__ == "__main__":
    anyio.run(Worker(json.loads(sys.stdin.read())).run)
