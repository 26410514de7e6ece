"""The command ``remote``: commands to a vehicle, which are asked for before they are sent."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import anyio
import attrs
import click

from stellantis_hal.cli.browse import simulated_account
from stellantis_hal.cli.login import AccountSettings, account_options, account_settings, run_command
from stellantis_hal.cli.output import escape_json
from stellantis_hal.client.account import Account
from stellantis_hal.errors import OutcomeUnknownError, RemoteFailedError, RemoteRefusedError, StellantisError
from stellantis_hal.hal.redaction import one_line
from stellantis_hal.resources.control.callback import Callback
from stellantis_hal.resources.control.operation import Operation
from stellantis_hal.resources.control.remote import Remote
from stellantis_hal.resources.control.targets import Webhook
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.storage.state import SQLiteState

__all__ = ["UNKNOWN_OUTCOME", "remote"]

UNKNOWN_OUTCOME: Final = 9
"""The exit status where the end of a command is unknown."""

_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True, "auto_envvar_prefix": "STELLANTIS_HAL"}
_SEARCH = 30.0

Send = Callable[[Remote, bool], Awaitable[Operation]]


@attrs.frozen(kw_only=True)
class _Options:
    """What all commands have in common."""

    vehicle: str | None
    callback: str | None
    simulated: bool
    yes: bool
    force: bool
    wait: float
    as_json: bool
    settings: AccountSettings | None


_COMMON = frozenset(field.name for field in attrs.fields(_Options)) - {"settings"}


def _options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that all commands have in common."""
    options = (
        click.option("--vehicle", metavar="VIN|ID", help="The vehicle.  [default: the only one of the account]"),
        click.option(
            "--callback",
            metavar="ID|LABEL",
            help="The callback that the events go to.  [default: the only one for commands]",
        ),
        click.option("--yes", is_flag=True, help="Do not ask before the command is sent."),
        click.option("--force", is_flag=True, help="Pass the client's own limits, but not the same action under way."),
        click.option("--wait", type=click.FloatRange(0, 3600), default=120, help="Seconds to wait for the end."),
        click.option("--simulate", "simulated", is_flag=True, help="Command a simulated car in this process."),
        click.option("--json", "as_json", is_flag=True, help="Print each step and the end as a line of JSON."),
    )
    for option in reversed((*options, *account_options(required=False))):
        function = option(function)
    return function


@click.group(context_settings=_SETTINGS)
def remote() -> None:
    """Send a command to a car, and show each step of it.

    Asks before it sends; without a terminal --yes is needed. Exit status: 0 done, 1 failed or refused, 9 where the
    end is unknown: the answer was lost, or did not come in time.
    """


@remote.command(context_settings=_SETTINGS)
@_options
def lock(**options: Any) -> None:
    """Lock the doors."""
    _command("lock the doors", lambda remote, force: remote.doors.lock(force=force), options)


@remote.command(context_settings=_SETTINGS)
@_options
def unlock(**options: Any) -> None:
    """Unlock the doors."""
    _command("unlock the doors", lambda remote, force: remote.doors.unlock(force=force), options)


@remote.command(context_settings=_SETTINGS)
@_options
def horn(**options: Any) -> None:
    """Sound the horn."""
    _command("sound the horn", lambda remote, force: remote.horn(force=force), options)


@remote.command(context_settings=_SETTINGS)
@click.argument("state", type=click.Choice(["on", "off"]), default="on")
@_options
def lights(*, state: str, **options: Any) -> None:
    """Turn the lights on or off."""
    is_on = state == "on"
    _command(f"turn the lights {state}", lambda remote, force: remote.lights(on=is_on, force=force), options)


@remote.command(context_settings=_SETTINGS)
@_options
def wake(**options: Any) -> None:
    """Wake the car, so that it reports its state; wake-ups of a month are limited."""
    _command("wake the car", lambda remote, force: remote.wake_up(force=force), options)


@remote.command(context_settings=_SETTINGS)
@click.argument("state", type=click.Choice(["start", "stop"]), default="start")
@click.option("--at", type=click.DateTime(["%Y-%m-%dT%H:%M"]), help="Start at this local time instead of now.")
@click.option("--until", type=click.DateTime(["%Y-%m-%dT%H:%M"]), help="End charging at this local time.")
@_options
def charge(*, state: str, at: datetime | None, until: datetime | None, **options: Any) -> None:
    """Start or stop charging, now or at a time."""
    if at is not None and until is not None:
        raise click.UsageError("--at and --until are two commands: name one")
    if state == "stop" and (at is not None or until is not None):
        raise click.UsageError("stop takes neither --at nor --until")
    if at is not None:
        start = at.astimezone()
        title = f"start charging at {start.isoformat(timespec='minutes')}"
        _command(title, lambda remote, force: remote.charging.at(start, force=force), options)
    elif until is not None:
        end = until.astimezone()
        title = f"end charging at {end.isoformat(timespec='minutes')}"
        _command(title, lambda remote, force: remote.charging.until(end, force=force), options)
    elif state == "start":
        _command("start charging", lambda remote, force: remote.charging.start(force=force), options)
    else:
        _command("stop charging", lambda remote, force: remote.charging.stop(force=force), options)


