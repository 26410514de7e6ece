"""The group of all commands, and its common options."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
import click

from stellantis_hal.__version__ import __version__
from stellantis_hal.cli.browse import browse
from stellantis_hal.cli.cars import alerts, maintenance, status, vehicles
from stellantis_hal.cli.configuration import completion, config
from stellantis_hal.cli.demo_command import demo
from stellantis_hal.cli.doctor import doctor
from stellantis_hal.cli.failures import run_command
from stellantis_hal.cli.fleet import fleet
from stellantis_hal.cli.invocation import COMMON_OPTIONS, Invocation, to_front
from stellantis_hal.cli.live import watch
from stellantis_hal.cli.login import login, logout, token, whoami
from stellantis_hal.cli.monitoring import callbacks, monitors
from stellantis_hal.cli.output import Commands
from stellantis_hal.cli.profiles import config_path, read_profile
from stellantis_hal.cli.receive import receive
from stellantis_hal.cli.record import record
from stellantis_hal.cli.remote import remote
from stellantis_hal.cli.simulate import simulate
from stellantis_hal.cli.tokens import tokens
from stellantis_hal.cli.trips import export, trip, trips

__all__ = ["commands"]

_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True, "auto_envvar_prefix": "STELLANTIS_HAL"}


class _Commands(Commands):
    """The group: its options may stand after the command too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, the common options first."""
        return super().parse_args(ctx, to_front(args, self.params, self.commands))


def _common(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(COMMON_OPTIONS):
        function = option(function)
    return function


@click.group(cls=_Commands, context_settings=_SETTINGS)
@_common
@click.version_option(__version__, prog_name="stellantis-hal")
@click.pass_context
def commands(context: click.Context, /, *, profile: str | None, simulated: bool, **options: Any) -> None:
    """Connected-car data of Peugeot, Citroën, DS, Opel and Vauxhall, from the command line.

    Try any command with --simulate: it needs no account and no car. Common options may stand after the command too.
    """
    context.obj = Invocation(simulated=simulated, **options)  # for the errors of the profile
    context.color = options["color"]
    if context.invoked_subcommand in _WITHOUT_PROFILE:
        return
    read = run_command(read_profile, config_path(os.environ), profile, os.environ)
    context.obj = attrs.evolve(context.obj, profile=read)
    for warning in () if read is None else read.warnings:
        context.obj.warn(warning)
    values: dict[str, Any] = {} if read is None else dict(read.options)
    values |= {name: True for name, is_set in (("as_json", options["as_json"]), ("simulated", simulated)) if is_set}
    context.default_map = _defaults(commands, values)
    if options["verbose"] > 1:
        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, format="%(message)s")


def _defaults(command: click.Command, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a command and those below it have parameters for."""
    names = {parameter.name for parameter in command.params}
    found = {name: value for name, value in values.items() if name in names}
    if isinstance(command, click.Group):
        found |= {name: _defaults(each, values) for name, each in command.commands.items()}
    return found


_WITHOUT_PROFILE: Final = frozenset({"completion", "demo", "simulate", "tokens"})
for _command in (
    browse,
    login,
    logout,
    whoami,
    token,
    tokens,
    config,
    vehicles,
    status,
    trips,
    trip,
    maintenance,
    alerts,
    watch,
    export,
    record,
    remote,
    callbacks,
    monitors,
    receive,
    fleet,
    doctor,
    demo,
    simulate,
    completion,
):
    commands.add_command(_command)
