"""Command ``callbacks``: where events go."""

from __future__ import annotations

from typing import Any

import click

from stellantis_hal.cli.connection import CommandContext, connected
from stellantis_hal.cli.environment_options import SETTINGS, option
from stellantis_hal.cli.row_output import ambiguous, run_for_rows
from stellantis_hal.client.account import Account
from stellantis_hal.resources.control.callback import Callback, CallbackType
from stellantis_hal.resources.control.callback_targets import Webhook

__all__ = ["callbacks", "find_callback"]


@click.group(context_settings=SETTINGS)
def callbacks() -> None:
    """List and change where events are delivered to."""


@callbacks.command("list", context_settings=SETTINGS)
@connected
def list_callbacks(**options: Any) -> None:
    """List the callbacks; secrets are not shown."""

    async def work(connection: CommandContext) -> list[dict[str, Any]]:
        return [_callback_row(each) async for each in connection.account.callbacks()]

    run_for_rows(work, options, is_list=True)


@callbacks.command(context_settings=SETTINGS)
@click.argument("url")
@option("--label", required=True, help="The name by which it is found again.")
@option("--token", envvar="STELLANTIS_HAL_WEBHOOK_TOKEN", help="A secret in the body of each event.")
@option("--type", "types", multiple=True, type=click.Choice(["Monitor", "Remote"]), help="[default: both]")
@connected
def ensure(*, url: str, label: str, token: str | None, types: tuple[str, ...], **options: Any) -> None:
    """Register a webhook, or bring the one of this label up to date."""

    async def work(connection: CommandContext) -> list[dict[str, Any]]:
        target = Webhook(url, token=token)
        return [_callback_row(await connection.account.callbacks.ensure(target, label=label, types=types or None))]

    run_for_rows(work, options)


@callbacks.command(context_settings=SETTINGS)
@click.argument("callback", metavar="ID|LABEL")
@connected
def pause(*, callback: str, **options: Any) -> None:
    """Pause a callback: no event is delivered."""

    async def work(connection: CommandContext) -> list[dict[str, Any]]:
        return [_callback_row(await (await find_callback(connection.account, callback)).pause())]

    run_for_rows(work, options)


@callbacks.command(context_settings=SETTINGS)
@click.argument("callback", metavar="ID|LABEL")
@connected
def resume(*, callback: str, **options: Any) -> None:
    """Let a callback deliver events again."""

    async def work(connection: CommandContext) -> list[dict[str, Any]]:
        return [_callback_row(await (await find_callback(connection.account, callback)).resume())]

    run_for_rows(work, options)


@callbacks.command(context_settings=SETTINGS)
@click.argument("callback", metavar="ID|LABEL")
@option("--with-monitors", is_flag=True, help="Delete its monitors too, as the API does.")
@connected
def delete(*, callback: str, with_monitors: bool, **options: Any) -> None:
    """Delete a callback."""

    async def work(connection: CommandContext) -> list[dict[str, Any]]:
        found = await find_callback(connection.account, callback)
        if found.accepts(CallbackType.MONITOR) and not with_monitors:
            raise click.UsageError("the monitors of a callback are deleted with it: pass --with-monitors")
        await found.delete(with_monitors=with_monitors)
        return [{**_callback_row(found), "status": "Deleted"}]

    run_for_rows(work, options)


def _callback_row(callback: Callback) -> dict[str, Any]:
    url = None if callback.webhook is None or callback.webhook.url is None else callback.webhook.url.split("/")[2]
    return {
        "id": callback.id,
        "label": callback.label,
        "status": callback.status,
        "kind": callback.kind,
        "host": None if url is None else url.rpartition("@")[2],
        "types": sorted(callback.accepted),
    }


async def find_callback(account: Account, wanted: str) -> Callback:
    found = [each async for each in account.callbacks() if wanted in {each.id, each.label}]
    if len(found) != 1:
        raise ambiguous("the account", "callback", wanted, len(found))
    return found[0]
