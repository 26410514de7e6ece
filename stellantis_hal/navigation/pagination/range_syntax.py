"""Index ranges: their syntax, and the URLs of parts of a collection."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import attrs

from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.hal.uri import append_query
from stellantis_hal.navigation.link_selection import Params, encode_params
from stellantis_hal.validation import require_type

__all__ = ["IndexRangeSyntax"]

_RANGE = re.compile(r"(\d{1,15})-(\d{0,15})")


def _whole(_: object, attribute: attrs.Attribute[int], value: int) -> None:
    require_type(attribute.name, value, int)


def _bounds(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    require_type(attribute.name, value, tuple, list, None)
    if value is None:
        return
    first, last = value if len(value) == 2 else (-1, None)
    require_type("the first index", first, int)
    require_type("the last index", last, int, None)
    if first < 0 or (last is not None and last < first):
        raise ValueError(f"{attribute.name} must be (first, last) with 0 <= first <= last, or (first, None)")


@attrs.frozen(kw_only=True)
class IndexRangeSyntax:
    """The syntax of a server's index ranges: ``first-last``, counted from 0, both inclusive; ``first-`` is open.

    With it a collection is read concurrently, and read on where its pages have no links between them.

    Attributes:
        parameter: the query parameter.
        size: items in a range; at least 2.
        within: the first and the last index asked for, the last None where it is open; None: the whole collection.
    """

    __repr__ = redacted_repr

    parameter: str = "indexRange"
    size: int = attrs.field(default=60, validator=[_whole, attrs.validators.ge(2)])
    within: tuple[int, int | None] | None = attrs.field(default=None, validator=_bounds)

    @property
    def first(self) -> int:
        """The index of the first item asked for."""
        return 0 if self.within is None else self.within[0]

    @property
    def last(self) -> int | None:
        """The index of the last item asked for; None where it is open."""
        return None if self.within is None else self.within[1]

    def at(self, first: int, last: int | None = None) -> Params:
        """Return the parameters of the range that begins at an index, of ``size`` items or up to another index."""
        last = first + self.size - 1 if last is None else last
        return {self.parameter: f"{first}-{last if self.last is None else min(last, self.last)}"}

    def beyond(self, first: int) -> Params:
        """Return the parameters of the open range that begins at an index."""
        return {self.parameter: f"{first}-{'' if self.last is None else self.last}"}

    def url(self, collection: str, params: Params) -> str:
        """Return the URL of a range of the collection at a URL; a range in that URL is replaced."""
        before, _, query = collection.partition("#")[0].partition("?")
        kept = "&".join(pair for pair in query.split("&") if unquote(pair.partition("=")[0]) != self.parameter)
        return append_query(f"{before}?{kept}", encode_params(params))

    def index_of(self, url: str) -> int | None:
        """Return the index at which the range in a URL begins; None where it has no range."""
        bounds = self._parse(url)
        return None if bounds is None else int(bounds[1])

    def bounds_of(self, url: str) -> tuple[int, int] | None:
        """Return the first and the last index of the range in a URL; None where it has none, or an open one."""
        bounds = self._parse(url)
        return None if bounds is None or not bounds[2] else (int(bounds[1]), int(bounds[2]))

    def _parse(self, url: str) -> re.Match[str] | None:
        for pair in url.partition("#")[0].partition("?")[2].split("&"):
            name, _, value = pair.partition("=")
            if unquote(name) == self.parameter and (found := _RANGE.fullmatch(unquote(value))):
                return found
        return None