@remote.command(context_settings=_SETTINGS)
@click.argument("state", type=click.Choice(["start", "stop"]), default="start")
@_options
def climate(*, state: str, **options: Any) -> None:
    """Start or stop the air conditioning."""
    if state == "start":
        _command("start the air conditioning", lambda remote, force: remote.climate.start(force=force), options)
    else:
        _command("stop the air conditioning", lambda remote, force: remote.climate.stop(force=force), options)


# ------------------------------------------------------------------------------------------------- running


def _command(title: str, send: Send, given: dict[str, Any]) -> None:
    """Ask, send the command, and show its course."""
    simulated = given["simulated"]
    settings = None
    if simulated:
        names = [name for name in given if name in _COMMON]
        given = {name: given[name] for name in names}
    else:
        settings = account_settings(given)
    options = _Options(**given, settings=settings)
    if not options.yes:
        if not _has_terminal():
            raise click.UsageError("there is no terminal to ask on: pass --yes to send the command")
        click.confirm(f"{title[0].upper()}{title[1:]}?", abort=True, err=True)
    sys.exit(run_command(anyio.run, _run, title, send, options))


def _has_terminal() -> bool:
    return sys.stdin.isatty()


async def _run(title: str, send: Send, options: _Options) -> int:
    async with _open(options) as account:
        vehicle = await _find_vehicle(account, options.vehicle)
        callback = await _find_callback(account, options)
        try:
            operation = await send(vehicle.remote(callback), options.force)
        except RemoteRefusedError as error:
            raise click.ClickException(str(error)) from error
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        except OutcomeUnknownError as error:
            click.echo(f"The answer was lost; looking for the command {error.label!r} …", err=True)
            found = await _find(error)
            if found is None:
                click.echo(f"Error: {error}", err=True)
                return UNKNOWN_OUTCOME
            operation = found
        return await _show(title, operation, options)


async def _find(error: OutcomeUnknownError) -> Operation | None:
    """Look for a command whose answer was lost; a search that fails finds nothing."""
    try:
        found: Operation | None = await error.find(within=_SEARCH)
    except StellantisError as failure:
        click.echo(f"The search failed: {failure}", err=True)
        return None
    return found


async def _show(title: str, operation: Operation, options: _Options) -> int:
    """Print each step until the end; return the exit status."""
    _print({"sent": title, "label": operation.label, "token": operation.token}, f"Sent: {title}", options)
    try:
        with anyio.move_on_after(options.wait):
            async for step in operation:
                at = None if step.at is None else step.at.isoformat(timespec="seconds")
                cause = None if step.cause is None else str(step.cause)
                text = f"{at or '':<26}{step.status}{f' ({cause})' if cause else ''}"
                _print({"status": step.status, "cause": cause, "at": at, "source": step.source}, text, options)
    except StellantisError as error:
        click.echo(f"Error: the command was sent, and its end cannot be read: {error}", err=True)
        return UNKNOWN_OUTCOME
    if not operation.is_over:
        click.echo(
            f"Error: the end is not known after {options.wait:g} s; the command goes on, and is not taken back",
            err=True,
        )
        return UNKNOWN_OUTCOME
    try:
        outcome = operation.require_outcome()
    except RemoteFailedError as error:
        raise click.ClickException(str(error)) from error
    _print(
        {"outcome": outcome},
        {"Success": "Done.", "AlreadyDone": "The car was in this state already."}[outcome],
        options,
    )
    return 0


def _print(facts: dict[str, Any], text: str, options: _Options) -> None:
    click.echo(escape_json(json.dumps(facts, ensure_ascii=False)) if options.as_json else one_line(text))


async def _find_vehicle(account: Account, wanted: str | None) -> Vehicle:
    vehicles = [vehicle async for vehicle in account.vehicles(extensions=("onboardCapabilities",))]
    found = [each for each in vehicles if wanted is None or wanted in {each.id, each.vin}]
    if len(found) == 1:
        return found[0]
    if wanted is not None:
        raise click.ClickException(f"no vehicle of the account has the id or the whole VIN {wanted!r}")
    raise click.ClickException(f"the account has {len(vehicles)} vehicles: name one with --vehicle")


async def _find_callback(account: Account, options: _Options) -> Callback:
    if options.simulated and options.callback is None:
        return await account.callbacks.ensure(Webhook("https://hooks.example.org/st", token="simulated"), label="cli")  # noqa: S106 - of a simulation
    callbacks = [each async for each in account.callbacks() if not each.types or "Remote" in each.types]
    wanted = options.callback
    found = [each for each in callbacks if wanted is None or wanted in {each.id, each.label}]
    if len(found) == 1:
        return found[0]
    if not callbacks:
        raise click.ClickException("the account has no callback for commands, which the API wants: register one first")
    number = f"{len(found)} callbacks" if wanted is None else f"{len(found)} callbacks {wanted!r}"
    raise click.ClickException(f"the account has {number} for commands: name one with --callback, by its id")


@asynccontextmanager
async def _open(options: _Options) -> AsyncGenerator[Account]:
    settings = options.settings
    if options.simulated or settings is None:
        async with simulated_account(vehicles=1) as account:
            yield account
        return
    async with (
        SQLiteState(settings.state_file()) as state,
        settings.client(state=state) as client,
    ):
        yield settings.open_account(client)
