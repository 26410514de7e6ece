"""A token as a value.

Knows its parts and how to keep them out of sight. Must not know where it comes from, where it is kept or how it
is sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Protocol, runtime_checkable

import attrs

__all__ = ["Token", "TokenLike", "scopes_of"]


def scopes_of(value: str | Iterable[str] | None) -> tuple[str, ...]:
    """Read scopes from a list or from text that joins them by blanks or, as the vendor shows it, by commas."""
    if value is None:
        return ()
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else tuple(value)


def _text(_: Any, field: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{field.name} must be a str, not {type(value).__name__}")


def _utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError("expires_at must be an aware datetime: pass tzinfo=UTC")
    return value.astimezone(UTC)


@attrs.frozen
class Token:
    """What an account holder's consent became: an access token, and what renews it.

    Args:
        access_token: sent with every request. An empty one is renewed before the first request, so that a program may
            move in with nothing but a refresh token.
        refresh_token: what renews it; None: it cannot be renewed.
        expires_at: aware; kept in UTC. None: unknown, so the token is used until the API refuses it.
        scope: what the account holder granted; empty where nobody said.

    Raises:
        ValueError: ``expires_at`` is naive.
        TypeError: a token is no text.

    Example:
        >>> Token("a secret", "another", scope="data:trip data:position")
        Token(expires_at=None, scope=('data:trip', 'data:position'))
    """

    access_token: str = attrs.field(repr=False, validator=_text)
    refresh_token: str | None = attrs.field(default=None, repr=False, validator=attrs.validators.optional(_text))
    expires_at: datetime | None = attrs.field(default=None, converter=_utc)
    scope: tuple[str, ...] = attrs.field(default=(), converter=scopes_of)


@runtime_checkable
class TokenLike(Protocol):
    """Whatever has the parts of a token: one that a simulator issued, or a program's own."""

    @property
    def access_token(self) -> str: ...
    @property
    def refresh_token(self) -> str | None: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def scope(self) -> tuple[str, ...]: ...
