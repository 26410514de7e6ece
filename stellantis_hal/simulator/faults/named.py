"""Faults and durations by name, as command lines and the control address write them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType

from stellantis_hal.simulator.faults.fault_plan import RandomFault
from stellantis_hal.simulator.faults.kinds import (
    ClockSkew,
    ConnectionRefused,
    CutBody,
    Delay,
    ExpiredToken,
    Fault,
    ForeignLink,
    HtmlError,
    LoopingLink,
    OAuthFault,
    Reset,
    ServerFault,
    SlowBody,
    TooManyRequests,
    VanishedFields,
    WrongLength,
)

__all__ = ["FAULTS", "fault_name", "find_fault", "parse_duration", "parse_fault", "random_fault"]

FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "clock-skew": ClockSkew(),
        "cut-body": CutBody(),
        "delay": Delay(seconds=2.0),
        "expired-token": ExpiredToken(),
        "foreign-link": ForeignLink(),
        "html": HtmlError(),
        "looping-link": LoopingLink(),
        "oauth": OAuthFault(),
        "refused": ConnectionRefused(),
        "reset": Reset(),
        "reset-before": Reset(counted=False),
        "server-error": ServerFault(),
        "slow-body": SlowBody(),
        "too-many-requests": TooManyRequests(),
        "unavailable": ServerFault(status=503, code=50300),
        "vanished-fields": VanishedFields(),
        "wrong-length": WrongLength(),
    }
)
"""The faults by name."""

_RATE = 0.1
_IDENTITY = frozenset({"oauth"})
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|min|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_LONGEST = 36_500 * 86_400.0


def find_fault(name: str) -> Fault:
    """Return the fault with a name. Raises ValueError."""
    try:
        return FAULTS[name]
    except KeyError:
        raise ValueError(f"no fault is called {name!r}: they are {', '.join(FAULTS)}") from None


def fault_name(fault: Fault) -> str:
    """Return the name of a fault; one with other settings has the name of its class."""
    return next((name for name, known in FAULTS.items() if known == fault), type(fault).__name__)


def random_fault(name: str, rate: float = _RATE) -> RandomFault:
    """Return a fault of a share of the requests: those of the API, or of the identity server for ``oauth``.

    Raises:
        ValueError: no fault has that name, or the rate is not a number from 0 to 1.
    """
    fault = find_fault(name)
    if not 0 <= rate <= 1:
        raise ValueError(f"the rate of {name} must be a number from 0 to 1, not {rate}")
    return RandomFault(fault=fault, rate=rate, path="/am/oauth2" if name in _IDENTITY else "/connectedcar/")


def parse_fault(text: str) -> RandomFault:
    """Return the fault of ``NAME`` (of 10 % of the requests) or ``NAME=rate``. Raises ValueError."""
    name, separator, rate = text.partition("=")
    try:
        return random_fault(name, float(rate) if separator else _RATE)
    except ValueError as error:
        if separator and not _is_number(rate):
            raise ValueError(f"the rate of {name} must be a number from 0 to 1, not {rate!r}") from None
        raise error from None


def parse_duration(text: str) -> float:
    """Return the seconds of ``50ms``, ``1.5s``, ``10m``, ``2h``, ``1d``, or of a bare number.

    Raises ValueError for another text, and for more than 100 years.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"a duration is written like 50ms, 1.5s, 10m, 2h or 1d, not {text!r}")
    seconds = float(found[1]) * _SECONDS[found[2] or "s"]
    if seconds > _LONGEST:
        raise ValueError(f"a duration is at most 36500d, not {text if len(text) <= 20 else 'longer'}")
    return seconds


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
