"""Delivery policies of a fleet owner's webhooks: repetitions and batches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import attrs

from stellantis_hal.structuring.extra import NO_EXTRA
from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.problems import Problem
from stellantis_hal.validation import require_type

__all__ = ["Batch", "DeliveryRetry", "RetryRule", "batch_body", "retry_body"]

_SHORTEST_WINDOW: Final = 5


class RetryRule(OpenEnum):
    """How often a delivery is repeated."""

    NONE = "None"
    BOUNDED = "Bounded"
    ALWAYS = "Always"


def _whole_seconds(name: str, value: float | timedelta, least: int) -> int:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool):
        raise TypeError(f"{name} must be a number of seconds, not bool")
    require_type(name, value, int, float)
    if not (math.isfinite(value) and value == int(value) and value >= least):
        raise ValueError(f"{name} must be a number of whole seconds, at least {least}, not {value:g}")
    return int(value)


@attrs.frozen(kw_only=True, weakref_slot=False)
class DeliveryRetry(Model):
    """How a delivery is repeated that the receiver did not answer with success; never beyond three days.

    Attributes:
        rule: none, bounded, or always.
        number: how often, where it is bounded.
        delay: seconds between two attempts.
    """

    rule: RetryRule | None = attrs.field(default=None, metadata=names("policy"))
    number: int | None = attrs.field(default=None, metadata=names("retryNumber", unit="count"))
    delay: int | None = attrs.field(default=None, metadata=names("retryDelay", unit="s"))

    @classmethod
    def none(cls) -> DeliveryRetry:
        """Return the policy without repetitions."""
        return cls(rule=RetryRule.NONE)

    @classmethod
    def bounded(cls, number: int = 3, *, every: float | timedelta = 10) -> DeliveryRetry:
        """Return the policy of some repetitions.

        Args:
            number: how many, at least 1.
            every: seconds between two attempts, at least 1.

        Raises:
            ValueError: a number is out of its bounds.
        """
        require_type("number", number, int)
        if number < 1:
            raise ValueError(f"number must be at least 1, not {number}")
        return cls(rule=RetryRule.BOUNDED, number=number, delay=_whole_seconds("every", every, 1))

    @classmethod
    def always(cls, *, every: float | timedelta = 10) -> DeliveryRetry:
        """Return the policy of repetitions until three days have passed; for monitors only.

        Args:
            every: seconds between two attempts, at least 1.

        Raises:
            ValueError: the number is out of its bounds.
        """
        return cls(rule=RetryRule.ALWAYS, delay=_whole_seconds("every", every, 1))


@attrs.frozen(init=False, weakref_slot=False)
class Batch(Model):
    """Several events in one delivery: ``Batch(10, within=60)``.

    Attributes:
        size: the number of events with which a batch is sent at once.
        window: seconds after which it is sent in any case.
    """

    size: int | None = attrs.field(default=None, metadata=names(unit="count"))
    window: int | None = attrs.field(default=None, metadata=names("timeWindow", unit="s"))

    def __init__(
        self,
        size: int | None = None,
        *,
        within: float | timedelta | None = 60,
        window: int | None = None,
        problems: tuple[Problem, ...] = (),
        extra: Mapping[str, Any] = NO_EXTRA,
    ) -> None:
        """Make a batch.

        Args:
            size: the number of events, at least 1.
            within: seconds, at least 5.
            window: the same, as it is read.
            problems: what could not be read in it.
            extra: keys that no attribute has.

        Raises:
            ValueError: a number is out of its bounds.
        """
        require_type("size", size, int)
        assert size is not None  # noqa: S101 - for the type checkers
        if size < 1:
            raise ValueError(f"size must be at least 1, not {size}")
        seconds = 60 if within is None else _whole_seconds("within", within, _SHORTEST_WINDOW)
        values = {"size": size, "window": window or seconds, "problems": problems, "extra": extra}
        for name, value in values.items():
            object.__setattr__(self, name, value)


def retry_body(retry: DeliveryRetry, *, for_remotes: bool = False) -> dict[str, Any]:
    """Return a policy of repetitions as the API takes it.

    Raises:
        ValueError: it is of no kind that the API takes.
    """
    if retry.rule is None or not retry.rule.is_known or (for_remotes and retry.rule == RetryRule.ALWAYS):
        raise ValueError("retry must be DeliveryRetry.none(), .bounded(…), or for monitors .always()")
    body: dict[str, Any] = {"policy": str(retry.rule)}
    if retry.number is not None:
        body["retryNumber"] = retry.number
    if retry.delay is not None:
        body["retryDelay"] = retry.delay
    return body


def batch_body(batch: Batch) -> dict[str, Any]:
    """Return a policy of batches as the API takes it."""
    return {"size": batch.size, **({} if batch.window is None else {"timeWindow": batch.window})}
