"""Plans that turn the monitors that exist into those that are wanted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from stellantis_hal.hal.redaction import mask_text, redacted_repr
from stellantis_hal.resources.control.callback_targets import Webhook
from stellantis_hal.resources.control.monitor import PATHS, Monitor, MonitorStatus
from stellantis_hal.resources.control.unread_parts import unread_parts
from stellantis_hal.structuring.converter import read

__all__ = ["PlanAction", "PlanStep", "ReconciliationPlan", "differences", "is_as", "plan"]

PlanAction: TypeAlias = Literal["keep", "create", "update", "resume", "delete"]


@attrs.frozen(kw_only=True, repr=False)
class PlanStep:
    """What is done with one monitor.

    Attributes:
        action: what is done.
        label: the label of the monitor.
        reason: why, without places and secrets.
        monitor: the one that exists; None where it is created.
        body: the one that is wanted, as the API takes it; None where it is deleted.
    """

    action: PlanAction
    label: str
    reason: str
    monitor: Monitor | None = attrs.field(default=None, repr=False)
    body: dict[str, Any] | None = attrs.field(default=None, repr=False)

    __repr__ = redacted_repr

    def __str__(self) -> str:
        return f"{mask_text(self.action):6}  {mask_text(self.label)}  ({mask_text(self.reason)})"


@attrs.frozen(repr=False)
class ReconciliationPlan:
    """What turns the monitors that exist into those that are wanted; ``print(plan)`` shows it line by line.

    Attributes:
        steps: in the order in which they are done: deletions make room for what is new.
    """

    steps: tuple[PlanStep, ...] = ()

    __repr__ = redacted_repr

    @property
    def changes(self) -> tuple[PlanStep, ...]:
        """The steps that change something."""
        return tuple(step for step in self.steps if step.action != "keep")

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps)) or "nothing to do"


def plan(
    existing: Iterable[Monitor], wanted: Mapping[str, dict[str, Any]], *, keep_others: bool = False
) -> ReconciliationPlan:
    """Return the plan.

    Args:
        existing: the monitors that exist.
        wanted: bodies of those that are wanted, by their labels.
        keep_others: whether monitors of other labels are left alone.
    """
    deletions: list[PlanStep] = []
    changes: list[PlanStep] = []
    seen: set[str] = set()
    for monitor in existing:
        label = monitor.label or ""
        body = wanted.get(label)
        if body is None or label in seen:
            if body is not None or not keep_others:
                reason = "not wanted" if body is None else "another one has this label"
                deletions.append(PlanStep(action="delete", label=label, reason=reason, monitor=monitor))
            continue
        seen.add(label)
        changes.append(_step(monitor, label, body))
    missing = [
        PlanStep(action="create", label=label, reason="missing", body=body)
        for label, body in wanted.items()
        if label not in seen
    ]
    return ReconciliationPlan((*deletions, *changes, *missing))


def _step(monitor: Monitor, label: str, body: dict[str, Any]) -> PlanStep:
    different = differences(monitor, body)
    if different:
        reason = f"other {', '.join(different)}"
        return PlanStep(action="update", label=label, reason=reason, monitor=monitor, body=body)
    status = monitor.status
    if status is not None and status in {MonitorStatus.PAUSED, MonitorStatus.FAILED}:
        reason = f"is {status.lower()}"
        return PlanStep(action="resume", label=label, reason=reason, monitor=monitor, body=body)
    return PlanStep(action="keep", label=label, reason="as wanted", monitor=monitor, body=body)


def is_as(monitor: Monitor, body: Mapping[str, Any]) -> bool:
    """Return whether a monitor is what a body asks for; the order of lists does not matter."""
    return not differences(monitor, body)


def differences(monitor: Monitor, body: Mapping[str, Any]) -> list[str]:
    """Return the attributes in which a monitor differs from a body, or of which something could not be read."""
    sent = read({"monitor": dict(body)}, Monitor)
    mine, wanted, unread = _terms(monitor), _terms(sent), unread_parts(monitor.problems, _PATHS)
    return [name for name, value in wanted.items() if mine[name] != value or name in unread]


_NAMES: Final = {"when": "condition", "deliver": "target"}
_PATHS: Final = {_NAMES.get(name, name): path for name, path in PATHS.items()}


def _terms(monitor: Monitor) -> dict[str, object]:
    return {
        "condition": monitor.when,
        "include": frozenset(monitor.include),
        "refresh": monitor.refresh,
        "attributes": frozenset((each.part, each.key, each.value) for each in monitor.attributes),
        "target": _target(monitor.deliver),
        "retry": monitor.retry,
        "batch": monitor.batch,
    }


def _target(webhook: Webhook | None) -> object:
    if webhook is None:
        return None
    attributes = frozenset((each.part, each.key, each.value) for each in webhook.attributes)
    return webhook.url, webhook.name, attributes
