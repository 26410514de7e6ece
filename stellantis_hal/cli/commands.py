"""The group of all commands, and its common options."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
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
from stellantis_hal.cli.invocation import COMMON_OPTIONS, Invocation, show_log, to_front
from stellantis_hal.cli.live import watch
from stellantis_hal.cli.login import login, logout, token, whoami
from stellantis_hal.cli.monitoring import callbacks, monitors
from stellantis_hal.cli.options import SETTINGS, add_options
from stellantis_hal.cli.output import Commands
from stellantis_hal.cli.profiles import read_profile
from stellantis_hal.cli.receive import receive
from stellantis_hal.cli.record import record
from stellantis_hal.cli.remote import remote
from stellantis_hal.cli.report import report
from stellantis_hal.cli.settings_folder import config_path
from stellantis_hal.cli.simulate import simulate
from stellantis_hal.cli.tokens import tokens
from stellantis_hal.cli.trips import export, trip, trips

__all__ = ["commands"]


class _Commands(Commands):
    """The group: its options may stand after the command too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, the common options first."""
        return super().parse_args(ctx, to_front(args, self.params, self.commands))


@click.group(cls=_Commands, context_settings=SETTINGS)
@add_options(*COMMON_OPTIONS)
@click.version_option(__version__, prog_name="stellantis-hal")
@click.pass_context
def commands(context: click.Context, /, *, profile: str | None, simulated: bool, **options: Any) -> None:
    """Connected-car data of Peugeot, Citroën, DS, Opel and Vauxhall, from the command line.

    Try any command with --simulate: it needs no account and no car. Common options may stand after the command too.
    Each option can be set by an environment variable: --client-id by STELLANTIS_HAL_CLIENT_ID.

    Exit status: 0 done; 1 failed; 2 wrong usage; 3 some cars failed; 4 log in again; 5 not found; 6 rate limit used up;
    7 no answer; 8 wrong configuration; 9 outcome unknown; 130 after Ctrl+C; 141 the reader of the output has gone.
    """
    context.obj = Invocation(simulated=simulated, **options)  # for the errors of the profile
    context.color = options["color"]
    if options["verbose"] > 1:
        show_log(sys.stderr)
    if context.invoked_subcommand in _WITHOUT_PROFILE:
        return
    read = run_command(read_profile, config_path(os.environ), profile, os.environ)
    context.obj = attrs.evolve(context.obj, profile=read)
    for warning in () if read is None else read.warnings:
        context.obj.warn(warning)
    context.default_map = {} if read is None else _defaults(commands, read.options)


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
    report,
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
