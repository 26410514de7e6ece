"""API gateway: faults, client id, rate limits, token and routing, in the order of the vendor's gateway."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from types import MappingProxyType

import attrs

from stellantis_hal.simulator.api.fleet_routes import FleetRoutes
from stellantis_hal.simulator.api.http_messages import ClockReading, Request, Response, json_response
from stellantis_hal.simulator.api.identity import IdentityServer
from stellantis_hal.simulator.api.partner_basic_auth import PartnerBasicAuth
from stellantis_hal.simulator.api.rate_limits import HasRateLimits, RateLimitLedger
from stellantis_hal.simulator.api.routes import Caller, Routes
from stellantis_hal.simulator.faults.kinds import ClockSkew, ExpiredToken, Fault, TooManyRequests
from stellantis_hal.simulator.world.entities import BRANDS
from stellantis_hal.simulator.world.seeded import hex_digits

__all__ = ["Gateway", "Statistics"]

_REALMS = frozenset(realm for brand in BRANDS.values() for realm in brand.realms)


@attrs.frozen(kw_only=True)
class Statistics:
    """Counters of the requests so far.

    Attributes:
        requests: requests received, including those to the identity server.
        by_kind: responses by kind (``trips``, ``status``, ``renewal``, ``refusal``, ``fault`` …).
        by_status: responses by HTTP status.
        refused: responses with status 429, including injected ones.
        renewals: successful renewals of tokens.
        peak: maximum number of requests in flight.
    """

    requests: int
    by_kind: Mapping[str, int]
    by_status: Mapping[int, int]
    refused: int
    renewals: int
    peak: int


class Gateway:
    """Responds to requests: counts them, checks client id, rate limits and token, then calls the routes."""

    def __init__(
        self,
        *,
        routes: Routes,
        identity: IdentityServer,
        limits: HasRateLimits,
        client_id: str,
        path: str,
        fleets: FleetRoutes,
        partner: PartnerBasicAuth,
        partner_path: str,
        seed: int,
        skew: float = 0.0,
        compresses: bool = False,
    ) -> None:
        self.identity = identity
        self.path = path
        self.partner_path = partner_path
        self.link_base: str | None = None
        self.partner_link_base: str | None = None
        self._fleets = fleets
        self._partner_login = partner
        self._routes = routes
        self._ledger = RateLimitLedger(limits)
        self._client_id = client_id
        self._seed = seed
        self._compresses = compresses
        self._skew = timedelta(seconds=skew)
        self._requests = 0
        self._responses = 0
        self._in_flight = 0
        self._peak = 0
        self._kinds: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()

    def set_partner_login(self, login: str, password: str) -> None:
        """Replace the partner's login and its password, as the vendor does now and then."""
        self._partner_login = PartnerBasicAuth(login, password)

    # ------------------------------------------------------------------ responses

    def respond(self, request: Request, now: ClockReading, fault: Fault | None = None) -> Response:
        """Return the response to a request, changed by a fault if there is one."""
        self._responses += 1
        response = self._respond(request, now, fault)
        if self._compresses and "gzip" in request.headers.get("accept-encoding", ""):
            zipped = gzip.compress(response.body, compresslevel=1, mtime=0)
            response = attrs.evolve(response, body=zipped).with_headers(("Content-Encoding", "gzip"))
        skew = self._skew + timedelta(seconds=fault.seconds if isinstance(fault, ClockSkew) else 0.0)
        response = response.with_headers(
            ("Date", format_datetime((now.wall + skew).replace(microsecond=0), usegmt=True)),
            ("X-Global-Transaction-ID", hex_digits(self._seed, "transaction", self._responses, size=12)),
        )
        self._kinds[response.kind] += 1
        self._statuses[response.status] += 1
        return response

    def _respond(self, request: Request, now: ClockReading, fault: Fault | None) -> Response:
        replacement = None if fault is None else fault.replacement()
        if fault is not None and fault.bypasses_server and replacement is not None:
            return self._add_limit_headers(replacement, fault, now)
        _, identity, address = request.path.partition("/am/oauth2/")
        if identity:
            return replacement or self.identity.respond(request, address, now)
        if request.value("client_id") != self._client_id:
            return _gateway(401, "Unauthorized", "Invalid client id or secret.")
        wait = self._ledger.admit(now.tick)
        headers = self._ledger.headers(now.tick)
        if wait:
            refusal = _gateway(429, "Too Many Requests", "Rate Limit exceeded")
            return refusal.with_headers(*headers, *self._ledger.refusal_headers(wait))
        response = replacement or self._route(request, now, fault)
        return (response if fault is None else fault.alter(response)).with_headers(*headers)

    def _add_limit_headers(self, response: Response, fault: Fault, now: ClockReading) -> Response:
        """Add the rate-limit headers that an injected response does not set itself."""
        if isinstance(fault, TooManyRequests) and fault.bare:
            return response
        claimed = {name for name, _ in response.headers}
        return response.with_headers(*(field for field in self._ledger.headers(now.tick) if field[0] not in claimed))

    def _route(self, request: Request, now: ClockReading, fault: Fault | None) -> Response:
        if request.path.startswith(f"{self.partner_path}/"):
            return self._partner(request, now)
        return self._resource(request, now, fault)

    def _partner(self, request: Request, now: ClockReading) -> Response:
        if not self._partner_login.signs(request):
            refusal = _gateway(401, "Unauthorized", "The partner login or its password is wrong.")
            return refusal.with_headers(("WWW-Authenticate", 'Basic realm="partners"'))
        base = f"{request.origin}{self.partner_path}" if self.partner_link_base is None else self.partner_link_base
        return self._fleets.respond(request, request.path[len(self.partner_path) :], base, now)

    def _resource(self, request: Request, now: ClockReading, fault: Fault | None) -> Response:
        realm = request.headers.get("x-introspect-realm")
        if realm not in _REALMS:
            return _gateway(403, "Forbidden", "Not registered to plan")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if isinstance(fault, ExpiredToken):
            self.identity.expire(token)
        token_owner = self.identity.token_owner(token, now) if scheme.lower() == "bearer" else None
        if token_owner is None or realm not in BRANDS[token_owner[0].brand].realms:
            refusal = _gateway(401, "Unauthorized", "The access token is invalid or expired.")
            return refusal.with_headers(("WWW-Authenticate", "Bearer error='invalid_token'"))
        if request.path != self.path and not request.path.startswith(f"{self.path}/"):
            return json_response(404, {"code": 40499, "message": "Not found."}, kind="refusal")
        base = f"{request.origin}{self.path}" if self.link_base is None else self.link_base
        caller = Caller(account=token_owner[0], scope=token_owner[1], base=base, now=now)
        return self._routes.respond(request, request.path[len(self.path) :], caller)

    # ------------------------------------------------------------------ counting

    @contextmanager
    def in_flight(self) -> Generator[None]:
        """Count a request as in flight within the block."""
        self._requests += 1
        self._in_flight += 1
        self._peak = max(self._peak, self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1

    def remaining(self, now: ClockReading) -> tuple[int, int]:
        """Return the requests left in the day window and in the second window."""
        return self._ledger.remaining(now.tick)

    @property
    def statistics(self) -> Statistics:
        """Counters of the requests so far."""
        return Statistics(
            requests=self._requests,
            by_kind=MappingProxyType(dict(self._kinds)),
            by_status=MappingProxyType(dict(self._statuses)),
            refused=self._statuses[429],
            renewals=self.identity.renewals,
            peak=self._peak,
        )


def _gateway(status: int, message: str, information: str) -> Response:
    body = {"httpCode": str(status), "httpMessage": message, "moreInformation": information}
    return json_response(status, body, kind="refusal")
