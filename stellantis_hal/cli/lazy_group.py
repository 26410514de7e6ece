"""A group whose commands are imported when they are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from stellantis_hal.cli.standard_streams import OneLineErrorGroup

__all__ = ["LazyCommandSpec", "LazyGroup"]


class LazyCommandSpec(NamedTuple):
    """Where a command is, and what the help of its group says of it.

    Attributes:
        module: a module of ``stellantis_hal.cli``, in which it has its own name.
        help: the first sentence of its help.
    """

    module: str
    help: str


class _CommandsByName(MutableMapping[str, click.Command]):
    """The commands of a group by name, each imported when it is asked for."""

    def __init__(self, lazy: Mapping[str, LazyCommandSpec]) -> None:
        self._found: dict[str, click.Command | LazyCommandSpec] = {**lazy}

    def __getitem__(self, name: str) -> click.Command:
        found = self._found[name]
        if isinstance(found, LazyCommandSpec):
            module = import_module(f"stellantis_hal.cli.{found.module}")
            found = self._found[name] = getattr(module, name)
        return found

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._found[name] = command

    def __delitem__(self, name: str) -> None:
        del self._found[name]

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class LazyGroup(OneLineErrorGroup):
    """A group whose help and completion import none of its commands.

    Args:
        lazy: its commands by name.
    """

    def __init__(self, *arguments: Any, lazy: Mapping[str, LazyCommandSpec], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.commands: MutableMapping[str, click.Command] = _CommandsByName(lazy)
        self._outlines = {name: click.Command(name, help=each.help) for name, each in lazy.items()}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        click.Group(commands={**self._outlines}).format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin with an incomplete word."""
        names = [
            CompletionItem(name, help=outline.get_short_help_str())
            for name, outline in sorted(self._outlines.items())
            if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]
