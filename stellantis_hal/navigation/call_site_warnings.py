"""Warnings that point at the line of the program, not of this library, and that end nothing."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from traceback import walk_stack
from types import FrameType
from typing import Any

import attrs

__all__ = [
    "CallSite",
    "IncompleteCollectionWarning",
    "call_site",
    "called_from",
    "site_among",
    "warn_at",
    "warn_caller",
]

_log = logging.getLogger("stellantis_hal")
_PACKAGE = __name__.partition(".")[0]
_EVENT_LOOPS = frozenset({"asyncio", "trio", "anyio", "uvloop"})
_BETWEEN = _EVENT_LOOPS | {_PACKAGE, "contextlib", "outcome"}
"""Modules whose frames lie between the program and the line that warns."""


class IncompleteCollectionWarning(UserWarning):
    """A collection has, or may have, more items than the iteration returned."""


@attrs.frozen
class CallSite:
    """A line of the program.

    Attributes:
        filename: its file.
        line: its number.
        module: name of the module.
        registry: the warnings that the module has issued, as the module ``warnings`` keeps them.
    """

    filename: str
    line: int
    module: str
    registry: dict[str | tuple[str, type[Warning], int], int] = attrs.field(eq=False, repr=False)


_UNKNOWN = CallSite("sys", 1, "sys", {})
_caller: ContextVar[CallSite | None] = ContextVar("stellantis_hal_call_site", default=None)


def call_site() -> CallSite:
    """Return the innermost line outside of this package; in a task of this package, the one that started it."""
    frame = inspect.currentframe()
    return site_among(() if frame is None else walk_stack(frame), _caller.get())


def site_among(frames: Iterable[tuple[FrameType, int]], started_at: CallSite | None) -> CallSite:
    """Return the first line outside of this package, or what started the task, where an event loop comes before it.

    Args:
        frames: frames with their lines, the innermost first.
        started_at: the line that started the task; None where it is not known, or there is none.
    """
    for frame, line in frames:
        variables: dict[str, Any] = frame.f_globals
        module = str(variables.get("__name__"))
        top = module.partition(".")[0]
        if started_at is not None and top in _EVENT_LOOPS:
            break
        if top not in _BETWEEN:
            registry = variables.setdefault("__warningregistry__", {})
            return CallSite(frame.f_code.co_filename, line, module, registry)
    return started_at or _UNKNOWN


@contextmanager
def called_from(site: CallSite) -> Generator[None, None, None]:
    """Let warnings of the tasks that are started in this block point at a line of the program."""
    before = _caller.set(site)
    try:
        yield
    finally:
        _caller.reset(before)


def warn_at(site: CallSite, text: str, category: type[Warning]) -> None:
    """Log a text, and issue it as a warning at a line of the program.

    A filter that makes it an error would end a request whose response has arrived, or a watch that runs for months:
    then it is logged with the level ERROR, and nothing is raised.
    """
    try:
        warnings.warn_explicit(text, category, site.filename, site.line, site.module, site.registry)
    except Warning:
        _log.error(text)
    else:
        _log.warning(text)


def warn_caller(text: str, category: type[Warning]) -> None:
    """Log a text, and issue it as a warning at the innermost line outside of this package; see :func:`warn_at`."""
    warn_at(call_site(), text, category)
