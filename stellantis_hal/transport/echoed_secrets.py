"""Secrets of a request in the words of its error, where the server repeats them without naming them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, unquote_plus

from stellantis_hal.errors import StellantisError
from stellantis_hal.hal.redaction import MASK
from stellantis_hal.navigation.streamed_request_bodies import Content

__all__ = ["hide_echoed_secrets", "secrets_of"]

_SHORTEST = 4  # a shorter one is too often a word of its own
_WORDS = ("description", "more_information")
_MAX_FORM = 65_536
_FIELDS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})
_MEMBERS = frozenset({
    "assertion", "client_assertion", "client_secret", "code", "code_verifier", "password", "refresh_token", "token",
})  # fmt: skip


def hide_echoed_secrets(error: StellantisError, secrets: tuple[str, ...]) -> None:
    """Replace secrets in the message of an error, and in its attributes with the server's words."""
    if not secrets:
        return
    pattern = re.compile("|".join([rf"(?<!\w){re.escape(secret)}(?!\w)" for secret in secrets]))
    error.args = tuple(pattern.sub(MASK, one) if isinstance(one, str) else one for one in error.args)
    for name in _WORDS:
        if isinstance(words := getattr(error, name, None), str):
            setattr(error, name, pattern.sub(MASK, words))


def secrets_of(headers: Mapping[str, str], content: Content | None) -> tuple[str, ...]:
    """Return the secrets in header fields with credentials and in the form of an OAuth2 request, longest first."""
    found = {text for name, value in headers.items() if name.lower() in _FIELDS for text in _parts(value)}
    is_form = any(
        name.lower() == "content-type" and value.startswith("application/x-www-form-urlencoded")
        for name, value in headers.items()
    )
    if is_form and isinstance(content, bytes) and len(content) <= _MAX_FORM:
        pairs = parse_qsl(content.decode(errors="replace"))
        found |= {value for name, value in pairs if name in _MEMBERS}
    return tuple(sorted((text for text in found if len(text) >= _SHORTEST), key=len, reverse=True))


def _parts(value: str) -> Iterator[str]:
    """Yield the parts of a field that are secret: what follows the scheme, and the password of HTTP Basic."""
    scheme, _, rest = value.partition(" ")
    secret = (rest or scheme).strip()
    yield secret
    if scheme.lower() == "basic":
        try:
            password = base64.b64decode(secret, validate=True).decode(errors="replace").partition(":")[2]
        except (binascii.Error, ValueError):
            return
        yield password
        yield unquote_plus(password)  # OAuth2 encodes it
