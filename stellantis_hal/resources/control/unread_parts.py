"""Parts of a callback or a monitor that could not be read: they are neither as wanted nor sent again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stellantis_hal.structuring.problems import Problem

__all__ = ["require_read", "unread_parts"]


def unread_parts(problems: Iterable[Problem], parts: Mapping[str, str]) -> list[str]:
    """Return the names of the parts of which something could not be read.

    Args:
        problems: of the callback or the monitor.
        parts: the path of each part in the document, by its name.
    """
    paths = [problem.path for problem in problems]
    return [name for name, part in parts.items() if any(_touches(path, part) for path in paths)]


def require_read(noun: str, unread: Iterable[str], given: Mapping[str, object]) -> None:
    """Check that each part that stays as it was could be read whole.

    Args:
        noun: what is replaced.
        unread: names of the parts that could not be read.
        given: the new values by the name of the part; None stands for the one that was read.

    Raises:
        ValueError: a part that is not passed could not be read.
    """
    for name in unread:
        if given.get(name) is None:
            raise ValueError(
                f"{name} of this {noun} could not be read, or not whole, see problems: pass {name}=, which replaces it"
            )


def _touches(path: str, part: str) -> bool:
    """Return whether a path is that of a part, or lies in it or around it."""
    return path == part or path.startswith((f"{part}.", f"{part}[")) or part.startswith(f"{path}.")
