"""What the browser shows: text that a terminal prints as it is, without secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stellantis_hal.hal.redaction import MASK, is_private, mask_text, one_line

__all__ = ["is_secret", "mask_secrets", "visible"]

_MAX_DEPTH = 60
_MAX_TEXT = 10_000
_SECRET_NAME = re.compile(
    r"(?:^|.*[_.-])(?:token|secret|password|passwd|passphrase|authorization|api[_-]?key|client_id|signature|sig|realm|"
    r"cookie|session|session_id|code_verifier|credentials?|private_key)s?",
)
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PAIR = re.compile(r"(?P<name>[A-Za-z0-9_.-]{1,64})=(?P<value>[^&#\s\"'<>]+)")
_USER = re.compile(r"(?<=://)[^/@\s]{1,256}@")
_SCHEME = re.compile(r"\b(Bearer|Basic|Digest)\s+[A-Za-z0-9._~+/=-]{4,}", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?")


def is_secret(name: str) -> bool:
    """Return whether values of this name are credentials, which are shown nowhere."""
    return _SECRET_NAME.fullmatch(_CAPITAL.sub("_", name[:200]).lower()) is not None


def mask_secrets(text: str) -> str:
    """Return a text as one line, with the credentials in it masked; a long one is cut."""
    line = one_line(text[:_MAX_TEXT])
    line = _JWT.sub(MASK, _SCHEME.sub(rf"\1 {MASK}", _USER.sub(f"{MASK}@", line)))
    line = _PAIR.sub(lambda found: f"{found['name']}={MASK}" if is_secret(found["name"]) else found[0], line)
    return line if len(text) <= _MAX_TEXT else f"{line}…"


def visible(value: Any, *, masked: bool = False, depth: int = 0) -> Any:
    """Return a JSON value with printable texts and without credentials.

    Args:
        value: of any depth; what is nested more deeply than 60 levels is left out, and said.
        masked: whether personal data are masked too, as in logs.
        depth: the level of the value.
    """
    if isinstance(value, str):
        return mask_text(value) if masked else mask_secrets(value)
    if isinstance(value, Mapping | list) and depth == _MAX_DEPTH:
        return f"… nested more than {_MAX_DEPTH} levels"
    if isinstance(value, Mapping):
        shown: dict[str, Any] = {}
        for name, member in value.items():
            hidden = is_secret(name) or (masked and is_private(name))
            empty = member is None or member == ""
            shown[one_line(name)] = MASK if hidden and not empty else visible(member, masked=masked, depth=depth + 1)
        return shown
    if isinstance(value, list):
        return [visible(item, masked=masked, depth=depth + 1) for item in value]
    return value
