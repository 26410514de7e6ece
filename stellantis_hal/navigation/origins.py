"""Who may be talked to: the entry's own origin, and those that were named.

Knows scheme, host and port, and how an address can lie about them. Must not send anything. Whatever is not plainly
trusted is refused: there is no anonymous mode.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

from stellantis_hal.errors import UntrustedOriginError
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.hal.uri import split

__all__ = ["Origin", "Origins", "origin_of"]

Origin = tuple[str, str, int]
"""Scheme, host in lower case, port."""

_PORTS = {"http": 80, "https": 443}
# White space, control characters, and the backslash that some parsers take for a slash; anything that is not ASCII.
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]|[^\x00-\x7f]")
_NAME = re.compile(
    r"(?=.{1,253}\.?$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?"
)
_PORT = re.compile(r"[0-9]{1,5}")


def origin_of(url: str) -> Origin | None:
    """Give the origin of an absolute http or https URL; None where it has none that can be relied on."""
    if _UNSAFE.search(url):
        return None
    parts = split(url)
    scheme = (parts.scheme or "").lower()
    authority = parts.authority
    if scheme not in _PORTS or authority is None or "@" in authority:
        return None
    host, colon, port = authority.rpartition(":") if not authority.endswith("]") else (authority, "", "")
    if not colon:
        host, port = authority, ""
    host = host.lower()
    if not _is_host(host):
        return None
    if not port:
        return scheme, host, _PORTS[scheme]
    return (scheme, host, int(port)) if _PORT.fullmatch(port) and 0 < int(port) < 65536 else None


def _is_host(host: str) -> bool:
    if host.startswith("[") and host.endswith("]"):
        try:
            IPv6Address(host[1:-1])
        except AddressValueError:
            return False
        return "%" not in host
    return _NAME.fullmatch(host) is not None


class Origins:
    """The origins that may see a request and its credentials.

    Args:
        urls: any address on each of them; http or https, with a host.
    """

    __slots__ = ("_texts", "_trusted")

    def __init__(self, *urls: str) -> None:
        trusted: set[Origin] = set()
        for url in urls:
            origin = origin_of(url)
            if origin is None:
                raise ValueError(f"no http or https address with a host: {mask_url(url)!r}")
            trusted.add(origin)
        self._trusted = frozenset(trusted)
        # What most addresses begin with, so that most checks are one comparison and one search.
        self._texts: dict[str, bool] = {}

    def __repr__(self) -> str:
        return f"Origins({', '.join(sorted(f'{scheme}://{host}:{port}' for scheme, host, port in self._trusted))})"

    def trusts(self, url: str) -> bool:
        """Tell whether this exact address is on a trusted origin."""
        if _UNSAFE.search(url):
            return False
        end = url.find("/", 8)
        site = url if end < 0 else url[:end]
        known = self._texts.get(site)
        if known is None:
            origin = origin_of(site)
            known = origin in self._trusted
            # A handful of sites is all that an API has; addresses made up by a hostile server are not remembered.
            if known and len(self._texts) < 64 and len(site) < 300:
                self._texts[site] = True
        return known

    def check(self, url: str) -> None:
        """Refuse an address that is not on a trusted origin.

        Raises:
            UntrustedOriginError: nothing may be sent there.
        """
        if not self.trusts(url):
            advice = f"Only {self!r} may see requests; name others in trusted_origins if they belong to the API."
            if split(url).scheme is None:
                advice = "It is no whole address: to follow a link by its name, use follow()."
            raise UntrustedOriginError(
                f"refusing to send anything to {mask_url(url)}: its origin is not trusted. {advice}", url=url
            )

    def check_redirect(self, source: str, target: str) -> None:
        """Refuse a redirect to a foreign origin, or from https down to http.

        Raises:
            UntrustedOriginError: nothing may be sent there.
        """
        self.check(target)
        if source[:6].lower() == "https:" and target[:6].lower() != "https:":
            raise UntrustedOriginError(
                f"refusing the redirect from {mask_url(source)} to {mask_url(target)}: it would leave TLS", url=target
            )
