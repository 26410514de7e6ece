"""Command ``completion``: the script of a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from stellantis_hal.cli.environment_options import SETTINGS
from stellantis_hal.cli.failures import Failure

__all__ = ["completion"]


@click.command(context_settings=SETTINGS)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(*, shell: str) -> None:
    """Print a script of completions for a shell: eval "$(stellantis-hal completion bash)"."""
    found = get_completion_class(shell)
    root = click.get_current_context().find_root().command
    if found is None:
        raise Failure(f"click has no completions for {shell}")
    source = found(root, {}, "stellantis-hal", "_STELLANTIS_HAL_COMPLETE")
    click.echo(source.source())
