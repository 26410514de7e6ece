"""What an identity server's refusal means.

Knows RFC 6749 section 5.2 and what was seen in the field. Must not know what was asked.
"""

from __future__ import annotations

from stellantis_hal.errors import (
    ApiError,
    ConfigurationError,
    ConsentRequiredError,
    NetworkError,
    QuotaError,
    StellantisError,
    UnauthorizedError,
)
from stellantis_hal.hal.redaction import mask_url

__all__ = ["is_final", "to_auth_error"]

_PASSING = frozenset({"server_error", "temporarily_unavailable"})
"""Faults of the server's own, whatever the status: ``server_error`` comes with 400 too."""
_OF_THE_APPLICATION = frozenset(
    {
        "invalid_client",
        "invalid_request",  # what is sent does not vary but by brand and realm
        "invalid_scope",
        "redirect_uri_mismatch",
        "unauthorized_client",
        "unsupported_grant_type",
    }
)


def is_final(error: ApiError) -> bool:
    """Tell whether asking again is of no use: not for faults of the server's own, and not yet where it says when."""
    return isinstance(error, QuotaError) or not (error.is_transient or error.oauth_error in _PASSING)


def to_auth_error(error: ApiError, *, key: str | None) -> StellantisError:
    """Give the error that a caller can act upon; the one given where there is no better."""
    if error.oauth_error == "invalid_grant":
        return ConsentRequiredError(
            f"the identity server no longer accepts what account {key!r} has (invalid_grant): ask for consent again",
            key=key,
        )
    if error.oauth_error in _OF_THE_APPLICATION or (isinstance(error, UnauthorizedError) and not error.oauth_error):
        reason = error.oauth_error or error.status
        return ConfigurationError(
            f"the identity server refuses the application at {mask_url(error.url)} ({reason}): "
            "check its id, secret, redirect URI and realm, and that the brand is the account's",
            key=key,
            more_information=str(error),
        )
    if not error.oauth_error and 400 <= error.status < 500 and not isinstance(error, QuotaError):
        return NetworkError(
            f"what answered {error.status} at {mask_url(error.url)} is no OAuth2 server: identity_url is wrong, or a "
            "proxy or a page of maintenance is in between",
            url=error.url,
            sent=True,
        )
    return error
