"""Growth guard: a bound on pages that are added to a collection while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellantis_hal.errors import PaginationLoopError
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.navigation.link_selection import link_url
from stellantis_hal.navigation.pagination.visited_pages import VisitedPages

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["GrowthGuard"]

# Pages that may be added while one page is read. A hostile server could go on adding pages without end.
_MAX_ADDED_PAGES = 100


class GrowthGuard:
    """Counts the pages that were added while others were read, and detects loops among them."""

    def __init__(self) -> None:
        self.pages: int = 0
        self._visited = VisitedPages()

    async def fetch_next(self, page: HalResource, link: Link) -> HalResource:
        """Fetch the page that a link of this page leads to.

        Raises:
            PaginationLoopError: it was read before, or the limit of added pages is reached.
        """
        url = link_url(link, page.base)
        self._visited.add(page.base)
        self._visited.check(url)
        self._visited.add(url)  # a redirect may give the page another one
        if self.pages == _MAX_ADDED_PAGES:
            raise PaginationLoopError(
                f"the collection at {mask_url(page.url)} grows faster than it can be read: {_MAX_ADDED_PAGES} pages "
                "were added while one was read; try again later",
                url=page.url,
            )
        self.pages += 1
        return await page.fetch_link(link)
