"""Rows that a command prints: a line each, or JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import click

from stellantis_hal.cli.common_options import current
from stellantis_hal.cli.connection import CommandContext, run_connected
from stellantis_hal.cli.failures import Failure
from stellantis_hal.cli.json_text import json_text
from stellantis_hal.hal.redaction import one_line

__all__ = ["ambiguous", "run_for_rows"]

RowWork = Callable[[CommandContext], Awaitable[list[dict[str, Any]]]]


def run_for_rows(work: RowWork, options: Mapping[str, Any], *, is_list: bool = False) -> None:
    """Print the rows of what is done: with ``--json`` an array of a list, and an object of a change."""

    async def act(connection: CommandContext) -> list[dict[str, Any]]:
        try:
            return await work(connection)
        except (TypeError, ValueError) as error:
            raise click.UsageError(str(error)) from error

    rows = run_connected(act, options)
    if current().as_json:
        click.echo(json_text(rows if is_list else rows[0]))
        return
    for row in rows:
        click.echo(_line(row))
    if not rows:
        click.echo("There are none.", err=True)


def _line(row: dict[str, Any]) -> str:
    return "  ".join(one_line(_text(value)) for value in row.values() if value not in (None, "", []))


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def ambiguous(owner: str, kind: str, wanted: str, count: int) -> Failure:
    """Return the failure of a name that means none of a kind (status 5), or more than one (status 2)."""
    if not count:
        return Failure(f"{owner} has no {kind} {wanted!r}: `stellantis-hal {kind}s list` shows those that it has", 5)
    return Failure(f"{owner} has {count} {kind}s {wanted!r}: name one by its id", 2)
