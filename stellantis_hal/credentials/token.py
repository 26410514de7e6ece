"""OAuth2 tokens as values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Protocol, runtime_checkable

import attrs

from stellantis_hal.hal.redaction import redacted_repr

__all__ = ["Token", "TokenLike", "parse_scope"]


def parse_scope(value: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return scopes from a list, or from text in which blanks or commas separate them."""
    if value is None:
        return ()
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else tuple(value)


def _require_str(_: Any, field: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{field.name} must be a str, not {type(value).__name__}")


def _to_utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError("expires_at must be an aware datetime: pass tzinfo=UTC")
    return value.astimezone(UTC)


@attrs.frozen
class Token:
    """An access token, and the refresh token that renews it.

    Args:
        access_token: sent with every request. An empty one is renewed before the first request, so a refresh token
            alone is enough to start with.
        refresh_token: None: the token cannot be renewed.
        expires_at: aware; kept in UTC. None: unknown, so the token is used until the API refuses it.
        scope: the scopes that the account holder granted; empty where they are not known.

    Raises:
        ValueError: ``expires_at`` is naive.
        TypeError: a token is no ``str``.

    Example:
        >>> Token("a secret", "another", scope="data:trip data:position")
        Token(expires_at=None, scope=('data:trip', 'data:position'))
    """

    __repr__ = redacted_repr

    access_token: str = attrs.field(repr=False, validator=_require_str)
    refresh_token: str | None = attrs.field(default=None, repr=False, validator=attrs.validators.optional(_require_str))
    expires_at: datetime | None = attrs.field(default=None, converter=_to_utc)
    scope: tuple[str, ...] = attrs.field(default=(), converter=parse_scope)


@runtime_checkable
class TokenLike(Protocol):
    """An object with the attributes of a token: one that a simulator issued, or a program's own."""

    @property
    def access_token(self) -> str: ...
    @property
    def refresh_token(self) -> str | None: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def scope(self) -> tuple[str, ...]: ...
