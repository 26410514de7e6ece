"""Commands of an account that is logged in: ``logout``, ``whoami`` and ``token``; no command prints a secret."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from stellantis_hal.cli.account_settings import STORE_OPTIONS, account_settings
from stellantis_hal.cli.common_options import current
from stellantis_hal.cli.connection import CommandContext, connected, run_connected, run_in_time
from stellantis_hal.cli.environment_options import SETTINGS, add_options
from stellantis_hal.cli.failures import Failure
from stellantis_hal.cli.json_text import json_text
from stellantis_hal.credentials.stores.opening import token_file
from stellantis_hal.credentials.token import Token
from stellantis_hal.hal.redaction import one_line

__all__ = ["describe_token", "logout", "refuse_simulator", "token", "whoami"]


@click.command(context_settings=SETTINGS)
@connected
def logout(**options: Any) -> None:
    """Revoke an account's token and delete it."""
    refuse_simulator("logout")
    settings = account_settings(options)

    async def act() -> None:
        async with settings.client() as client:
            removed = await settings.enrolment(client).withdraw(settings.account)
        if not removed:
            raise _not_logged_in(await settings.tokens().keys(), settings.account)

    run_in_time(act)
    if current().as_json:
        click.echo(json_text({"account": settings.account, "logged_out": True}))
    else:
        click.echo(f"{settings.account!r} is logged out.")


@click.command(context_settings=SETTINGS)
@connected
def whoami(**options: Any) -> None:
    """Show the logged-in user, as the API returns it."""

    async def act(connection: CommandContext) -> None:
        user = await connection.account.user()
        name = " ".join(part for part in (user.first_name, user.last_name) if part) or None
        _print({"account": connection.key, "brand": connection.brand, "name": name, "email": user.email})

    run_connected(act, options)


@click.command(context_settings=SETTINGS)
@add_options(*STORE_OPTIONS)
def token(*, store: Path, account: str) -> None:
    """Show a token's expiry and scopes, not the token."""
    refuse_simulator("token")

    if not store.exists():  # reading it would make it, or fail where its folder is missing
        raise _not_logged_in((), account)

    async def act() -> None:
        tokens = token_file(store)
        stored = await tokens.load(account)
        if stored is None:
            raise _not_logged_in(await tokens.keys(), account)
        describe_token(stored, account=account)

    run_in_time(act)


def refuse_simulator(command: str) -> None:
    """Check that a command is not to use the simulator, whose account needs no log-in.

    Raises:
        UsageError: it is.
    """
    if current().simulated:
        raise click.UsageError(f"{command} works on stored tokens; the simulator needs none: leave --simulate out")


def _not_logged_in(keys: Iterable[str], account: str) -> Failure:
    others = ", ".join(repr(key) for key in keys)
    known = f"; the token file has {others}" if others else ""
    return Failure(f"not logged in as {account!r}{known} (log in with: stellantis-hal login)", 4)


def _facts_of(token: Token) -> dict[str, Any]:
    return {
        "expires_at": None if token.expires_at is None else token.expires_at.isoformat(timespec="seconds"),
        "renewable": token.refresh_token is not None,
        "scope": list(token.scope),
    }


def describe_token(token: Token, *, account: str | None = None) -> None:
    """Print a token's expiry and scopes, with the account where it is given."""
    facts = {} if account is None else {"account": account}
    facts |= _facts_of(token)
    if token.expires_at is not None and not current().as_json:
        seconds = (token.expires_at - datetime.now(UTC)).total_seconds()
        facts["expires_at"] = f"{facts['expires_at']} ({_relative_time(seconds)})"
    _print(facts)


def _relative_time(seconds: float) -> str:
    minutes = math.floor(abs(seconds) / 60)
    span = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
    return f"in {span}" if seconds > 0 else f"{span} ago; it is renewed on next use"


def _print(facts: dict[str, Any]) -> None:
    if current().as_json:
        click.echo(json_text(facts))
        return
    for name, value in facts.items():
        if isinstance(value, list):
            shown = " ".join(value)
        elif isinstance(value, bool):
            shown = "yes" if value else "no"
        else:
            shown = value
        click.echo(f"{name.replace('_', ' '):<11}{one_line(str(shown or 'unknown'))}")  # may be a server's text
