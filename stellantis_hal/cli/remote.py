"""The command ``remote``: commands to a car, which are asked for before they are sent."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any, Final

import anyio
import attrs
import click

from stellantis_hal.cli.common_options import current
from stellantis_hal.cli.connection import CommandContext, car_argument, connected, find_car, run_connected
from stellantis_hal.cli.environment_options import SETTINGS, F, add_options, option
from stellantis_hal.cli.failures import UNKNOWN_OUTCOME, Failure
from stellantis_hal.cli.finite_range import FiniteRange
from stellantis_hal.cli.json_rows import utc
from stellantis_hal.cli.json_text import escape_json
from stellantis_hal.cli.wording import ending
from stellantis_hal.errors import OutcomeUnknownError, StellantisError
from stellantis_hal.hal.redaction import one_line
from stellantis_hal.resources.control.callback import Callback
from stellantis_hal.resources.control.callback_targets import Webhook
from stellantis_hal.resources.control.operation import Operation
from stellantis_hal.resources.control.remote import Remote

__all__ = ["remote"]

_SEARCH = 30.0

Send = Callable[[Remote, bool], Awaitable[Operation]]


@attrs.frozen(kw_only=True)
class _Options:
    """What all commands have in common."""

    car: str | None
    callback: str | None
    yes: bool
    force: bool
    wait: float


_COMMON: Final = tuple(field.name for field in attrs.fields(_Options))


def _options(function: F) -> F:
    """Add the argument and the options that all commands have in common."""
    options = (
        option(
            "--callback",
            metavar="ID|LABEL",
            help="The callback that the events go to.  [default: the only one for commands]",
        ),
        option("--yes", is_flag=True, help="Do not ask before the command is sent."),
        option(
            "--force",
            command="remote",
            is_flag=True,
            help="Pass the client's own limits, but not the same action under way.",
        ),
        option("--wait", type=FiniteRange(0, 3600), default=120, help="Seconds to wait for the end."),
    )
    return add_options(car_argument, *options)(connected(function))


@click.group(context_settings=SETTINGS)
def remote() -> None:
    """Send a command to a car, and show each step of it.

    Asks before it sends; without a terminal --yes is needed. Exit status: 0 done, 1 failed or refused, 9 where the
    end is unknown: the response was lost, or did not come in time.
    """


@remote.command(context_settings=SETTINGS)
@_options
def lock(**options: Any) -> None:
    """Lock the doors."""
    _command("lock the doors", lambda remote, force: remote.doors.lock(force=force), options)


@remote.command(context_settings=SETTINGS)
@_options
def unlock(**options: Any) -> None:
    """Unlock the doors."""
    _command("unlock the doors", lambda remote, force: remote.doors.unlock(force=force), options)


@remote.command(context_settings=SETTINGS)
@_options
def horn(**options: Any) -> None:
    """Sound the horn."""
    _command("sound the horn", lambda remote, force: remote.horn(force=force), options)


@remote.command(context_settings=SETTINGS)
@click.argument("state", type=click.Choice(["on", "off"]), default="on")
@_options
def lights(*, state: str, **options: Any) -> None:
    """Turn the lights on or off."""
    is_on = state == "on"
    _command(f"turn the lights {state}", lambda remote, force: remote.lights(on=is_on, force=force), options)


@remote.command(context_settings=SETTINGS)
@_options
def wake(**options: Any) -> None:
    """Wake the car, so that it reports its state; wake-ups of a month are limited."""
    _command("wake the car", lambda remote, force: remote.wake_up(force=force), options)


def _in_own_zone(instant: datetime) -> datetime:
    try:
        return instant.astimezone()
    except (OverflowError, ValueError):  # which of them depends on the end of the calendar
        raise click.UsageError(f"{instant:%Y-%m-%dT%H:%M} is outside the years 1 to 9999 in UTC") from None


@remote.command(context_settings=SETTINGS)
@click.argument("state", type=click.Choice(["start", "stop"]), default="start")
@option("--at", command="charge", type=click.DateTime(["%Y-%m-%dT%H:%M"]), help="Start at this local time, not now.")
@option("--until", command="charge", type=click.DateTime(["%Y-%m-%dT%H:%M"]), help="End charging at this local time.")
@_options
def charge(*, state: str, at: datetime | None, until: datetime | None, **options: Any) -> None:
    """Start or stop charging, now or at a time."""
    if at is not None and until is not None:
        raise click.UsageError("--at and --until are two commands: name one")
    if state == "stop" and (at is not None or until is not None):
        raise click.UsageError("stop takes neither --at nor --until")
    if at is not None:
        start = _in_own_zone(at)
        title = f"start charging at {start.isoformat(timespec='minutes')}"
        _command(title, lambda remote, force: remote.charging.at(start, force=force), options)
    elif until is not None:
        end = _in_own_zone(until)
        title = f"end charging at {end.isoformat(timespec='minutes')}"
        _command(title, lambda remote, force: remote.charging.until(end, force=force), options)
    elif state == "start":
        _command("start charging", lambda remote, force: remote.charging.start(force=force), options)
    else:
        _command("stop charging", lambda remote, force: remote.charging.stop(force=force), options)


@remote.command(context_settings=SETTINGS)
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
    options = _Options(**{name: given[name] for name in _COMMON})
    if not options.yes:
        _confirm(title, options, given)
    sys.exit(run_connected(partial(_run, title, send, options), given, is_commanding=True))


def _confirm(title: str, options: _Options, given: dict[str, Any]) -> None:
    """Ask whether the command may be sent to the car that is meant.

    No event loop runs during the question: it would swallow the first Ctrl+C.
    """
    if current().no_input or not _has_terminal():
        raise click.UsageError("there is no terminal to ask on: pass --yes to send the command")

    async def name(connection: CommandContext) -> str:
        vehicle = await find_car(connection, options.car)
        return one_line(f"{vehicle.display_name} {ending(vehicle.vin)}".rstrip())

    car = run_connected(name, given)
    if not click.confirm(f"{car}: {title}?", err=True):
        raise Failure("the command was not sent")


def _has_terminal() -> bool:
    return sys.stdin.isatty()


async def _run(title: str, send: Send, options: _Options, connection: CommandContext) -> int:
    vehicle = await find_car(connection, options.car, extensions=("onboardCapabilities",))
    callback = await _find_callback(connection, options)
    try:
        operation = await send(vehicle.remote(callback), options.force)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except OutcomeUnknownError as error:
        current().note(f"The response was lost; looking for the command {error.label!r} …")
        found = await _find(error)
        if found is None:
            raise
        operation = found
    return await _show(title, operation, options)


async def _find(error: OutcomeUnknownError) -> Operation | None:
    """Look for a command whose answer was lost; a search that fails finds nothing."""
    try:
        found: Operation | None = await error.find(within=_SEARCH)
    except StellantisError as failure:
        current().note(f"The search failed: {failure}")
        return None
    return found


async def _show(title: str, operation: Operation, options: _Options) -> int:
    """Print each step until the end; return the exit status."""
    _print({"sent": title, "label": operation.label, "token": operation.token}, f"Sent: {title}")
    try:
        with anyio.move_on_after(options.wait):
            async for step in operation:
                at = None if step.at is None else utc(step.at)
                cause = None if step.cause is None else str(step.cause)
                text = f"{at or '':<22}{step.status}{f' ({cause})' if cause else ''}"
                _print({"status": step.status, "cause": cause, "at": at, "source": step.source}, text)
    except StellantisError as error:
        raise Failure(f"the command was sent, and its end cannot be read: {error}", UNKNOWN_OUTCOME) from error
    if not operation.is_over:
        raise Failure(
            f"the end is not known after {options.wait:g} s; the command goes on, and is not taken back",
            UNKNOWN_OUTCOME,
        )
    outcome = operation.require_outcome()
    _print({"outcome": outcome}, {"Success": "Done.", "AlreadyDone": "The car was in this state already."}[outcome])
    return 0


def _print(facts: dict[str, Any], text: str) -> None:
    click.echo(escape_json(json.dumps(facts, ensure_ascii=False)) if current().as_json else one_line(text))


async def _find_callback(connection: CommandContext, options: _Options) -> Callback:
    account = connection.account
    if connection.options.simulated and options.callback is None:
        target = Webhook("https://hooks.example.org/st", token="simulated")  # noqa: S106 - of a simulation
        return await account.callbacks.ensure(target, label="cli")
    callbacks = [each async for each in account.callbacks() if not each.types or "Remote" in each.types]
    wanted = options.callback
    found = [each for each in callbacks if wanted is None or wanted in {each.id, each.label}]
    if len(found) == 1:
        return found[0]
    if not callbacks:
        raise Failure(
            "the account has no callback for commands, which the API wants: register one with "
            "`stellantis-hal callbacks ensure`",
            5,
        )
    if not found:
        advice = "`stellantis-hal callbacks list` shows those that it has"
        raise Failure(f"the account has no callback {wanted!r} for commands: {advice}", 5)
    number = f"{len(found)} callbacks" if wanted is None else f"{len(found)} callbacks {wanted!r}"
    raise Failure(f"the account has {number} for commands: name one with --callback, by its id", 2)
