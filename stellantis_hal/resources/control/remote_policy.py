"""The policy of commands: what may be sent to a car, and when."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import attrs
from attrs import validators

from stellantis_hal.resources.control.failure_causes import FailureCause
from stellantis_hal.resources.control.remote_actions import ActionKind
from stellantis_hal.validation import require_type

__all__ = [
    "AWAKE",
    "CommandPolicyState",
    "PendingCommandRecord",
    "PolicyRefusal",
    "PolicyRefusalReason",
    "RemotePolicy",
]

AWAKE: Final = timedelta(minutes=3)
"""How long a message keeps a car awake, by the vendor's description."""

_FORMAT: Final = 1
_NOTHING: Final = timedelta()
_NOT_REACHED: Final = frozenset(
    {
        FailureCause.TOO_MANY_WAKE_UPS_OVER_MONTH,
        FailureCause.VEHICLE_BATTERY_CHARGE_TOO_LOW,
        FailureCause.VEHICLE_CONNECTION_TIMEOUT,
    }
)
_WITHOUT_WAKE_UP: Final = frozenset({ActionKind.NAVIGATION})


class PolicyRefusalReason(enum.StrEnum):
    """Why the policy refuses a command."""

    CAPABILITY = "capability"
    SAME_ACTION = "same_action"
    COOLDOWN = "cooldown"
    WAKE_UP_SPACING = "wake_up_spacing"
    WAKE_UP_BUDGET = "wake_up_budget"
    WAKE_UPS_OVER = "wake_ups_over"


def _at_least_nothing(_: object, attribute: attrs.Attribute[Any], value: timedelta) -> None:
    require_type(attribute.name, value, timedelta)
    if value < _NOTHING:
        raise ValueError(f"{attribute.name} must be at least 0, not {value!r}")


def _at_least_nothing_each(
    policy: object, attribute: attrs.Attribute[Mapping[str, timedelta]], value: Mapping[str, timedelta]
) -> None:
    require_type(attribute.name, value, Mapping, instead="{'horn': timedelta(minutes=1)}")
    for kind, span in value.items():
        if kind not in tuple(ActionKind):
            raise ValueError(f"cooldowns has no action {kind[:40]!r}: the actions are {', '.join(ActionKind)}")
        _at_least_nothing(policy, attribute, span)


def _whole(_: object, attribute: attrs.Attribute[int | None], value: int | None) -> None:
    require_type(attribute.name, value, int, None)


@attrs.frozen(kw_only=True)
class RemotePolicy:
    """What the client refuses to send to a car. The API has limits of its own, and does not state them.

    Attributes:
        cooldown: the shortest time between two commands of a kind to a car.
        cooldowns: the same for single kinds (``{"horn": timedelta(minutes=1)}``), instead of ``cooldown``.
        wake_up_spacing: the shortest time between two wake-ups of a car by ``wake_up()``.
        wake_ups_per_month: commands to a car that sleeps, in a calendar month (UTC); None: counted, and not limited.
        under_way: how long a command whose end is unknown holds up others of its kind.
    """

    cooldown: timedelta = attrs.field(default=timedelta(seconds=5), validator=_at_least_nothing)
    cooldowns: Mapping[str, timedelta] = attrs.field(factory=dict, validator=_at_least_nothing_each)
    wake_up_spacing: timedelta = attrs.field(default=timedelta(minutes=5), validator=_at_least_nothing)
    wake_ups_per_month: int | None = attrs.field(
        default=None, validator=[_whole, validators.optional(validators.ge(0))]
    )
    under_way: timedelta = attrs.field(default=timedelta(minutes=5), validator=_at_least_nothing)

    def cooldown_of(self, kind: ActionKind) -> timedelta:
        """Return the shortest time between two commands of a kind."""
        return self.cooldowns.get(kind, self.cooldown)


@attrs.frozen
class PolicyRefusal:
    """A command that must not be sent.

    Attributes:
        reason: why.
        again_at: from when it may be sent; None where waiting does not help.
    """

    reason: PolicyRefusalReason
    again_at: datetime | None


@attrs.frozen(kw_only=True)
class PendingCommandRecord:
    """A command whose end is not known yet.

    Attributes:
        label: the label it is sent with.
        since: when it was begun.
        costs: whether it is one of the month's wake-ups.
        url: that of its operation; None before the response, or where that was lost.
        is_sent: whether the server may have received it.
    """

    label: str
    since: datetime
    costs: bool
    url: str | None = None
    is_sent: bool = False


