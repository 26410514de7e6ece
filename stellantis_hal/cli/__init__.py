"""The command line: ``stellantis-hal``.

Knows the library's public face and the simulator. Must not be imported by anything: it is where a terminal begins.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; without the extra ``cli``, say how to get it."""
    try:
        from stellantis_hal.cli.commands import commands
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.exit(f"stellantis-hal needs the extra `cli`: pip install 'stellantis-hal[cli]' ({error})")
    commands()
