"""Options that every command has, before or after its name."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Set
from datetime import UTC, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TextIO

import click
from click.core import ParameterSource

from stellantis_hal.cli.environment_options import option
from stellantis_hal.cli.finite_range import FiniteRange
from stellantis_hal.hal.redaction import one_line

if TYPE_CHECKING:
    from stellantis_hal.cli.profiles import SettingsProfile

__all__ = ["COMMON_OPTIONS", "SIMULATED", "Invocation", "current", "refuse_typed", "show_log", "to_front", "typed"]


SIMULATED: Final = "the simulator has its own; leave it out, or --simulate"
"""The reason for which options of a server are refused."""


class Invocation(NamedTuple):
    """What the common options say.

    Attributes:
        profile: the profile in use; None: none.
        simulated: whether the built-in simulator stands for the API.
        as_json: whether the answer is JSON.
        utc: whether times are shown in UTC.
        timeout: seconds for the whole command; None: no limit but those of single requests.
        quiet: whether progress and warnings are left out.
        verbose: 1: more about errors; 2: each request.
        no_input: whether nothing may be asked.
        color: whether to use colours; None: on a terminal only.
    """

    profile: SettingsProfile | None = None
    simulated: bool = False
    as_json: bool = False
    utc: bool = False
    timeout: float | None = None
    quiet: bool = False
    verbose: int = 0
    no_input: bool = False
    color: bool | None = None

    @property
    def zone(self) -> tzinfo | None:
        """The zone in which times are shown; None: that of the machine."""
        if self.utc:
            return UTC
        if self.profile is None or self.profile.timezone is None:
            return None
        from zoneinfo import ZoneInfo

        return ZoneInfo(self.profile.timezone)

    def warn(self, text: str) -> None:
        """Print a warning to standard error, unless ``--quiet``; with ``--json`` as an object."""
        self._print("warning", text, f"warning: {text}")

    def note(self, text: str) -> None:
        """Print what happened to standard error, unless ``--quiet``; with ``--json`` as an object."""
        self._print("note", text, text)

    def _print(self, kind: str, text: str, line: str) -> None:
        if not self.quiet:
            click.echo(json.dumps({kind: text}) if self.as_json else one_line(line), err=True)


def current() -> Invocation:
    """Return the invocation of the command that runs."""
    context = click.get_current_context(silent=True)
    return (context.find_object(Invocation) if context is not None else None) or Invocation()


_TYPED: Final = frozenset({ParameterSource.COMMANDLINE, ParameterSource.PROMPT})


def typed(*names: str) -> list[str]:
    """Return those of some parameters that stand on the command line, as they are written there.

    Variables and profiles set options for all commands; what is typed is meant for this one.
    """
    found: list[str] = []
    context = click.get_current_context(silent=True)
    while context is not None:
        for parameter in context.command.params:
            name = parameter.name or ""
            if name in names and context.get_parameter_source(name) in _TYPED:
                found.append(max(parameter.opts, key=len))
        context = context.parent
    return found


def refuse_typed(names: Iterable[str], reason: str) -> None:
    """Check that options that would have no effect do not stand on the command line.

    Args:
        names: the names of their parameters.
        reason: why they have none, to stand after their names.

    Raises:
        UsageError: one does.
    """
    if found := typed(*names):
        raise click.UsageError(f"{', '.join(found)}: {reason}")


def show_log(stream: TextIO, context: click.Context) -> None:
    """Show each request and response, without secrets, as the package logs them, until a context is closed."""
    logger = logging.getLogger("stellantis_hal")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    context.call_on_close(partial(logger.removeHandler, handler))
    context.call_on_close(partial(logger.setLevel, logger.level))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)


def _color(_: click.Context, __: click.Parameter, value: str) -> bool | None:
    return {"auto": None, "always": True, "never": False}[value]


COMMON_OPTIONS: Final = (
    option("--profile", metavar="NAME", help="Profile of the configuration file.  [default: the file's]"),
    option("--simulate", "simulated", is_flag=True, help="Use the built-in simulator instead of the API."),
    option("--json", "as_json", is_flag=True, help="Print the answer as JSON."),
    option("--utc", is_flag=True, help="Show times in UTC."),
    option("--timeout", type=FiniteRange(0.1), metavar="SECONDS", help="End the command after so long."),
    option("-q", "--quiet", is_flag=True, help="Print no progress and no warnings."),
    option("-v", "--verbose", count=True, help="Say more about errors; -vv shows each request."),
    option("--no-input", is_flag=True, help="Ask for nothing; fail where an answer would be needed."),
    option(
        "--color", type=click.Choice(["auto", "always", "never"]), default="auto", callback=_color, help="Use colours."
    ),
)


def to_front(
    arguments: list[str], group: Iterable[click.Parameter], commands: Mapping[str, click.Command]
) -> list[str]:
    """Return arguments with the group's options before the command's name, so that they may stand after it.

    An option that the command has too stays where it is; so does all that follows ``--``.

    Args:
        arguments: what was typed after the program's name.
        group: the parameters of the group.
        commands: the commands of the group by name.
    """
    options = _by_name(group)
    front: list[str] = []
    position = 0
    while position < len(arguments) and arguments[position].startswith("-"):
        taken = _length(arguments[position], options)
        front += arguments[position : position + taken]
        position += taken
    rest = arguments[position:]
    if not rest:
        return arguments
    command = commands.get(rest[0])
    stays: list[str] = [rest[0]]
    own = {} if command is None else _own_options(command, rest[1:])
    index = 1
    while index < len(rest):
        argument = rest[index]
        if argument == "--":
            stays += rest[index:]
            break
        if _is_common(argument, options.keys() - own.keys(), options):
            taken = _length(argument, options)
            front += rest[index : index + taken]
        else:
            taken = _length(argument, own) if argument.startswith("-") else 1
            stays += rest[index : index + taken]
        index += taken
    return [*front, *stays]


def _is_common(argument: str, names: Set[str], options: Mapping[str, click.Option]) -> bool:
    """Return whether an argument is one of some options, or several flags of one letter in one word: ``-qvv``."""
    if not argument.startswith("-") or argument == "-":
        return False
    if argument.startswith("--") or len(argument) == 2:
        return argument.partition("=")[0] in names
    return all(f"-{letter}" in names and _length(f"-{letter}", options) == 1 for letter in argument[1:])


def _own_options(command: click.Command, arguments: list[str]) -> dict[str, click.Option]:
    """Return the options of a command and of the commands below it that the arguments name."""
    found = _by_name(command.params)
    while isinstance(command, click.Group):
        name = next((each for each in arguments if each in command.commands), None)
        if name is None:
            break
        command = command.commands[name]
        found |= _by_name(command.params)
    return found


def _by_name(parameters: Iterable[click.Parameter]) -> dict[str, click.Option]:
    return {
        name: each
        for each in parameters
        if isinstance(each, click.Option)
        for name in (*each.opts, *each.secondary_opts)
    }


def _length(argument: str, options: Mapping[str, click.Option]) -> int:
    """Return how many arguments an option takes, its own name included; one whose value may be left out takes none."""
    option: Any = options.get(argument)
    if option is None or option.is_flag or option.count or not option.prompt_required:
        return 1
    return 1 + int(option.nargs)