@attrs.frozen(kw_only=True)
class CommandPolicyState:
    """What was sent to a car, as far as the policy needs it. A value: each change returns another one.

    Attributes:
        under_way: by the kind of the action.
        sent_at: when a command of a kind was sent last.
        messaged_at: when any command was sent last.
        woken_at: when a sleeping car was woken last by ``wake_up()``.
        month: of the wake-ups (``2026-11``).
        wake_ups: in that month.
        refused_month: the month for which the API refused further wake-ups.
    """

    under_way: Mapping[str, PendingCommandRecord] = attrs.field(factory=dict)
    sent_at: Mapping[str, datetime] = attrs.field(factory=dict)
    messaged_at: datetime | None = None
    woken_at: datetime | None = None
    month: str = ""
    wake_ups: int = 0
    refused_month: str = ""

    def at(self, now: datetime, policy: RemotePolicy) -> CommandPolicyState:
        """Return the state at a time: without commands that are too old, or of another month.

        Instants of a clock that was ahead count as now.
        """
        month = _month(now)
        under_way = {
            kind: attrs.evolve(each, since=min(each.since, now))
            for kind, each in self.under_way.items()
            if now - each.since < policy.under_way
        }
        return attrs.evolve(
            self,
            under_way=under_way,
            sent_at={kind: min(at, now) for kind, at in self.sent_at.items()},
            messaged_at=_not_after(self.messaged_at, now),
            woken_at=_not_after(self.woken_at, now),
            month=month,
            wake_ups=self.wake_ups if self.month >= month else 0,
            refused_month=self.refused_month if self.refused_month == month else "",
        )

    def is_awake(self, now: datetime) -> bool:
        """Return whether a message was sent so recently that the car does not sleep."""
        return self.messaged_at is not None and now - self.messaged_at < AWAKE

    def costs(self, kind: ActionKind, now: datetime) -> bool:
        """Return whether a command would wake the car."""
        return kind not in _WITHOUT_WAKE_UP and not self.is_awake(now)

    def refusal(
        self, policy: RemotePolicy, kind: ActionKind, now: datetime, *, force: bool = False
    ) -> PolicyRefusal | None:
        """Return why a command must not be sent; None where it may.

        Args:
            policy: the limits.
            kind: the kind of the action.
            now: the time; this state is that of the time.
            force: pass every limit but that of an action of the same kind under way.
        """
        running = self.under_way.get(kind)
        if running is not None:
            return PolicyRefusal(PolicyRefusalReason.SAME_ACTION, _later(running.since, policy.under_way))
        if force:
            return None
        last = self.sent_at.get(kind)
        if last is not None and now - last < policy.cooldown_of(kind):
            return PolicyRefusal(PolicyRefusalReason.COOLDOWN, _later(last, policy.cooldown_of(kind)))
        if not self.costs(kind, now):
            return None
        if self.refused_month:
            return PolicyRefusal(PolicyRefusalReason.WAKE_UPS_OVER, _next_month(now))
        if policy.wake_ups_per_month is not None:
            begun = sum(each.costs and not each.is_sent for each in self.under_way.values())
            if self.wake_ups + begun >= policy.wake_ups_per_month:
                return PolicyRefusal(PolicyRefusalReason.WAKE_UP_BUDGET, _next_month(now))
        if kind is ActionKind.WAKE_UP and self.woken_at is not None and now - self.woken_at < policy.wake_up_spacing:
            return PolicyRefusal(PolicyRefusalReason.WAKE_UP_SPACING, _later(self.woken_at, policy.wake_up_spacing))
        return None

    def begun(self, kind: ActionKind, label: str, now: datetime) -> CommandPolicyState:
        """Return the state with a command that is about to be sent."""
        running = PendingCommandRecord(label=label, since=now, costs=self.costs(kind, now))
        return attrs.evolve(self, under_way={**self.under_way, kind.value: running})

    def withdrawn(self, kind: ActionKind, label: str) -> CommandPolicyState:
        """Return the state without a command that was not sent, or that the server refused."""
        running = self.under_way.get(kind)
        if running is None or running.label != label:
            return self
        return attrs.evolve(self, under_way=_without(self.under_way, kind))

    def sent(self, kind: ActionKind, label: str, now: datetime, url: str | None) -> CommandPolicyState:
        """Return the state with a command that the server has received, or may have received."""
        running = self.under_way.get(kind)
        if running is None or running.label != label:  # it took longer than the policy waits
            running = PendingCommandRecord(label=label, since=now, costs=self.costs(kind, now))
        if running.is_sent:
            running = attrs.evolve(running, url=url or running.url)
            return attrs.evolve(self, under_way={**self.under_way, kind.value: running})
        is_wake_up = running.costs and kind is ActionKind.WAKE_UP
        return attrs.evolve(
            self,
            under_way={**self.under_way, kind.value: attrs.evolve(running, is_sent=True, url=url)},
            sent_at={**self.sent_at, kind.value: now},
            messaged_at=self.messaged_at if kind in _WITHOUT_WAKE_UP else now,
            woken_at=now if is_wake_up else self.woken_at,
            wake_ups=self.wake_ups + running.costs,
        )

    def finished(
        self, kind: ActionKind, label: str, now: datetime, cause: str | None = None, *, sent_at: datetime | None = None
    ) -> CommandPolicyState:
        """Return the state with the end of a command.

        Args:
            kind: the kind of the action.
            label: the label that it was sent with.
            now: the time.
            cause: the cause of its failure; None where it did not fail.
            sent_at: when it was sent, which decides the month of a refusal; None: when it was begun, if that is known.
        """
        running = self.under_way.get(kind)
        if sent_at is None and running is not None and running.label == label:
            sent_at = running.since
        state = self.withdrawn(kind, label)
        if cause in _NOT_REACHED:
            state = attrs.evolve(state, messaged_at=None)
        if cause == FailureCause.TOO_MANY_WAKE_UPS_OVER_MONTH:
            state = attrs.evolve(state, refused_month=max(state.refused_month, _month(sent_at or now)))
        return state

    # --------------------------------------------------------------------------------------------- as bytes

    def dump(self) -> bytes:
        """Return it as JSON."""
        value: dict[str, Any] = {
            "format": _FORMAT,
            "under_way": {
                kind: {
                    "label": each.label,
                    "since": each.since.isoformat(),
                    "costs": each.costs,
                    "url": each.url,
                    "is_sent": each.is_sent,
                }
                for kind, each in self.under_way.items()
            },
            "sent_at": {kind: at.isoformat() for kind, at in self.sent_at.items()},
            "messaged_at": None if self.messaged_at is None else self.messaged_at.isoformat(),
            "woken_at": None if self.woken_at is None else self.woken_at.isoformat(),
            "month": self.month,
            "wake_ups": self.wake_ups,
            "refused_month": self.refused_month,
        }
        return json.dumps(value, separators=(",", ":")).encode()

    @classmethod
    def load(cls, content: bytes | None) -> CommandPolicyState:
        """Read what :meth:`dump` returned; None is the state of a car that nothing was sent to.

        Raises:
            ValueError: it cannot be read.
        """
        if content is None:
            return cls()
        try:
            value = json.loads(content)
            if value["format"] != _FORMAT:
                raise ValueError("another format")
            under_way = {
                str(kind): PendingCommandRecord(
                    label=str(each["label"]),
                    since=_instant(each["since"]),
                    costs=bool(each["costs"]),
                    url=_optional_text(each["url"]),
                    is_sent=bool(each["is_sent"]),
                )
                for kind, each in value["under_way"].items()
            }
            return cls(
                under_way=under_way,
                sent_at={str(kind): _instant(at) for kind, at in value["sent_at"].items()},
                messaged_at=_optional_instant(value["messaged_at"]),
                woken_at=_optional_instant(value["woken_at"]),
                month=str(value["month"]),
                wake_ups=int(value["wake_ups"]),
                refused_month=str(value["refused_month"]),
            )
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError, RecursionError) as error:
            raise ValueError("the state of a car cannot be read") from error


DEFAULT_POLICY: Final = RemotePolicy()


def _without(under_way: Mapping[str, PendingCommandRecord], kind: ActionKind) -> Mapping[str, PendingCommandRecord]:
    return MappingProxyType({name: each for name, each in under_way.items() if name != kind})


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("a naive instant")
    return instant


def _optional_text(value: object) -> str | None:
    if not isinstance(value, str | None):
        raise TypeError("no text")
    return value


def _optional_instant(text: str | None) -> datetime | None:
    return None if text is None else _instant(text)


def _not_after(instant: datetime | None, now: datetime) -> datetime | None:
    return None if instant is None else min(instant, now)


def _month(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m")


def _later(instant: datetime, span: timedelta) -> datetime | None:
    """Return an instant after a span; None where the calendar has ended before."""
    try:
        return instant + span
    except OverflowError:
        return None


def _next_month(now: datetime) -> datetime:
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)
