"""Conventions of the gateway before the API: header and parameter names, phrases, advice."""

from __future__ import annotations

import attrs

from stellantis_hal.transport.conventions import ApiConventions
from stellantis_hal.transport.rate_limit.quota_headers import QuotaHeaderNames
from stellantis_hal.vendor.scopes import required_scopes

__all__ = ["CLIENT_ID_PARAMETER", "FLEET_GATEWAY", "GATEWAY", "REALM_HEADER"]

CLIENT_ID_PARAMETER = "client_id"
"""The query parameter that names the application in each API request."""

REALM_HEADER = "x-introspect-realm"
"""The request header that names the realm in which the gateway checks the bearer token."""

GATEWAY = ApiConventions(
    quota_headers=QuotaHeaderNames(
        day_limit="x-ratelimit-limit-1",
        day_remaining="x-ratelimit-remaining-1",
        burst_limit="x-ratelimit-limit-2",
        burst_remaining="x-ratelimit-remaining-2",
    ),
    transaction_id_header="x-global-transaction-id",
    misconfiguration_phrases=("not registered to plan", "invalid client id or secret"),
    misconfiguration_advice=(
        "Check client id, secret, certificate, realm and the plan that the application is registered to; retrying "
        "cannot help."
    ),
    advice={
        401: "The credentials are missing, expired or revoked, and could not be renewed: log in or consent again.",
        403: "Often a wrong vehicle id, or a scope that the account holder did not grant.",
        404: "Nothing there, or no data yet; check the URL if it did not come from a link.",
    },
    error_members=frozenset(
        ("httpCode", "httpMessage", "moreInformation", "code", "message", "uuid", "timestamp", "debug")
    ),
    scopes=required_scopes,
)
"""Quota headers, error phrases, advice and scopes of the gateway and the API."""

FLEET_GATEWAY = attrs.evolve(
    GATEWAY,
    misconfiguration_advice=(
        "Check client id, login, password and certificate of the partner, and the plan that the application is "
        "registered to; retrying cannot help."
    ),
    advice={
        401: "Check the partner's login and password; the login is another name than the client id.",
        403: "Often a wrong fleet or vehicle id, or one that belongs to another partner.",
        404: "Nothing there, or no data yet; with profile='endUser' also what the driver does not show.",
    },
)
"""The same, with the advice for fleet owners, who log in with a login and a password instead of tokens."""
