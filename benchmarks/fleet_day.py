"""A day of a stateful fleet: cars that drive and charge, commands, monitors and notifications, with every law checked.

Run it as ``python -m benchmarks.fleet_day [--cars 200] [--hours 24] [--commands 10] [--every 900] [--minutes 60]``.
Time is jumped, with the simulator in the same process. Commands, events, polls, CPU time, memory and tasks are printed
every ten seconds of real time.

Three quarters of the cars belong to end users, the last half to a fleet of a partner, so that a quarter is read by
both. One service watches both, with one limiter, one receiver and one store of what was sent to each car. It sends
commands, and waits for their ends by notifications. It is killed about every 40 minutes, with commands and
notifications in hand, stays down for a while, and goes on from its stores. The API has outages of both kinds, requests
fail at random, responses of commands are lost, commands stop half-way or fail, notifications are late, doubled,
reordered or cut, callbacks are deleted, and the wall clock of the service jumps.

Laws: no command is sent twice; each has one outcome, which is what the car did, or is told to be late or unknown; each
event that the API did not drop is delivered, and acknowledged once (again only where its consumer was killed), for a
car of its callback's owner; trips and statuses come in order; no 429; no secret in a log line; memory and tasks stay.
"""

from __future__ import annotations

import argparse
import gc
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import anyio
import attrs
import httpx
import trio.testing

from benchmarks.harness.resident import resident_memory
from benchmarks.soak import Laws, growth
from stellantis_hal import (
    Account,
    Brand,
    CallbackFailed,
    DataItem,
    Fleet,
    FleetOwnerClient,
    MemoryCheckpoints,
    MemoryInbox,
    MemoryState,
    MemoryTokenStore,
    MonitorEvent,
    Notification,
    Operation,
    OutcomeUnknownError,
    Receiver,
    Remote,
    RemoteEvent,
    RemoteFailedError,
    RemoteRefusedError,
    RemoteType,
    StellantisClient,
    StellantisError,
    TokenBucketLimiter,
    Update,
    Vehicle,
    WatchEvent,
    Webhook,
    data,
    watch,
)
from stellantis_hal.simulator import (
    Delay,
    DeliveryFaults,
    Faults,
    FaultWindow,
    RandomFault,
    Reset,
    ScriptedFault,
    ServerFault,
    Simulator,
    World,
)
from stellantis_hal.simulator.api.remotes import CommandCourseDeviation
from stellantis_hal.testing import simulated_client, simulated_fleet_owner, simulated_token

__all__ = ["Command", "FleetDay", "Options", "Sample", "main", "run"]

EPOCH = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = 3_600.0
PATH, TOKEN = "/st/k3Jx0v", "t0k3n-of-the-callback"
HOOK = Webhook(f"https://hooks.example.org{PATH}", token=TOKEN)
COMPANY = "company"
_CARS_PER_ACCOUNT = 10
_SAMPLE_EVERY = 10.0
_KILL_EVERY = 2_400.0
_DOWN_FOR = 120.0
_SETTLE = 4 * HOUR
_PATIENCE = 900.0
"""Seconds after which the service says that a command is late; it waits again after its next start."""

_ROUTE = [(48.86, 2.33)]
_ACTIONS: Mapping[str, Callable[[Remote, str], Awaitable[Operation]]] = {
    "lock": lambda remote, label: remote.doors.lock(label=label),
    "unlock": lambda remote, label: remote.doors.unlock(label=label),
    "horn": lambda remote, label: remote.horn(label=label),
    "lights": lambda remote, label: remote.lights(label=label),
    "wake": lambda remote, label: remote.wake_up(label=label),
    "route": lambda remote, label: remote.navigate(_ROUTE, label=label),
    "charge": lambda remote, label: remote.charging.start(label=label),
    "stop": lambda remote, label: remote.charging.stop(label=label),
    "warm": lambda remote, label: remote.climate.start(label=label),
    "cool": lambda remote, label: remote.climate.stop(label=label),
}
_COURSES = (
    CommandCourseDeviation(failure="VehicleConnectionTimeout"),
    CommandCourseDeviation(stops_at="Accepted"),
    CommandCourseDeviation(events="reversed"),
    CommandCourseDeviation(events="doubled"),
    CommandCourseDeviation(events="none"),
    CommandCourseDeviation(skips=("Accepted", "SentToVehicle")),
    CommandCourseDeviation(before="Queued"),
    CommandCourseDeviation(blocks=True),
)


