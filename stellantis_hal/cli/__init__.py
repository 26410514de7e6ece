"""The command line ``stellantis-hal``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; exit with the command that installs the extra ``cli`` where it is missing."""
    try:
        from stellantis_hal.cli.root_group import commands
        from stellantis_hal.cli.standard_streams import prepare_process

        prepare_process()
        commands(prog_name="stellantis-hal")
    except KeyboardInterrupt:
        sys.exit(130)  # as the shell has it for a process that Ctrl+C ended
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich", "tomlkit"}:
            raise
        text = f"error: stellantis-hal needs the extra `cli`: pip install 'stellantis-hal[cli]' ({error})\n"
        sys.stderr.write(text)
        sys.exit(8)
