"""A soak of the watch: kills, faults, clock jumps, two accounts in two brands, with every law checked.

Run it as ``python -m benchmarks.soak [--hours 175] [--vehicles 20] [--every 60] [--polls 200000] [--real]``. Time is
jumped, with the simulator in the same process; ``--real`` takes as long as it says. Polls, utilisation of the limit,
CPU time for each poll, memory and tasks are printed every ten seconds of real time.

The watch is killed about every half hour: its block is left by a cancellation, with an update in hand that was not
acknowledged, and the next watch goes on from the store. The API and the identity servers have outages of both kinds
(errors, silence), requests fail at random, and the wall clock jumps by up to a day and back. Laws: every trip is
delivered, once (again only where it was not acknowledged), in the order of a vehicle's trips unless ``late``; no 429;
no token, id or VIN in a log line or the ``repr`` of an event; memory stays within 10 %, and tasks do not grow.
"""

from __future__ import annotations

import argparse
import gc
import logging
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import anyio
import attrs
import trio.testing

from benchmarks.harness.resident import resident_memory
from stellantis_hal import Account, Application, Brand, StellantisClient, Token
from stellantis_hal.fleet import MemoryCheckpoints, Outage, Update, WatchEvent, watch
from stellantis_hal.simulator import (
    Delay,
    Faults,
    FaultWindow,
    RandomFault,
    ServerFault,
    Simulator,
    SubscriptionLimits,
    World,
)
from stellantis_hal.simulator.faults.kinds import OAuthFault

__all__ = ["Laws", "Measured", "Options", "Sample", "Soak", "growth", "main"]

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = 3_600.0
_SAMPLE_EVERY = 10.0
_KILL_EVERY = 1_800.0
_SETTLE = 26 * HOUR
"""Seconds without faults at the end: a deep scan for late trips comes once a day."""
_LIMIT = 20


@attrs.frozen(kw_only=True)
class Options:
    """Options of a soak.

    Attributes:
        hours: hours of the backend's clock, at most; a day without faults follows.
        vehicles: of both accounts together.
        every: seconds between two polls of a vehicle.
        polls: polls after which it ends.
        minutes: minutes of real time after which it ends.
        seed: of kills, jumps and trips.
    """

    hours: float = 175.0
    vehicles: int = 20
    every: float = 60.0
    polls: int = 200_000
    minutes: float = 60.0
    seed: int = 1


@attrs.frozen(kw_only=True)
class Sample:
    """Figures of ten seconds of real time."""

    hours: float
    polls: int
    utilisation: float
    cpu_per_poll: float
    memory: float
    tasks: int

    def __str__(self) -> str:
        return (
            f"{self.hours:8.2f} h  {self.polls:8d} polls  {self.utilisation:6.1%} of the limit  "
            f"{self.cpu_per_poll * 1e6:7.0f} us/poll  {self.memory:6.0f} MiB  {self.tasks:4d} tasks"
        )


class Measured(Protocol):
    """What is looked at for growth."""

    @property
    def memory(self) -> float: ...
    @property
    def tasks(self) -> int: ...


class Laws(logging.Handler):
    """What must hold of the events and the log lines of all watches together.

    Args:
        secrets: texts that must not be shown.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__(logging.INFO)
        self.secrets = tuple(secrets)
        self.broken: list[str] = []
        self.delivered: Counter[str] = Counter()
        self._last: str | None = None
        self._redelivered: set[str] = set()
        self._newest: dict[str, datetime] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Check a log line."""
        self._check_text(record.getMessage())

    def _check_text(self, text: str) -> None:
        if any(secret in text for secret in self.secrets):
            self.broken.append(f"a secret was shown in {text[:60]!r}")

    def killed(self) -> None:
        """Record that the last event was not acknowledged: it may come again."""
        if self._last is not None:
            self._redelivered.add(self._last)

    def observe(self, event: WatchEvent) -> None:
        """Check an event that was delivered."""
        self._check_text(repr(event))
        self._last = event.id if isinstance(event, Update) else None
        if not isinstance(event, Update) or event.trip is None:
            return
        if self.delivered[event.id] and event.id not in self._redelivered:
            self.broken.append(f"{event.id[-16:]} was delivered twice")
        self._redelivered.discard(event.id)
        self.delivered[event.id] += 1
        started, vehicle = event.trip.started_at, str(event.vehicle.id)
        if started is not None:
            if started < self._newest.get(vehicle, started) and not event.late and self.delivered[event.id] == 1:
                self.broken.append(f"{event.id[-16:]} came after a later trip, and is not late")
            self._newest[vehicle] = max(started, self._newest.get(vehicle, started))


