"""Kinds of private values, and what the name of a member says about its value."""

from __future__ import annotations

import re

__all__ = [
    "ADDRESS",
    "ALTITUDE",
    "BODY",
    "HEADER",
    "HOST",
    "ID",
    "INSTANT",
    "MAIL",
    "NAME",
    "NUMBER",
    "PHONE",
    "PICTURE",
    "PLACE",
    "SECRET",
    "TEXT",
    "VIN",
    "WHOLE",
    "is_metric",
    "is_secret_parameter",
    "kind_of",
    "to_snake_case",
]

SECRET, VIN, MAIL, NAME, PHONE, PICTURE = "secret", "VIN", "e-mail", "name", "telephone number", "picture"
ADDRESS, ID, PLACE, INSTANT, TEXT = "address", "id", "place", "instant", "text"
NUMBER, HOST, HEADER, BODY, ALTITUDE = "number", "host", "header", "body", "altitude"
WHOLE = frozenset((SECRET, NAME, MAIL, PHONE, PICTURE, ADDRESS))  # kinds of all that an object holds

_KINDS = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (ID, r"(?:.*_)?(?:page|next|prev|previous|continuation|resume)_?token|(?:.*_)?cursor"),
        (
            SECRET,
            (
                r"(?:.*_)?(?:tokens?|secret|password|passwd|passphrase|pwd|pin|otp|authorization|cookies?|credentials?"
                r"|api_?key|session(?:_id)?|realm|client_?id|code_verifier|code_challenge|assertion|jwt|signature|nonce)"
            ),
        ),
        (VIN, r"(?:.*_)?vins?"),
        (MAIL, r".*mail.*"),
        (PHONE, r"(?:.*_)?(?:phones?|mobile|telephone|msisdn|fax)(?:_.*)?"),
        (PICTURE, r"(?:.*_)?(?:pictures?|photos?|images?|avatars?)(?:_.*)?"),
        (
            ADDRESS,
            r"(?:.*_)?(?:address(?:es)?|street|city|town|place|postal|zip|postcode|postal_code|zip_code)(?:_.*)?",
        ),
        (NAME, r"(?:.*_)?(?:name|names|firstname|lastname|surname|nickname|username|owner|holder|initials)"),
        (PLACE, r"coordinates|geometry|bbox|(?:.*_)?(?:lat|latitude|lon|lng|longitude)(?:_.*)?|gps|location"),
        (ALTITUDE, r"(?:.*_)?(?:altitude|alt|elevation)"),
        (
            ID,
            (
                r"(?:.*_)?(?:ids?|uuid|guid|number|serial|imei|iccid|imsi|contract|account|customer|user|plate"
                r"|licen[cs]e|registration|etag|birthday|birth_?date|age)"
            ),
        ),
    )
)
_METRIC = re.compile(
    r"speed|mileage|distance|duration|level|autonomy|consumption|percent|temp|voltage|capacity|residual|rate"
    r"|acceleration|total|page|heading|pressure|quality|health|resistance|interval|power|energy|torque|rpm"
)
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_SECRET_PARAMETERS = frozenset(("code", "state", "nonce", "realm", "key", "login_hint"))


def is_secret_parameter(name: str) -> bool:
    """Return whether a parameter of a query is left out of a recording, and of comparisons with it."""
    return to_snake_case(name) in _SECRET_PARAMETERS or kind_of(name) == SECRET


def to_snake_case(name: str) -> str:
    """Return the name of a member or header in lower case with underscores."""
    return _CAPITAL.sub("_", name).lower().replace("-", "_")


def kind_of(name: str) -> str | None:
    """Return the kind of a value under a name; None where the name says nothing."""
    snake = to_snake_case(name)
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(snake)), None)


def is_metric(name: str) -> bool:
    """Return whether a name is that of a measurement, whose small figures are not private."""
    return _METRIC.search(to_snake_case(name)) is not None
