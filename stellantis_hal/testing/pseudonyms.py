"""Pseudonyms: random replacements of ids, instants and places, consistent within one recording."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from math import asin, atan2, cos, degrees, pi, radians, sin
from random import Random, SystemRandom

__all__ = ["VIN", "Pseudonyms"]

VIN = re.compile(r"(?=[A-Za-z]{0,16}[0-9])[A-HJ-NPR-Za-hj-npr-z0-9]{17}")
_HEXADECIMAL = re.compile(r"(?=[^0-9]*[0-9])(?=(?:-*[0-9A-Fa-f]){8})[0-9A-Fa-f]+(?:-[0-9A-Fa-f]+)*")
_VIN_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
_SHORTEST_NUMBER = 6  # digits: a shorter replacement could be another original
_DAYS = (400, 4_000)
_DAY = 86_400

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:([Tt _])(\d\d:\d\d)(:\d\d)?([.,]\d+)?)?([Zz]|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_COMPACT = re.compile(r"((?:19|20)\d{6})T(\d{4}|\d{6})(Z|[+-]\d{4})?", re.ASCII)
_HTTP = re.compile(r"[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d:\d\d:\d\d) ([A-Z]{3}|[+-]\d{4})", re.ASCII)
_JAVA = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]?\d) (\d\d:\d\d:\d\d) (?:([A-Z]{1,5}(?:[+-]\d\d:?\d\d)?) )?(\d{4})", re.ASCII
)
_EPOCHS = tuple((unit, range(500_000_000 * unit, 5_000_000_000 * unit)) for unit in (1, 10**3, 10**6, 10**9))


class Pseudonyms:
    """Replacements of ids, instants and places.

    They come from a generator of random numbers, not from what they replace, and are held in memory only: a recording
    holds nothing from which an original could be computed.

    Args:
        random: None: the operating system's.
    """

    def __init__(self, random: Random | None = None) -> None:
        self._random = SystemRandom() if random is None else random
        self._replacements: dict[str, str] = {}
        self._taken: set[str] = set()
        self._fractions: dict[float, float] = {}
        self._shift = timedelta(seconds=-self._random.randrange(_DAYS[0] * _DAY, _DAYS[1] * _DAY))
        self._rotation: tuple[tuple[float, ...], ...] | None = None
        self._climb = self._random.randrange(15, 400)

    # ------------------------------------------------------------------ ids

    def identifier(self, text: str, prefix: str = "id-") -> str:
        """Return the replacement of an id: hexadecimal digits, digits and VINs keep their kind, others get a prefix."""
        if VIN.fullmatch(text):
            return self._replace(text, lambda _: self._vin())
        if text.isdecimal() and text.isascii():
            return self._replace(text, self._number(len(text)))
        if _HEXADECIMAL.fullmatch(text):
            return self._replace(text, lambda _: self._hexadecimal(text))
        return self.named(text, f"{prefix}{{}}")

    def named(self, text: str, form: str) -> str:
        """Return the replacement of a text: a form with a random name in the place of ``{}``."""
        return self._replace(text, lambda _: form.format(f"{self._random.getrandbits(48):012x}"))

    def vin(self, text: str) -> str:
        """Return a VIN in the place of another."""
        return self._replace(text, lambda _: self._vin())

    def phone(self, text: str) -> str:
        """Return a telephone number in the place of another."""
        return self._replace(text, lambda _: f"+999{self._digits(9)}")

    def number(self, value: int) -> int:
        """Return the replacement of an id that is a number: that of its digits as a text."""
        replacement = int(self._replace(str(abs(value)), self._number(len(str(abs(value))))))
        return -replacement if value < 0 else replacement

    def fraction(self, value: float) -> float:
        """Return a random number of as many digits before and after the point."""
        whole, _, decimals = repr(abs(value)).partition(".")
        if not (whole.isdecimal() and decimals.isdecimal()):
            return self._random.random()
        known = self._fractions.get(abs(value))
        if known is None:
            known = float(f"{self._digits(len(whole))}.{self._digits(len(decimals))}")
            self._fractions[abs(value)] = known
        return known if value >= 0 else -known

    def _number(self, digits: int) -> Callable[[int], str]:
        """Return a function that draws a number; after attempts in vain, as the numbers run out, a longer one."""
        return lambda attempts: self._digits(max(digits, _SHORTEST_NUMBER) + attempts // 50)

    def _replace(self, text: str, draw: Callable[[int], str]) -> str:
        known = self._replacements.get(text)
        attempts = 0
        while known is None:
            drawn = draw(attempts)
            attempts += 1
            if drawn not in self._taken and drawn not in self._replacements and drawn != text:
                self._taken.add(drawn)
                known = self._replacements[text] = drawn
        return known

    def _vin(self) -> str:
        return "".join(["Z", *(self._random.choice(_VIN_LETTERS) for _ in range(13)), self._digits(3)])

    def _digits(self, count: int) -> str:
        return str(self._random.randrange(10 ** (count - 1), 10**count))

    def _hexadecimal(self, text: str) -> str:
        digits = "0123456789ABCDEF" if text.upper() == text else "0123456789abcdef"
        return "".join("-" if char == "-" else self._random.choice(digits) for char in text)

    # ------------------------------------------------------------------ instants

    def instant(self, at: datetime) -> datetime:
        """Return an instant, shifted by the recording's offset; the offset is a whole number of seconds."""
        return at + self._shift

    def instant_text(self, text: str) -> str | None:
        """Return the text of an instant, shifted, in its own spelling; None where the text is none."""
        try:
            return self._shifted(text)
        except (ValueError, OverflowError):
            return None

    def _shifted(self, text: str) -> str | None:
        if found := _ISO.fullmatch(text):
            day, separator, clock, seconds, fraction, zone = found.groups()
            if clock is None:
                return None if zone else self._read(f"{day} 12:00:00").date().isoformat()
            at = self._read(f"{day} {clock}{(seconds or ':00').replace(':60', ':59')}")
            spelt = at.strftime("%H:%M:%S" if seconds else "%H:%M")
            return f"{at.date().isoformat()}{separator}{spelt}{fraction or ''}{zone or ''}"
        if found := _COMPACT.fullmatch(text):
            day, clock, zone = found.groups()
            at = datetime.strptime(f"{day}{clock:0<6}", "%Y%m%d%H%M%S") + self._shift  # noqa: DTZ007 - its zone is kept
            return f"{at.year:04}{at:%m%d}T{at:%H%M%S}"[: 9 + len(clock)] + (zone or "")
        if found := _HTTP.fullmatch(text):
            number, month, year, clock, zone = found.groups()
            at = self._read(f"{year}-{_month(month)}-{number} {clock}")
            return f"{_WEEKDAYS[at.weekday()]}, {at:%d} {_MONTHS[at.month - 1]} {at.year:04} {at:%H:%M:%S} {zone}"
        if found := _JAVA.fullmatch(text):
            month, number, clock, zone, year = found.groups()
            at = self._read(f"{year}-{_month(month)}-{int(number):02} {clock}")
            spelt = f"{_WEEKDAYS[at.weekday()]} {_MONTHS[at.month - 1]} {at:%d %H:%M:%S}"
            return f"{spelt} {zone} {at.year:04}" if zone else f"{spelt} {at.year:04}"
        return None

    def _read(self, text: str) -> datetime:
        return datetime.fromisoformat(text) + self._shift

    def epoch(self, value: float) -> float | None:
        """Return a number of (milli-, micro-, nano-) seconds since 1970, shifted; None for other numbers."""
        for unit, numbers in _EPOCHS:
            if numbers.start <= value < numbers.stop:
                return value + round(self._shift.total_seconds()) * unit
        return None

    # ------------------------------------------------------------------ places

    def place(self, longitude: float, latitude: float) -> tuple[float, float]:
        """Return another place on the earth: all distances between places of a recording stay as they are."""
        point = _vector(longitude, latitude)
        if self._rotation is None:
            self._rotation = self._draw_rotation(longitude, latitude)
        x, y, z = (sum(a * b for a, b in zip(row, point, strict=True)) for row in self._rotation)
        return round(degrees(atan2(y, x)), 6), round(degrees(asin(max(-1.0, min(1.0, z)))), 6)

    def altitude(self, metres: float) -> float:
        """Return an altitude, shifted by the recording's offset."""
        return round(metres + self._climb, 3)

    def _draw_rotation(self, longitude: float, latitude: float) -> tuple[tuple[float, ...], ...]:
        """Return a rotation of the sphere that turns the map and brings a place at least 20 degrees away from it."""
        to_longitude = (longitude + self._random.uniform(40, 320) + 180) % 360 - 180
        to_latitude = self._random.uniform(-50, 50)
        source = _frame(longitude, latitude, 0.0)
        target = _frame(to_longitude, to_latitude, self._random.uniform(0.2, 2 * pi - 0.2))
        return tuple(
            tuple(sum(target[axis][row] * source[axis][column] for axis in range(3)) for column in range(3))
            for row in range(3)
        )


def _month(name: str) -> str:
    return f"{_MONTHS.index(name) + 1:02}"


def _vector(longitude: float, latitude: float) -> tuple[float, float, float]:
    east, north = radians(longitude), radians(latitude)
    return cos(north) * cos(east), cos(north) * sin(east), sin(north)


def _frame(longitude: float, latitude: float, bearing: float) -> tuple[tuple[float, ...], ...]:
    """Return the vectors up, ahead and to the right at a place, for a bearing in radians from north."""
    east, north = radians(longitude), radians(latitude)
    to_east = (-sin(east), cos(east), 0.0)
    to_north = (-sin(north) * cos(east), -sin(north) * sin(east), cos(north))
    ahead = tuple(cos(bearing) * n + sin(bearing) * e for n, e in zip(to_north, to_east, strict=True))
    right = tuple(cos(bearing) * e - sin(bearing) * n for n, e in zip(to_north, to_east, strict=True))
    return _vector(longitude, latitude), ahead, right
