"""Clients of the simulated API, by names that both trees share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from inspect import signature
from pathlib import Path
from typing import Any

from benchmarks.servers.simulated_api import AccountHolder, SimulatedApi
from stellantis_hal import Account, Application, RateLimits, StellantisClient, Tls, Token

__all__ = ["GENEROUS", "open_account", "open_client"]

GENEROUS = RateLimits(1_000_000, 1_000_000_000)
"""Limits with capacity to spare."""


@asynccontextmanager
async def open_client(
    api: SimulatedApi,
    *,
    rate_limits: RateLimits = GENEROUS,
    certificates: Path | None = None,
    connections: int | None = None,
    **options: Any,
) -> AsyncGenerator[tuple[StellantisClient, list[Account]]]:
    """Open a client of the API and return it with its accounts.

    Args:
        api: the API.
        rate_limits: of the client.
        certificates: folder of an authority's certificate and a client's, for TLS.
        connections: how many requests are under way at once; a tree without this option has 100. None: its default.
        options: others of the client.
    """
    if connections is not None and "connections" in signature(StellantisClient).parameters:
        options["connections"] = connections
    application = Application(api.client_id, "simulated-secret")
    if certificates is not None:
        own = certificates / "client.pem"  # it has the key, too
        options["tls"] = Tls(authorities=certificates / "authority.pem", certificate=(own, own))
    async with StellantisClient(
        application, base_url=api.url, identity_url=api.identity, rate_limits=rate_limits, **options
    ) as client:
        yield client, [_account(client, holder) for holder in api.accounts]


@asynccontextmanager
async def open_account(api: SimulatedApi, **options: Any) -> AsyncGenerator[Account]:
    """Open a client of the API and return its first account."""
    async with open_client(api, **options) as (_, (account, *_)):
        yield account


def _account(client: StellantisClient, holder: AccountHolder) -> Account:
    token = Token(holder.token, expires_at=datetime.fromtimestamp(holder.expires, UTC))
    return client.account(token, brand=holder.brand, key=holder.key)
