"""A navigator for any HAL API, over a :class:`Fetch` that sends its requests.

::

    EntryPoint ─────────▶ HalResource          the entry resource, and resources reached from it
        ResourceView ───▶ Snapshot ─▶ LazyBody the response that a resource was read from
        follow ─────────▶ link_selection       a relation and options select a link or an embedded copy
            └───────────▶ SingleFlight         one request for many tasks
        items, pages ───▶ pagination           sequential, prefetching or concurrent
        follow_all ─────▶ concurrency          several links at a time, results in order
        post, put, … ───▶ writes
        forms ──────────▶ writes               HAL-FORMS, checked before they are sent
        download ───────▶ StreamingFetch       bytes of any media type, piece by piece
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
from stellantis_hal.navigation.writes import RequestOptions, WriteOptions

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
    "RequestOptions",
    "ResourceContext",
    "Response",
    "WriteOptions",
]

# Nothing is printed until the program configures logging.
logging.getLogger("stellantis_hal").addHandler(logging.NullHandler())
