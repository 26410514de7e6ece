"""Conventions of an API: what no standard fixes and transport has to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from stellantis_hal.transport.rate_limit.quota_headers import QuotaHeaderNames

__all__ = ["TRANSIENT_ERRORS", "ApiConventions"]

TRANSIENT_ERRORS = frozenset({"server_error", "temporarily_unavailable"})
"""OAuth error codes (RFC 6749 section 4.1.2.1) for failures of the server that may pass, with any status."""

_ADVICE: Mapping[int, str] = {
    400: "Check the parameters and the body.",
    401: "The credentials are missing, expired or revoked, and could not be renewed.",
    403: "The credentials do not allow access to this URL.",
    404: "Check the URL if it did not come from a link.",
    406: "The Accept header asks for a media type that this URL does not have.",
    412: "The resource was changed since it was read: read it again, and write to what it is now.",
    428: "The server takes no write without a condition: read the resource first, and write to what was read.",
}


def _with_defaults(advice: Mapping[int, str]) -> Mapping[int, str]:
    return {**_ADVICE, **advice}


@attrs.frozen(kw_only=True)
class ApiConventions:
    """Header names, phrases and advice of one API; the defaults suit any API.

    Attributes:
        quota_headers: the headers that state what is left of the rate limits; none by default.
        transaction_id_header: the response header whose value the API's support asks for.
        misconfiguration_phrases: words in error bodies, in lower case, which mean that the application itself is
            refused, with any status: a :class:`~stellantis_hal.errors.ConfigurationError`.
        misconfiguration_advice: one sentence for the message of that error.
        advice: one sentence for the error message, by status.
        transient_errors: values of ``error`` in a JSON body which mean that the failure may pass, with any status.
        error_members: the members of the API's error bodies: a JSON object of a 2xx that has no others, and the code of
            an error, is an error; empty: no body makes an error of a success.
        scopes: returns the scopes documented for a URL, for the message of a 403; None where none are documented.
    """

    quota_headers: QuotaHeaderNames = attrs.field(factory=QuotaHeaderNames)
    transaction_id_header: str = "x-request-id"
    misconfiguration_phrases: tuple[str, ...] = ()
    misconfiguration_advice: str = "Check the application's credentials and registration; retrying cannot help."
    advice: Mapping[int, str] = attrs.field(default=_ADVICE, converter=_with_defaults)
    transient_errors: frozenset[str] = TRANSIENT_ERRORS
    error_members: frozenset[str] = frozenset()
    scopes: Callable[[str], tuple[str, ...]] | None = None
