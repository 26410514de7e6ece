"""Variants of the vendor's servers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import attrs

from stellantis_hal.simulator.flag_checks import require_flags

__all__ = ["BackendVariant"]


def _names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


@attrs.frozen(kw_only=True)
class BackendVariant:
    """Behaviour that differs between the vendor's servers.

    Attributes:
        relative_links: links are paths instead of absolute URLs.
        pages_by_range: links between pages use ``indexRange`` instead of an opaque token.
        newest_first: trips are sorted newest first, so that a new trip shifts the others.
        wraps_status: ``/status`` is a collection, one item per page, newest first, as on the concepts page.
        lenient_tokens: page tokens are accepted even where a proxy re-encoded them.
        vin_prefix: what the list of vehicles does with ``vinPrefix``: it "filters" by it, it is "ignored", or "refused"
            (400).
        errors_have_state: the redirect with an error carries the ``state`` of its request.
        omits: members of a collection that are left out: ``_links``, ``total``, or relations of its links.
        stated_total: the total of each collection, true or not; None: the number of its items.
        last_leads_to: what the ``next`` of a last page is a copy of, ``self`` or ``first``; None: it has no ``next``.
        empty_pages: an empty page comes before each further page.
        ignores_ranges: ``indexRange`` is ignored.
        compresses: bodies are compressed with gzip where the request accepts it.
    """

    relative_links: bool = False
    pages_by_range: bool = False
    newest_first: bool = False
    wraps_status: bool = False
    lenient_tokens: bool = False
    vin_prefix: Literal["filters", "ignored", "refused"] = "filters"
    errors_have_state: bool = True
    omits: frozenset[str] = attrs.field(default=frozenset(), converter=_names)
    stated_total: int | None = None
    last_leads_to: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.in_(("self", "first")))
    )
    empty_pages: bool = False
    ignores_ranges: bool = False
    compresses: bool = False

    def __attrs_post_init__(self) -> None:
        require_flags(
            **{field.name: getattr(self, field.name) for field in attrs.fields(type(self)) if field.type == "bool"}
        )
