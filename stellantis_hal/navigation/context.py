"""What ties resources to a client: how to fetch, what time it is, how to make values of them.

Knows the Fetch protocol. Must not know who implements it.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

import attrs

from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import excerpt, mask_url
from stellantis_hal.navigation.fetch import Fetch

__all__ = ["Converter", "HalDeprecationWarning", "ResourceContext"]

_log = logging.getLogger("stellantis_hal")
_REMEMBERED = 1_000
_SHOWN = 300
T = TypeVar("T")


class HalDeprecationWarning(UserWarning):
    """A link was followed that its server calls deprecated; told once for each relation and notice."""


class Converter(Protocol):
    """Makes typed values of resources."""

    def structure(self, resource: Any, kind: type[T]) -> T:
        """Return the resource (a ``HalResource``) as a value of a class.

        Raises:
            StructureError: the resource does not fit the class.
            TypeError: there is no way to make such a value.
        """
        ...

    def report_invalid_items(self, page: Any, values: Mapping[str, Any], kind: type[Any]) -> None:
        """Report values, by their JSON paths, that stand in a page in place of items of a class, and are left out.

        Raises:
            StructureError: in strict mode.
        """
        ...


class _NoConverter:
    """The converter of contexts that were given none."""

    def structure(self, resource: Any, kind: type[T]) -> T:
        raise TypeError(f"this context has no converter to make a {kind.__name__} of a resource: pass converter= to it")

    def report_invalid_items(self, page: Any, values: Mapping[str, Any], kind: type[Any]) -> None:
        """Report nothing: pages of untyped resources are logged by their walk."""


_NO_CONVERTER: Final = _NoConverter()


@attrs.frozen(eq=False)
class ResourceContext:
    """One caller's way to the network, shared by every resource that came through it.

    Attributes:
        fetch: sends a request and gives its answer.
        clock: the wall clock.
        converter: makes typed values of resources, for ``Rel("trips", Trip)``.
    """

    fetch: Fetch
    clock: Callable[[], datetime] = utc_now
    converter: Converter = _NO_CONVERTER
    _notified: set[tuple[str, str]] = attrs.field(factory=set, repr=False, kw_only=True)

    def notify(self, link: Link, base: str) -> None:
        """Warn of a deprecated link (draft, section 5.4), once for each relation and notice."""
        if link.deprecation is None:
            return
        # Cut before it is remembered: a thousand notices may be a hostile server's, and megabytes long.
        rel, notice = link.rel[:_SHOWN], excerpt(link.deprecation, _SHOWN)
        if (rel, notice) in self._notified:
            return
        if len(self._notified) < _REMEMBERED:
            self._notified.add((rel, notice))
        text = f"the link {rel!r} at {mask_url(base)} is deprecated: {notice}"
        _log.warning("%s", text)
        warnings.warn(text, HalDeprecationWarning, stacklevel=2)
