"""Ledger in memory that limiters of one test share, and that goes away when told to."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import anyio

from stellantis_hal.storage.errors import StorageError
from stellantis_hal.transport.rate_limit.shared_ledger import LedgerReply, LedgerRequest, SharedLedger

__all__ = ["MemoryLedger"]


class MemoryLedger:
    """A ledger whose clock is that of the event loop.

    Attributes:
        is_away: whether calls fail.
        cuts: how many of the next calls lose their reply.
        silence: seconds that a failing call takes.
        delay: seconds that a call takes.
        is_deaf: whether calls go on when they are cancelled.
        exchanges: taken so far.
    """

    place = "the ledger of the test"

    def __init__(self) -> None:
        self.ledger = SharedLedger()
        self.is_away = False
        self.cuts = 0
        self.silence = 0.0
        self.delay = 0.001
        self.is_deaf = False
        self.exchanges: list[LedgerRequest] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    async def take(self, exchange: LedgerRequest) -> LedgerReply:
        await self.check()
        reply = self.ledger.take(exchange, round(anyio.current_time() * 1_000_000))
        self.exchanges.append(exchange)
        if self.cuts:
            self.cuts -= 1
            raise StorageError("the connection was cut")
        return reply

    async def check(self) -> None:
        with anyio.CancelScope(shield=self.is_deaf):
            await anyio.sleep(self.delay)
            if self.is_away:
                await anyio.sleep(self.silence)
                raise StorageError("no answer")
