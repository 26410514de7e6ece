"""Checks of what a token store is asked to keep."""

from __future__ import annotations

from stellantis_hal.credentials.token import Token
from stellantis_hal.validation import require_type

__all__ = ["require_entry", "require_key"]


def require_key(key: object) -> None:
    """Check the key of an account: a number that a database gave it would be another key after a restart.

    Raises:
        TypeError: it is no text.
    """
    require_type("key", key, str, instead='key="alice", or key=str(user.id)')


def require_entry(key: object, token: object) -> None:
    """Check the key of an account and its token before anything is written.

    Raises:
        TypeError: the key is no text, or the token is neither a Token nor None.
    """
    require_key(key)
    require_type("token", token, Token, None, instead="Token.from_dict(…)")