class Soak:
    """One soak: its simulator, its watches and what they showed."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.random = random.Random(options.seed)
        self.world = World(seed=17, accounts=2, vehicles=options.vehicles, trips=0, epoch=EPOCH)
        self.simulator = Simulator(
            self.world,
            epoch=EPOCH,
            faults=_faults(options.hours),
            rate_limits=SubscriptionLimits(_LIMIT, 50_000_000),
        )
        self.ahead = timedelta()
        self.store = MemoryCheckpoints()
        secrets = [
            self.simulator.client_secret,
            *(text for each in self.world.vehicles for text in (each.id, each.vin)),
        ]
        self.laws = Laws(secrets)
        self.driven: set[str] = set()
        self.samples: list[Sample] = []
        self.events: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.kills = self.jumps = self.polls = 0

    def clock(self) -> datetime:
        """Return the wall time of the client, which is wrong at times."""
        return self.simulator.now() + self.ahead

    async def run(self) -> None:
        """Watch, with all disturbances, then settle and check."""
        async with (
            StellantisClient(
                Application(self.simulator.client_id, self.simulator.client_secret),
                base_url=self.simulator.url,
                identity_url=self.simulator.identity_url,
                transport=self.simulator.transport(),
                clock=self.clock,
            ) as client,
            anyio.create_task_group() as tasks,
        ):
            accounts = [self._account(client, number) for number in range(2)]
            tasks.start_soon(self._drive)
            tasks.start_soon(self._jump)
            tasks.start_soon(self._sample)
            started = time.monotonic()
            end = anyio.current_time() + self.options.hours * HOUR
            while anyio.current_time() < end and self.polls < self.options.polls:
                if time.monotonic() - started > self.options.minutes * 60:
                    break
                await self._watch(accounts, self.random.expovariate(1 / _KILL_EVERY))
                self.laws.killed()
                self.kills += 1
            tasks.cancel_scope.cancel()
        self.ahead = timedelta()

    async def settle(self, seconds: float, *, every: float) -> None:
        """Watch without faults, kills, jumps or new trips, so that what is left is delivered."""
        async with StellantisClient(
            Application(self.simulator.client_id, self.simulator.client_secret),
            base_url=self.simulator.url,
            identity_url=self.simulator.identity_url,
            transport=self.simulator.transport(),
            clock=self.clock,
        ) as client:
            await self._watch([self._account(client, number) for number in range(2)], seconds, every=every)

    def _account(self, client: StellantisClient, number: int) -> Account:
        holder = self.world.accounts[number]
        issued = self.simulator.token_for(holder)
        self.laws.secrets += (issued.access_token, issued.refresh_token)
        token = Token(issued.access_token, issued.refresh_token, expires_at=issued.expires_at)
        return client.account(token, brand=next(b for b in Brand if b.domain == holder.domain), key=holder.key)

    async def _watch(self, accounts: list[Account], seconds: float, *, every: float | None = None) -> None:
        span = timedelta(seconds=self.options.every if every is None else every)
        before = self.polls
        with anyio.move_on_after(seconds):
            async with watch(accounts, every=span, checkpoints=self.store, since=EPOCH, repeats=True) as updates:
                try:
                    async for event in updates:
                        self.laws.observe(event)
                        self.events[type(event).__name__] += 1
                        self.polls = before + updates.statistics.polls
                        if self.polls >= self.options.polls and every is None:
                            return
                finally:
                    self.polls = before + updates.statistics.polls
                    self.errors.update(updates.statistics.errors)

    async def _drive(self) -> None:
        vehicles = [vehicle.id for vehicle in self.world.vehicles]
        while True:
            await anyio.sleep(self.random.expovariate(len(vehicles) / (6 * HOUR)))
            vehicle = self.random.choice(vehicles)
            at = max(self.simulator.now(), self.world.vehicle_state(vehicle).at)
            self.driven.add(self.world.add_trip(vehicle, km=1.0, at=at).id)

    async def _jump(self) -> None:
        while True:
            await anyio.sleep(self.random.uniform(0.5, 3.0) * HOUR)
            self.ahead = timedelta(seconds=self.random.choice((-1, 1)) * self.random.uniform(60, 86_400))
            self.jumps += 1
            await anyio.sleep(self.random.uniform(0.1, 0.5) * HOUR)
            self.ahead = timedelta()

    async def _sample(self) -> None:
        real, cpu, polls, requests = time.monotonic(), time.process_time(), 0, 0
        instant = begun = anyio.current_time()
        while True:
            await anyio.sleep(_SAMPLE_EVERY)
            if time.monotonic() - real < _SAMPLE_EVERY:
                continue
            gc.collect()
            now, counted = anyio.current_time(), self.simulator.statistics.requests
            used = time.process_time() - cpu
            sample = Sample(
                hours=(now - begun) / HOUR,
                polls=self.polls,
                utilisation=(counted - requests) / ((now - instant) * _LIMIT),
                cpu_per_poll=used / max(1, self.polls - polls),
                memory=resident_memory(),
                tasks=trio.lowlevel.current_statistics().tasks_living,
            )
            self.samples.append(sample)
            print(sample, flush=True)
            real, cpu, polls, requests, instant = time.monotonic(), time.process_time(), self.polls, counted, now

    def findings(self) -> list[str]:
        """Return what does not hold."""
        found = list(self.laws.broken)
        seen = {id_.split("/")[2] for id_ in self.laws.delivered}
        lost = self.driven - seen
        if lost:
            found.append(f"{len(lost)} of {len(self.driven)} trips were not delivered")
        if self.simulator.statistics.refused:
            found.append(f"{self.simulator.statistics.refused} requests met a 429")
        return found + growth(self.samples)


def growth(samples: Sequence[Measured]) -> list[str]:
    """Return which of memory and tasks grew, from the second quarter of the samples to the last one."""
    quarter = len(samples) // 4
    found: list[str] = []
    for name, share in (("memory", 1.1), ("tasks", 1.5)) if quarter else ():
        figures = [getattr(sample, name) for sample in samples]
        first, last = statistics.median(figures[quarter : 2 * quarter]), statistics.median(figures[-quarter:])
        if last > share * first:
            found.append(f"{name} grew from {first:.0f} to {last:.0f}")
    return found


def _faults(hours: float) -> Faults:
    windows, at = list[FaultWindow](), 2 * HOUR
    api = (ServerFault(503), Delay(1e4))
    identity = (OAuthFault("server_error", 400), Delay(1e4), ServerFault(503))
    for number in range(int(hours)):
        until = min(at + 1_200.0, hours * HOUR)
        if at < until:
            fault, path = (
                (api[number // 2 % 2], "/connectedcar/")
                if number % 2
                else (identity[number // 2 % 3], "(peugeot|citroen).*access_token|access_token")
            )
            windows.append(FaultWindow(fault=fault, since=at, until=until, path=path))
        at += 5 * HOUR
    random_faults = [
        RandomFault(fault=ServerFault(500, 50000), rate=0.002, path="/connectedcar/"),
        RandomFault(fault=ServerFault(503), rate=0.002, path="/connectedcar/", run=3),
    ]
    return Faults(windows=windows, random=random_faults, seed=7)


def run(options: Options, *, real: bool) -> Soak:
    """Run a soak and return it."""
    soak = Soak(options)
    log = logging.getLogger("stellantis_hal")
    log.addHandler(soak.laws)
    clock = None if real else trio.testing.MockClock(autojump_threshold=0)

    async def all_of_it() -> None:
        await soak.run()
        every = options.every if real else 900.0
        await soak.settle(3 * every if real else _SETTLE, every=every)

    try:
        anyio.run(all_of_it, backend="trio", backend_options={} if clock is None else {"clock": clock})
    finally:
        log.removeHandler(soak.laws)
    return soak


def main(arguments: list[str] | None = None) -> int:
    """Run, check and print; return 1 where a law does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").partition("\n")[0])
    for field in attrs.fields(Options):
        name = f"--{field.name}"
        parser.add_argument(name, type=type(field.default), default=field.default, help=f"default {field.default}")
    parser.add_argument("--real", action="store_true", help="in real time")
    given = vars(parser.parse_args(arguments))
    real = given.pop("real")
    started, cpu = time.monotonic(), time.process_time()
    soak = run(Options(**given), real=real)
    findings = soak.findings()
    print(
        f"{soak.polls} polls, {soak.kills} kills, {soak.jumps} clock jumps, {soak.events[Outage.__name__]} outages, "
        f"{soak.simulator.statistics.requests} requests, {time.monotonic() - started:.0f} s, "
        f"CPU {time.process_time() - cpu:.0f} s"
    )
    print(f"trips {len(soak.driven)}, events {dict(soak.events)}, errors {dict(soak.errors)}")
    print("\n".join(findings) if findings else "every law holds")
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())
