"""Walking from document to document, over any HAL API.

Knows documents and the Fetch protocol. Must not know an HTTP library, credentials, or one vendor's words.

::

    entry ───────────▶ resource          a place, and the way on from there
        view ────────▶ snapshot ▶ content    what came, where from, when
        follow ──────▶ hop               one step: choose a link, or a copy that is at hand
            └────────▶ flight            one request for many waiting tasks
        items, pages ▶ paginator ▶ walks, ranges ▶ cursor
        follow_all ──▶ in_order          several at a time, their outcomes in order
        post, put … ─▶ writing
"""

import logging

from stellantis_hal.hal.headers import Headers
from stellantis_hal.navigation.context import HalDeprecationWarning, ResourceContext
from stellantis_hal.navigation.fetch import Fetch, Request, Response
from stellantis_hal.navigation.follow import Follow
from stellantis_hal.navigation.follow_all import FollowResult
from stellantis_hal.navigation.link_selection import FollowOptions
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.navigation.pagination.paginator import (
    IndexRanges,
    ItemIterator,
    Page,
    PageIterator,
    Pages,
    Paginator,
)
from stellantis_hal.navigation.rel import Rel
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.writes import WriteOptions

__all__ = [
    "Fetch",
    "Follow",
    "FollowOptions",
    "FollowResult",
    "HalDeprecationWarning",
    "HalResource",
    "Headers",
    "IndexRanges",
    "ItemIterator",
    "Origins",
    "Page",
    "PageIterator",
    "Pages",
    "Paginator",
    "Rel",
    "Request",
    "ResourceContext",
    "Response",
    "WriteOptions",
]

# Programs decide what becomes of the log; until they do, it is not printed.
logging.getLogger("stellantis_hal").addHandler(logging.NullHandler())
