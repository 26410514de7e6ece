"""What ties resources to a client: how to fetch, what time it is, how to make values of them.

Knows the Fetch protocol. Must not know who implements it.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from datetime import datetime
from typing import Any

import attrs

from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import excerpt, mask_url
from stellantis_hal.navigation.fetch import Fetch

__all__ = ["HalDeprecationWarning", "ResourceContext"]

_log = logging.getLogger("stellantis_hal")
_REMEMBERED = 1_000
_SHOWN = 300


class HalDeprecationWarning(UserWarning):
    """A link was followed that its server calls deprecated; told once for each relation and notice."""


def _untyped(resource: Any, kind: type[Any]) -> Any:
    raise TypeError(f"this client has no way to make a {kind.__name__} of a resource: pass structure= to it")


@attrs.frozen(eq=False)
class ResourceContext:
    """One caller's way to the network, shared by every resource that came through it.

    Attributes:
        fetch: sends a request and gives its answer.
        clock: the wall clock.
        structure: makes a value of a resource for ``Rel("trips", Trip)``.
    """

    fetch: Fetch
    clock: Callable[[], datetime] = utc_now
    structure: Callable[[Any, type[Any]], Any] = _untyped
    _told: set[tuple[str, str]] = attrs.field(factory=set, init=False, repr=False)

    def notify(self, link: Link, base: str) -> None:
        """Warn of a deprecated link (draft, section 5.4), once for each relation and notice."""
        if link.deprecation is None:
            return
        # Cut before it is remembered: a thousand notices may be a hostile server's, and megabytes long.
        rel, notice = link.rel[:_SHOWN], excerpt(link.deprecation, _SHOWN)
        if (rel, notice) in self._told:
            return
        if len(self._told) < _REMEMBERED:
            self._told.add((rel, notice))
        text = f"the link {rel!r} at {mask_url(base)} is deprecated: {notice}"
        _log.warning("%s", text)
        warnings.warn(text, HalDeprecationWarning, stacklevel=2)
