"""The client for any HAL API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Literal

from stellantis_hal.hal.clock import utc_now
from stellantis_hal.navigation.cache.store import CacheStore
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.entry_point import EntryPoint
from stellantis_hal.navigation.request_headers import default_headers
from stellantis_hal.structuring.converter import TypedConverter
from stellantis_hal.transport.backends.session_detection import HostSession
from stellantis_hal.transport.base_client import BaseClient, identity_fetch, to_origins, to_timeouts
from stellantis_hal.transport.bounded_backend import Timeouts
from stellantis_hal.transport.conventions import ApiConventions
from stellantis_hal.transport.credentials import ConnectableCredentials, Credentials, CredentialsContext
from stellantis_hal.transport.hooks import Hooks
from stellantis_hal.transport.rate_limit.protocol import Priority, RateLimiter
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import MAX_BODY, MAX_REDIRECTS
from stellantis_hal.transport.tls import Tls
from stellantis_hal.validation import require_request_options, require_type

if TYPE_CHECKING:
    import cattrs
    import httpx


__all__ = ["HalClient"]


class HalClient(BaseClient, EntryPoint):
    """A client for any HAL API.

    Args:
        entry_url: where to start; its own origin is trusted.
        auth: credentials, sent to trusted origins only: ``Bearer("…")``, ``Basic(user, password)``,
            ``OAuth2ClientCredentials(…)``, ``OAuth2AuthorizationCode(…)``, any ``httpx.Auth``, or an object with the
            methods of :class:`~stellantis_hal.Credentials`.
        trusted_origins: other origins of the same API, each given by any address on it.
        limiter: the rate limiter. None: requests are not counted, but a 429 still pauses all of them.
        retry: the retry policy for failed connections, timeouts and 5xx.
        timeout: seconds without a byte, or without a connection; or bounds for each phase.
        transport: any ``httpx.AsyncBaseTransport``, which stays open; None: one is made at the first request. A
            transport of your own may give a stray response on a kept connection to the next request, of any account.
        session: an ``aiohttp.ClientSession`` or an ``httpx.AsyncClient`` of the program, instead of ``transport``; it
            stays open. Its connections, proxies and TLS settings are used, with its client certificate; its cookies,
            headers and redirects are not.
        tls: a client certificate, other authorities, or a context; not beside ``transport`` or ``session``.
        proxy: the URL of a proxy, ``http://user:password@host:3128``, https or socks5 (extra ``socks``); None: that of
            the environment (``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``); False or "direct": none. Not
            beside ``transport`` or ``session``.
        conventions: the API's header names of the quota, error phrases and advice; None for the defaults.
        hooks: callbacks for requests, responses, waits, retries, failures and renewed tokens.
        converter: a cattrs converter that reads ``Rel("orders", Order)``, with classes and hooks of your own; None: the
            default of ``make_converter()``.
        headers: header fields of every request, such as ``{"Accept-Language": "fr"}``.
        accept: the media type to ask for where neither the call nor the link names one; None: HAL, then other JSON.
        priority: "background" leaves a share of the limits to "interactive".
        max_wait: seconds that one call may wait for the limits.
        max_body: bytes that a body may have, decompressed, downloads aside. Decoding is one call, in which no other
            task runs: 0.1 s at most for 1 MiB, about 0.3 s at 8 MiB. Bodies of more than 200,000 values are refused.
        connections: how many requests may be under way at once; a transport or session of your own must have as many.
            None: a number that fits the limiter, at most 500.
        max_redirects: redirects that a GET or HEAD follows.
        clock: the wall clock, aware.
        cache: where responses are stored while they are fresh, or can be validated: ``MemoryCache(32_000_000)``, or
            ``SQLiteCache(path)``, which stays open; None: nowhere. A hit costs no request and no token of the limiter.
        partition: names the account whose responses are stored, so that clients with the same name share them. None:
            as ``auth`` says; with an ``httpx.Auth`` the client has a part of the memory to itself. Only with ``cache``.

    Raises:
        TypeError: an argument has another type.
        ValueError: an address has no http or https origin; a bound is too small; ``proxy`` is not the URL of a proxy,
            or stands beside ``transport``; ``partition`` stands without ``cache``; a header field is not valid, or
            belongs to the transport or to single requests.
        ConfigurationError: ``proxy`` needs the extra ``socks``, which is not installed; or ``cache`` outlives the
            process, and nothing names the account of ``auth``.

    Example::

        async with HalClient("https://api.example.com/") as client:
            order = await client.follow("orders").follow("item", index=0)
            async for item in client.follow("orders").items():
                print(item["name"])
    """

    def __init__(
        self,
        entry_url: str,
        *,
        auth: httpx.Auth | Credentials | ConnectableCredentials | None = None,
        trusted_origins: Iterable[str] | str = (),
        limiter: RateLimiter | None = None,
        retry: RetryPolicy | None = None,
        timeout: float | Timeouts | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        session: HostSession | None = None,
        tls: Tls | None = None,
        proxy: str | Literal[False] | None = None,
        conventions: ApiConventions | None = None,
        hooks: Hooks | None = None,
        converter: cattrs.Converter | None = None,
        headers: Mapping[str, str] | None = None,
        accept: str | None = None,
        priority: Priority = "interactive",
        max_wait: float = 60.0,
        max_body: int = MAX_BODY,
        connections: int | None = None,
        max_redirects: int = MAX_REDIRECTS,
        clock: Callable[[], datetime] = utc_now,
        cache: CacheStore | None = None,
        partition: str | None = None,
    ) -> None:
        from stellantis_hal.transport.session import Session

        require_type("entry_url", entry_url, str)
        require_type("accept", accept, str, None)
        require_request_options(priority, max_wait)
        own_session = Session(
            to_origins(entry_url, trusted_origins),
            transport=transport,
            host_session=session,
            limiter=limiter,
            retry=retry,
            timeouts=to_timeouts(timeout),
            tls=tls,
            proxy=proxy,
            conventions=conventions,
            hooks=hooks,
            max_body=max_body,
            connections=connections,
            max_redirects=max_redirects,
            clock=clock,
            cache=cache,
        )
        BaseClient.__init__(self, own_session)
        access = CredentialsContext(
            identity_fetch=partial(identity_fetch, own_session), clear_cache=own_session.clear_cache, clock=clock
        )
        self._access = access  # credentials that serve several clients hold it weakly
        credentials = auth.connect(access) if isinstance(auth, ConnectableCredentials) else auth
        fetch = own_session.fetch(credentials=credentials, priority=priority, max_wait=max_wait, partition=partition)
        context = ResourceContext(
            fetch, clock, TypedConverter(converter, clock=clock), headers=default_headers(headers), accept=accept
        )
        EntryPoint.__init__(self, entry_url, context)
