"""OAuth2 tokens as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, Self, runtime_checkable

import attrs

from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.validation import require_type

__all__ = ["Token", "TokenLike", "parse_scope"]


def parse_scope(value: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return scopes from a list, or from text in which blanks or commas separate them.

    Raises:
        TypeError: it is neither.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(value.replace(",", " ").split())
    given: Any = value  # of a mapping that may hold anything
    scopes: list[Any] = list(given) if isinstance(given, Iterable) else [None]
    if not all(isinstance(scope, str) for scope in scopes):
        raise TypeError("scope must be text, or a list of texts")
    return tuple(scopes)


def _require_str(_: Any, field: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{field.name} must be a str, not {type(value).__name__}")


def _to_utc(value: datetime | None) -> datetime | None:
    require_type("expires_at", value, datetime, None, instead="datetime.now(UTC) + timedelta(hours=1)")
    if value is None:
        return None
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError("expires_at must be an aware datetime: pass tzinfo=UTC")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("expires_at must be in the years 1 to 9999 of UTC") from None


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
        ValueError: ``expires_at`` is naive, or outside the years of UTC.
        TypeError: a token is no ``str``, or ``expires_at`` no datetime.

    Example:
        >>> Token("a secret", "another", scope="data:trip data:position")
        Token(expires_at=None, scope=('data:trip', 'data:position'))
    """

    __repr__ = redacted_repr

    access_token: str = attrs.field(repr=False, validator=_require_str)
    refresh_token: str | None = attrs.field(default=None, repr=False, validator=attrs.validators.optional(_require_str))
    expires_at: datetime | None = attrs.field(default=None, converter=_to_utc)
    scope: tuple[str, ...] = attrs.field(default=(), converter=parse_scope)

    @classmethod
    def copy_of(cls, token: TokenLike) -> Self:
        """Return the token with the attributes of another object."""
        return cls(token.access_token, token.refresh_token, token.expires_at, token.scope)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON, secrets included, for a store of your own; :meth:`from_dict` reads it.

        Returns:
            ``access_token`` and ``refresh_token`` as text, ``expires_at`` in RFC 3339 or None, ``scope`` as a list.
        """
        return {
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "expires_at": None if self.expires_at is None else self.expires_at.isoformat(),
            "scope": list(self.scope),
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return the token of a mapping: that of :meth:`to_dict`, or one in which a host program keeps its tokens.

        Args:
            fields: ``access_token``, and where they are known ``refresh_token``, ``expires_at`` and ``scope``. The
                expiry may be an aware ``datetime``, text in ISO 8601 with an offset, or seconds since 1970. An
                ``expires_in`` is ignored, because nothing says since when; other members too.

        Raises:
            ValueError: the access token is missing, or ``expires_at`` cannot be read. The message has no secret.
            TypeError: a token is no ``str``, or ``fields`` is no mapping.

        Example:
            >>> Token.from_dict({"access_token": "a secret", "expires_at": 1735689600.0, "token_type": "Bearer"})
            Token(expires_at=datetime.datetime(2025, 1, 1, 0, 0, tzinfo=datetime.timezone.utc), scope=())
        """
        if not isinstance(fields, Mapping):
            raise TypeError(f"a token is read from a mapping, as token.to_dict() makes, not {type(fields).__name__}")
        if "access_token" not in fields:
            known = ", ".join(sorted(str(name) for name in fields if name in _FIELDS)) or "none of a token"
            raise ValueError(f'"access_token" is missing; the members are: {known}')
        return cls(
            fields["access_token"],
            fields.get("refresh_token"),
            _read_expiry(fields.get("expires_at")),
            parse_scope(fields.get("scope")),
        )


_FIELDS = frozenset({"access_token", "refresh_token", "expires_at", "scope"})


def _read_expiry(value: Any) -> datetime | None:
    """Return an instant from a datetime, from ISO text, or from seconds since 1970; None stays None."""
    if value is None or isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise ValueError(
        "expires_at must be an aware datetime, ISO 8601 text such as '2026-01-31T12:00:00+00:00', or seconds since 1970"
    )


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
