"""A collection that a server serves page by page, and that may change between two answers."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import attrs

from stellantis_hal.errors import NotFoundError
from stellantis_hal.navigation import HalResource, Request
from tests.navigation.site import HOME, Site
from tests.support.responses import link

__all__ = ["Collection", "ids"]


def ids(items: Sequence[HalResource]) -> list[Any]:
    """What the items are called."""
    return [item["id"] for item in items]


@attrs.define
class Collection:
    """Elements with ids, at ``/items``: by offset, or by index ranges; before each answer something may happen.

    Attributes:
        elements: their ids, the head first.
        size: elements on a page.
        takes_ranges: whether ``indexRange`` is understood.
        says_total: whether a page says how many there are.
        happens: called before each answer, with the number of answers given.
        cap: the most elements that a range gives.
        absent_beyond: whether a range beyond the end is a 404 instead of an empty page.
        identified: whether elements have ids.
        extra_total: how many more elements the total promises.
        fails: errors that ranges answer with, once each.
        delays: seconds that one answer after the other takes.
    """

    elements: list[Any]
    size: int = 3
    takes_ranges: bool = True
    says_total: bool = True
    happens: Callable[[int], None] = attrs.field(default=lambda _: None)
    cap: int = 1_000
    absent_beyond: bool = False
    identified: bool = True
    extra_total: int = 0
    fails: dict[str, Exception] = attrs.field(factory=dict)
    delays: Sequence[float] = ()
    answered: int = 0
    site: Site = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.site = Site(_Anything(self))

    @property
    def root(self) -> HalResource:
        return self.site.resource({"_links": {"items": link(f"{HOME}/items")}})

    async def reply(self, request: Request) -> Any:
        if self.delays:
            await anyio.sleep(self.delays[len(self.site.requests) % len(self.delays)])
        self.happens(self.answered)
        self.answered += 1
        query = parse_qs(urlsplit(request.url).query)
        if self.takes_ranges and "indexRange" in query:
            if query["indexRange"][0] in self.fails:
                return self.fails.pop(query["indexRange"][0])
            first, _, last = query["indexRange"][0].partition("-")
            end = int(last) + 1 if last else int(first) + self.size
            return self._page(int(first), min(end, int(first) + self.cap), ranged=True)
        start = int(query.get("start", ["0"])[0])
        return self._page(start, start + self.size)

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
        named = "id" if self.identified else "name"
        body: dict[str, Any] = {"_links": rels, "_embedded": {"items": [{named: id_} for id_ in found]}}
        if self.says_total:
            body["total"] = len(self.elements) + self.extra_total
        return body


class _Anything(dict[str, Any]):
    """Every address is the collection's."""

    def __init__(self, collection: Collection) -> None:
        super().__init__()
        self._collection = collection

    def __contains__(self, path: object) -> bool:
        return str(path).startswith("/items")

    def __getitem__(self, path: str) -> Any:
        return self._collection.reply
