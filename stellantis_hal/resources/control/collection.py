"""Collections of callbacks and monitors: behind a link, or below a resource that has none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import attrs

from stellantis_hal.errors import ApiError
from stellantis_hal.hal.uri import append_query
from stellantis_hal.navigation.link_selection import Params, encode_params
from stellantis_hal.resources.queries import is_absent

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["ControlCollection"]


@attrs.define(eq=False)
class ControlCollection:
    """A collection whose address takes a request or two to find, as a paginator reads it; never from a cache.

    Attributes:
        locate: returns a resource of the client, and the collection's URL.
        params: query parameters of its first page.
    """

    locate: Callable[[], Awaitable[tuple[HalResource, str]]]
    params: Params = attrs.field(factory=dict)
    _url: str | None = attrs.field(default=None, init=False)

    async def first_page(self) -> HalResource:
        """Fetch the first page."""
        resource, self._url = await self.locate()
        return await _fetch(resource, append_query(self._url, encode_params(self.params)))

    async def resolve_url(self, params: Params) -> str:
        """Return the URL with query parameters added."""
        _, url = await self.locate()
        return append_query(url, encode_params({**self.params, **params}))

    async def fetch_url(self, url: str, /) -> HalResource:
        """Fetch a page by its URL."""
        resource, _ = await self.locate()
        return await _fetch(resource, url)

    def is_empty(self, error: ApiError) -> bool:
        """Return whether an error means that it is empty; one of the resources that lead to it does not."""
        return is_absent(error) and self._url is not None and error.url.partition("?")[0] == self._url.partition("?")[0]


async def _fetch(resource: HalResource, url: str) -> HalResource:
    return await resource.fetch_url(url, headers=resource.require_context().reload_fields)
