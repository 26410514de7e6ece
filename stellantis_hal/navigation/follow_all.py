"""Every link of a relation at once, within a bound.

Knows steps and their outcomes. One failure does not lose the others.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import attrs

from stellantis_hal.errors import StellantisError
from stellantis_hal.navigation.concurrency import OrderedResults, in_order
from stellantis_hal.navigation.link_selection import LinkQuery

if TYPE_CHECKING:
    from stellantis_hal.hal.link import Link
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["FollowResult", "FollowResults", "follow_all"]


@attrs.frozen(kw_only=True, eq=False)
class FollowResult:
    """What became of one link.

    Attributes:
        link: the link; None where an embedded copy without one served.
        resource: what it led to; None where it failed.
        error: why it failed; None where it did not.
    """

    link: Link | None
    resource: HalResource | None = None
    error: StellantisError | None = None

    def result(self) -> HalResource:
        """Give the resource.

        Raises:
            StellantisError: what following raised.
        """
        if self.resource is None:
            assert self.error is not None  # noqa: S101 - one of the two is set
            raise self.error
        return self.resource


class FollowResults(AsyncIterator[FollowResult]):
    """The outcomes, in the links' order."""

    def __init__(self, links: Sequence[Link | None], outcomes: OrderedResults[HalResource]) -> None:
        self._links = iter(links)
        self._outcomes = outcomes

    async def __anext__(self) -> FollowResult:
        outcome = await anext(self._outcomes)
        link = next(self._links)
        if isinstance(outcome, StellantisError):
            return FollowResult(link=link, error=outcome)
        return FollowResult(link=link, resource=outcome)


@asynccontextmanager
async def follow_all(
    steps: Sequence[tuple[Link | None, LinkQuery]],
    take: Callable[[LinkQuery], Awaitable[HalResource]],
    limit: int,
) -> AsyncGenerator[FollowResults, None]:
    """Take every step, at most ``limit`` at a time."""
    if limit < 1:
        raise ValueError(f"limit is at least 1, not {limit}")
    async with in_order([partial(take, hop) for _, hop in steps], limit) as outcomes:
        yield FollowResults([link for link, _ in steps], outcomes)
