"""Options of the requests that a resource sends: their priority, and the bound on waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from stellantis_hal.navigation.fetch_protocol import PrioritizedFetch
from stellantis_hal.structuring.typed_resource import TypedResource
from stellantis_hal.validation import require_request_options

if TYPE_CHECKING:
    from stellantis_hal.transport.rate_limit.protocol import Priority

__all__ = ["with_request_options"]

R = TypeVar("R", bound=TypedResource)


def with_request_options(value: R, priority: Priority | None, max_wait: float | None) -> R:
    """Return a resource whose requests, and those of what is fetched from it, have other options.

    One with a fetch of the program's own is returned unchanged.

    Raises:
        ValueError: the priority is unknown, or the wait is not a number of seconds.
        DetachedResourceError: it has no client.
    """
    require_request_options(priority, max_wait)
    resource = value.require_resource()
    context = resource.require_context()
    if not isinstance(context.fetch, PrioritizedFetch):
        return value
    context = attrs.evolve(context, fetch=context.fetch.with_options(priority=priority, max_wait=max_wait))
    return attrs.evolve(value, resource=resource.rebind(context))
