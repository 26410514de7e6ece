"""Text that is pasted into the terminal."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from typing import TextIO

import click

__all__ = ["read_pasted"]

_WAIT = 0.05
"""Seconds within which the next line of the same paste arrives."""
_MAX_LINES = 1_000


def read_pasted(prompt: str) -> str:
    """Return the line that is entered after a prompt, and the lines that were pasted with it.

    A terminal hands over one line at a time. Without the others, a wrapped URL would be cut, and the rest of a pasted
    ``curl`` command would go to the shell. Windows cannot tell whether more lines wait: each line is read alone there.

    Raises:
        click.Abort: the input ended, or was interrupted.
    """
    first = str(click.prompt(prompt, default="", show_default=False, prompt_suffix=":\n"))
    return "".join([f"{first}\n", *_waiting_lines(sys.stdin)])


def _waiting_lines(stream: TextIO) -> Iterator[str]:
    for _ in range(_MAX_LINES):
        try:
            is_waiting = bool(select.select([stream], [], [], _WAIT)[0])
        except (OSError, ValueError):  # Windows, or input that is no file
            return
        line = stream.readline() if is_waiting else ""
        if not line:
            return
        yield line
