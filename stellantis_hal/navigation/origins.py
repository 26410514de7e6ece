"""Trusted origins: scheme, host and port of URLs that requests may be sent to."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address, ip_address
from urllib.parse import quote

from stellantis_hal.errors import UntrustedOriginError
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.hal.uri import host_of, split

__all__ = ["ANY_ORIGIN", "Origin", "Origins", "origin_of"]

Origin = tuple[str, str, int]
"""Scheme, host in lower case, port."""

_PORTS = {"http": 80, "https": 443}
# White space, control characters, non-ASCII characters, and the backslash that some parsers treat as a slash.
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]|[^\x00-\x7f]")
_NAME = re.compile(
    r"(?=.{1,253}\.?$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?"
)
_NAMES = {" ": "a blank", "\t": "a tab", "\r": "a line break", "\n": "a line break", "\\": "a backslash"}
_PORT = re.compile(r"[0-9]{1,5}")


def origin_of(url: str) -> Origin | None:
    """Return the origin of an absolute http or https URL; None where parsers may disagree about it."""
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


def _why_unclear(url: str) -> str:
    """Return why a URL has no clear origin, where that is not plain to see; empty where it is."""
    if (unsafe := _UNSAFE.search(url)) is not None:
        kind = "a control character" if unsafe[0].isascii() else "a character that is not ASCII"
        found = f"it has {_NAMES.get(unsafe[0], kind)} at index {unsafe.start()}"
        if unsafe.start() < url.lower().find(host := host_of(url)) + len(host) and not unsafe[0].isascii():
            return f"{found}; write the host in its ASCII form, which begins with xn--"
        return (
            f"{found}, which no URL may have, because programs disagree about where it leads; it must be "
            f"percent-encoded, as {quote(unsafe[0], errors='replace')}"
        )
    if "@" in (split(url).authority or ""):
        return "it has a user name or a password, which no link decides; pass them as auth="
    return ""


class Origins:
    """The origins that requests and credentials may be sent to.

    A URL whose origin is unclear is refused; there are no requests without this check.

    Args:
        urls: any URL on each origin; http or https, with a host.
    """

    __slots__ = ("_known_prefixes", "_trusted")

    def __init__(self, *urls: str) -> None:
        trusted: set[Origin] = set()
        for url in urls:
            origin = origin_of(url)
            if origin is None:
                reason = _why_unclear(url)
                raise ValueError(
                    f"an origin must be an http or https URL with a host, as in 'https://api.example', not "
                    f"{mask_url(url)!r}{reason and f': {reason}'}"
                )
            trusted.add(origin)
        self._trusted = frozenset(trusted)
        # Scheme and authority, as written, of trusted URLs: most checks are one search and one lookup.
        self._known_prefixes: dict[str, bool] = {}

    def __repr__(self) -> str:
        return f"Origins({', '.join(sorted(f'{scheme}://{host}:{port}' for scheme, host, port in self._trusted))})"

    def trusts(self, url: str) -> bool:
        """Return whether this exact URL is on a trusted origin."""
        # What _UNSAFE finds, in less time.
        if not (url.isascii() and url.isprintable()) or " " in url or "\\" in url:
            return False
        end = url.find("/", 8)
        prefix = url if end < 0 else url[:end]
        trusted = self._known_prefixes.get(prefix)
        if trusted is None:
            trusted = origin_of(prefix) in self._trusted
            # An API has a handful of origins. Bounded, because a hostile server may send any number of spellings.
            if trusted and len(self._known_prefixes) < 64 and len(prefix) < 300:
                self._known_prefixes[prefix] = True
        return trusted

    def check(self, url: str) -> None:
        """Check that a URL is on a trusted origin.

        Raises:
            UntrustedOriginError: it is not, so nothing may be sent there.
        """
        if not self.trusts(url):
            if reason := _why_unclear(url):
                raise UntrustedOriginError(f"nothing was sent to {mask_url(url)}: {reason}", url=url)
            if url[:5].lower() == "http:" and self.trusts(f"https{url[4:]}"):
                raise UntrustedOriginError(
                    f"nothing was sent to {mask_url(url)}: it leads from https to http of the same host, as links of "
                    "servers do that do not know of the TLS proxy in front of them. Have the server trust "
                    "X-Forwarded-Proto; the origin in trusted_origins= would get the credentials unencrypted",
                    url=url,
                )
            advice = f"Requests are sent to {self!r} only; add others to trusted_origins= if they belong to the API."
            if split(url).scheme is None:
                advice = (
                    "The URL must be absolute, as in 'https://api.example/a', or a path, as in '/a'; use follow() for "
                    "relations."
                )
            raise UntrustedOriginError(
                f"nothing was sent to {mask_url(url)}: its origin is not trusted. {advice}", url=url
            )

    def check_redirect(self, source: str, target: str) -> None:
        """Check that a redirect stays on trusted origins, and does not lead from https to http.

        Raises:
            UntrustedOriginError: it does not, so nothing may be sent there.
        """
        if source[:6].lower() == "https:" and target[:5].lower() == "http:":
            advice = ""
            if host_of(source).partition(":")[0] == host_of(target).partition(":")[0]:
                advice = (
                    " of the same host, as servers do that do not know of the TLS proxy in front of them. Send the "
                    f"request to {mask_url('https' + target[4:])}, or have the server trust X-Forwarded-Proto"
                )
            raise UntrustedOriginError(
                f"the redirect from {mask_url(source)} to {mask_url(target)} was not followed: it leads from https to "
                f"http{advice}",
                url=target,
            )
        self.check(target)


class _AnyOrigin(Origins):
    """Every http and https origin: for requests without credentials only."""

    def __repr__(self) -> str:
        return "http and https URLs with a host"

    def trusts(self, url: str) -> bool:
        """Return whether this is an http or https URL whose origin is clear."""
        return origin_of(url) is not None

    def check_redirect(self, source: str, target: str) -> None:
        """Check that a redirect does not lead from https to http, or from elsewhere into this machine or network.

        Raises:
            UntrustedOriginError: it does; nothing may be sent there.
        """
        super().check_redirect(source, target)
        if _is_inside(target) and not _is_inside(source):
            raise UntrustedOriginError(
                f"the redirect from {mask_url(source)} to {mask_url(target)} was not followed: it leads to this "
                "machine or into its network",
                url=target,
            )


def _is_inside(url: str) -> bool:
    """Return whether a URL names this machine or an address of a private network; names are not looked up."""
    origin = origin_of(url)
    host = "" if origin is None else origin[1].rstrip(".").strip("[]")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host.replace(".", "").isdigit()  # an address in a form that some resolvers accept, such as 2130706433


ANY_ORIGIN = _AnyOrigin()
"""Every origin, for requests without credentials."""
