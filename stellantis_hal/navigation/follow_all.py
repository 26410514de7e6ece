"""Following every link of a relation, with bounded concurrency."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import attrs

from stellantis_hal.errors import StellantisError
from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.navigation.concurrency import OrderedResults, in_order
from stellantis_hal.navigation.pagination.item_selection import LinkedItem
from stellantis_hal.validation import require_type

if TYPE_CHECKING:
    from stellantis_hal.hal.link import Link
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["FollowResult", "FollowResults", "follow_all"]


@attrs.frozen(kw_only=True, eq=False)
class FollowResult:
    """The result of following one link. A failure does not affect the results of other links.

    Attributes:
        link: the link; None for an embedded copy without a link.
        resource: the resource; None where following failed.
        error: the error; None where following succeeded.
    """

    __repr__ = redacted_repr

    link: Link | None
    resource: HalResource | None = None
    error: StellantisError | None = None

    def result(self) -> HalResource:
        """Return the resource, or raise the error.

        Raises:
            StellantisError: following failed.
        """
        if self.resource is None:
            assert self.error is not None  # noqa: S101 - one of the two is set
            raise self.error
        return self.resource


class FollowResults(AsyncIterator[FollowResult]):
    """The results, in the links' order."""

    def __init__(self, links: Sequence[Link | None], results: OrderedResults[HalResource]) -> None:
        self._links = iter(links)
        self._results = results

    async def __anext__(self) -> FollowResult:
        result = await anext(self._results)
        link = next(self._links)
        if isinstance(result, StellantisError):
            return FollowResult(link=link, error=result)
        return FollowResult(link=link, resource=result)


@asynccontextmanager
async def follow_all(
    targets: Sequence[tuple[Link | None, HalResource | LinkedItem]], limit: int
) -> AsyncGenerator[FollowResults, None]:
    """Return what links lead to: embedded copies as they are, others fetched, at most ``limit`` at a time."""
    require_type("limit", limit, int)
    if limit < 1:
        raise ValueError(f"limit must be at least 1, as in limit=8, not {limit}")
    async with in_order([partial(_resolve, target) for _, target in targets], limit) as results:
        yield FollowResults([link for link, _ in targets], results)


async def _resolve(target: HalResource | LinkedItem) -> HalResource:
    return await target.fetch() if isinstance(target, LinkedItem) else target
