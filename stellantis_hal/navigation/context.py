"""Client contexts of resources: how to fetch, the clock, and the converter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

import attrs

from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.deprecation_headers import deprecation_notice
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import excerpt, mask_repr, mask_url, shortlist
from stellantis_hal.navigation.cache.fetch import CachedFetch
from stellantis_hal.navigation.call_site_warnings import warn_caller
from stellantis_hal.navigation.fetch_protocol import Fetch
from stellantis_hal.navigation.media_types import accept
from stellantis_hal.navigation.request_headers import override_headers

__all__ = ["Converter", "HalDeprecationWarning", "ResourceContext"]

_MAX_NOTIFIED = 1_000
_MAX_NOTICE = 300
T = TypeVar("T")


class HalDeprecationWarning(UserWarning):
    """A deprecated link was followed, or a response says that it is deprecated, or until when it is there.

    Issued once for each relation and notice, and for each folder of URLs and notice of the header fields
    ``Deprecation`` (RFC 9745) and ``Sunset`` (RFC 8594).
    """


class Converter(Protocol):
    """Converts resources to typed values."""

    def structure(self, resource: Any, kind: type[T]) -> T:
        """Convert a resource (a ``HalResource``) to a class.

        Raises:
            StructureError: the resource does not fit the class.
            TypeError: the converter has no hook for the class.
        """
        ...

    def report_invalid_items(self, page: Any, values: Mapping[str, Any], kind: type[Any]) -> None:
        """Report items of a page that are left out because they are not objects, by JSON path.

        Raises:
            StructureError: in strict mode.
        """
        ...


class _NoConverter:
    """The converter of a context without one."""

    def structure(self, resource: Any, kind: type[T]) -> T:
        raise TypeError(f"this client has no converter for {kind.__name__}: pass converter= to it")

    def report_invalid_items(self, page: Any, values: Mapping[str, Any], kind: type[Any]) -> None:
        """Report nothing: pagination of untyped resources logs invalid items."""


_NO_CONVERTER: Final = _NoConverter()


@attrs.frozen(eq=False)
class ResourceContext:
    """The client of a resource, shared by every resource that was reached through it.

    Attributes:
        fetch: sends a request and returns the response.
        clock: the wall clock.
        converter: converts resources to typed values, for ``Rel("trips", Trip)``.
        principal: key of the account whose credentials are sent, or of another owner; None where there is none.
        headers: header fields of every request.
        accept: the media type to ask for where neither the caller nor the link names one.
        services: what the client hands to layers above this one, which reads nothing of it.
    """

    fetch: Fetch
    clock: Callable[[], datetime] = utc_now
    converter: Converter = _NO_CONVERTER
    principal: str | None = attrs.field(default=None, kw_only=True)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=shortlist, kw_only=True)
    accept: str | None = attrs.field(default=None, kw_only=True)
    services: object | None = attrs.field(default=None, repr=False, kw_only=True)
    _notified: set[tuple[str, str]] = attrs.field(factory=set, repr=False, kw_only=True)

    @property
    def reload_fields(self) -> Mapping[str, str]:
        """The fields of a request that the server is to answer, not the client's cache."""
        return {"Cache-Control": "no-cache"} if isinstance(self.fetch, CachedFetch) else {}

    def request_headers(self, accept_type: str | None = None, given: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the header fields of a request.

        Args:
            accept_type: the media type to ask for; None: the client's.
            given: the fields that the caller adds, checked already.
        """
        headers = {"Accept": accept(accept_type or self.accept)}
        return override_headers({**headers, **self.headers}, given) if given or self.headers else headers

    def notify(self, link: Link, base: str) -> None:
        """Warn that a link is deprecated (draft-kelly-json-hal section 5.4), once for each relation and notice."""
        if link.deprecation is None:
            return
        # Cut before it is remembered, because a hostile server may send notices of megabytes.
        rel, notice = link.rel[:_MAX_NOTICE], excerpt(link.deprecation, _MAX_NOTICE)
        self.warn_once((rel, notice), f"the link {mask_repr(rel)} at {mask_url(base)} is deprecated: {notice}")

    def notify_response(self, headers: Mapping[str, str], url: str) -> None:
        """Warn where a response says that its resource is deprecated, or will go, by a header field.

        A notice is issued once for each folder of URLs, because the items of a collection usually share it.
        """
        if "deprecation" not in headers and "sunset" not in headers:
            return
        notice = deprecation_notice(headers)
        if notice is not None:
            folder = url.partition("?")[0].rpartition("/")[0][:_MAX_NOTICE]
            verb = "is " if notice.startswith("deprecated") else ""
            self.warn_once((f"{folder}/", notice), f"{mask_url(url)} {verb}{notice}")

    def warn_once(self, key: tuple[str, str], text: str) -> None:
        """Warn of a deprecation, once for each key."""
        if key in self._notified:
            return
        if len(self._notified) < _MAX_NOTIFIED:
            self._notified.add(key)
        warn_caller(text, HalDeprecationWarning)
