"""Collections of callbacks and monitors: behind a link, or below a resource that has none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import attrs

from stellantis_hal.errors import ApiError
from stellantis_hal.hal.uri import append_query, join_segment
from stellantis_hal.navigation.link_selection import LinkQuery, Params, encode_params, find_links
from stellantis_hal.resources.typed_requests import is_absent

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["ControlPageSource", "url_below_callback"]

_TEMPLATE_NAMES: Final = ("cbid", "callbackId", "callbackid", "cid", "id")


@attrs.define(eq=False)
class ControlPageSource:
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


def url_below_callback(vehicle: HalResource, callback: str, rel: str) -> str:
    """Return the URL of the monitors or commands of a vehicle and a callback: by the vehicle's template, or below it.

    Args:
        vehicle: the vehicle's resource.
        callback: the callback's id.
        rel: ``monitors`` or ``remotes``.
    """
    for link in find_links(vehicle.document, rel):
        names = [name for name in _TEMPLATE_NAMES if link.href is not None and f"{{{name}}}" in link.href]
        if names:
            return vehicle.expand_query(LinkQuery(rel=rel, variables=dict.fromkeys(names, callback)))
    below = f"{(vehicle.self_url or vehicle.url).partition('?')[0].rstrip('/')}/callbacks"
    return f"{join_segment(below, callback)}/{rel}"
