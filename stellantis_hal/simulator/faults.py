"""Knows what can go wrong on the way, as values, and what it does to an answer.

Must not know the world, the API's addresses or how bytes travel.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any, ClassVar

import attrs

from stellantis_hal.simulator.exchange import Call, Reply, json_reply

__all__ = [
    "NO_FAULTS",
    "Chance",
    "CutBody",
    "ExpiredToken",
    "Fault",
    "Faults",
    "ForeignLink",
    "HtmlError",
    "Late",
    "Latency",
    "LoopingLink",
    "OAuthFault",
    "Plan",
    "Refused",
    "Reset",
    "ServerFault",
    "Skewed",
    "SlowBody",
    "Then",
    "TooManyRequests",
    "VanishedFields",
    "Wave",
    "WrongLength",
]


@attrs.frozen
class Latency:
    """How long an answer takes, in seconds: ``fixed``, plus a uniform part, plus a tail of exponential mean."""

    fixed: float = 0.0
    uniform: float = 0.0
    tail: float = 0.0

    def draw(self, rolls: Random) -> float:
        """Draw one."""
        tail = rolls.expovariate(1 / self.tail) if self.tail else 0.0
        return self.fixed + (rolls.random() * self.uniform if self.uniform else 0.0) + tail


@attrs.frozen
class Fault:
    """Something that goes wrong with one request. By itself it does nothing; its kinds do."""

    before: ClassVar[bool] = False
    """Whether the vendor's books and resources never see the request."""

    def instead(self) -> Reply | None:
        """Give the answer that takes the place of the real one, if there is one."""
        return None

    def spoil(self, reply: Reply) -> Reply:
        """Give what becomes of the real answer."""
        return reply


@attrs.frozen
class Refused(Fault):
    """The connection is refused: nothing was sent."""

    before: ClassVar[bool] = True


@attrs.frozen
class Reset(Fault):
    """The connection breaks before an answer comes. With ``counted`` the request has been handled all the same."""

    counted: bool = True


@attrs.frozen
class Late(Fault):
    """The answer takes so many seconds more."""

    seconds: float


@attrs.frozen
class ExpiredToken(Fault):
    """The access token of the request turns out to be expired, and stays so."""


@attrs.frozen
class TooManyRequests(Fault):
    """A 429 that the books know nothing of.

    ``retry_after`` and ``reset`` are worded as given, None leaves them out; ``remaining`` is what the counters of
    both windows claim, None leaves them as they are. A ``bare`` one carries no rate-limit fields at all.
    """

    retry_after: str | None = "1"
    reset: str | None = None
    remaining: int | None = 0
    bare: bool = False
    before: ClassVar[bool] = True

    def instead(self) -> Reply | None:
        """Refuse."""
        fields: list[tuple[str, str]] = []
        if self.retry_after is not None:
            fields.append(("Retry-After", self.retry_after))
        if self.reset is not None:
            fields.append(("X-RateLimit-Reset", self.reset))
        if self.remaining is not None and not self.bare:
            fields += [(f"X-RateLimit-Remaining-{window}", str(self.remaining)) for window in (1, 2)]
        body = {"httpCode": "429", "httpMessage": "Too Many Requests", "moreInformation": "Rate Limit exceeded"}
        return json_reply(429, body, kind="fault").with_headers(*fields)


@attrs.frozen
class ServerFault(Fault):
    """A 5xx in the API's own shape."""

    status: int = 500
    code: int = 50000
    retry_after: str | None = None

    def instead(self) -> Reply | None:
        """Fail."""
        body = {"code": self.code, "message": "Internal error.", "uuid": "0", "timestamp": "2026-01-01T00:00:00.000Z"}
        fields = () if self.retry_after is None else (("Retry-After", self.retry_after),)
        return json_reply(self.status, body, kind="fault").with_headers(*fields)


@attrs.frozen
class HtmlError(Fault):
    """A page of HTML from some machine in between; with status 200 it even looks like a success."""

    status: int = 502

    def instead(self) -> Reply | None:
        """Answer with a page for people."""
        body = f"<html><head><title>{self.status}</title></head><body><h1>Sorry</h1></body></html>".encode()
        return Reply(status=self.status, headers=(("Content-Type", "text/html"),), body=body, kind="fault")


@attrs.frozen
class OAuthFault(Fault):
    """An error in OAuth2's shape; ``server_error`` is seen with status 400 and passes by itself."""

    error: str = "server_error"
    status: int = 400

    def instead(self) -> Reply | None:
        """Fail."""
        return json_reply(self.status, {"error": self.error, "error_description": "Try later."}, kind="fault")


@attrs.frozen
class CutBody(Fault):
    """The connection breaks within the body, a share of it (0 to 1) having arrived."""

    keep: float = 0.5


@attrs.frozen
class SlowBody(Fault):
    """The body comes in pieces, with so many seconds before each."""

    seconds: float = 1.0
    pieces: int = 4


