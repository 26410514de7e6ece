"""Outages of one kind of data: its reads fail for all vehicles, while the API responds to others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from stellantis_hal.fleet.failure_state import FailureState
from stellantis_hal.fleet.probe_intervals import FIRST_PROBE, bounded_hold, next_interval
from stellantis_hal.fleet.targets import PollTarget, WatchedVehicle

__all__ = ["KindOutage", "KindOutages"]

_SUSPECTED = 3
"""Failures in a row after which one more vehicle is read with each failure, before it is due."""
_NEEDED = 12
"""Failures in a row that are an outage; where there are few vehicles, three of each."""
_NEEDED_REFUSALS = 3
"""Responses with status 429 in a row that are an outage, of two vehicles at least: no server limits by chance."""
_BELIEVED = 100
"""Vehicles in a row that are enough of a large fleet; doubled by each outage, as some vehicles may have worked."""


class _FailureRow:
    """Failures in a row of one kind of data.

    Attributes:
        since: instant of the first one.
        failures: number of failures.
        vehicles: ids of the vehicles that failed.
        asked: ids of those that are read before they are due.
        is_partial: whether the API responded to another kind of request since then.
        refusals: number of those that were a 429 while it did.
    """

    __slots__ = ("asked", "failures", "is_partial", "refusals", "since", "vehicles")

    def __init__(self, since: float) -> None:
        self.since: float = since
        self.failures: int = 0
        self.vehicles: set[str] = set()
        self.asked: set[str] = set()
        self.is_partial: bool = False
        self.refusals: int = 0


class KindOutage:
    """Reads of one kind of data that fail for all vehicles.

    Attributes:
        what: the kind of data.
        server: host of the server that fails; None where the failure names none.
        since: instant of the first failure.
        interval: seconds between two probes.
        probe_at: instant from which the next read may probe.
        held: vehicles that wait for the end, in the order of their turns to probe.
        is_refused: whether the API limits them, by a 429.
    """

    __slots__ = ("held", "interval", "is_refused", "probe_at", "server", "since", "what")

    def __init__(self, what: str, server: str | None, since: float, now: float, *, is_refused: bool = False) -> None:
        self.what: str = what
        self.server: str | None = server
        self.since: float = since
        self.interval: float = FIRST_PROBE
        self.probe_at: float = now + FIRST_PROBE
        self.held: dict[WatchedVehicle, None] = {}
        self.is_refused: bool = is_refused

    def hold(self, watched_vehicle: WatchedVehicle, now: float) -> None:
        """Let a vehicle wait with this kind of data; its turn to probe is after those of the others."""
        state = watched_vehicle.failure_state(self.what, now)
        state.is_held, state.is_transient, state.retry_at = True, False, now
        self.held.pop(watched_vehicle, None)
        self.held[watched_vehicle] = None

    def postpone(self, now: float, seconds: float) -> None:
        """Let the next probe wait as long as the server demands, an hour at most."""
        self.probe_at = max(self.probe_at, now + bounded_hold(seconds, 0.0))


class KindOutages:
    """Circuit breakers over the kinds of data, each for all vehicles.

    A kind of data is out when the reads of it fail in a row for all vehicles that it can be read of, at least two, or
    for a hundred of a large fleet, and the API responds to other requests meanwhile. After a few failures the other
    vehicles are read one after the other, so that this is soon known. Where the API limits them alone, by a 429, three
    in a row are enough. During an outage one vehicle at a time probes.

    Args:
        vehicles: the watched vehicles by id; only read.
        is_watched: returns whether a vehicle is still watched.

    Attributes:
        readable: kinds of data that the API has served, or failed to serve, of late.
    """

    def __init__(self, vehicles: Mapping[str, WatchedVehicle], is_watched: Callable[[PollTarget], bool]) -> None:
        self.readable: set[str] = set()
        self._vehicles = vehicles
        self._is_watched = is_watched
        self._rows: dict[str, _FailureRow] = {}
        self._out: dict[str, KindOutage] = {}
        self._believed: dict[str, int] = {}

    def ages(self, now: float) -> Mapping[str, float]:
        """Return the seconds since the present outages began, by kind of data."""
        return MappingProxyType({what: now - outage.since for what, outage in list(self._out.items())})

    def is_out(self, what: str) -> bool:
        """Return whether a kind of data is out."""
        return what in self._out

    @property
    def working(self) -> Collection[str]:
        """Kinds of data that are readable and not out."""
        return self.readable - self._out.keys()

    @property
    def is_any_refused(self) -> bool:
        """Whether a kind of data is out because the API limits its reads."""
        return any(outage.is_refused for outage in self._out.values())

    def is_refused(self, what: str) -> bool:
        """Return whether a kind of data is out because the API limits its reads."""
        return what in self._out and self._out[what].is_refused

    def may_read(self, watched_vehicle: WatchedVehicle, what: str, now: float) -> bool:
        """Return whether a kind of data of a vehicle may be read, maybe as the probe; otherwise it waits."""
        outage = self._out.get(what)
        if outage is None:
            return True
        state = (watched_vehicle.failures or {}).get(what)
        if state is not None and _is_refused(state):
            return False  # the API has none of this vehicle, so its response says nothing of the others
        if now < outage.probe_at:
            if watched_vehicle not in outage.held:
                outage.hold(watched_vehicle, now)
            elif state is not None and not state.is_held:  # another one has probed before its turn
                state.is_held, state.is_transient = True, False
            return False
        outage.probe_at = now + outage.interval
        outage.interval = next_interval(outage.interval)
        return True

    def is_partial(self, what: str) -> bool:
        """Return whether the API responded to other requests since the reads of a kind of data began to fail."""
        row = self._rows.get(what)
        return row is not None and row.is_partial

    def failed(
        self, watched_vehicle: WatchedVehicle, what: str, now: float, *, server: str | None, is_refused: bool = False
    ) -> bool:
        """Record a failure that may concern all vehicles, and return whether an outage of the kind begins with it.

        Args:
            watched_vehicle: the vehicle.
            what: the kind of data.
            now: the present instant.
            server: the host of the server that failed.
            is_refused: whether it responded with status 429.
        """
        self.readable.add(what)
        row = self._rows.setdefault(what, _FailureRow(now))
        row.failures += 1
        row.vehicles.add(watched_vehicle.id)
        row.refusals += is_refused and row.is_partial
        is_limited = row.refusals >= _NEEDED_REFUSALS and len(row.vehicles) > 1
        needed = min(_NEEDED, 3 * len(row.vehicles))
        if not is_limited and (
            not row.is_partial or row.failures < needed or not self._concerns_all(what, row.vehicles)
        ):
            return False
        self._out[what] = outage = KindOutage(what, server, row.since, now, is_refused=is_refused)
        outage.hold(watched_vehicle, now)
        return True

    def _concerns_all(self, what: str, failing: set[str]) -> bool:
        if len(failing) < 2:
            return False
        if len(failing) >= self._believed.get(what, _BELIEVED):
            return True
        return all(
            id_ in failing for id_, watched_vehicle in self._vehicles.items() if _is_expected(watched_vehicle, what)
        )

    def next_suspect(self, what: str) -> WatchedVehicle | None:
        """Return a vehicle whose read shows whether a kind of data fails for all; None where none is needed."""
        row = self._rows[what]
        if row.failures < _SUSPECTED:
            return None
        for id_, watched_vehicle in self._vehicles.items():
            if id_ not in row.vehicles and id_ not in row.asked and _is_expected(watched_vehicle, what):
                row.asked.add(id_)
                return watched_vehicle
        return None

    def outage_of(self, what: str) -> KindOutage:
        """Return the outage of a kind of data.

        Raises:
            KeyError: there is none.
        """
        return self._out[what]

    def next_probe(self, what: str) -> WatchedVehicle | None:
        """Return the vehicle whose turn it is to probe; None where none waits."""
        held = self._out[what].held
        for watched_vehicle in list(held):
            if self._is_watched(watched_vehicle):
                return watched_vehicle
            del held[watched_vehicle]
        return None

    def responded(self, what: str | None, *, is_readable: bool = True) -> KindOutage | None:
        """Record a response of the API to a read of a kind of data, or to another request.

        Args:
            what: the kind of data; None for another request.
            is_readable: whether it was served.

        Returns:
            The outage of the kind, which is over; None where there was none.
        """
        for other, row in self._rows.items():
            row.is_partial = row.is_partial or other != what
        if what is None:
            return None
        if is_readable:
            self.readable.add(what)
        else:
            self.readable.discard(what)
        self._rows.pop(what, None)
        outage = self._out.pop(what, None)
        if outage is not None:
            self._believed[what] = 2 * self._believed.get(what, _BELIEVED)
        return outage


def _is_refused(state: FailureState) -> bool:
    """Return whether the API has no data of a vehicle, or refuses them."""
    return state.failures > 0 and not (state.is_transient or state.is_held)


def _is_expected(watched_vehicle: WatchedVehicle, what: str) -> bool:
    """Return whether a kind of data of a vehicle is read."""
    account = watched_vehicle.account
    if account.lost_at is not None or account.identity_outage is not None:
        return False
    state = (watched_vehicle.failures or {}).get(what)
    return state is None or not _is_refused(state)
