"""Knows in what the vendor's back ends differ, from one age of them to another.

Must not know who minds: addresses, pages and bodies each ask for what concerns them.
"""

from __future__ import annotations

import attrs

__all__ = ["BackendVariant"]


@attrs.frozen(kw_only=True)
class BackendVariant:
    """What differs between back ends of different ages.

    Attributes:
        relative_links: links are paths instead of whole addresses.
        pages_by_range: pages are named by ``indexRange`` instead of an opaque token.
        newest_first: trips come newest first, so that new ones push the others back.
        wraps_status: ``/status`` is a collection of one-entry pages, the newest first, as the concepts page shows it.
        lenient_tokens: page tokens are taken even when they were re-encoded on the way, as some proxies do.
        compresses: bodies are compressed with gzip for readers that accept it.
    """

    relative_links: bool = False
    pages_by_range: bool = False
    newest_first: bool = False
    wraps_status: bool = False
    lenient_tokens: bool = False
    compresses: bool = False
