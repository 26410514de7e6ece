"""Options of commands, each of which an environment variable sets too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import click

__all__ = ["SETTINGS", "EnvironmentOption", "F", "add_options", "option"]

F = TypeVar("F", bound=Callable[..., Any])

SETTINGS: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"], "show_default": True}
"""The context settings of every command."""


class EnvironmentOption(click.Option):
    """An option whose variable is ``STELLANTIS_HAL_`` and its long name, as STELLANTIS_HAL_CLIENT_ID.

    Args:
        command: the name of the only command in which the option has this meaning; it stands in the variable too.
    """

    def __init__(self, declarations: Sequence[str], *, command: str | None = None, **settings: Any) -> None:
        name = next(each for each in declarations if each.startswith("--")).partition("/")[0].removeprefix("--")
        words = name if command is None else f"{command}_{name}"
        settings.setdefault("envvar", f"STELLANTIS_HAL_{words.replace('-', '_').upper()}")
        super().__init__(declarations, **settings)

    def prompt_for_value(self, ctx: click.Context) -> Any:
        """Ask for a value, unless ``--no-input`` forbids it."""
        if getattr(ctx.obj, "no_input", False):
            raise click.BadOptionUsage(self.name or "", "a value is needed: --no-input asks for none", ctx)
        return super().prompt_for_value(ctx)


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """Return a decorator as ``click.option`` does, for an option with a variable."""
    return click.option(*names, cls=EnvironmentOption, **settings)


def add_options(*options: Callable[..., Any]) -> Callable[[F], F]:
    """Return a decorator that adds options to a command, in this order."""

    def decorate(function: F) -> F:
        for each in reversed(options):
            function = each(function)
        return function

    return decorate
