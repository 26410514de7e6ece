"""The client of a fleet owner (B2B)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Literal

from stellantis_hal.auth.partner import Partner
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.uri import append_query, join_segment
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.entry_point import EntryPoint
from stellantis_hal.navigation.link_selection import Params, encode_params
from stellantis_hal.navigation.pagination.paginator import Paginator
from stellantis_hal.navigation.request_headers import default_headers
from stellantis_hal.resources import filters
from stellantis_hal.resources.by_vin import require_vin
from stellantis_hal.resources.control.control_dependencies import ControlDependencies
from stellantis_hal.resources.typed_requests import UrlPageSource, is_absent
from stellantis_hal.structuring.converter import TypedConverter
from stellantis_hal.transport.backends.session_detection import HostSession
from stellantis_hal.transport.base_client import BaseClient, to_origins, to_timeouts
from stellantis_hal.transport.bounded_backend import Timeouts
from stellantis_hal.transport.hooks import Hooks
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import Priority, RateLimiter, RateLimits
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import MAX_BODY, MAX_REDIRECTS, Session
from stellantis_hal.validation import require_request_options, require_type
from stellantis_hal.vendor.gateway import FLEET_GATEWAY
from stellantis_hal.vendor.hosts import PARTNER_URL

if TYPE_CHECKING:
    import cattrs
    import httpx

    from stellantis_hal.navigation.cache.store import CacheStore
    from stellantis_hal.resources.control.operation import Operation
    from stellantis_hal.resources.control.receiver_protocol import EventReceiver
    from stellantis_hal.resources.control.remote_policy import RemotePolicy
    from stellantis_hal.resources.fleet import Fleet
    from stellantis_hal.resources.vehicle_capabilities import VehicleCapabilities
    from stellantis_hal.storage.key_value_store import StateStore


__all__ = ["FleetOwnerClient"]

_logger = logging.getLogger("stellantis_hal")


class FleetOwnerClient(BaseClient, EntryPoint):
    """The client of a partner that owns fleets: one subscription, one limiter, any number of fleets.

    Its entry resource is the list of fleets.

    Args:
        partner: client id, login, password, certificate and authority, as the vendor sent them.
        base_url: the address of the API.
        trusted_origins: other origins of the same API, each given by any address on it.
        rate_limits: ceilings of the subscription; None: the limits that the server's headers state.
        limiter: a limiter of your own, instead of one made of ``rate_limits``.
        retry: the retry policy for failed connections, timeouts and 5xx of the API.
        timeout: seconds without a byte, or without a connection; or bounds for each phase.
        transport: any ``httpx.AsyncBaseTransport``, which stays open; None: one is made at the first request, with the
            partner's certificate and authority.
        session: an ``aiohttp.ClientSession`` or an ``httpx.AsyncClient`` of the program, instead of ``transport``; it
            stays open. Its TLS settings are used, with its client certificate, and not those of the partner.
        proxy: as for :class:`~stellantis_hal.StellantisClient`.
        hooks: callbacks for requests, responses, waits, retries and failures.
        converter: a cattrs converter from ``make_converter()``, with classes and hooks of your own; None: the default.
        headers: header fields of every request, such as ``{"Accept-Language": "fr"}``.
        priority: "background" leaves a share of the limits to "interactive".
        max_wait: seconds that one call may wait for the limits.
        strict: whether to raise ``StructureError`` for a body of which a value cannot be read.
        keep_document: whether typed values keep the bytes that they were read from.
        max_body: bytes that a body may have, decompressed, downloads aside.
        connections: how many requests may be under way at once; None: a number that fits the limiter, at most 500.
        max_redirects: redirects that a GET or HEAD follows.
        clock: the wall clock, aware.
        cache: where responses are stored while they are fresh, or can be validated; None: nowhere.
        policy: what may be sent to a car, and when; None: the default ``RemotePolicy()``.
        state: where the policy's state is kept: ``SQLiteState(path)``, which processes may share and which stays open;
            None: in memory, which ends with the client.
        receiver: feeds operations with the events that it receives; None: they are polled.

    Raises:
        ValueError: an address has no http or https origin; a bound is too small; ``proxy`` is not the URL of a proxy,
            or stands beside ``transport``.
        ConfigurationError: ``proxy`` needs the extra ``socks``, which is not installed.

    Example::

        partner = Partner("my-id", login="MZP123456", password="…", certificate=("cert.pem", "key.pem"))
        async with FleetOwnerClient(partner) as client:
            async for fleet in client.fleets():
                async for vehicle in fleet.vehicles():
                    print(vehicle.vin, await vehicle.status())
    """

    def __init__(
        self,
        partner: Partner,
        *,
        base_url: str = PARTNER_URL,
        trusted_origins: Iterable[str] | str = (),
        rate_limits: RateLimits | None = None,
        limiter: RateLimiter | None = None,
        retry: RetryPolicy | None = None,
        timeout: float | Timeouts | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        session: HostSession | None = None,
        proxy: str | Literal[False] | None = None,
        hooks: Hooks | None = None,
        converter: cattrs.Converter | None = None,
        headers: Mapping[str, str] | None = None,
        priority: Priority = "interactive",
        max_wait: float = 60.0,
        strict: bool = False,
        keep_document: bool = True,
        max_body: int = MAX_BODY,
        connections: int | None = None,
        max_redirects: int = MAX_REDIRECTS,
        clock: Callable[[], datetime] = utc_now,
        cache: CacheStore | None = None,
        policy: RemotePolicy | None = None,
        state: StateStore | None = None,
        receiver: EventReceiver | None = None,
    ) -> None:
        require_type("partner", partner, Partner, instead='Partner("client-id", login=…, password=…)')
        require_type("rate_limits", rate_limits, RateLimits, None, instead="RateLimits(per_second=…, per_day=…)")
        require_request_options(priority, max_wait)
        if session is not None and partner.certificate is not None:
            _logger.warning(
                "the certificate of the partner is not used: the borrowed session's own client certificate counts; "
                "load it there, as in aiohttp.TCPConnector(ssl=partner.tls.make_context())"
            )
        self._base_url = base_url.rstrip("/")
        self._fleets_url = f"{self._base_url}/fleets"
        self._converter = TypedConverter(converter, strict=strict, keep_document=keep_document, clock=clock)
        own_session = Session(
            to_origins(base_url, trusted_origins),
            transport=transport,
            host_session=session,
            limiter=TokenBucketLimiter(rate_limits, clock=clock) if limiter is None else limiter,
            retry=retry,
            timeouts=to_timeouts(timeout),
            tls=partner.tls if transport is None and session is None else None,
            proxy=proxy,
            conventions=FLEET_GATEWAY,
            hooks=hooks,
            max_body=max_body,
            connections=connections,
            max_redirects=max_redirects,
            clock=clock,
            cache=cache,
        )
        BaseClient.__init__(self, own_session)
        fetch = own_session.fetch(credentials=partner.credentials(), priority=priority, max_wait=max_wait)
        services = ControlDependencies.of(policy, state, receiver)
        context = ResourceContext(fetch, clock, self._converter, headers=default_headers(headers), services=services)
        EntryPoint.__init__(self, self._fleets_url, context)

    def __repr__(self) -> str:
        return "<FleetOwnerClient>"

    def fleets(self, *, page_size: int | None = None) -> Paginator[Fleet]:
        """Paginate the fleets of the partner. The API pages them by token only: there are no index ranges.

        Args:
            page_size: items on a page, 1 to 60.

        Raises:
            ValueError: the size is out of its bounds; nothing was sent.
        """
        from stellantis_hal.resources.fleet import Fleet

        walk = Paginator.over(
            UrlPageSource(self.get, self._fleets_url, {"pageSize": filters.page_size(page_size)}),
            "fleets",
            absent=is_absent,
            on_invalid=partial(self._converter.report_invalid_items, kind=Fleet),
            typed=True,
        )
        return walk.map(partial(self._converter.structure, kind=Fleet))

    async def fleet(self, id_: str) -> Fleet:
        """Fetch a fleet by its id.

        Raises:
            NotFoundError: the partner has no fleet with this id.
            ValueError: the id cannot be part of a path; nothing was sent.
        """
        from stellantis_hal.resources.fleet import Fleet

        return self._converter.structure(await self.get(join_segment(self._fleets_url, id_)), Fleet)

    async def capabilities(
        self, vin: str, *, extensions: Iterable[str] | str = ("onboardCapabilities",), locale: str | None = None
    ) -> VehicleCapabilities:
        """Fetch what a vehicle supports, by its VIN, before its owner is asked for consent.

        Args:
            vin: the whole VIN, in any case.
            extensions: ``onboardCapabilities``, ``branding``, ``pictures``.
            locale: the language of labels (``fr-FR``).

        Raises:
            NotFoundError: the vendor does not know the vehicle.
            ValueError: the VIN has a wrong form; nothing was sent.
        """
        from stellantis_hal.resources.vehicle_capabilities import VehicleCapabilities

        wanted = filters.choices("extensions", extensions, most=3)
        params: Params = {"extension": wanted, "locale": filters.text("locale", locale)}
        url = join_segment(f"{self._base_url}/vehicles", require_vin(vin, id_=None))
        resource = await self.get(append_query(url, encode_params(params)))
        return self._converter.structure(resource, VehicleCapabilities)

    def operation(self, token: str) -> Operation:
        """Return the operation of a token, as another process saved it; nothing is sent.

        Args:
            token: ``operation.token`` of an operation on a vehicle of this partner.

        Raises:
            ValueError: it is not the token of an operation.
        """
        from stellantis_hal.resources.control.operation import Operation
        from stellantis_hal.resources.control.operation_record import OperationRecord

        require_type("token", token, str, instead="operation.token")
        return Operation(OperationRecord.of_token(token), self._context)
