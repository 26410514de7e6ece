"""Credentials as transport uses them."""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeGuard, runtime_checkable

import attrs

from stellantis_hal.hal.uri import append_query
from stellantis_hal.navigation.cache.partition import Partition
from stellantis_hal.navigation.fetch_protocol import Fetch, Response

if TYPE_CHECKING:
    import httpx

__all__ = [
    "Anonymous",
    "ConnectableCredentials",
    "Credentials",
    "CredentialsContext",
    "ExpiringCredentials",
    "RenewableCredentials",
    "add_client_id",
    "is_httpx_auth",
    "remove_client_id",
]


class Credentials(Protocol):
    """What identifies a caller, sent to the API's trusted origins only.

    The pipeline asks for them before each attempt, and before it waits for the limiter: a renewal must not hold a slot.
    Those that may expire during that wait have one method more, ``current_headers`` (:class:`ExpiringCredentials`).
    """

    @property
    def query(self) -> str:
        """Text for the query, encoded (``client_id=abc``); empty for none."""
        ...

    async def headers(self) -> Mapping[str, str]:
        """Return header fields that can be sent now, after renewing a token that is about to expire.

        Raises:
            AuthError: there are none.
        """
        ...

    async def refused(self, response: Response, sent: Mapping[str, str], /) -> bool:
        """Return whether a 401 is worth another try: there are now other header fields than ``sent``.

        Not called where the body says that the application itself is refused: that is a
        :class:`~stellantis_hal.errors.ConfigurationError` already.

        Raises:
            AuthError: a renewal was tried and refused.
        """
        ...


class ExpiringCredentials(Credentials, Protocol):
    """Credentials that may expire while a request waits for the limiter."""

    def current_headers(self) -> Mapping[str, str] | None:
        """Return the header fields that can be sent now; None where ``headers`` has to be awaited first.

        Called when the limiter has granted a slot: with None it is given back, and another one is waited for.
        """
        ...


@runtime_checkable
class RenewableCredentials(Credentials, Protocol):
    """Credentials whose token an identity server renews."""

    @property
    def identity_server(self) -> str:
        """The host of that server, with its port where one is given."""
        ...

    @property
    def replaced_at(self) -> float:
        """The instant (backend's clock) since which the present token is used; ``-inf`` for the first one."""
        ...

    @property
    def is_renewing(self) -> bool:
        """Whether the token is being renewed, so that a request would wait for it."""
        ...

    async def is_renewal_due(self) -> bool:
        """Return whether the next request renews the token first, because it is about to expire. Sends nothing.

        Raises:
            TokenStoreError: the store failed.
        """
        ...

    async def needs_renewal(self) -> bool:
        """Return whether no request can be sent before the token is renewed. Sends nothing.

        Raises:
            TokenStoreError: the store failed.
        """
        ...


@attrs.frozen(kw_only=True, eq=False)
class CredentialsContext:
    """What credentials use of the client that they belong to.

    Attributes:
        identity_fetch: returns a fetch to an identity server, by its addresses, without credentials; its second
            argument is the seconds that a request may wait while that server has asked for a pause.
        clear_cache: removes the responses of an account from the client's cache.
        clock: the wall clock.
    """

    identity_fetch: Callable[[tuple[str, ...], float], Fetch]
    clear_cache: Callable[[Partition], Awaitable[None]]
    clock: Callable[[], datetime]


@runtime_checkable
class ConnectableCredentials(Protocol):
    """What becomes credentials once it belongs to a client, which sends the requests to its identity server."""

    def connect(self, access: CredentialsContext) -> Credentials:
        """Return the credentials of one client."""
        ...


class Anonymous:
    """No credentials: the default of :class:`~stellantis_hal.HalClient`."""

    query = ""

    async def headers(self) -> Mapping[str, str]:
        """Return no fields."""
        return {}

    async def refused(self, response: Response, sent: Mapping[str, str], /) -> bool:
        """Return False: there is nothing to renew."""
        return False


def add_client_id(url: str, query: str) -> str:
    """Append the parameters that identify the application, except those that the URL has already."""
    if not query:
        return url
    if "?" not in url and "#" not in url:
        return f"{url}?{query}"
    present = url.partition("#")[0].partition("?")[2]
    if present:
        names = {pair.partition("=")[0] for pair in present.split("&")}
        query = "&".join(pair for pair in query.split("&") if pair.partition("=")[0] not in names)
    return append_query(url, query)


def remove_client_id(url: str, query: str) -> str:
    """Remove the parameters that identify the application, which a redirect may have echoed."""
    if "?" not in url and "&" not in url:
        return url
    for pair in filter(None, query.split("&")):
        if pair in url:
            url = re.sub(rf"(\?|&){re.escape(pair)}(?=&|#|$)(&(?=.)|)", lambda match: match[1] if match[2] else "", url)
    return url


def is_httpx_auth(credentials: object) -> TypeGuard[httpx.Auth]:
    """Return whether credentials are an authentication flow of httpx; this does not load httpx."""
    kind: type | None = getattr(sys.modules.get("httpx"), "Auth", None)
    return kind is not None and isinstance(credentials, kind)
