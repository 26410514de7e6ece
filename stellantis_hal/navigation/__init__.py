"""A navigator for any HAL API, over a :class:`Fetch` that sends its requests.

::

    EntryPoint ─────────▶ HalResource          the entry resource, and resources reached from it
        ResourceView ───▶ ResponseSnapshot     the response that a resource was read from, with its LazyResponseBody
        follow ─────────▶ link_selection       a relation and options select a link or an embedded copy
            └───────────▶ SingleFlight         one request for many tasks
        items, pages ───▶ pagination           sequential, prefetching or concurrent
        follow_all ─────▶ concurrency          several links at a time, results in order
        post, put, … ───▶ writes
        forms ──────────▶ writes               HAL-FORMS, checked before they are sent
        download ───────▶ StreamingFetch       bytes of any media type, piece by piece
"""

import logging

# Nothing is printed until the program configures logging.
logging.getLogger("stellantis_hal").addHandler(logging.NullHandler())
