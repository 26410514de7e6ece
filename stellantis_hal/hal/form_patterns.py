"""Patterns of form fields (HTML's ``pattern`` attribute), matched within bounds of time."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["PatternChecker"]

# A pattern comes from a server, and one of a few characters may take the standard library's ``re`` hours while it
# holds the interpreter lock. PyPI ``regex`` has a time limit, and reads what browsers read: \p{L}, (?<n>…), [\w--\d].
_regex: Any = import_module("regex") if find_spec("regex") else None

_MAX_LENGTH = 1_000
# Compilation has no time limit: it copies a group once for each of its repetitions, a character for the least number.
_MAX_COPIES = 2_000
_MATCH_SECONDS = 0.1
_MAX_TIMEOUTS = 2
_COUNT = re.compile(r"\{(\d*)(?:,(\d*))?\}")
# Comments and white space between a group and its count, which no browser reads.
_COMMENT = re.compile(r"\(\?(?:#|[A-Za-z0-9-]*x)")
_BACKREFERENCE = re.compile(r"(?<!\\)((?:\\\\)*)\\k<")  # \k<n> in browsers is \g<n> here
_CLASS = re.compile(r"\[\]?(?:\\.|[^\\\]])*\]", re.DOTALL)


class PatternChecker:
    """Checks values against patterns; a value that could not be checked has a reason.

    One checker serves one submission: after the second match that exceeds its time, it checks no more.
    """

    def __init__(self) -> None:
        self._timeouts = 0

    def check(self, pattern: str, value: str) -> bool | str:
        """Return whether the whole value matches, or the reason why that was not checked."""
        if _regex is None:
            return "patterns are checked with the extra 'forms' only: pip install 'stellantis-hal[forms]'"
        if self._timeouts == _MAX_TIMEOUTS:
            return "patterns before this one took too long"
        compiled = _compile(pattern)
        if isinstance(compiled, str):
            return compiled
        try:
            return compiled.fullmatch(value, timeout=_MATCH_SECONDS) is not None
        except TimeoutError:
            self._timeouts += 1
            return f"the pattern was stopped after {_MATCH_SECONDS:g} s"
        except (RecursionError, MemoryError):
            return "the pattern needs too much memory"


@lru_cache(maxsize=64)
def _compile(pattern: str) -> Any:
    """Return a compiled pattern, or the reason why it cannot be used."""
    if len(pattern) > _MAX_LENGTH:
        return f"the pattern has {len(pattern)} characters; at most {_MAX_LENGTH} are read"
    if _COMMENT.search(pattern):
        return "the pattern cannot be read"
    if _copies(pattern) > _MAX_COPIES:
        return "the pattern repeats too much too often"
    try:
        return _regex.compile(_BACKREFERENCE.sub(r"\1\\g<", pattern), _regex.V1, cache_pattern=False)
    except (_regex.error, RecursionError, OverflowError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return "the pattern cannot be read"


def _copies(pattern: str) -> int:
    """Return how many parts a pattern has once the groups that it repeats are written out."""
    groups, last, position = [0], 0, 0
    while position < len(pattern):
        char = pattern[position]
        count = _COUNT.match(pattern, position)
        if char == "\\":
            groups[-1], last, position = groups[-1] + 1, 0, position + 2
        elif char == "[":
            end = _CLASS.match(pattern, position)
            groups[-1], last, position = groups[-1] + 1, 0, position + 1 if end is None else end.end()
        elif char == "(":
            groups.append(0)
            last, position = 0, position + 1
        elif char == ")" and len(groups) > 1:
            last = groups.pop() + 1
            groups[-1], position = groups[-1] + last, position + 1
        elif count is not None:
            bounds = [int(bound or 1) for bound in (count[1], count[2] or "")]
            times = max(1, max(bounds) if last else bounds[0])
            last = last or 1
            groups[-1], last, position = groups[-1] + last * (times - 1), last * times, count.end()
        else:
            if char not in "*+?":
                last, groups[-1] = 0, groups[-1] + 1
            position += 1
    return max(groups[0], sum(groups))
