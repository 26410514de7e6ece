"""Outcomes of calls, word for word: what is returned or raised, logged, warned of, and sent.

They stand in a file beside the cases: ``python -m tests.support.outcomes MODULE`` renews it, and its differences are to
be read.
"""

import logging
import re
import sys
import warnings
import zlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from enum import Enum
from importlib import import_module
from inspect import isawaitable
from itertools import takewhile
from pathlib import Path
from typing import Any

import anyio
import attrs

from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.navigation.pagination.page_token import PageToken
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.streamed_request_bodies import StreamedRequestBody

__all__ = ["Case", "by_topic", "described", "outcome", "read", "write"]

Case = Callable[[list[Any]], Any]
"""A call, or a coroutine function, which may record the requests that are sent, or other events, in the list."""

# What is drawn at random: folders, keys of requests, boundaries of bodies, addresses in memory.
_RANDOM = re.compile(r"[^\s']*/outcome-\w{8}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,27}|\b[0-9a-f]{32}\b|0x[0-9a-f]{8,}")
# What Python 3.11 says, and later versions in other words.
_BY_VERSION = (
    (re.compile(r"(not JSON compliant): -?(?:nan|inf)"), r"\1"),
    (re.compile(r"UnicodeDecodeError: 'utf-16' codec .*BOM"), "UnicodeError: UTF-16 stream does not start with BOM"),
)
_LENGTH = 4_000
_SAME = "as: "
_AT_A_TIME = 8
_SHORT = 400


def described(value: Any) -> str:
    """Return a value with all of its public parts."""
    if isinstance(value, HalResource):
        return _of_resource(value)
    if isinstance(value, Request):
        return _of_request(value)
    if isinstance(value, BaseException):
        return _of_error(value)
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{described(key)}: {described(one)}" for key, one in value.items()) + "}"
    if isinstance(value, tuple) and (names := getattr(value, "_fields", None)) is not None:
        parts = [f"{name}={described(one)}" for name, one in zip(names, value, strict=True)]
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, list | tuple):
        brackets = "[]" if isinstance(value, list) else "()"
        return brackets[0] + ", ".join(map(described, value)) + brackets[1]
    if attrs.has(type(value)):
        fields = [field.name for field in attrs.fields(type(value)) if not field.name.startswith("_")]
        return f"{type(value).__name__}({', '.join(f'{name}={described(getattr(value, name))}' for name in fields)})"
    return repr(value)


def _of_resource(resource: HalResource) -> str:
    parts = [
        f"<{resource.status} {resource.url}",
        *([f"at {resource.base}"] if resource.base != resource.url else []),
        f"{resource.kind} {_shortened(described(resource.value))}",
        *([f"steps={described(list(resource.steps))}"] if resource.steps else []),
        *([f"condition={resource.condition}"] if resource.condition else []),
        *([f"location={resource.location}"] if resource.location else []),
        *(["stale"] if resource.stale else []),
    ]
    return " ".join(parts) + ">"


def _shortened(text: str, limit: int = _SHORT) -> str:
    """Return a text; a long one by its beginning, length and checksum."""
    if len(text) <= limit:
        return text
    return f"{text[: limit // 4]}… {len(text)} {zlib.crc32(text.encode('utf-8', 'replace')):x}"


def _of_request(request: Request) -> str:
    content: Any = request.content
    if isinstance(content, StreamedRequestBody):
        content = f"{content!r}{' (spent)' if content.is_spent else ''}"
    body = "" if content is None else f" {content!r}"
    repeated = "" if request.repeatable is None else f" repeatable={request.repeatable}"
    return f"{request.method} {request.url} {dict(request.headers)}{body}{repeated}"


def _of_error(error: BaseException) -> str:
    own = {name: value for name, value in vars(error).items() if not name.startswith("_")}
    if isinstance(token := own.get("resume_token"), str):  # its digests are in any order
        place = PageToken.from_token(token)
        own["resume_token"] = f"{place.url} after page {place.number} and item {place.position}"
    told = "".join(f", {name}={described(value)}" for name, value in sorted(own.items()) if value not in (None, (), ""))
    cause = f", from {type(error.__cause__).__name__}" if error.__cause__ is not None else ""
    return f"{type(error).__name__}: {error}{told}{cause}"


class _Log(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(f"{record.levelname.lower()}: {record.getMessage()}")


def outcome(case: Case, backend: tuple[str, Mapping[str, Any]] = ("asyncio", {})) -> list[str]:
    """Return what a case does, line by line, on a backend of anyio with its options."""
    lines: list[str] = []
    requests: list[Any] = []

    async def main() -> None:
        try:
            result = case(requests)
            if isawaitable(result):
                result = await _result(result)
        except Exception as error:  # noqa: BLE001 - told, whatever it is
            lines.append(f"! {described(error)}")
            lines.extend(f"  note: {note}" for note in getattr(error, "__notes__", ()))
        else:
            lines.append(f"= {described(result)}")

    logger, handler = logging.getLogger("stellantis_hal"), _Log(lines)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)  # an earlier test of the same process may have set another one
    try:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", ResourceWarning)  # of what earlier tests left, collected at any time
            anyio.run(main, backend=backend[0], backend_options=dict(backend[1]))
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    lines += [f"{warning.category.__name__}: {warning.message}" for warning in found]
    lines += [f"> {described(request)}" for request in requests]
    return [_shortened(_normalized(line.replace("\n", "\\n")), _LENGTH) for line in lines]


def _normalized(line: str) -> str:
    line = _RANDOM.sub("RANDOM", line)
    for words, instead in _BY_VERSION:
        line = words.sub(instead, line)
    return line


def by_topic(cases: Mapping[str, Case]) -> dict[str, list[str]]:
    """Return the names of cases by their first words, up to a number, a few at a time: a test of its own for each."""
    found: dict[str, list[str]] = {}
    for name in cases:
        words = takewhile(lambda word: not word.isdecimal(), name.split()[:2])
        found.setdefault(" ".join(words), []).append(name)
    return {
        f"{topic} {start // _AT_A_TIME}": names[start : start + _AT_A_TIME]
        for topic, names in found.items()
        for start in range(0, len(names), _AT_A_TIME)
    }


async def _result(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def read(file: Path) -> dict[str, list[str]]:
    """Return the outcomes in a file, by case."""
    found: dict[str, list[str]] = {}
    for part in file.read_text(encoding="utf-8").removesuffix("\n").split("\n\n"):
        name, *lines = part.split("\n")
        found[name[2:]] = found[lines[0].removeprefix(_SAME)] if lines[0].startswith(_SAME) else lines
    return found


def write(file: Path, cases: Mapping[str, Case], backend: tuple[str, Mapping[str, Any]] = ("asyncio", {})) -> None:
    """Write the outcomes of cases into a file; one that is the same as one before it is named by that case."""
    parts: list[str] = []
    names: dict[tuple[str, ...], str] = {}
    for name, case in cases.items():
        lines = tuple(outcome(case, backend))
        same = names.setdefault(lines, name)
        parts.append("\n".join([f"# {name}", *(lines if same == name else [f"{_SAME}{same}"])]))
    file.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for module in map(import_module, sys.argv[1:]):
        write(module.FILE, module.CASES, getattr(module, "BACKEND", ("asyncio", {})))
