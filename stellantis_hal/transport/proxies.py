"""Proxies: which one a URL is requested through, by an option or by the environment."""

from __future__ import annotations

import logging
import re
from base64 import b64encode
from collections.abc import Mapping
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_interface, ip_network
from urllib.parse import unquote

import attrs

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.hal.redaction import MASK, shortlist
from stellantis_hal.hal.uri import split
from stellantis_hal.navigation.origins import origin_of
from stellantis_hal.validation import require_type

__all__ = ["AUTHENTICATION_REQUIRED", "DIRECT", "NoProxyHosts", "Proxy", "ProxySettings", "parse_proxy"]

_logger = logging.getLogger("stellantis_hal")

AUTHENTICATION_REQUIRED = 407
"""The status by which a proxy asks for credentials."""

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_EXAMPLE = "'http://user:password@proxy.example:3128'"
_MAX_SOCKS_FIELD = 255  # RFC 1929: a length of one byte
_MAX_CACHED = 64


@attrs.frozen(repr=False)
class Proxy:
    """A proxy.

    Attributes:
        scheme: "http", "https", "socks5" or "socks5h".
        host: in lower case, an IPv6 address in brackets.
        port: its port.
        username: decoded; None without credentials.
        password: decoded.
        source: the option or variable that names it.
    """

    scheme: str
    host: str
    port: int
    username: str | None = None
    password: str = ""
    source: str = attrs.field(default="proxy=", eq=False)

    @property
    def url(self) -> str:
        """The URL without credentials."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS5; the names of hosts are resolved by the proxy."""
        return self.scheme.startswith("socks")

    def authorization(self) -> str | None:
        """Return the value of ``Proxy-Authorization``; None without credentials."""
        if self.username is None:
            return None
        return f"Basic {b64encode(f'{self.username}:{self.password}'.encode()).decode()}"

    def answers(self, url: str) -> bool:
        """Return whether the proxy reads the request itself, as an HTTP proxy does for http; else it is a tunnel."""
        return not self.is_socks and url[:5].lower() == "http:"

    def __str__(self) -> str:
        return self.url if self.username is None else f"{self.scheme}://{MASK}@{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"Proxy('{self}', from {self.source})"


def parse_proxy(text: str, source: str = "proxy=") -> Proxy:
    """Return the proxy of a URL; without a scheme it is an http one.

    Raises:
        ValueError: the text is no such URL; the message does not show it, as it may have a password.
    """
    text = text.strip()
    scheme, separator, rest = text.partition("://")
    scheme, rest = (scheme.lower(), rest) if separator else ("http", text)
    if scheme not in _PORTS:
        raise ValueError(f"{source} must be an http, https, socks5 or socks5h URL, as in {_EXAMPLE}")
    before, at, address = rest.rpartition("@")  # a password may have an @ or a slash that is not encoded
    address = address.removesuffix("/")
    origin = origin_of(f"http://{address}") if address and not re.search(r"[/?#]", address) else None
    if origin is None:
        raise ValueError(f"{source} must be the URL of a proxy with a host and a port, as in {_EXAMPLE}")
    _, host, port = origin
    if not re.search(r":[0-9]+$", address):
        port = _PORTS[scheme]
    if not at:
        return Proxy(scheme, host, port, source=source)
    username, _, password = (unquote(part) for part in before.partition(":"))
    proxy = Proxy(scheme, host, port, username, password, source)
    fields = (len(username.encode()), len(password.encode()))
    if proxy.is_socks and not all(0 < length <= _MAX_SOCKS_FIELD for length in fields):
        raise ValueError(f"{source} must have a user name and a password of 1 to 255 bytes each for SOCKS, or none")
    return proxy


# ------------------------------------------------------------------------------------------------- NO_PROXY

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network


