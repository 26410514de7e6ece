"""Shapes of collections, as different back ends send them, and a site that serves them."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
from hypothesis import strategies as st

from stellantis_hal.errors import ApiError, NotFoundError
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.navigation.pagination.paginator import IndexRangeSyntax, Paginator
from stellantis_hal.navigation.resource import HalResource
from tests.navigation.site import HOME, Site
from tests.support.responses import link

__all__ = ["SHAPES", "Shape", "is_absent"]

LINKS = {
    "all": {"self", "first", "prev", "next", "last"},
    "no first": {"self", "prev", "next", "last"},
    "no prev": {"self", "first", "next", "last"},
    "no last": {"self", "first", "prev", "next"},
    "next only": {"next"},
    "ends": {"self", "first", "last"},
    "self": {"self"},
    "none": set[str](),
}
ITEMS = ("embedded", "linked", "mixed", "part")
TOTALS = ("right", "missing", "small", "large")
LOOPS = ("none", "self", "first")
BEYOND = ("empty", "absent", "refused")


@attrs.frozen(kw_only=True)
class Shape:
    """One kind of collection.

    Attributes:
        count: the number of items.
        size: items on a page.
        links: the links of its pages, a key of :data:`LINKS`; "none" sends no ``_links`` at all.
        by_range: whether links between pages are index ranges instead of opaque tokens.
        total: what the total says.
        loop: where ``next`` of the last page leads.
        empty: the numbers of pages before which an empty page is sent.
        has_ids: whether items have ids.
        honours_ranges: whether the server honours ``indexRange``.
        beyond: the response to a range beyond the end.
        items_are: where items are: embedded, behind links, both with copies of the odd ones ("mixed"), or behind links
            but for those that are embedded without a link ("part").
        more_asked: how many items more than ``size`` a range asks for; the server sends ``size`` of them. Without a
            total none, because then the size of a page is all that shows whether there are more.
    """

    count: int
    size: int
    links: str = "all"
    by_range: bool = False
    total: str = "right"
    loop: str = "none"
    empty: frozenset[int] = frozenset()
    has_ids: bool = True
    honours_ranges: bool = True
    beyond: str = "empty"
    more_asked: int = 0
    items_are: str = "embedded"

    @property
    def is_linked(self) -> bool:
        """Whether pages have a ``next``, or say that they are the last."""
        return "next" in LINKS[self.links] and (
            len(self.pages) > 1 or self.loop != "none" or "last" in LINKS[self.links]
        )

    @property
    def expected(self) -> list[int]:
        return list(range(self.count))

    @property
    def stated_total(self) -> int | None:
        small = self.size if self.is_linked else self.count
        return {"right": self.count, "missing": None, "small": min(small, self.count), "large": self.count + 7}[
            self.total
        ]

    @property
    def pages(self) -> list[tuple[int, int]]:
        """The first and the last index of each page, as a slice."""
        found: list[tuple[int, int]] = []
        for number, start in enumerate(range(0, max(1, self.count), self.size)):
            found += [(start, start)] * (number in self.empty and "next" in LINKS[self.links] and not self.by_range)
            found.append((start, min(self.count, start + self.size)))
        return found

    @property
    def may_fail(self) -> bool:
        """Whether pages do not show that they are all, or lead nowhere."""
        if self.is_linked:
            ends = self.total in {"right", "small"} or (self.total == "missing" and "last" in LINKS[self.links])
            return self.loop != "none" and not ends
        return not (self.honours_ranges or self.by_range) and (self.total == "large" or self.count > self.size)

    @property
    def is_undecided(self) -> bool:
        """Whether nothing in the pages says that there are more: only a warning can."""
        is_bare = not self.is_linked and self.total == "missing"
        return (
            is_bare and not (self.honours_ranges or self.by_range) and self.count >= self.size and self.links != "ends"
        )

    def site(self) -> Site:
        return Site(_Routes(self))

    def items(
        self, site: Site | None = None, *, reverse: bool = False, has_ranges: bool = True
    ) -> Paginator[HalResource]:
        site = site or self.site()
        ranges = (
            IndexRangeSyntax(size=self.size + (self.more_asked if self.total != "missing" else 0))
            if has_ranges
            else None
        )
        root = site.resource({"_links": {"items": link(f"{HOME}/items")}})
        return root.follow("items").items(reverse=reverse, absent=is_absent, ranges=ranges)

    def respond(self, request: Request) -> Any:
        path = urlsplit(request.url).path
        if "/item/" in path:
            return self._item(int(path.rpartition("/")[2]))
        query = {name: values[-1] for name, values in parse_qs(urlsplit(request.url).query).items()}
        pages = self.pages
        if "token" in query:
            return self._page(int(query["token"][1:]))
        if "indexRange" in query and (self.honours_ranges or self.by_range):
            first, _, last = query["indexRange"].partition("-")
            start = int(first)
            end = min(start + self.size, self.count, int(last) + 1 if last else self.count)
            if start >= self.count > 0 and self.beyond != "empty":
                absent = NotFoundError("none", status=404, code=40400)
                return absent if self.beyond == "absent" else ApiError("none", status=416)
            aligned = (start, end) in pages and self.by_range
            return (
                self._page(pages.index((start, end)))
                if aligned
                else self._slice(start, max(start, end), open_=not last)
            )
        return self._page(0)

    def _url(self, number: int) -> str:
        if number == 0:
            return f"{HOME}/items"
        start, _ = self.pages[number]
        return f"{HOME}/items?" + (
            f"indexRange={start}-{start + self.size - 1}" if self.by_range else f"token=t{number}"
        )

    def _page(self, number: int) -> dict[str, Any]:
        pages = self.pages
        rels = {"self": self._url(number), "first": self._url(0), "last": self._url(len(pages) - 1)}
        if number:
            rels["prev"] = self._url(number - 1)
        if number + 1 < len(pages):
            rels["next"] = self._url(number + 1)
        elif self.loop != "none":
            rels["next"] = rels["self" if self.loop == "self" else "first"]
        return self._body(*pages[number], rels)

    def _slice(self, start: int, end: int, *, open_: bool) -> dict[str, Any]:
        rels = {"self": f"{HOME}/items?indexRange={start}-{end}"}
        if open_ and end < self.count:
            rels["next"] = f"{HOME}/items?indexRange={end}-"
        return self._body(start, end, rels)

    def _body(self, start: int, end: int, rels: dict[str, str]) -> dict[str, Any]:
        numbers = range(start, end)
        body: dict[str, Any] = {"_embedded": {"items": [self._item(number, has_self=False) for number in numbers]}}
        linked: dict[str, Any] = {}
        if self.items_are != "embedded":
            # Copies without a link come after the links, so here they are the latter half.
            part = (start + end) // 2 if self.items_are == "part" else end
            odd = [number for number in numbers if number % 2 and number < part] if self.items_are != "linked" else []
            copies = [*odd[::-1], *range(part, end)]
            linked = {"item": [link(f"{HOME}/item/{number}") for number in range(start, part)]}
            body = {"_embedded": {"item": [self._item(number) for number in copies]}} if copies else {}
        if self.stated_total is not None:
            body["total"] = self.stated_total
        if self.links != "none" or linked:
            body["_links"] = {rel: link(url) for rel, url in rels.items() if rel in LINKS[self.links]} | linked
        return body

    def _item(self, number: int, *, has_self: bool = True) -> dict[str, Any]:
        item: dict[str, Any] = {"id" if self.has_ids else "name": number}
        return {**item, "_links": {"self": link(f"{HOME}/item/{number}")}} if has_self else item


class _Routes(dict[str, Any]):
    """Routes that contain every path of the collection."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self._shape = shape

    def __contains__(self, path: object) -> bool:
        return True

    def __getitem__(self, path: str) -> Any:
        return self._shape.respond


def is_absent(error: ApiError) -> bool:
    """Return whether an error means that there are no items."""
    return error.code == 40400


SHAPES: st.SearchStrategy[Shape] = st.builds(
    Shape,
    count=st.integers(0, 25),
    size=st.integers(2, 5),
    links=st.sampled_from(sorted(LINKS)),
    by_range=st.booleans(),
    total=st.sampled_from(TOTALS),
    loop=st.sampled_from(LOOPS),
    empty=st.frozensets(st.integers(1, 5), max_size=2),
    has_ids=st.booleans(),
    honours_ranges=st.booleans(),
    beyond=st.sampled_from(BEYOND),
    more_asked=st.integers(0, 2),
    items_are=st.sampled_from(ITEMS),
)
