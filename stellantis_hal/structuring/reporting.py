"""Logging of problems, and their refusal in strict mode."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable

from stellantis_hal.errors import StructureError
from stellantis_hal.hal.redaction import mask_text, mask_url
from stellantis_hal.structuring.problems import Problem

__all__ = ["describe", "report_problems"]

_log = logging.getLogger("stellantis_hal")
_INDEX = re.compile(r"\[\d+\]")
_REMEMBERED = 1_000
_SHOWN = 20


def report_problems(
    kind: type,
    problems: Iterable[Problem],
    *,
    strict: bool,
    reported: set[str] | None = None,
    url: Callable[[], str] = str,
) -> None:
    """Log problems; in strict mode refuse the body they were found in.

    With ``reported``, a path is logged as a warning once, at any index, and for debugging after that. ``url`` returns
    the address of the body, for the error.

    Raises:
        StructureError: in strict mode, naming the paths of unreadable values.
    """
    errors = [problem for problem in problems if problem.kind == "unreadable"]
    if strict and errors:
        number = "one value" if len(errors) == 1 else f"{len(errors)} values"
        address = url()
        where = f" at {mask_url(address)}" if address else ""
        raise StructureError(
            f"{kind.__name__}{where}: {number} cannot be read (strict=False makes them None): {describe(errors)}",
            problems=errors,
        )
    for problem in problems:
        is_new = reported is None or _is_new(
            reported, f"{kind.__name__}{_INDEX.sub('[]', problem.path)} {problem.kind}"
        )
        level = logging.WARNING if is_new and problem.kind != "sentinel" else logging.DEBUG
        if _log.isEnabledFor(level):  # masking takes longer than reading
            _log.log(level, "%s: %s", kind.__name__, _line(problem))


def describe(problems: list[Problem]) -> str:
    """Return the first problems as one line."""
    return f"{', '.join(map(_line, problems[:_SHOWN]))}{', …' if len(problems) > _SHOWN else ''}"


def _is_new(reported: set[str], place: str) -> bool:
    """Return whether a place was not reported before, and remember it, as far as memory is granted."""
    if place in reported or len(reported) >= _REMEMBERED:
        return False
    reported.add(place)
    return True


def _line(problem: Problem) -> str:
    return f"{mask_text(problem.path)} ({problem.value_type}): {mask_text(problem.reason)}"