class NoProxyHosts:
    """The hosts that are requested without a proxy, by the rules of ``NO_PROXY``.

    Entries are separated by commas or white space: a host (``example.com``) and with it all of its subdomains, the same
    with a leading dot or ``*.``, an address (``10.0.0.1``, ``::1``, ``[::1]``), a network (``10.0.0.0/8``,
    ``fd00::/8``), each perhaps with a port (``example.com:8443``), or ``*`` for every host. Addresses are compared as
    numbers; names are not resolved.
    """

    __slots__ = ("_everything", "_names", "_networks", "unreadable")

    def __init__(self, text: str = "") -> None:
        self._everything = False
        self._names: set[tuple[str, int | None]] = set()
        self._networks: list[tuple[_Network, int | None]] = []
        entries = re.split(r"[\s,]+", text.lower())
        self.unreadable: tuple[str, ...] = tuple([entry for entry in entries if entry and not self._add(entry)])
        """The entries that match nothing, because they are of no known form."""

    def _add(self, entry: str) -> bool:
        if entry == "*":
            self._everything = True
            return True
        network = _network(entry)
        if network is not None:
            self._networks.append((network, None))
            return True
        host, colon, port = entry.rpartition(":")
        if not colon or not re.fullmatch(r"[0-9]{1,5}", port):
            host, port = entry, ""
        number = int(port) if port else None
        if number is not None and not 0 < number < 65536:
            return False
        if number is not None and host == "*":
            self._networks += [(ip_network("0.0.0.0/0"), number), (ip_network("::/0"), number)]
            self._names.add(("", number))
            return True
        network = _network(host)
        if network is not None:
            self._networks.append((network, number))
            return True
        name = host.removeprefix("*").strip(".")
        if origin_of(f"http://{name}/") != ("http", name, 80):
            return False
        self._names.add((name, number))
        return True

    def matches(self, url: str) -> bool:
        """Return whether an http or https URL is requested without a proxy."""
        if self._everything:
            return True
        origin = origin_of(url)
        if origin is None:
            return False
        _, host, port = origin
        address = _address(host)
        if address is not None:
            return any(
                address.version == network.version and address in network
                for network, only in self._networks
                if only in (None, port)
            )
        labels = host.rstrip(".").split(".")
        suffixes = [
            *(".".join(labels[start:]) for start in range(len(labels))),
            "",
        ]  # the last one is that of every name
        return any((suffix, only) in self._names for suffix in suffixes for only in (None, port))

    def __repr__(self) -> str:
        return f"NoProxyHosts(<{int(self._everything) + len(self._names) + len(self._networks)} rules>)"


