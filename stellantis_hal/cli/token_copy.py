"""Command ``tokens``: token stores as a whole."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import click

from stellantis_hal.cli.common_options import current
from stellantis_hal.cli.connection import run_in_time
from stellantis_hal.cli.environment_options import SETTINGS, option
from stellantis_hal.cli.json_text import json_text
from stellantis_hal.credentials.stores.opening import token_store
from stellantis_hal.credentials.stores.postgres import PostgresTokenStore
from stellantis_hal.credentials.stores.protocol import TokenStore
from stellantis_hal.credentials.stores.redis import RedisTokenStore
from stellantis_hal.credentials.stores.sqlite import SQLiteTokenStore

__all__ = ["tokens"]


@click.group(context_settings=SETTINGS)
def tokens() -> None:
    """Copy tokens between stores."""


@tokens.command(context_settings=SETTINGS)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@option("--replace", is_flag=True, help="Replace the tokens that TO has already.")
def copy(*, source: str, target: str, replace: bool) -> None:
    """Copy all tokens from one store to another.

    FROM and TO are paths (.db, .sqlite, .sqlite3: SQLite; others: a token file), postgresql:// or redis:// URLs. End
    the programs that use FROM first, and start them with TO: a refresh token is worth one renewal, so two stores of
    one account log it out. Tables are created where they are missing. Stores that encrypt are copied by a program of
    yours, with their functions.
    """

    if current().simulated:
        raise click.UsageError("copy works on stored tokens; the simulator needs none: leave --simulate out")
    if "://" not in source and not Path(source).exists():
        raise click.UsageError(f"there is no file {source}: nothing was copied")

    async def act() -> int:
        async with AsyncExitStack() as stack:
            before = await _open(stack, source)
            after = await _open(stack, target)
            return await copy_tokens(before, after, replace=replace)

    try:
        copied = run_in_time(act)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if current().as_json:
        click.echo(json_text({"copied": copied, "from": _shown(source), "to": _shown(target)}))
        return
    click.echo(f"Copied {copied} tokens. Remove {_shown(source)} once the programs use {_shown(target)}.")


async def _open(stack: AsyncExitStack, place: str) -> TokenStore:
    store = token_store(place)
    if isinstance(store, SQLiteTokenStore | PostgresTokenStore | RedisTokenStore):
        await stack.enter_async_context(store)
    if isinstance(store, PostgresTokenStore):
        await store.create_schema()
    return store


async def copy_tokens(before: TokenStore, after: TokenStore, *, replace: bool) -> int:
    """Copy the tokens of all keys, each under the locks of both stores; return how many there were.

    Raises:
        ClickException: ``after`` has one of the keys, and ``replace`` is False; nothing was copied.
        TokenStoreError: a store failed.
    """
    keys = await before.keys()
    known = set(keys) & set(await after.keys())
    if known and not replace:
        raise click.ClickException(
            f"{len(known)} of {len(keys)} accounts have a token in the target already, which may be the newer one: "
            "nothing was copied; pass --replace to replace them"
        )
    for key in keys:
        async with before.lock(key), after.lock(key):
            token = await before.load(key)
            await after.save(key, token)
            copied = await after.load(key)
        if copied != token:
            raise click.ClickException("a token that was read back differs from the one that was copied")
    return len(keys)


def _shown(place: str) -> str:
    """Return a place without user and password."""
    scheme, separator, rest = place.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if separator else place
