"""The period of a command: the options ``--since`` and ``--until`` as instants."""

from __future__ import annotations

from datetime import datetime

import click

from stellantis_hal.cli.connection import CommandContext
from stellantis_hal.cli.time_arguments import parse_since

__all__ = ["period_of"]


def period_of(
    connection: CommandContext, since: str | None, until: str | None
) -> tuple[datetime | None, datetime | None]:
    """Return the start and the end that two options name; None: no limit.

    Raises:
        UsageError: one is no instant, or the end is before the start.
    """
    start, end = _instant(connection, since), _instant(connection, until, is_end=True)
    if start is not None and end is not None and end < start:
        raise click.UsageError(f"--until {until} is before --since {since}")
    return start, end


def _instant(connection: CommandContext, text: str | None, *, is_end: bool = False) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_since(text, now=connection.now(), zone=connection.options.zone, is_end=is_end)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