def _address(text: str) -> _Address | None:
    """Return an address, one of IPv4 that is written as IPv6 as what it is."""
    try:
        address = ip_address(text[1:-1] if text.startswith("[") and text.endswith("]") else text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _network(text: str) -> _Network | None:
    """Return a network, an address as a network of one; host bits are allowed, as in ``10.1.2.3/8``."""
    host, slash, length = text.partition("/")
    address = _address(host)
    if address is None:
        match = re.fullmatch(r"\[([^\[\]]*)/([0-9]+)\]", text)  # the length inside the brackets
        return None if match is None else _network(f"{match[1]}/{match[2]}")
    try:
        return ip_interface(f"{address}/{length}" if slash else str(address)).network
    except ValueError:
        return None


# ------------------------------------------------------------------------------------------------- settings


class ProxySettings:
    """The proxy of each URL.

    Args:
        by_scheme: for "http" and "https", the text that names the proxy and where it is from.
        no_proxy: the hosts that are requested without one.
    """

    __slots__ = ("_by_origin", "_by_scheme", "_no_proxy")

    def __init__(
        self, by_scheme: Mapping[str, tuple[str, str]] | None = None, no_proxy: NoProxyHosts | None = None
    ) -> None:
        self._by_scheme = dict(by_scheme or {})
        self._no_proxy = NoProxyHosts() if no_proxy is None else no_proxy
        self._by_origin: dict[tuple[str | None, str | None], Proxy | None] = {}

    @classmethod
    def of(cls, proxy: str | bool | None, environment: Mapping[str, str]) -> ProxySettings:
        """Return the settings of an option.

        Args:
            proxy: the URL of the proxy for all requests (NO_PROXY is not read then); False or "direct" for none; None
                for those of the environment.
            environment: ``os.environ``.

        Raises:
            TypeError: the option has another type.
            ValueError: the option is not the URL of a proxy.
            ConfigurationError: the option needs the extra ``socks``, which is not installed.
        """
        if proxy is True:
            raise TypeError(f"proxy must be str, None or False, not True: {_EXAMPLE}, or None for the environment's")
        if proxy is False or proxy == "direct":
            return DIRECT
        require_type("proxy", proxy, str, None, instead=f"{_EXAMPLE}, or False for none")
        if proxy is None:
            return cls._from_environment(environment)
        _require_socks(parse_proxy(proxy))
        return cls({"http": (proxy, "proxy="), "https": (proxy, "proxy=")})

    @classmethod
    def _from_environment(cls, environment: Mapping[str, str]) -> ProxySettings:
        by_scheme: dict[str, tuple[str, str]] = {}
        for scheme in ("http", "https"):
            for name in (f"{scheme}_proxy", "all_proxy"):
                source = _variable(name, environment)
                if source is not None:
                    by_scheme[scheme] = (environment[source], source)
                    break
        if not by_scheme:
            return DIRECT
        source = _variable("no_proxy", environment)
        no_proxy = NoProxyHosts() if source is None else NoProxyHosts(environment[source])
        if no_proxy.unreadable:
            _logger.warning("%s: entries that match no host: %s", source, shortlist(no_proxy.unreadable))
        return cls(by_scheme, no_proxy)

    @property
    def is_used(self) -> bool:
        """Whether any URL may have a proxy."""
        return bool(self._by_scheme)

    @property
    def needs_httpx(self) -> bool:
        """Whether a proxy is of a kind that aiohttp's client is not used for: SOCKS, or one reached by TLS."""
        texts = [text.strip().lower() for text, _ in self._by_scheme.values()]
        return any("://" in text and not text.startswith("http://") for text in texts)

    def for_url(self, url: str) -> Proxy | None:
        """Return the proxy of a URL; None for none.

        Raises:
            ConfigurationError: the variable that names it is not the URL of a proxy, or it needs the extra ``socks``,
                which is not installed.
        """
        if not self._by_scheme:
            return None
        scheme, authority = origin = split(url)[:2]
        if origin in self._by_origin:
            return self._by_origin[origin]
        named = None if scheme is None else self._by_scheme.get(scheme.lower())
        proxy = None
        if named is not None and not self._no_proxy.matches(f"{scheme}://{authority}/"):
            try:
                proxy = parse_proxy(*named)
            except ValueError as error:
                raise ConfigurationError(str(error)) from None
            _require_socks(proxy)
        if len(self._by_origin) < _MAX_CACHED:
            self._by_origin[origin] = proxy
        return proxy

    def __repr__(self) -> str:
        sources = ", ".join(f"{scheme} from {source}" for scheme, (_, source) in self._by_scheme.items())
        return f"ProxySettings({sources or 'direct'})"


DIRECT = ProxySettings()
"""No proxy for any URL."""


def _variable(name: str, environment: Mapping[str, str]) -> str | None:
    """Return the variable in use, None for none: the one in lower case hides the other, and an empty one is none.

    A CGI script's HTTP_PROXY is a header of its client (CVE-2016-1000110).
    """
    upper = name.upper()
    found = name if name in environment or (name == "http_proxy" and "REQUEST_METHOD" in environment) else upper
    return found if environment.get(found, "").strip() else None


def _require_socks(proxy: Proxy) -> None:
    if proxy.is_socks and find_spec("socksio") is None:
        raise ConfigurationError(
            f"the proxy {proxy} (from {proxy.source}) needs the extra `socks`: pip install 'stellantis-hal[socks]'"
        )
