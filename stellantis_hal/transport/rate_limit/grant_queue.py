"""Queue of tasks that wait for grants of a shared ledger."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import anyio

from stellantis_hal.errors import StellantisError
from stellantis_hal.transport.rate_limit.process_grants import RequestGrant

__all__ = ["GrantQueue", "Waiter"]


class Waiter:
    """A task that waits.

    Attributes:
        latest: when it needs its grant.
        grant: what it got; None while it waits, and where it was refused.
        error: why it was refused.
    """

    __slots__ = ("background", "error", "event", "grant", "latest")

    def __init__(self, background: bool, latest: float) -> None:
        self.background: bool = background
        self.latest: float = latest
        self.event: anyio.Event = anyio.Event()
        self.grant: RequestGrant | None = None
        self.error: StellantisError | None = None


class GrantQueue:
    """Waiting tasks of both priorities, each in order of arrival."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: tuple[OrderedDict[Waiter, None], OrderedDict[Waiter, None]] = (OrderedDict(), OrderedDict())

    def __len__(self) -> int:
        return len(self._lines[0]) + len(self._lines[1])

    def __iter__(self) -> Iterator[Waiter]:
        for line in self._lines:
            yield from line

    def counts(self) -> tuple[int, int]:
        """Return how many wait, interactive and background."""
        return len(self._lines[0]), len(self._lines[1])

    def add(self, waiter: Waiter) -> None:
        """Let a task wait."""
        self._lines[waiter.background][waiter] = None

    def discard(self, waiter: Waiter) -> None:
        """Let a task leave."""
        self._lines[waiter.background].pop(waiter, None)

    def grant(self, grant: RequestGrant, *, background: bool) -> bool:
        """Hand a grant to the first task, of background to either; return False where none waits any more."""
        line = self._lines[background] or self._lines[0]
        if not line:
            return False
        waiter, _ = line.popitem(last=False)
        waiter.grant = grant
        waiter.event.set()
        return True

    def refuse(self, waiter: Waiter, error: StellantisError) -> None:
        """Let a task leave with an error."""
        self.discard(waiter)
        waiter.error = error
        waiter.event.set()
