"""Fault plan: scripted, timed and random faults, reproducible by seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

import attrs

from stellantis_hal.simulator.api.http_messages import Request
from stellantis_hal.simulator.faults.bounds import AT_LEAST_ONE, NOT_NEGATIVE, SHARE
from stellantis_hal.simulator.faults.kinds import (
    ConnectionRefused,
    CutBody,
    Delay,
    ExpiredToken,
    Fault,
    HtmlError,
    Reset,
    ServerFault,
    SlowBody,
    TooManyRequests,
    WrongLength,
)

__all__ = ["NO_FAULTS", "FaultInjector", "FaultWindow", "Faults", "Latency", "RandomFault", "ScriptedFault"]


@attrs.frozen
class Latency:
    """Latency of a response in seconds: ``fixed``, plus up to ``uniform``, plus an exponential of mean ``tail``."""

    fixed: float = attrs.field(default=0.0, validator=NOT_NEGATIVE)
    uniform: float = attrs.field(default=0.0, validator=NOT_NEGATIVE)
    tail: float = attrs.field(default=0.0, validator=NOT_NEGATIVE)

    def draw(self, random: Random) -> float:
        """Return a random latency."""
        tail = random.expovariate(1 / self.tail) if self.tail else 0.0
        return self.fixed + (random.random() * self.uniform if self.uniform else 0.0) + tail


def _is_fault(_: Any, __: Any, fault: Any) -> None:
    if not isinstance(fault, Fault):
        raise TypeError(f"fault must be a fault, as ServerFault(status=503), not {fault!r}")


def _are(kind: type[Any]) -> Callable[[Any, attrs.Attribute[Any], Iterable[object]], None]:
    """Return what checks that each item of a sequence is of a class."""

    def check(_: Any, field: attrs.Attribute[Any], items: Iterable[object]) -> None:
        for item in items:
            require_step(field.name, item, kind)

    return check


def require_step(name: str, item: object, kind: type[Any]) -> None:
    """Check an item of a plan.

    Raises:
        TypeError: it is of another class.
    """
    if not isinstance(item, kind):
        raise TypeError(f"{name} must have each item as {kind.__name__}(fault=…, …), not {item!r}")


@attrs.frozen(kw_only=True)
class ScriptedFault:
    """A step of a script: the next ``times`` requests whose path contains a match of the pattern meet the fault.

    The first ``skip`` matching requests pass without a fault.
    """

    fault: Fault = attrs.field(validator=_is_fault)
    path: str = ""
    method: str | None = None
    times: int = attrs.field(default=1, validator=NOT_NEGATIVE)
    skip: int = attrs.field(default=0, validator=NOT_NEGATIVE)

    def matches(self, request: Request) -> bool:
        """Return whether a request matches."""
        return self.method in {None, request.method} and re.search(self.path, request.path) is not None


@attrs.frozen(kw_only=True)
class RandomFault:
    """A fault of a share of the requests; each time it occurs, ``run`` requests in a row meet it."""

    fault: Fault = attrs.field(validator=_is_fault)
    rate: float = attrs.field(validator=SHARE)
    path: str = ""
    run: int = attrs.field(default=1, validator=AT_LEAST_ONE)


@attrs.frozen(kw_only=True)
class FaultWindow:
    """A fault of every request between two times, in seconds since the simulator's first request."""

    fault: Fault = attrs.field(validator=_is_fault)
    since: float
    until: float
    path: str = ""


