"""Anonymizing: what of a recorded exchange is kept, what is replaced, and by what.

Unknown values are private. Kept are booleans, numbers of no identifying kind, durations, times of day, members of known
enumerations and words of the API's vocabulary.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from stellantis_hal.hal.uri import split
from stellantis_hal.testing import private_kinds as kinds
from stellantis_hal.testing.anonymization_allowlist import PATH_WORDS, is_public_host, member_names, vocabulary
from stellantis_hal.testing.private_kinds import is_metric, is_secret_parameter, kind_of, to_snake_case
from stellantis_hal.testing.pseudonyms import VIN, Pseudonyms
from stellantis_hal.vendor.gateway import GATEWAY

__all__ = ["REMOVED", "Anonymizer"]

_T = TypeVar("_T")

REMOVED = "removed"
"""What stands for every token, secret and realm."""

_LATITUDE = re.compile(r"(?P<rest>(?:.*_)?)(?:latitude|lat)")
_LONGITUDES = ("longitude", "lon", "lng", "long")
_KEY = re.compile(r"[A-Za-z_$@][A-Za-z0-9_.:-]{0,47}")
_IDENTIFYING_KEY = re.compile(
    r"\d{4}|(?=[A-Fa-f0-9-]*\d)[A-Fa-f0-9-]{8}|@.*\.|(?<![A-Za-z0-9])[A-Za-z0-9]{17}(?![A-Za-z0-9])"
)
_MAIL_TEXT = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE_TEXT = re.compile(r"\+[\d .()/-]{7,20}")
_DURATION = re.compile(r"[+-]?P(?=\d|T\d)(?:\d{1,4}[YMWD]){0,4}(?:T(?:\d{1,5}(?:\.\d{1,3})?[HMS]){1,3})?")
_CLOCK = re.compile(r"[0-2]?\d:[0-5]\d(?::[0-5]\d)?")
_RANGE = re.compile(r"\d{1,6}(?:-\d{0,6})?")
_DECIMAL = re.compile(r"-?\d{1,3}\.\d+")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|/(?=[\w{?])|\?[\w.]+=")
_URL_NAMES = re.compile(r"(?:.*_)?(?:href|url|uri|link|location|instance)")
_TIME_NAME = re.compile(r"(?:.*_)?(?:at|on|time|date|datetime|timestamp|exp|iat|nbf|expires|created|updated|modified)")
_EXPRESSION = re.compile(r"\{[^{}]*\}")
# Stand for expressions while a URL is split: characters of private use, which are removed from it before.
_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK = re.compile(rf"{_OPEN}(\d*){_CLOSE}|[{_OPEN}{_CLOSE}]")
_MARK_PARTS = re.compile(rf"({_OPEN}\d+{_CLOSE})")
_VARIABLES = re.compile(r"\{[+#./;?&]?[A-Za-z_][A-Za-z_.,*]*\}")
_VERSION = re.compile(r"v\d{1,2}")
_LINK_HEADER = re.compile(r"<([^>]*)>([^<]*)")
_REL = re.compile(r'rel\s*=\s*"?([A-Za-z]{1,20})')
_MAX_PORT = 5
_SMALL = re.compile(r"\d{1,9}")
_LISTS = {
    "cache-control": re.compile(
        r"no-cache|no-store|private|public|must-revalidate|no-transform|immutable|proxy-revalidate"
        r"|(?:s-maxage|max-age|stale-if-error|stale-while-revalidate)=\d{1,9}"
    ),
    "vary": re.compile(r"\*|accept|accept-(?:encoding|language)|authorization|cookie|origin|prefer", re.IGNORECASE),
    "allow": re.compile(r"GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS"),
}
_RELS = ("_links", "_embedded")  # a relation named `owner` makes nothing of what its link holds a name
_SHORT, _LONG = 4, 6  # characters of an original that no name may equal, or contain
_LARGEST = 10_000_000
_MIN_DECIMALS = 3

_KEPT_NUMBERS = re.compile(r"x-?ratelimit.*|ratelimit.*|age|retry-after|x-retry-after")
_DATES = frozenset(("date", "expires", "last-modified", "retry-after", "x-retry-after"))
_LEFT_OUT_HEADERS = frozenset(
    ("content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive", "set-cookie", "set-cookie2")
)


class Anonymizer:
    """Replaces what is private in exchanges, and counts what it did by kind and JSON path.

    Args:
        hosts: names of hosts that stay, besides the vendor's, the simulator's and loopback.
        words: segments of paths, names and values that stay, besides the vendor's API's.
        pseudonyms: None: new ones.
    """

    def __init__(
        self, *, hosts: Collection[str] = (), words: Collection[str] = (), pseudonyms: Pseudonyms | None = None
    ) -> None:
        self._pseudonyms = Pseudonyms() if pseudonyms is None else pseudonyms
        self._hosts = frozenset(host.lower() for host in hosts)
        self._words = PATH_WORDS | frozenset(words)
        self._values = vocabulary() | frozenset(words)
        self._known_names = member_names()
        self._private: set[str] = set()
        self._private_texts: set[str] = set()
        self.replaced: dict[str, Counter[str]] = {}
        self.kept: Counter[str] = Counter()

    @property
    def pseudonyms(self) -> Pseudonyms:
        """The replacements of ids, instants and places."""
        return self._pseudonyms

    # ------------------------------------------------------------------ counts

    def count(self, kind: str, path: str, original: str = "") -> None:
        """Count a replacement at a JSON path; the original must not be in any name of the recording."""
        self.replaced.setdefault(kind, Counter())[path] += 1
        if len(original) >= _SHORT and original not in self._values and original not in self._words:
            (self._private_texts if kind == kinds.TEXT else self._private).add(original.casefold())

    def _keep(self, value: _T, path: str) -> _T:
        self.kept[path] += 1
        return value

    # ------------------------------------------------------------------ JSON

    def body(self, value: Any) -> Any:
        """Return a JSON value with everything private replaced; its structure and types stay."""
        return self._value(value, None, "", "$")

    def _value(self, value: Any, kind: str | None, name: str, path: str) -> Any:
        if isinstance(value, dict):
            return self._object(value, kind if kind in kinds.WHOLE else None, path, names_are_rels=name in _RELS)
        if isinstance(value, list):
            return self._list(value, kind, name, path)
        if value is None or isinstance(value, bool):
            return self._keep(value, path)
        if isinstance(value, str):
            return self.text(value, kind, name, path)
        return self._figure(value, kind, name, path)

    def _object(self, value: dict[str, Any], kind: str | None, path: str, *, names_are_rels: bool) -> dict[str, Any]:
        places = self._places_of(value)
        found: dict[str, Any] = {}
        for name, item in value.items():
            shown = self.name(name, path)
            below = f"{path}.{shown}"
            if name in places:
                self.count(kinds.PLACE, below)
                found[shown] = places[name]
            else:
                own = kind if kind is not None or names_are_rels else kind_of(name)
                found[shown] = self._value(item, own, name, below)
        return found

    def _places_of(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return the replacements of the pairs of a latitude and a longitude among the members of an object."""
        names = {to_snake_case(name): name for name in value}
        found: dict[str, Any] = {}
        for snake, name in names.items():
            match = _LATITUDE.fullmatch(snake)
            if match is None:
                continue
            for other in (names.get(f"{match['rest']}{spelling}") for spelling in _LONGITUDES):
                if other is None:
                    continue
                latitude, longitude = _degrees(value[name], 90), _degrees(value[other], 180)
                if latitude is not None and longitude is not None:
                    place = self._pseudonyms.place(longitude, latitude)
                    found[other] = str(place[0]) if isinstance(value[other], str) else place[0]
                    found[name] = str(place[1]) if isinstance(value[name], str) else place[1]
        return found

    def _list(self, values: list[Any], kind: str | None, name: str, path: str) -> list[Any]:
        below = f"{path}[*]"
        if (
            kind in {None, kinds.PLACE, kinds.ALTITUDE}
            and _is_position(values, is_place=kind == kinds.PLACE)
            and not is_metric(name)
        ):
            self.count(kinds.PLACE, path)
            return self._position(values)
        return [self._value(value, kind, name, below) for value in values]

    def _position(self, values: list[Any]) -> list[Any]:
        if len(values) in {4, 6}:  # the two corners of a bounding box
            half = len(values) // 2
            return self._position(values[:half]) + self._position(values[half:])
        first, second, *rest = values
        if abs(second) > 90:
            latitude_first = self._pseudonyms.place(second, first)
            return [latitude_first[1], latitude_first[0], *map(self._pseudonyms.altitude, rest)]
        return [*self._pseudonyms.place(first, second), *map(self._pseudonyms.altitude, rest)]

    def name(self, name: str, path: str) -> str:
        """Return the name of a member, a parameter or a header; one that looks like an id is replaced."""
        if name in self._values or name in self._words or name == "":
            return name
        if _KEY.fullmatch(name) and not _IDENTIFYING_KEY.search(name):
            return name
        self.count(kinds.ID, f"{path}.*", name)
        return self.url(name, f"{path}.*") if _URL.match(name) else self._pseudonyms.identifier(name)

    # ------------------------------------------------------------------ numbers

    def _figure(self, value: float, kind: str | None, name: str, path: str) -> float:
        if kind == kinds.SECRET:
            self.count(kind, path)
            return 0
        if kind == kinds.ALTITUDE:
            self.count(kind, path)
            return self._pseudonyms.altitude(value)
        if kind is not None:
            return self._mask_figure(value, kind, path)
        if is_metric(name) and abs(value) < _LARGEST:
            return self._keep(value, path)
        shifted = self._pseudonyms.epoch(value)
        if shifted is not None:
            self.count(kinds.INSTANT, path)
            return shifted
        has_decimals = len(repr(value).partition(".")[2]) >= _MIN_DECIMALS
        if abs(value) >= _LARGEST or has_decimals:
            return self._mask_figure(value, kinds.NUMBER, path)
        return self._keep(value, path)

    def _mask_figure(self, value: float, kind: str, path: str) -> float:
        if isinstance(value, int):
            self.count(kind, path, str(value))
            return self._pseudonyms.number(value)
        self.count(kind, path)
        return self._pseudonyms.fraction(value)

    # ------------------------------------------------------------------ texts

    def text(self, text: str, kind: str | None, name: str, path: str) -> str:
        """Return the replacement of a text, by the kind that its name states and by what it looks like."""
        if text == "":
            return self._keep(text, path)
        if kind in {kinds.SECRET, kinds.VIN, kinds.MAIL, kinds.NAME, kinds.PHONE, kinds.PICTURE, kinds.ADDRESS}:
            return self._named(text, kind, path)
        if text in self._values:
            return self._keep(text, path)
        shifted = self._instant(text, name)
        if shifted is not None:
            self.count(kinds.INSTANT, path)
            return shifted
        if _DURATION.fullmatch(text) or _CLOCK.fullmatch(text):
            return self._keep(text, path)
        if _URL.match(text) or _URL_NAMES.fullmatch(to_snake_case(name)):
            return self.url(text, path)
        if VIN.fullmatch(text):
            return self._named(text, kinds.VIN, path)
        if _MAIL_TEXT.fullmatch(text):
            return self._named(text, kinds.MAIL, path)
        if _PHONE_TEXT.fullmatch(text):
            return self._named(text, kinds.PHONE, path)
        if kind == kinds.PLACE and _DECIMAL.fullmatch(text):
            self.count(kinds.PLACE, path)
            return str(self._pseudonyms.fraction(float(text)))
        if kind == kinds.ID:
            return self.identifier(text, path)
        return self._free_text(text, path)

    def _instant(self, text: str, name: str) -> str | None:
        """Return the replacement of an instant, an interval of two, or a number of seconds; None for other texts."""
        shifted = self._pseudonyms.instant_text(text)
        if shifted is not None or "/" not in text:
            if shifted is None and text.isascii() and text.isdecimal() and _TIME_NAME.fullmatch(to_snake_case(name)):
                epoch = self._pseudonyms.epoch(int(text))
                return None if epoch is None else str(epoch)
            return shifted
        ends = [end if end in {"", ".."} else self._pseudonyms.instant_text(end) for end in text.split("/")]
        parts = [end for end in ends if end is not None]
        return "/".join(parts) if len(parts) == len(ends) and any(parts) else None

    def _named(self, text: str, kind: str, path: str) -> str:
        self.count(kind, path, text)
        if kind == kinds.SECRET:
            return REMOVED
        if kind == kinds.VIN:
            return self._pseudonyms.vin(text)
        if kind == kinds.PHONE:
            return self._pseudonyms.phone(text)
        form = {kinds.MAIL: "{}@example.invalid", kinds.PICTURE: "https://pictures.invalid/{}.png"}.get(
            kind, f"{kind}-{{}}"
        )
        return self._pseudonyms.named(text, form)

    def identifier(self, text: str, path: str) -> str:
        """Return the replacement of an id."""
        self.count(kinds.ID, path, text)
        return self._pseudonyms.identifier(text)

    def _free_text(self, text: str, path: str) -> str:
        replacement = self._pseudonyms.identifier(text, "text-")
        self.count(kinds.TEXT, path, text)
        phrases = [phrase for phrase in GATEWAY.misconfiguration_phrases if phrase in text.lower()]
        return " ".join([replacement, *phrases])

    # ------------------------------------------------------------------ URLs

    def url(self, url: str, path: str) -> str:
        """Return a URL or a template: without user information and secrets, with its ids and unknown hosts replaced."""
        expressions: list[str] = []

        def mark(found: re.Match[str]) -> str:
            expressions.append(found[0] if _VARIABLES.fullmatch(found[0]) else "{x}")
            return f"{_OPEN}{len(expressions) - 1}{_CLOSE}"

        parts = split(_EXPRESSION.sub(mark, _MARK.sub("", url)))
        if parts.scheme is not None and parts.authority is None:
            return self._free_text(url, path)  # mailto:, tel:, data:
        authority = None if parts.authority is None else self.authority(parts.authority, path)
        segments = "/".join(self._around(segment, self._segment, path) for segment in parts.path.split("/"))
        query = self._around(parts.query, self._query, path) or None if parts.query else parts.query
        fragment = None if parts.fragment is None else quote(self.identifier(parts.fragment, path), safe="")
        scheme = parts.scheme if parts.scheme in {None, "http", "https"} else "other"
        masked = parts._replace(scheme=scheme, authority=authority, path=segments, query=query, fragment=fragment)
        return _MARK.sub(lambda found: expressions[int(found[1])], str(masked))

    def _around(self, text: str, mask: Callable[[str, str], str], path: str) -> str:
        """Return a text with each part between expressions of a template masked."""
        pieces = _MARK_PARTS.split(text)
        return "".join(piece if place % 2 else mask(piece, path) for place, piece in enumerate(pieces))

    def authority(self, authority: str, path: str) -> str:
        """Return a host and its port, without user information; an unknown host is replaced."""
        userinfo, at, host = authority.rpartition("@")
        if at:
            self.count(kinds.SECRET, path, userinfo)
        name, _, port = host.partition(":") if host[:1] != "[" else _after_bracket(host)
        port = f":{port}" if port.isascii() and port.isdecimal() and len(port) <= _MAX_PORT else ""
        if name.lower() in self._hosts or is_public_host(name.lower()):
            return f"{self._keep(name, path)}{port}"
        self.count(kinds.HOST, path, name)
        return self._pseudonyms.named(name.lower(), "host-{}.invalid") + port

    def _segment(self, segment: str, path: str) -> str:
        decoded = unquote(segment)
        if decoded in {"", ".", ".."} or decoded in self._words or _VERSION.fullmatch(decoded):
            return segment
        return quote(self.identifier(decoded, path), safe="")

    def _query(self, query: str, path: str) -> str:
        pairs = [self._pair(pair, path) for pair in query.split("&")]
        return "&".join(pair for pair in pairs if pair is not None)

    def _pair(self, pair: str, path: str) -> str | None:
        name, equals, value = pair.partition("=")
        name, value = unquote(name), unquote(value)
        if is_secret_parameter(name):
            self.count(kinds.SECRET, path, value)
            return None
        shown = quote(self.name(name, path), safe="")
        return f"{shown}={quote(self._parameter(name, value, path), safe='')}" if equals else shown

    def _parameter(self, name: str, value: str, path: str) -> str:
        kind = kind_of(name)
        if kind is None and (value in self._words or _RANGE.fullmatch(value)):
            return self._keep(value, path)
        if kind is None and "," in value and all(part in self._values for part in value.split(",")):
            return self._keep(value, path)
        return self.text(value, kind, name, path)

    # ------------------------------------------------------------------ headers

    def headers(self, fields: Iterable[tuple[str, str]], path: str) -> list[list[str]]:
        """Return the fields of a response; cookies and those of the transmission are left out."""
        found: list[list[str]] = []
        for field, value in fields:
            name = self.name(field.lower(), path)
            if name in _LEFT_OUT_HEADERS or is_secret_parameter(name.removeprefix("x-")):
                self.count(kinds.HEADER, f"{path}.{name}", value)
            else:
                found.append([name, self._header(name, value, f"{path}.{name}")])
        return found

    def _header(self, name: str, value: str, path: str) -> str:
        if name == "content-type":
            return self._media_type(value, path)
        if name in _DATES and (shifted := self._pseudonyms.instant_text(value)) is not None:
            self.count(kinds.INSTANT, path)
            return shifted
        if _KEPT_NUMBERS.fullmatch(name) and _SMALL.fullmatch(value):
            return self._keep(value, path)
        if name in {"location", "content-location"}:
            return self.url(value, path)
        if name == "link":
            return self._link_header(value, path)
        if name in _LISTS:
            parts = [part.strip() for part in value.split(",")]
            known = [part for part in parts if _LISTS[name].fullmatch(part)]
            if len(known) < len(parts):
                self.count(kinds.HEADER, path)
            return self._keep(", ".join(known), path)
        if name == "etag":
            weak = "W/" if value.startswith("W/") else ""
            return f'{weak}"{self.identifier(value.removeprefix(weak), path)}"'
        if name == "www-authenticate":
            shown = [word for word in re.findall(r"[\w-]+", value) if word in self._values]
            self.count(kinds.HEADER, path)
            return f'{shown[0] if shown else "Bearer"} error="{shown[1]}"' if shown[1:] else "Bearer"
        if _KEPT_NUMBERS.fullmatch(name) and value.isascii() and value.isdecimal():
            return self.text(value, None, "timestamp", path)
        return self.text(value, kind_of(name.removeprefix("x-")), name, path)

    def _media_type(self, value: str, path: str) -> str:
        media_type = value.partition(";")[0].strip().lower()
        if media_type in self._values:
            return self._keep(media_type, path)
        self.count(kinds.HEADER, path, media_type)
        return "application/json" if media_type.endswith("json") else "application/octet-stream"

    def _link_header(self, value: str, path: str) -> str:
        links = []
        for href, parameters in _LINK_HEADER.findall(value):
            rel = _REL.search(parameters)
            links.append(f"<{self.url(href, path)}>" + (f'; rel="{rel[1]}"' if rel else ""))
        return ", ".join(links)

    # ------------------------------------------------------------------ the whole

    def public_name(self, name: str) -> str:
        """Return a name of a member or a header, replaced where it holds what was replaced as a value elsewhere.

        Call it when the recording is complete: a name may come before the value that it repeats.
        """
        folded = name.casefold()
        if name in self._known_names or name in self._values | self._words or kind_of(name) is not None:
            return name
        if (
            folded in self._private
            or folded in self._private_texts
            or any(len(text) >= _LONG and text in folded for text in self._private)
        ):
            return self._pseudonyms.identifier(name)
        return name

    def with_public_names(self, value: Any) -> Any:
        """Return a JSON value with its names replaced as by :meth:`public_name`."""
        if isinstance(value, dict):
            return {self.public_name(name): self.with_public_names(item) for name, item in value.items()}
        return [self.with_public_names(item) for item in value] if isinstance(value, list) else value

    def report(self) -> dict[str, Any]:
        """Return what was replaced and what was left as it was, by JSON path, with how many times."""
        return {
            "replaced": {
                kind: {"count": paths.total(), "paths": self._public_paths(paths)}
                for kind, paths in sorted(self.replaced.items())
            },
            "left_as_it_was": self._public_paths(self.kept),
        }

    def _public_paths(self, paths: Counter[str]) -> dict[str, int]:
        found: Counter[str] = Counter()
        for path, count in paths.items():
            found[".".join(map(self.public_name, path.split(".")))] += count
        return dict(sorted(found.items()))


def _after_bracket(host: str) -> tuple[str, str, str]:
    address, bracket, port = host.partition("]")
    return f"{address}{bracket}", "", port.removeprefix(":")


def _is_position(values: list[Any], *, is_place: bool) -> bool:
    """Return whether a list is a longitude and a latitude, perhaps with an altitude, or two of these."""
    lengths = (2, 3, 4, 6) if is_place else (2, 3)
    if len(values) not in lengths or not all(type(value) in {int, float} for value in values):
        return False
    first, second = map(abs, values[:2])
    in_range = all(value <= 180 for value in (first, second)) and min(first, second) <= 90
    return in_range and (is_place or any(value != int(value) for value in values[:2]))


def _degrees(value: Any, most: int) -> float | None:
    if isinstance(value, str):
        return _degrees(float(value), most) if _DECIMAL.fullmatch(value) else None
    return float(value) if type(value) in {int, float} and -most <= value <= most else None
