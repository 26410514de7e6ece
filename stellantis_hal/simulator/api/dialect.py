"""Variants of the vendor's back ends."""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["BackendVariant"]


@attrs.frozen(kw_only=True)
class BackendVariant:
    """Behaviour that differs between the vendor's back ends.

    Attributes:
        relative_links: links are paths instead of absolute URLs.
        pages_by_range: links between pages use ``indexRange`` instead of an opaque token.
        newest_first: trips are sorted newest first, so that a new trip shifts the others.
        wraps_status: ``/status`` is a collection, one item per page, newest first, as on the concepts page.
        lenient_tokens: page tokens are accepted even where a proxy re-encoded them.
        vin_prefix: what the list of vehicles does with ``vinPrefix``: it "filters" by it, it is "ignored", or "refused"
            (400).
        errors_have_state: the redirect with an error carries the ``state`` of its request.
        compresses: bodies are compressed with gzip where the request accepts it.
    """

    relative_links: bool = False
    pages_by_range: bool = False
    newest_first: bool = False
    wraps_status: bool = False
    lenient_tokens: bool = False
    vin_prefix: Literal["filters", "ignored", "refused"] = "filters"
    errors_have_state: bool = True
    compresses: bool = False