@attrs.frozen(kw_only=True)
class Options:
    """Options of a day.

    Attributes:
        cars: of end users and of the fleet together.
        hours: of disturbances; some without follow.
        commands: for each car in 24 hours.
        every: seconds between two polls of a car.
        minutes: minutes of real time after which the disturbances end.
        seed: of everything that is drawn.
    """

    cars: int = 200
    hours: float = 24.0
    commands: float = 10.0
    every: float = 900.0
    minutes: float = 60.0
    seed: int = 1


@attrs.frozen(kw_only=True)
class Sample:
    """Figures of ten seconds of real time."""

    hours: float
    commands: int
    events: int
    polls: int
    memory: float
    tasks: int

    def __str__(self) -> str:
        return (
            f"{self.hours:6.2f} h  {self.commands:6d} commands  {self.events:7d} events  {self.polls:7d} polls  "
            f"{self.memory:5.0f} MiB  {self.tasks:4d} tasks"
        )


@attrs.define(kw_only=True)
class Command:
    """A command as the service has noted it, in what would be its database.

    Attributes:
        label: its own part of the label, which no other command has.
        owner: key of the account, or the fleet.
        car: id of the vehicle.
        action: which command.
        full_label: the label that was sent, where the outcome of sending was unknown.
        token: of its operation.
        ends: what was told to be its end, by each that waited for it: one where all is right.
        told: what was told otherwise: that it was late, or that it was not known whether it was sent.
    """

    label: str
    owner: str
    car: str
    action: str
    full_label: str | None = None
    token: str | None = None
    ends: list[str] = attrs.field(factory=list)
    told: list[str] = attrs.field(factory=list)


@attrs.define(kw_only=True)
class _Owner:
    """An account or the fleet, in one life of the service."""

    key: str
    source: Account | Fleet
    operation: Callable[[str], Operation]
    cars: dict[str, Vehicle] = attrs.field(factory=dict)
    callback: Any = None


