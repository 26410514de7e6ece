"""A paginated collection that may change between two responses."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import attrs

from stellantis_hal.errors import NotFoundError
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.navigation.resource import HalResource
from tests.navigation.site import HOME, Site
from tests.support.responses import link, make_response

__all__ = ["Collection", "ids"]


def ids(items: Sequence[HalResource]) -> list[Any]:
    """Return the ids of items."""
    return [item["id"] for item in items]


@attrs.define
class Collection:
    """Items with ids at ``/items``, by offset or by index ranges, which may change before each response.

    Attributes:
        elements: their ids, the head first.
        size: items on a page.
        honours_ranges: whether the server honours ``indexRange``.
        has_total: whether pages have a total.
        before_response: called before each response, with the number of responses sent.
        max_range: the maximal number of items of a range.
        absent_beyond: whether a range beyond the end is a 404 instead of an empty page.
        has_ids: whether items have ids.
        extra_total: how much the total exceeds the number of items.
        range_errors: errors of ranges, raised once each.
        links: the relations of the links of pages.
        delays: seconds that each response takes, in turn.
        redirects: whether pages have other URLs than those that are asked for, as after redirects.
    """

    elements: list[Any]
    size: int = 3
    honours_ranges: bool = True
    has_total: bool = True
    before_response: Callable[[int], None] = attrs.field(default=lambda _: None)
    max_range: int = 1_000
    absent_beyond: bool = False
    has_ids: bool = True
    extra_total: int = 0
    range_errors: dict[str, Exception] = attrs.field(factory=dict)
    links: frozenset[str] = frozenset({"self", "next", "prev", "last"})
    delays: Sequence[float] = ()
    redirects: bool = False
    response_count: int = 0
    site: Site = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.site = Site(_AnyPath(self))

    @property
    def root(self) -> HalResource:
        return self.site.resource({"_links": {"items": link(f"{HOME}/items")}})

    async def reply(self, request: Request) -> Any:
        if self.delays:
            await anyio.sleep(self.delays[len(self.site.requests) % len(self.delays)])
        self.before_response(self.response_count)
        self.response_count += 1
        query = parse_qs(urlsplit(request.url).query)
        if self.honours_ranges and "indexRange" in query:
            if query["indexRange"][0] in self.range_errors:
                return self.range_errors.pop(query["indexRange"][0])
            first, _, last = query["indexRange"][0].partition("-")
            end = int(last) + 1 if last else int(first) + self.size
            return self._page(int(first), min(end, int(first) + self.max_range), ranged=True)
        start = int(query.get("start", ["0"])[0])
        page = self._page(start, start + self.size)
        return make_response(page, url=f"{HOME}/items?at={start}") if self.redirects else page

    def _page(self, start: int, end: int, *, ranged: bool = False) -> Any:
        found = self.elements[start:end]
        if ranged and not found and start and self.absent_beyond:
            return NotFoundError("none", status=404, code=40400)
        rels = {"self": link(f"{HOME}/items?start={start}")}
        if end < len(self.elements):
            rels["next"] = link(f"{HOME}/items?start={end}")
        if start > 0:
            rels["prev"] = link(f"{HOME}/items?start={max(0, start - self.size)}")
        rels["last"] = link(f"{HOME}/items?start={(max(0, len(self.elements) - 1)) // self.size * self.size}")
        named = "id" if self.has_ids else "name"
        rels = {rel: value for rel, value in rels.items() if rel in self.links}
        body: dict[str, Any] = {"_links": rels, "_embedded": {"items": [{named: id_} for id_ in found]}}
        if self.has_total:
            body["total"] = len(self.elements) + self.extra_total
        return body


class _AnyPath(dict[str, Any]):
    """Routes that contain every path of the collection."""

    def __init__(self, collection: Collection) -> None:
        super().__init__()
        self._collection = collection

    def __contains__(self, path: object) -> bool:
        return str(path).startswith("/items")

    def __getitem__(self, path: str) -> Any:
        return self._collection.reply
