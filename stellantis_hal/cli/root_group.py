"""The group of all commands, and its common options."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Final

import click

from stellantis_hal.__version__ import __version__
from stellantis_hal.cli.common_options import COMMON_OPTIONS, Invocation, refuse_typed, show_log, to_front
from stellantis_hal.cli.environment_options import SETTINGS, add_options
from stellantis_hal.cli.failures import run_command
from stellantis_hal.cli.lazy_group import LazyCommandSpec, LazyGroup
from stellantis_hal.cli.settings_folder import config_path

__all__ = ["commands"]

_COMMANDS: Final = {
    "browse": LazyCommandSpec("browse", "Browse any HAL API in the terminal, from its entry URL."),
    "login": LazyCommandSpec("login", "Log in and consent in the browser; the token is stored in a file of mode 0600."),
    "logout": LazyCommandSpec("account_commands", "Revoke an account's token and delete it."),
    "whoami": LazyCommandSpec("account_commands", "Show the logged-in user, as the API returns it."),
    "token": LazyCommandSpec("account_commands", "Show a token's expiry and scopes, not the token."),
    "tokens": LazyCommandSpec("token_copy", "Copy tokens between stores."),
    "config": LazyCommandSpec(
        "config_command", "Show each value of the configuration and where it comes from; secrets are masked."
    ),
    "vehicles": LazyCommandSpec("cars", "List the cars of the account."),
    "status": LazyCommandSpec("cars", "Show the last known state of a car."),
    "trips": LazyCommandSpec("trips", "List the trips of a car, the latest first."),
    "trip": LazyCommandSpec("trips", "Show one trip, by its id: each column of its row that has a value."),
    "maintenance": LazyCommandSpec("cars", "Show when a car's next service is due."),
    "alerts": LazyCommandSpec("cars", "List the alerts of a car."),
    "watch": LazyCommandSpec(
        "watch_command", "Watch cars, all of the account by default: a live table, or a line for each event."
    ),
    "export": LazyCommandSpec("trips", "Write all trips of the account to a file."),
    "report": LazyCommandSpec(
        "report", "Write trips, consumption, levels and charging as one HTML file, which needs no network."
    ),
    "record": LazyCommandSpec(
        "record", "Record what the API answers for an account into FILE, without what is private."
    ),
    "remote": LazyCommandSpec("remote", "Send a command to a car, and show each step of it."),
    "callbacks": LazyCommandSpec("callbacks", "List and change where events are delivered to."),
    "monitors": LazyCommandSpec("monitors", "List and change what the vendor watches."),
    "receive": LazyCommandSpec("receive", "Receive the vendor's notifications and print them."),
    "fleet": LazyCommandSpec("partner_fleets", "Read the fleets of a partner (B2B), and the cars in them."),
    "doctor": LazyCommandSpec("doctor", "Check configuration, clock, network, certificate, token, scopes and quota."),
    "demo": LazyCommandSpec("demo_command", "Poll a simulated fleet concurrently under a tight rate limit."),
    "simulate": LazyCommandSpec("simulate", "Serve the simulated API over a socket until interrupted."),
    "completion": LazyCommandSpec(
        "completion", 'Print a script of completions for a shell: eval "$(stellantis-hal completion bash)".'
    ),
}


class _Commands(LazyGroup):
    """The group: its options may stand after the command too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, the common options first."""
        return super().parse_args(ctx, to_front(args, self.params, self.commands))


@click.group(cls=_Commands, lazy=_COMMANDS, context_settings=SETTINGS)
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
    refuse_typed(
        _WITHOUT_EFFECT.get(context.invoked_subcommand or "", ()), f"{context.invoked_subcommand} does not use it"
    )
    if options["verbose"] > 1:
        show_log(sys.stderr, context)
    if context.invoked_subcommand in _WITHOUT_PROFILE:
        return
    from stellantis_hal.cli.profiles import read_profile

    read = run_command(read_profile, config_path(os.environ), profile, os.environ)
    context.obj = context.obj._replace(profile=read)
    for warning in () if read is None else read.warnings:
        context.obj.warn(warning)
    called = None if context.invoked_subcommand is None else commands.commands.get(context.invoked_subcommand)
    if read is not None and called is not None:
        context.default_map = {called.name or "": _defaults(called, read.options)}


def _defaults(command: click.Command, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a command and those below it have parameters for.

    One that means something else there, such as the certificate of a receiver, has another variable.
    """
    variables = {parameter.name: parameter.envvar for parameter in command.params}
    found = {name: value for name, value in values.items() if variables.get(name) == f"STELLANTIS_HAL_{name.upper()}"}
    if isinstance(command, click.Group):
        found |= {name: _defaults(each, values) for name, each in command.commands.items()}
    return found


_WITHOUT_EFFECT: Final[Mapping[str, tuple[str, ...]]] = {
    "completion": ("profile", "simulated", "as_json", "timeout"),
    "config": ("timeout",),
    "demo": ("profile", "timeout"),
    "login": ("timeout",),
    "receive": ("profile",),
    "simulate": ("profile", "as_json", "timeout"),
    "tokens": ("profile",),
}
_WITHOUT_PROFILE: Final = frozenset({"completion", "demo", "simulate", "tokens"})
