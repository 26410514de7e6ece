"""Limiter of processes that share a Redis server."""

from __future__ import annotations

import logging
from importlib.resources import files
from types import TracebackType
from typing import Any, Self

from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.redis import RedisAddress, RedisConnection, RedisScript, key_prefix
from stellantis_hal.transport.rate_limit import shared_ledger
from stellantis_hal.transport.rate_limit.ledger_client import OnOutage
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.shared_ledger import LedgerReply, LedgerRequest
from stellantis_hal.transport.rate_limit.shared_limiter import SharedLimiter
from stellantis_hal.validation import require_type

__all__ = ["RedisLedger", "RedisLimiter", "arguments_of", "ledger_script", "parse_reply"]

_logger = logging.getLogger("stellantis_hal")
_KEYS = ("tokens", "day", "state", "processes")
_CONSTANTS = (
    "SECOND",
    "UNLIMITED",
    "SPAN",
    "HOLD",
    "ALIVE",
    "STALE",
    "LOOK_AHEAD",
    "WAITING",
    "RETRY",
    "RETRY_LATEST",
    "LAPSE",
    "SHARING",
    "MINUTE",
    "DAY",
    "MILLION",
)


class RedisLimiter(SharedLimiter):
    """Keep the requests of all processes of a subscription within its limits, by a Redis server that they share.

    Enter it around the clients that use it::

        limits = RateLimits(100, 100_000)
        async with RedisLimiter("redis://127.0.0.1:6379/0", client_id, limits, processes=4) as limiter:
            async with StellantisClient(application, limiter=limiter) as client:
                ...

    A process asks Redis once for all requests that have gathered, some twenty times a second while tasks wait, and once
    a second otherwise. Clocks of the processes do not matter: the server's clock counts. A pause after a 429 holds for
    all of them.

    Args:
        server: the URL of a Redis server, or a coredis client that is entered already. It must not evict keys
            (``maxmemory-policy noeviction``); with ``appendonly yes`` the day's count survives its restart.
        client_id: of the application: what shares a limit. Processes that give the same one share it.
        limits: ceilings, which the server's headers may lower. Where processes give different ones, the smallest count.
        processes: how many processes share the limits at most; an outage divides the limits by it.
        on_outage: while Redis is away: "share" sends at most ``limits / processes`` after one empty window, "refuse"
            raises :class:`~stellantis_hal.errors.BudgetExhaustedError` at once, "wait" waits for as long as
            ``max_wait`` allows.
        interactive_share: the part (0 to 1) of each window that background requests may not use.
        timeout: seconds that Redis may take to answer. Less than a second takes a busy machine for an outage.
    """

    def __init__(
        self,
        server: RedisAddress,
        client_id: str,
        limits: RateLimits | None = None,
        *,
        processes: int,
        on_outage: OnOutage = "share",
        interactive_share: float = 0.1,
        timeout: float = 1.0,
    ) -> None:
        super().__init__(
            RedisLedger(server, client_id, timeout=timeout),
            limits,
            processes=processes,
            on_outage=on_outage,
            interactive_share=interactive_share,
        )


class RedisLedger:
    """The ledger of a subscription in Redis.

    Args:
        server: as for :class:`RedisLimiter`.
        client_id: what shares a limit.
        timeout: seconds of a call.
    """

    def __init__(self, server: RedisAddress, client_id: str, *, timeout: float = 1.0) -> None:
        require_type("client_id", client_id, str, instead="application.client_id")
        if not client_id:
            raise ValueError("client_id must not be empty: processes that give the same one share its limits")
        self._redis = RedisConnection(server, timeout=timeout)
        prefix = key_prefix("limiter", client_id)
        self.keys: list[str] = [f"{prefix}:{name}" for name in _KEYS]
        self._script = ledger_script()

    @property
    def place(self) -> str:
        return f"Redis {self._redis.place}"

    async def __aenter__(self) -> Self:
        await self._redis.__aenter__()
        try:
            await self._warn_of_eviction()
        except BaseException:
            await self._redis.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._redis.__aexit__(kind, error, traceback)

    async def _warn_of_eviction(self) -> None:
        policy = await self._redis.setting("maxmemory-policy")
        if policy not in {None, "noeviction"} and await self._redis.setting("maxmemory") not in {None, "0"}:
            _logger.warning(
                "%s evicts keys (maxmemory-policy %s): the limiter's state may be lost, which costs one window each "
                "time and forgets what the day has used. Set maxmemory-policy noeviction",
                self.place,
                policy,
            )

    async def take(self, exchange: LedgerRequest) -> LedgerReply:
        """Make an exchange."""
        return parse_reply(await self._redis.run(self._script, self.keys, arguments_of(exchange)))

    async def check(self) -> None:
        """Return where the server answers."""
        await self._redis.call("PING")


def ledger_script() -> RedisScript:
    """Return the script of an exchange, after its constants."""
    constants = ", ".join(_CONSTANTS), ", ".join(str(getattr(shared_ledger, name)) for name in _CONSTANTS)
    text = files("stellantis_hal.transport.rate_limit").joinpath("shared_ledger.lua").read_text("utf-8")
    return RedisScript(f"local {constants[0]} = {constants[1]}\n{text}")


def arguments_of(exchange: LedgerRequest, clock: int = 0) -> list[str | int]:
    """Return an exchange as the script's arguments.

    Args:
        exchange: of a process.
        clock: microseconds instead of those of the server's clock.
    """
    return [
        exchange.process,
        exchange.number,
        exchange.witnessed,
        exchange.known,
        exchange.epoch,
        exchange.former,
        exchange.interactive,
        exchange.background,
        exchange.per_second,
        exchange.per_day,
        exchange.share,
        exchange.round_trip,
        exchange.pause,
        exchange.burst_limit,
        exchange.burst_remaining,
        exchange.burst_returned,
        exchange.day_limit,
        exchange.day_remaining,
        exchange.outage,
        int(exchange.leaving),
        clock,
        exchange.processes,
        len(exchange.answered),
        *(value for each in exchange.answered for value in (each.number, each.minute, each.returns_in)),
        len(exchange.given_back),
        *(value for pair in exchange.given_back for value in pair),
        len(exchange.held),
        *exchange.held,
        len(exchange.minutes),
        *(value for pair in exchange.minutes for value in pair),
        len(exchange.used),
        *(value for pair in exchange.used for value in pair),
    ]


def parse_reply(reply: Any) -> LedgerReply:
    """Return a reply of the script as a value.

    Raises:
        StorageError: it is another one.
    """
    try:
        status, epoch = reply[0].decode(), reply[1].decode()
        if status != "ok":
            return LedgerReply(status=status, epoch=epoch)
        numbers = reply[5:24]
        minutes = reply[24]
        return LedgerReply(
            epoch=epoch,
            interactive=reply[2],
            background=reply[3],
            delays=tuple(reply[4]),
            again_in=numbers[0],
            blocked_for=numbers[1],
            is_day=numbers[2] == 1,
            ahead=numbers[3],
            waiting=numbers[4],
            sharers=numbers[5],
            processes=numbers[6],
            rank=numbers[7],
            returned=numbers[8],
            taken=numbers[9],
            free=numbers[10],
            day_free=numbers[11],
            paused_for=numbers[12],
            per_second=numbers[13],
            per_day=numbers[14],
            agreed_per_second=numbers[15],
            agreed_per_day=numbers[16],
            count=numbers[17],
            minute=numbers[18],
            minutes=tuple(zip(minutes[::2], minutes[1::2], strict=True)),
        )
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise StorageError("the limiter's script in Redis returned something else: is it another version's?") from error
