"""Knows when things go wrong: by a script, in waves, by chance, always the same for the same seed.

Must not know what a fault does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import attrs

from stellantis_hal.simulator.api.messages import Request
from stellantis_hal.simulator.faults.kinds import (
    CutBody,
    Delay,
    ExpiredToken,
    Fault,
    HtmlError,
    Refused,
    Reset,
    ServerFault,
    SlowBody,
    TooManyRequests,
    WrongLength,
)

__all__ = ["NO_FAULTS", "FaultInjector", "FaultWindow", "Faults", "Latency", "RandomFault", "ScriptedFault"]


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


@attrs.frozen(kw_only=True)
class ScriptedFault:
    """A step of a script: the next ``times`` requests whose path matches the pattern (searched for) meet the fault.

    ``skip`` requests that match pass before.
    """

    fault: Fault
    path: str = ""
    method: str | None = None
    times: int = 1
    skip: int = 0

    def matches(self, call: Request) -> bool:
        """Say whether a request is one of those meant."""
        return self.method in {None, call.method} and re.search(self.path, call.path) is not None


@attrs.frozen(kw_only=True)
class RandomFault:
    """A fault that a share of the requests meets; once it strikes, ``run`` requests in a row meet it."""

    fault: Fault
    rate: float
    path: str = ""
    run: int = 1


@attrs.frozen(kw_only=True)
class FaultWindow:
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
    script: Sequence[ScriptedFault] = ()
    waves: Sequence[FaultWindow] = ()
    chances: Sequence[RandomFault] = ()
    seed: int = 0
    skew: float = 0.0

    @classmethod
    def chaos(cls, rate: float, *, seed: int = 0, latency: Latency = Latency(fixed=0.02, tail=0.02)) -> Faults:
        """Let a share of the API's requests meet something that a patient client recovers from, each kind alike.

        The identity server is spared: a renewal whose answer is lost cannot be recovered from.
        """
        mishaps: tuple[tuple[Fault, int], ...] = (
            (Refused(), 1),
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
        share = rate / len(mishaps)
        chances = [RandomFault(fault=fault, rate=share / run, path="/connectedcar/", run=run) for fault, run in mishaps]
        return cls(latency=latency, chances=chances, seed=seed)


NO_FAULTS = Faults()


class FaultInjector:
    """Decides for each request which fault it meets: the same ones for the same seed and order of requests."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._rolls = Random(faults.seed)
        self._steps: list[list[Any]] = [[step, step.skip, step.times] for step in faults.script]
        self._run: tuple[RandomFault, int] | None = None

    def add(self, steps: Iterable[ScriptedFault]) -> None:
        """Put more steps at the end of the script."""
        self._steps += [[step, step.skip, step.times] for step in steps]

    def latency(self) -> float:
        """Draw how long the next answer takes."""
        return self._faults.latency.draw(self._rolls)

    def draw(self, call: Request, tick: float) -> Fault | None:
        """Say what happens to a request."""
        return self._scripted(call) or self._waved(call, tick) or self._chanced(call)

    def _scripted(self, call: Request) -> Fault | None:
        for entry in self._steps:
            step: ScriptedFault = entry[0]
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

    def _waved(self, call: Request, tick: float) -> Fault | None:
        for wave in self._faults.waves:
            if wave.since <= tick < wave.until and re.search(wave.path, call.path):
                return wave.fault
        return None

    def _chanced(self, call: Request) -> Fault | None:
        if self._run is not None and re.search(self._run[0].path, call.path):
            chance, left = self._run
            self._run = (chance, left - 1) if left > 1 else None
            return chance.fault
        for chance in self._faults.chances:
            if self._rolls.random() < chance.rate and re.search(chance.path, call.path):
                self._run = (chance, chance.run - 1) if chance.run > 1 else None
                return chance.fault
        return None