@attrs.frozen(kw_only=True)
class Faults:
    """Faults of a simulator. Scripted faults come before timed ones, timed ones before random ones.

    Attributes:
        latency: latency of every response, half of it before the server handles the request.
        script: faults by the order of requests; each step is used up.
        windows: faults by time.
        random: faults by probability.
        seed: seed of the random faults and latencies.
        skew: seconds by which the server's ``Date`` is wrong.
    """

    latency: Latency = Latency()
    script: Sequence[ScriptedFault] = attrs.field(default=(), validator=_are(ScriptedFault))
    windows: Sequence[FaultWindow] = attrs.field(default=(), validator=_are(FaultWindow))
    random: Sequence[RandomFault] = attrs.field(default=(), validator=_are(RandomFault))
    seed: int = 0
    skew: float = 0.0

    @classmethod
    def chaos(cls, rate: float, *, seed: int = 0, latency: Latency = Latency(fixed=0.02, tail=0.02)) -> Faults:
        """Return random faults for a share of the API's requests, all of kinds that a retrying client recovers from.

        The identity server has no faults: a renewal whose response is lost cannot be repeated.
        """
        kinds: tuple[tuple[Fault, int], ...] = (
            (ConnectionRefused(), 1),
            (Reset(), 1),
            (Reset(counted=False), 1),
            (TooManyRequests(retry_after="1"), 3),
            (TooManyRequests(retry_after="name=rate-limit-2,1", remaining=None), 1),
            (TooManyRequests(retry_after=None, bare=True), 1),
            (ServerFault(status=503, code=50300), 2),
            (ServerFault(), 1),
            (HtmlError(), 1),
            (CutBody(), 1),
            (WrongLength(), 1),
            (SlowBody(seconds=0.1), 1),
            (Delay(seconds=2.0), 1),
            (ExpiredToken(), 1),
        )
        share = rate / len(kinds)
        random = [RandomFault(fault=fault, rate=share / run, path="/connectedcar/", run=run) for fault, run in kinds]
        return cls(latency=latency, random=random, seed=seed)


NO_FAULTS = Faults()


class FaultInjector:
    """Selects the fault of each request, reproducible for the same seed and order of requests."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._random = Random(faults.seed)
        self._steps: list[list[Any]] = [[step, step.skip, step.times] for step in faults.script]
        self._run: tuple[RandomFault, int] | None = None

    def add(self, steps: Iterable[ScriptedFault]) -> None:
        """Append steps to the script.

        Raises:
            TypeError: one is no :class:`ScriptedFault`.
        """
        steps = list(steps)
        for step in steps:
            require_step("script", step, ScriptedFault)
        self._steps += [[step, step.skip, step.times] for step in steps]

    @property
    def random(self) -> Sequence[RandomFault]:
        """The random faults."""
        return self._faults.random

    def replace(self, *, random: Sequence[RandomFault] | None = None, latency: Latency | None = None) -> None:
        """Replace the random faults, the latency, or both."""
        if random is not None:
            self._faults = attrs.evolve(self._faults, random=tuple(random))
            self._run = None
        if latency is not None:
            self._faults = attrs.evolve(self._faults, latency=latency)

    def latency(self) -> float:
        """Return the latency of the next response in seconds."""
        return self._faults.latency.draw(self._random)

    def draw(self, request: Request, tick: float) -> Fault | None:
        """Return the fault of a request, or None."""
        return self._by_script(request) or self._by_window(request, tick) or self._by_chance(request)

    def _by_script(self, request: Request) -> Fault | None:
        for entry in self._steps:
            step: ScriptedFault = entry[0]
            if not step.matches(request):
                continue
            if entry[1]:
                entry[1] -= 1
                continue
            entry[2] -= 1
            if not entry[2]:
                self._steps.remove(entry)
            return step.fault
        return None

    def _by_window(self, request: Request, tick: float) -> Fault | None:
        for window in self._faults.windows:
            if window.since <= tick < window.until and re.search(window.path, request.path):
                return window.fault
        return None

    def _by_chance(self, request: Request) -> Fault | None:
        if self._run is not None and re.search(self._run[0].path, request.path):
            random_fault, left = self._run
            self._run = (random_fault, left - 1) if left > 1 else None
            return random_fault.fault
        for random_fault in self._faults.random:
            if self._random.random() < random_fault.rate and re.search(random_fault.path, request.path):
                self._run = (random_fault, random_fault.run - 1) if random_fault.run > 1 else None
                return random_fault.fault
        return None
