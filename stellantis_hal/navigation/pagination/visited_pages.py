"""Visited pages of an iteration, by which loops are found. Pure values, without I/O."""

from __future__ import annotations

from collections.abc import Iterable

from stellantis_hal.errors import PaginationLoopError
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.navigation.pagination.digests import digest

__all__ = ["VisitedPages", "loop_error"]


class VisitedPages:
    """The pages that an iteration has read, by a digest of eight bytes each.

    Args:
        digests: of pages that it read before it was resumed.
    """

    __slots__ = ("_digests",)

    def __init__(self, digests: Iterable[bytes] = ()) -> None:
        self._digests: set[bytes] = set(digests)

    @property
    def digests(self) -> tuple[bytes, ...]:
        """The digests of the URLs."""
        return tuple(self._digests)

    def add(self, *urls: str | None) -> None:
        """Record the URLs of a page (of the request, of the response, of its ``self`` link), or other texts."""
        self._digests.update(digest(url) for url in urls if url is not None)

    def contains(self, *urls: str | None) -> bool:
        """Return whether one of the URLs was read before."""
        return any(url is not None and digest(url) in self._digests for url in urls)

    def check(self, url: str) -> None:
        """Check that a URL was not read before.

        Raises:
            PaginationLoopError: it was.
        """
        if self.contains(url):
            raise loop_error(url)


def loop_error(url: str) -> PaginationLoopError:
    """Return the error of a page that leads to one that was read before."""
    return PaginationLoopError(
        f"pagination loop: a page leads to {mask_url(url)}, which was read before: the server's pages form a loop",
        url=url,
    )
