"""One of the processes of ``stellantis-hal demo --processes``: sends requests under a shared limit, reports counts."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial

import anyio
import attrs

from stellantis_hal import (
    Account,
    Application,
    Brand,
    Hooks,
    RateLimits,
    RedisLimiter,
    ResponseRecord,
    SQLiteLimiter,
    StellantisClient,
    StellantisError,
    Token,
)

__all__ = ["DemoWorkerSettings", "main", "work"]

_TASKS = 10
_REPORT_EVERY = 0.2


@attrs.frozen(kw_only=True)
class DemoWorkerSettings:
    """What a process is told by the one that starts it.

    Attributes:
        url: of the simulated API.
        identity_url: of its identity server.
        client_id: of the application.
        client_secret: likewise.
        access_token: of an account holder.
        brand: of that account.
        store: "redis" or "sqlite".
        place: URL of Redis, or path of the file.
        per_second: the limit of all processes.
        processes: their number.
        seconds: how long it sends.
    """

    url: str
    identity_url: str
    client_id: str
    client_secret: str = attrs.field(repr=False)
    access_token: str = attrs.field(repr=False)
    brand: str
    store: str
    place: str
    per_second: int
    processes: int
    seconds: float


async def work(settings: DemoWorkerSettings, report: Callable[[str], object]) -> None:
    """Send requests until the time is over; report numbers of responses and of those with status 429, as JSON."""
    statuses: Counter[int] = Counter()
    limits = RateLimits(settings.per_second, 100_000)
    kind = RedisLimiter if settings.store == "redis" else SQLiteLimiter
    limiter = kind(settings.place, settings.client_id, limits, processes=settings.processes)

    def count(record: ResponseRecord) -> None:
        statuses[record.status] += 1

    async def send(account: Account) -> None:
        while True:
            try:
                await account.user()
            except StellantisError as error:
                statuses[-1] += 1
                report(json.dumps({"error": str(error)}))
                await anyio.sleep(1.0)

    async with (
        limiter,
        StellantisClient(
            Application(settings.client_id, settings.client_secret),
            base_url=settings.url,
            identity_url=settings.identity_url,
            limiter=limiter,
            hooks=Hooks(on_response=count),
        ) as client,
        anyio.create_task_group() as tasks,
    ):
        account = client.account(Token(settings.access_token), brand=Brand[settings.brand], key="demo")
        for _ in range(_TASKS):
            tasks.start_soon(send, account)
        with anyio.move_on_after(settings.seconds):
            while True:
                await anyio.sleep(_REPORT_EVERY)
                report(json.dumps({"responses": statuses.total(), "refused": statuses[429]}))
        tasks.cancel_scope.cancel()


def main() -> None:
    """Read the settings from standard input, as JSON, and work; end quietly where no one reads the reports."""
    settings = DemoWorkerSettings(**json.loads(sys.stdin.readline()))
    try:
        anyio.run(partial(work, settings, partial(print, flush=True)), backend=sys.argv[1])
    except* (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)


if __name__ == "__main__":
    main()
