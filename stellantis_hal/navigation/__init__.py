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

from stellantis_hal.navigation.context import Binding, HalDeprecationWarning
from stellantis_hal.navigation.fetch import Answer, Fetch, Headers, Request
from stellantis_hal.navigation.follow import Follow
from stellantis_hal.navigation.follow_all import Outcome
from stellantis_hal.navigation.link_selection import Steering
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.navigation.pagination.paginator import IndexRanges, ItemWalk, Page, Pages, PageWalk, Paginator
from stellantis_hal.navigation.rel import Rel
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.writes import Writing

__all__ = [
    "Answer",
    "Binding",
    "Fetch",
    "Follow",
    "HalDeprecationWarning",
    "HalResource",
    "Headers",
    "IndexRanges",
    "ItemWalk",
    "Origins",
    "Outcome",
    "Page",
    "PageWalk",
    "Pages",
    "Paginator",
    "Rel",
    "Request",
    "Steering",
    "Writing",
]

# Programs decide what becomes of the log; until they do, it is not printed.
logging.getLogger("stellantis_hal").addHandler(logging.NullHandler())
