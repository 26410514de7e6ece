"""Conventions of the gateway before the API: header and parameter names."""

from __future__ import annotations

__all__ = ["CLIENT_ID_PARAMETER", "REALM_HEADER"]

CLIENT_ID_PARAMETER = "client_id"
"""The query parameter that names the application in each API request."""

REALM_HEADER = "x-introspect-realm"
"""The request header that names the realm in which the gateway checks the bearer token."""