class FleetDay:
    """One day: its simulator, the service with its stores, and what they showed."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.random = random.Random(options.seed)
        accounts = max(1, options.cars // _CARS_PER_ACCOUNT)
        self.world = World(
            seed=23, accounts=accounts, vehicles=options.cars, trips=options.cars, epoch=EPOCH, moving=True
        )
        self.simulator = Simulator(self.world, epoch=EPOCH, faults=_faults(options.hours), token_lifetime=HOUR)
        cars = [vehicle.id for vehicle in self.world.vehicles]
        self.fleet = self.world.fleets.add(COMPANY, vehicles=cars[len(cars) // 2 :])
        self.holders = self.world.accounts[: max(1, accounts * 3 // 4)]
        self.ahead = timedelta()
        # What outlives the service.
        self.inbox = MemoryInbox(clock=self.clock)
        self.state = MemoryState()
        self.tokens = MemoryTokenStore()
        self.checkpoints = {"accounts": MemoryCheckpoints(), "fleet": MemoryCheckpoints()}
        self.commands: dict[str, Command] = {}
        # What is checked.
        secrets = [
            self.simulator.client_secret,
            self.simulator.partner_password,
            TOKEN,
            PATH,
            *(text for each in self.world.vehicles for text in (each.id, each.vin)),
        ]
        self.laws = {name: Laws(secrets) for name in self.checkpoints}
        self.broken: list[str] = []
        self.raised: Counter[str] = Counter()
        self.owner_of: dict[str, str] = {}
        self.too_late: set[str] = set()
        self.lost_callbacks: set[str] = set()
        self.received: Counter[str] = Counter()
        self.in_hand: dict[str, str | None] = {"event": None}
        self.again: set[str] = set()
        self.measured: dict[tuple[str, str], datetime] = {}
        self.events: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.samples: list[Sample] = []
        self.kills = self.jumps = self.polls = self.log_lines = 0
        self.receiver: Receiver | None = None
        self.is_settling = self.is_closing = False
        self._lost_owners: set[str] = set()

    def clock(self) -> datetime:
        """Return the wall time of the service, which is wrong at times."""
        return self.simulator.now() + self.ahead

    # ------------------------------------------------------------------------------------------- the day

    async def run(self) -> None:
        """Let the service run, with all disturbances; then settle."""
        for holder in self.holders:
            await self.tokens.save(holder.key, simulated_token(self.simulator, holder))
        self.began = self.simulator.now()
        faults = DeliveryFaults(duplicate=0.1, reorder=0.1, delay=0.02, cut=0.05, give_up=0.05)
        self.simulator.outbox.listen(self._note_raised)
        async with (
            self.simulator.delivering(transport=_Way(self), timeout=None, faults=faults) as deliveries,
            anyio.create_task_group() as tasks,
        ):
            for disturb in (self._jump, self._lose_callbacks, self._order_courses, self._sample):
                tasks.start_soon(disturb)
            started, end = time.monotonic(), anyio.current_time() + self.options.hours * HOUR
            while anyio.current_time() < end and time.monotonic() - started < self.options.minutes * 60:
                with anyio.move_on_after(min(self.random.expovariate(1 / _KILL_EVERY), end - anyio.current_time())):
                    await self._live()
                self._die()
                await anyio.sleep(2.0 + self.random.expovariate(1 / _DOWN_FOR))
            ended = self.simulator.now()
            tasks.cancel_scope.cancel()
        self.dropped = deliveries.statistics.dropped
        self.deliveries = deliveries.statistics
        await self._settle()
        self.driven = {name: self._trips(cars, ended) for name, cars in self._watched().items()}

    async def _settle(self) -> None:
        """Let the service run without disturbances, until nothing is left to be done."""
        self.ahead, self.is_settling = timedelta(), True
        self.simulator.set_faults(random=())
        async with self.simulator.delivering(transport=_Way(self), timeout=None) as deliveries:
            with anyio.move_on_after(_SETTLE):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._live)
                    await anyio.sleep(_SETTLE - 600)
                    self.is_closing = True
        self.dropped += deliveries.statistics.dropped

    def _die(self) -> None:
        """Record what the death of the service leaves unfinished."""
        self.kills += 1
        for laws in self.laws.values():
            laws.killed()
        self.measured.clear()
        if self.in_hand["event"] is not None:
            self.again.add(self.in_hand["event"])
            self.in_hand["event"] = None

    # ------------------------------------------------------------------------------------------- one life

    async def _live(self) -> None:
        """Run the service until it is killed."""
        receiver = Receiver(self.inbox, path=PATH, token=TOKEN, clock=self.clock)
        options: dict[str, Any] = {"clock": self.clock, "receiver": receiver, "state": self.state}
        async with (
            TokenBucketLimiter(clock=self.clock) as limiter,
            simulated_client(self.simulator, limiter=limiter, **options) as client,
            simulated_fleet_owner(self.simulator, limiter=limiter, **options) as partner,
            anyio.create_task_group() as tasks,
        ):
            self.receiver = receiver
            try:
                tasks.start_soon(self._consume, receiver)
                owners = await self._set_up(client, partner)
                fleet = owners[COMPANY].source
                accounts = [owner.source for owner in owners.values() if owner.key != COMPANY]
                tasks.start_soon(self._watch, "accounts", accounts, receiver)
                tasks.start_soon(self._watch, "fleet", [fleet], receiver)
                tasks.start_soon(self._command, owners)
                await anyio.sleep_forever()
            finally:
                self.receiver = None

    async def _set_up(self, client: StellantisClient, partner: FleetOwnerClient) -> dict[str, _Owner]:
        owners: dict[str, _Owner] = {}
        for holder in self.holders:
            brand = next(brand for brand in Brand if brand.domain == holder.domain)
            account = client.account(self.tokens, brand=brand, key=holder.key)
            owners[holder.key] = _Owner(key=holder.key, source=account, operation=account.operation)
        fleet = await self._persist(lambda: partner.fleet(self.fleet.id))
        owners[COMPANY] = _Owner(key=COMPANY, source=fleet, operation=partner.operation)
        async with anyio.create_task_group() as tasks:
            for owner in owners.values():
                tasks.start_soon(self._persist, partial(self._ensure, owner))
        return owners

    async def _persist(self, act: Callable[[], Awaitable[Any]]) -> Any:
        """Do something until it succeeds, as a program does that cannot begin without it."""
        while True:
            try:
                return await act()
            except StellantisError as error:
                self.errors[f"start: {type(error).__name__}"] += 1
                await anyio.sleep(30)

    async def _ensure(self, owner: _Owner) -> None:
        """Have a callback, and the monitors of each car."""
        moving = data("moving", DataItem.MOVING).equals(True)
        doors = data("doors", DataItem.DOORS_LOCKED).changes()
        source = owner.source
        if isinstance(source, Fleet):
            owner.callback = await source.callbacks.ensure(HOOK, actions=tuple(RemoteType), label="service")
            owner.cars = {str(vehicle.id): vehicle async for vehicle in source.vehicles()}
            monitor = await source.monitors.ensure("moving", when=moving, deliver=HOOK, include=("status",))
            self.owner_of[str(monitor.id)] = owner.key
        else:
            owner.callback = await source.callbacks.ensure(HOOK, label="service")
            owner.cars = {str(vehicle.id): vehicle async for vehicle in source.vehicles()}
            for vehicle in owner.cars.values():
                monitors = vehicle.monitors(owner.callback)
                await monitors.ensure("moving", when=moving, include=("status",), refresh=timedelta(minutes=10))
                await monitors.ensure("doors", when=doors)
        self.owner_of[str(owner.callback.id)] = owner.key

    # ------------------------------------------------------------------------------------------- what it receives

    async def _consume(self, receiver: Receiver) -> None:
        async with receiver.events() as events:
            async for event in events:
                self.in_hand["event"] = event.id
                self._check(event)
                self.events[type(event).__name__] += 1
                await anyio.sleep(0.05)  # the consumer's own work, in which it may be killed

    def _check(self, event: Notification) -> None:
        key = _key_of(event)
        if self.received[key] and event.id not in self.again:
            self.broken.append(f"an event was delivered twice: {key[-40:]}")
        self.again.discard(event.id)
        self.received[key] += 1
        if not event.is_verified:
            self.broken.append(f"an event is not verified: {type(event).__name__}")
        source = event.callback_id or (event.monitor_id if isinstance(event, MonitorEvent) else None)
        owner = self.owner_of.get(str(source)) or self._owner_of_callback(str(source))
        if owner is None:
            self.broken.append(f"an event of an unknown callback: {type(event).__name__}")
        elif event.vin not in self._vins(owner):
            self.broken.append(f"an event of another account: {type(event).__name__}")

    def _owner_of_callback(self, source: str) -> str | None:
        """Return whose a callback is that was made just before the service was killed."""
        registered = self.simulator.callbacks.get(source)
        monitor = self.simulator.monitors.get(source)
        name = registered.owner if registered is not None else monitor.owner if monitor is not None else None
        return COMPANY if name == self.fleet.id else name

    def _vins(self, owner: str) -> set[str]:
        if owner == COMPANY:
            return {self.world.vehicle(id_).vin for id_ in self.world.fleets.vehicles_of(self.fleet.id)}
        return {vehicle.vin for vehicle in self.world.vehicles_of(owner)}

    async def _watch(self, name: str, sources: list[Any], receiver: Receiver) -> None:
        laws, before = self.laws[name], self.polls
        every = timedelta(seconds=self.options.every)
        async with watch(
            sources, every=every, checkpoints=self.checkpoints[name], since=self.began, events=receiver
        ) as updates:
            try:
                async for event in updates:
                    laws.observe(event)
                    self._check_order(name, event)
                    self.events[type(event).__name__] += 1
                    if isinstance(event, CallbackFailed):
                        self.events[f"callback {event.status}"] += 1
                        if event.status == "Deleted":
                            self._lost_owners.add(event.account or "")
            finally:
                self.polls = max(self.polls, before) + updates.statistics.polls
                self.errors.update(updates.statistics.errors)

    def _check_order(self, name: str, event: WatchEvent) -> None:
        if not isinstance(event, Update) or event.status is None:
            return
        at = event.status.updated_at or event.status.created_at
        place = name, str(event.vehicle.id)
        if at is not None:
            if at < self.measured.get(place, at):
                self.broken.append(f"a status of {name} came after a newer one, by {event.source}")
            self.measured[place] = max(at, self.measured.get(place, at))

    # ------------------------------------------------------------------------------------------- what it commands

    async def _command(self, owners: dict[str, _Owner]) -> None:
        async with anyio.create_task_group() as tasks:
            for command in self.commands.values():
                if not command.ends:
                    tasks.start_soon(self._resume, owners[command.owner], command)
            tasks.start_soon(self._restore, owners)
            cars = [(owner.key, car) for owner in owners.values() for car in owner.cars]
            while not self.is_settling:
                await anyio.sleep(self.random.expovariate(self.options.cars * self.options.commands / (24 * HOUR)))
                key, car = self.random.choice(cars)
                command = Command(
                    label=f"c{len(self.commands):06d}", owner=key, car=car, action=self.random.choice([*_ACTIONS])
                )
                self.commands[command.label] = command
                tasks.start_soon(self._send, owners[key], command)

    async def _restore(self, owners: dict[str, _Owner]) -> None:
        """Make callbacks again that were deleted, once the watch has told it."""
        while True:
            await anyio.sleep(60)
            while self._lost_owners:
                await self._persist(partial(self._ensure, owners[self._lost_owners.pop()]))

    async def _send(self, owner: _Owner, command: Command) -> None:
        try:
            remote = owner.cars[command.car].remote(owner.callback)
            operation = await _ACTIONS[command.action](remote, command.label)
        except OutcomeUnknownError as error:
            command.full_label = error.label
            command.told.append("unknown")
            await self._find(owner, command)
        except RemoteRefusedError as error:
            command.ends.append(f"refused: {error.reason}")
        except StellantisError as error:
            command.ends.append(f"not sent: {type(error).__name__}")
            if getattr(error, "status", None) == 404:
                self._lost_owners.add(owner.key)
        else:
            command.token = operation.token
            await self._wait(command, operation)

    async def _find(self, owner: _Owner, command: Command) -> None:
        """Look for a command of an unknown outcome; one that is not found twice, or without faults, was not sent."""
        remote = owner.cars[command.car].remote(owner.callback)
        try:
            if command.full_label is not None:
                operation = await remote.find(command.full_label, within=60)
            else:  # killed while it was sent, and the random part of the label was lost with the process
                listed = [each async for each in remote.operations()]
                operation = next((each for each in listed if (each.label or "").startswith(f"{command.label}-")), None)
        except StellantisError as error:
            command.told.append(f"unknown: {type(error).__name__}")
            return
        if operation is not None:
            command.token = operation.token
            await self._wait(command, operation)
        elif self.is_settling or command.told[-1:] == ["not found"]:  # without faults, or for the second time
            command.ends.append("not sent: not found")
        else:
            command.told.append("not found")

    async def _resume(self, owner: _Owner, command: Command) -> None:
        if command.token is None:
            await self._find(owner, command)
        else:
            await self._wait(command, owner.operation(command.token))

    async def _wait(self, command: Command, operation: Operation) -> None:
        seen: list[str] = []
        while True:
            try:
                command.ends.append((await operation.result(timeout=_PATIENCE)).value)
            except RemoteFailedError as error:
                command.ends.append(f"Failed: {error.cause}" if error.cause else str(error.status))
            except TimeoutError:
                command.told.append("late")
            except StellantisError as error:
                command.told.append(f"unknown: {type(error).__name__}")
                if getattr(error, "status", None) == 404:
                    command.ends.append("lost with its callback")
                    return
                await anyio.sleep(60)
                continue
            break
        seen += [str(step.status) for step in operation.steps]
        if len(seen) != len(set(seen)):
            self.broken.append(f"a step of {command.label} was given twice: {seen}")

    # ------------------------------------------------------------------------------------------- disturbances

    async def _jump(self) -> None:
        while True:
            await anyio.sleep(self.random.uniform(1.0, 4.0) * HOUR)
            self.ahead = timedelta(seconds=self.random.choice((-1, 1)) * self.random.uniform(60, 7_200))
            self.jumps += 1
            await anyio.sleep(self.random.uniform(0.1, 0.5) * HOUR)
            self.ahead = timedelta()

    async def _lose_callbacks(self) -> None:
        while True:
            await anyio.sleep(self.random.uniform(2.0, 5.0) * HOUR)
            owner = self.random.choice([*[holder.key for holder in self.holders]])
            for callback in self.simulator.callbacks.of(owner):
                self.lost_callbacks.add(callback.id)
                self.simulator.callbacks.delete(callback.id)
                self.events["callbacks deleted"] += 1

    async def _order_courses(self) -> None:
        while True:
            await anyio.sleep(self.random.expovariate(self.options.cars * self.options.commands / (24 * HOUR) / 6))
            if self.random.random() < 0.7:
                self.simulator.remotes.order(self.random.choice(_COURSES))
            else:
                fault = self.random.choice((Reset(), Reset(counted=False), ServerFault(502), ServerFault(504)))
                self.simulator.script(ScriptedFault(fault=fault, path="/remotes$", method="POST"))

    def _note_raised(self, pending: Any) -> None:
        key = _key_of_message(pending.callback_id, pending.vin, pending.message)
        self.raised[key] += 1
        if self.is_closing:  # the day may end before it is delivered
            self.too_late.add(key)

    async def _sample(self) -> None:
        real, begun = time.monotonic(), anyio.current_time()
        while True:
            await anyio.sleep(60)
            if time.monotonic() - real < _SAMPLE_EVERY:
                continue
            gc.collect()
            real = time.monotonic()
            sample = Sample(
                hours=(anyio.current_time() - begun) / HOUR,
                commands=len(self.commands),
                events=sum(self.received.values()),
                polls=self.polls,
                memory=resident_memory(),
                tasks=trio.lowlevel.current_statistics().tasks_living,
            )
            self.samples.append(sample)
            print(sample, flush=True)

    # ------------------------------------------------------------------------------------------- the judgement

    def findings(self) -> list[str]:
        """Return what does not hold."""
        found = [*self.broken, *(text for laws in self.laws.values() for text in laws.broken)]
        found += self._judge_commands()
        found += self._judge_events()
        found += self._judge_trips()
        if self.simulator.statistics.refused:
            found.append(f"{self.simulator.statistics.refused} requests met a 429")
        if self.events["AccountLost"]:
            found.append(f"{self.events['AccountLost']} accounts were lost")
        return found + growth(self.samples)

    def _judge_commands(self) -> list[str]:
        found: list[str] = []
        executed: dict[str, list[Any]] = {}
        for each in self.simulator.remotes.commands:
            executed.setdefault((each.label or "").partition("-")[0], []).append(each)
        for label, command in self.commands.items():
            done = executed.pop(label, [])
            where = f"{label} ({command.action}, {command.owner})"
            if len(done) > 1:
                found.append(f"{where} was sent {len(done)} times")
            if len(command.ends) > 1:
                found.append(f"{where} has several ends: {command.ends}")
            end = command.ends[0] if command.ends else None
            if not done:
                if end is None or not end.startswith(("refused", "not sent", "lost")):
                    found.append(f"{where} was not executed, and ended with {end}, told {command.told}")
                continue
            car = done[0]
            if car.callback in self.lost_callbacks and (end is None or end.startswith("lost")) and command.told:
                continue
            if end is None:
                if car.is_done and not (car.course.blocks or car.status in _BLOCKED):
                    found.append(f"{where} has ended with {car.status}, and its end was not told: {command.told}")
                elif not command.told:
                    found.append(f"{where} is open, and that was not told")
                continue
            status, cause, _ = car.steps[-1] if car.steps else (None, None, None)
            truth = f"Failed: {cause}" if cause else str(status)
            if end != truth:
                found.append(f"{where} ended with {truth}, and was told to have ended with {end}")
        found += [f"{label!r} was executed, and never ordered" for label in executed]
        return found

    def _judge_events(self) -> list[str]:
        found: list[str] = []
        missing = self.raised.keys() - self.received.keys() - self.too_late
        unexplained = [key for key in missing if key.partition(" ")[0] not in self.lost_callbacks]
        if unexplained:
            found.append(f"{len(unexplained)} of {len(self.raised)} events were not delivered: {unexplained[0][-60:]}")
        if len(missing) > self.dropped:
            found.append(f"{len(missing)} events were not delivered, {self.dropped} were dropped")
        foreign = self.received.keys() - self.raised.keys()
        if foreign:
            found.append(f"{len(foreign)} events were delivered that nobody raised: {next(iter(foreign))[-60:]}")
        return found

    def _watched(self) -> dict[str, set[str]]:
        """Return the cars of each watch."""
        return {
            "accounts": {car.id for holder in self.holders for car in self.world.vehicles_of(holder.key)},
            "fleet": set(self.world.fleets.vehicles_of(self.fleet.id)),
        }

    def _trips(self, cars: Iterable[str], ended: datetime) -> set[str]:
        """Return the trips that began and ended during the day."""
        trips = (trip for car in cars for trip in self.world.trips(car) if self.began <= trip.started_at)
        return {trip.id for trip in trips if trip.done and trip.stopped_at <= ended}

    def _judge_trips(self) -> list[str]:
        found: list[str] = []
        for name, driven in self.driven.items():
            lost = driven - {id_.split("/")[2] for id_ in self.laws[name].delivered}
            if lost:
                found.append(f"{len(lost)} of {len(driven)} trips of {name} were not delivered")
        return found


_BLOCKED = ("VehicleBatteryChargeTooLow", "TooManyWakeUpsOverMonth")


class _Way(httpx.AsyncBaseTransport):
    """The way of deliveries to the receiver of the service, which may be down."""

    def __init__(self, day: FleetDay) -> None:
        self._day = day

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._day.receiver is None:
            raise httpx.ConnectError("the service is down")
        return await httpx.ASGITransport(self._day.receiver).handle_async_request(request)


def _key_of(event: Notification) -> str:
    """Return what tells an event from others, by what was read of it."""
    if isinstance(event, RemoteEvent):
        return f"{event.callback_id} {event.remote_id} {event.status} {event.cause}"
    if isinstance(event, MonitorEvent):
        return f"{event.callback_id or event.monitor_id} {event.monitor_id} {event.vin} {event.at} {event.is_reminder}"
    return f"{type(event).__name__} {event.id}"


def _key_of_message(callback: str, vin: str | None, message: Mapping[str, Any]) -> str:
    """Return the same, by what was raised."""
    envelope = message["events"][0] if "events" in message else message
    inner = envelope.get("remoteEvent") or envelope.get("monitorEvent") or envelope
    if "remoteActionId" in inner:
        status = inner["eventStatus"]
        return f"{callback} {inner['remoteActionId']} {status['status']} {status.get('failureCause')}"
    at = datetime.fromisoformat(envelope.get("date") or envelope["eventDate"])
    return f"{callback} {inner.get('monitorId') or message['monitorId']} {vin} {at} {inner['refresh']}"


def _faults(hours: float) -> Faults:
    windows: list[FaultWindow] = []
    for number in range(int(hours // 3)):
        since = (3 * number + 2) * HOUR
        if since + 900 < hours * HOUR:
            fault = ServerFault(503) if number % 2 else Delay(1e4)
            windows.append(FaultWindow(fault=fault, since=since, until=since + 900, path="/connectedcar/"))
    random_faults = [
        RandomFault(fault=ServerFault(500, 50000), rate=0.002, path="/connectedcar/"),
        RandomFault(fault=Reset(), rate=0.002, path="/connectedcar/"),
        RandomFault(fault=ServerFault(503), rate=0.002, path="/connectedcar/", run=3),
    ]
    return Faults(windows=windows, random=random_faults, seed=7)


def run(options: Options) -> FleetDay:
    """Run a day and return it."""
    day = FleetDay(options)
    log = logging.getLogger("stellantis_hal")
    log.addHandler(day.laws["accounts"])
    try:
        clock = trio.testing.MockClock(autojump_threshold=0)
        anyio.run(day.run, backend="trio", backend_options={"clock": clock})
    finally:
        log.removeHandler(day.laws["accounts"])
    return day


def main(arguments: list[str] | None = None) -> int:
    """Run, check and print; return 1 where a law does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet_day", description=(__doc__ or "").partition("\n")[0]
    )
    for field in attrs.fields(Options):
        name = f"--{field.name}"
        parser.add_argument(name, type=type(field.default), default=field.default, help=f"default {field.default}")
    started, cpu = time.monotonic(), time.process_time()
    day = run(Options(**vars(parser.parse_args(arguments))))
    findings = day.findings()
    ends = Counter(each.ends[0] if each.ends else f"open, told {each.told[-1:]}" for each in day.commands.values())
    print(
        f"{day.options.cars} cars, {len(day.commands)} commands, {len(day.raised)} events in "
        f"{day.deliveries.requests} deliveries, {day.kills} kills, {day.jumps} clock jumps, "
        f"{day.simulator.statistics.requests} requests, {time.monotonic() - started:.0f} s, "
        f"CPU {time.process_time() - cpu:.0f} s"
    )
    trips = {name: len(driven) for name, driven in day.driven.items()}
    print(f"trips {trips}, ends {dict(ends)}")
    print(f"events {dict(day.events)}, dropped {day.dropped}, errors {dict(day.errors)}")
    print("\n".join(findings) if findings else "every law holds")
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())
