"""Clocks of the tests: the package's jumping ones, the real one, and a zone that sets its clocks back."""

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from stellantis_hal.testing import JumpingEventLoop, jump, jumping

__all__ = ["BACKENDS", "Autumn", "JumpingEventLoop", "jump", "jumping", "real"]

BACKENDS = ("asyncio", "trio")


def real(backend: str) -> tuple[str, Mapping[str, Any]]:
    """Return the backend's name and options for a test in real time."""
    return backend, {}


class Autumn(tzinfo):
    """A zone in the night when clocks are set back: one hour of local time occurs twice (``fold``)."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        assert moment is not None
        return timedelta(hours=1 if (moment.hour, moment.fold) >= (2, 1) else 2)

    def dst(self, moment: datetime | None) -> timedelta:
        return self.utcoffset(moment) - timedelta(hours=1)

    def tzname(self, moment: datetime | None) -> str:
        return "CEST" if self.dst(moment) else "CET"