@attrs.frozen
class WrongLength(Fault):
    """``Content-Length`` is off by so many bytes. Less than the truth: the body seems to end early."""

    off: int = 10


@attrs.frozen
class Skewed(Fault):
    """The server's clock is wrong by so many seconds in ``Date``."""

    seconds: float = 3600.0


def _edited(reply: Reply, edit: Any) -> Reply:
    """Give an answer whose JSON object went through an edit; any other answer stays as it is."""
    if reply.status != 200:
        return reply
    body = json.loads(reply.body)
    edit(body)
    return attrs.evolve(reply, body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())


@attrs.frozen
class ForeignLink(Fault):
    """A link leads to another host."""

    rel: str = "next"
    href: str = "https://evil.example/connectedcar/v4/user"

    def spoil(self, reply: Reply) -> Reply:
        """Bend the link, or plant it."""

        def bend(body: Any) -> None:
            body.setdefault("_links", {})[self.rel] = {"href": self.href}

        return _edited(reply, bend)


@attrs.frozen
class LoopingLink(Fault):
    """A page's ``next`` is the page itself."""

    def spoil(self, reply: Reply) -> Reply:
        """Tie the loop."""

        def tie(body: Any) -> None:
            links = body.get("_links", {})
            if "self" in links:
                links["next"] = links["self"]

        return _edited(reply, tie)


@attrs.frozen
class VanishedFields(Fault):
    """Fields are missing, wherever in the body they stood."""

    names: tuple[str, ...] = ("createdAt", "total", "faults")

    def spoil(self, reply: Reply) -> Reply:
        """Take them away."""

        def strip(value: Any) -> None:
            if isinstance(value, dict):
                for name in self.names:
                    value.pop(name, None)
                for inner in value.values():
                    strip(inner)
            elif isinstance(value, list):
                for inner in value:
                    strip(inner)

        return _edited(reply, strip)


# ---------------------------------------------------------------------- when it happens


@attrs.frozen(kw_only=True)
class Then:
    """A step of a script: the next ``times`` requests whose path matches the pattern (searched for) meet the fault.

    ``skip`` requests that match pass before.
    """

    fault: Fault
    path: str = ""
    method: str | None = None
    times: int = 1
    skip: int = 0

    def matches(self, call: Call) -> bool:
        """Say whether a request is one of those meant."""
        return self.method in {None, call.method} and re.search(self.path, call.path) is not None


@attrs.frozen(kw_only=True)
class Chance:
    """A fault that a share of the requests meets; once it strikes, ``run`` requests in a row meet it."""

    fault: Fault
    rate: float
    path: str = ""
    run: int = 1


@attrs.frozen(kw_only=True)
class Wave:
    """A fault that every request meets between two instants, in seconds since the simulator's first request."""

    fault: Fault
    since: float
    until: float
    path: str = ""


@attrs.frozen(kw_only=True)
class Faults:
    """All that goes wrong. A script's steps are used up one after the other, before waves and chances.

    Attributes:
        latency: what every answer takes, half of it before the vendor sees the request.
        seed: what the random part depends on.
        skew: seconds by which the server's ``Date`` is wrong.
    """

    latency: Latency = Latency()
    script: Sequence[Then] = ()
    waves: Sequence[Wave] = ()
    chances: Sequence[Chance] = ()
    seed: int = 0
    skew: float = 0.0


NO_FAULTS = Faults()


class Plan:
    """Decides for each request which fault it meets: the same ones for the same seed and order of requests."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._rolls = Random(faults.seed)
        self._steps: list[list[Any]] = [[step, step.skip, step.times] for step in faults.script]
        self._run: tuple[Chance, int] | None = None

    def add(self, steps: Iterable[Then]) -> None:
        """Put more steps at the end of the script."""
        self._steps += [[step, step.skip, step.times] for step in steps]

    def latency(self) -> float:
        """Draw how long the next answer takes."""
        return self._faults.latency.draw(self._rolls)

    def draw(self, call: Call, tick: float) -> Fault | None:
        """Say what happens to a request."""
        return self._scripted(call) or self._waved(call, tick) or self._chanced(call)

    def _scripted(self, call: Call) -> Fault | None:
        for entry in self._steps:
            step: Then = entry[0]
            if not step.matches(call):
                continue
            if entry[1]:
                entry[1] -= 1
                continue
            entry[2] -= 1
            if not entry[2]:
                self._steps.remove(entry)
            return step.fault
        return None

    def _waved(self, call: Call, tick: float) -> Fault | None:
        for wave in self._faults.waves:
            if wave.since <= tick < wave.until and re.search(wave.path, call.path):
                return wave.fault
        return None

    def _chanced(self, call: Call) -> Fault | None:
        if self._run is not None and re.search(self._run[0].path, call.path):
            chance, left = self._run
            self._run = (chance, left - 1) if left > 1 else None
            return chance.fault
        for chance in self._faults.chances:
            if self._rolls.random() < chance.rate and re.search(chance.path, call.path):
                self._run = (chance, chance.run - 1) if chance.run > 1 else None
                return chance.fault
        return None
