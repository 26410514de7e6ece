"""Knows the order in which the vendor's machines look at a request: gateway, rate limits, token, resources.

Must not know how bytes travel. A call and a moment in, a reply out; it remembers books, tokens and counts alone.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from types import MappingProxyType
from urllib.parse import unquote

import attrs

from stellantis_hal.simulator.api.identity import Identity
from stellantis_hal.simulator.api.messages import Moment, Request, Response, json_response
from stellantis_hal.simulator.api.rate_limits import HasRateLimits, RateLimitLedger
from stellantis_hal.simulator.api.routes import Caller, Routes
from stellantis_hal.simulator.faults.kinds import ClockSkew, ExpiredToken, Fault, TooManyRequests
from stellantis_hal.simulator.world.entities import BRANDS
from stellantis_hal.simulator.world.seeded import mark

__all__ = ["Gateway", "Statistics"]

_REALMS = frozenset(realm for brand in BRANDS.values() for realm in brand.realms)


@attrs.frozen(kw_only=True)
class Statistics:
    """What the vendor has seen so far.

    Attributes:
        requests: all that arrived, the identity server's included.
        by_kind: answers by what they were (``trips``, ``status``, ``renewal``, ``refusal``, ``fault`` …).
        by_status: answers by HTTP status.
        refused: how many were answered 429, whoever was to blame.
        renewals: refresh tokens spent.
        peak: the most requests under way at once.
    """

    requests: int
    by_kind: Mapping[str, int]
    by_status: Mapping[int, int]
    refused: int
    renewals: int
    peak: int


class Gateway:
    """Answers calls."""

    def __init__(
        self,
        *,
        routes: Routes,
        identity: Identity,
        limits: HasRateLimits,
        client_id: str,
        path: str,
        partner_path: str,
        seed: int,
        skew: float = 0.0,
        compresses: bool = False,
    ) -> None:
        self.identity = identity
        self.path = path
        self.partner_path = partner_path
        self.link_base: str | None = None
        self._routes = routes
        self._books = RateLimitLedger(limits)
        self._client_id = client_id
        self._seed = seed
        self._compresses = compresses
        self._skew = timedelta(seconds=skew)
        self._requests = 0
        self._answers = 0
        self._under_way = 0
        self._peak = 0
        self._kinds: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()

    # ------------------------------------------------------------------ answering

    def answer(self, call: Request, now: Moment, fault: Fault | None = None) -> Response:
        """Answer a call, a fault included."""
        self._answers += 1
        reply = self._reply(call, now, fault)
        if self._compresses and "gzip" in call.headers.get("accept-encoding", ""):
            zipped = gzip.compress(reply.body, compresslevel=1, mtime=0)
            reply = attrs.evolve(reply, body=zipped).with_headers(("Content-Encoding", "gzip"))
        skew = self._skew + timedelta(seconds=fault.seconds if isinstance(fault, ClockSkew) else 0.0)
        reply = reply.with_headers(
            ("Date", format_datetime((now.wall + skew).replace(microsecond=0), usegmt=True)),
            ("X-Global-Transaction-ID", mark(self._seed, "transaction", self._answers, size=12)),
        )
        self._kinds[reply.kind] += 1
        self._statuses[reply.status] += 1
        return reply

    def _reply(self, call: Request, now: Moment, fault: Fault | None) -> Response:
        stand_in = None if fault is None else fault.instead()
        if fault is not None and fault.before and stand_in is not None:
            return self._unseen(stand_in, fault, now)
        _, identity, address = call.path.partition("/am/oauth2/")
        if identity:
            return stand_in or self.identity.answer(call, address, now)
        if call.value("client_id") != self._client_id:
            return _gateway(401, "Unauthorized", "Invalid client id or secret.")
        wait = self._books.admit(now.tick)
        fields = self._books.fields(now.tick)
        if wait:
            refusal = _gateway(429, "Too Many Requests", "Rate Limit exceeded")
            return refusal.with_headers(*fields, *self._books.refusal_fields(wait))
        reply = stand_in or self._seen(call, now, fault)
        return (reply if fault is None else fault.spoil(reply)).with_headers(*fields)

    def _unseen(self, reply: Response, fault: Fault, now: Moment) -> Response:
        """Complete an answer that the books know nothing of with the counters it does not lie about."""
        if isinstance(fault, TooManyRequests) and fault.bare:
            return reply
        claimed = {name for name, _ in reply.headers}
        return reply.with_headers(*(field for field in self._books.fields(now.tick) if field[0] not in claimed))

    def _seen(self, call: Request, now: Moment, fault: Fault | None) -> Response:
        partner = f"{self.partner_path}/vehicles/"
        if call.path.startswith(partner):
            return self._partner(call, unquote(call.path.removeprefix(partner)))
        return self._resource(call, now, fault)

    def _partner(self, call: Request, vin: str) -> Response:
        if not self.identity.authenticates(call):
            return _gateway(401, "Unauthorized", "Invalid client id or secret.")
        return self._routes.capabilities(vin)

    def _resource(self, call: Request, now: Moment, fault: Fault | None) -> Response:
        realm = call.headers.get("x-introspect-realm")
        if realm not in _REALMS:
            return _gateway(403, "Forbidden", "Not registered to plan")
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if isinstance(fault, ExpiredToken):
            self.identity.expire(token)
        holder = self.identity.holder(token, now) if scheme.lower() == "bearer" else None
        if holder is None or realm not in BRANDS[holder[0].brand].realms:
            refusal = _gateway(401, "Unauthorized", "The access token is invalid or expired.")
            return refusal.with_headers(("WWW-Authenticate", "Bearer error='invalid_token'"))
        if call.path != self.path and not call.path.startswith(f"{self.path}/"):
            return json_response(404, {"code": 40499, "message": "Not found."}, kind="refusal")
        base = f"{call.origin}{self.path}" if self.link_base is None else self.link_base
        reader = Caller(account=holder[0], scope=holder[1], base=base, now=now)
        return self._routes.answer(call, call.path[len(self.path) :], reader)

    # ------------------------------------------------------------------ counting

    @contextmanager
    def under_way(self) -> Generator[None]:
        """Count a request while it is under way."""
        self._requests += 1
        self._under_way += 1
        self._peak = max(self._peak, self._under_way)
        try:
            yield
        finally:
            self._under_way -= 1

    def remaining(self, now: Moment) -> tuple[int, int]:
        """Say what is left of the day and of the second."""
        return self._books.remaining(now.tick)

    @property
    def statistics(self) -> Statistics:
        """What was seen so far."""
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
