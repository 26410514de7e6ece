"""Readings of collections that change between two responses: what is returned, asked for and told of.

``python -m tests.navigation.pagination.changes`` rewrites ``changes.txt``, whose differences are to be read.
"""

import logging
import random
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import anyio

from stellantis_hal.errors import StellantisError
from stellantis_hal.navigation.pagination.paginator import IndexRangeSyntax, Paginator
from tests.navigation.collection import Collection
from tests.navigation.pagination.shapes import is_absent

__all__ = ["FILE", "FORMS", "WAYS", "Reading", "described", "read", "read_changing", "sequences"]

FILE: Final = Path(__file__).with_name("changes.txt")

FORMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "linked": {},
    "linked, without totals": {"has_total": False},
    "by ranges": {"links": frozenset[str]()},
    "by ranges of two": {"links": frozenset[str](), "size": 2},
    "without prev": {"links": frozenset({"self", "next", "last"})},
    "next only": {"links": frozenset({"next"})},
    "next only, without totals": {"links": frozenset({"next"}), "has_total": False},
    "prev and next": {"links": frozenset({"self", "next", "prev"})},
    "ranges ignored": {"links": frozenset[str](), "honours_ranges": False},
    "an old total": {"links": frozenset[str](), "extra_total": -2},
    "redirected": {"links": frozenset({"next", "prev", "last"}), "redirects": True},
}
WAYS: Final = ("forwards", "backwards", "backwards, by token", "concurrently")
_LENGTH: Final = 8
_SAMPLE: Final = 48
_MANY: Final = ("5", ".5", "..5", ".55", "a5", "5r5")  # more than a page


class Reading(NamedTuple):
    """One reading of a collection.

    Attributes:
        ids: of what was returned, in order.
        asked: the requests, in order.
        told: what was logged, and the error.
        stayed: the ids of the items that were there from the first response to the last.
    """

    ids: list[str]
    asked: list[str]
    told: list[str]
    stayed: list[str]


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _change(elements: list[Any], change: str, number: int) -> None:
    """Change a collection, by one letter.

    ``+`` and ``-`` add and remove an item at the head, ``2`` and ``5`` add as many, ``a`` and ``r`` add and remove one
    at the tail, and ``m`` removes one in the middle; ``=`` adds one at the head and removes one in the middle, and
    ``s`` removes one at the head and adds one at the tail.
    """
    if change in "-s" and elements:
        del elements[0]
    if change in "m=" and elements:
        del elements[len(elements) // 2]
    if change == "r" and elements:
        elements.pop()
    if change in "+2=5":
        elements[:0] = [f"new{number}.{index}" for index in range({"2": 2, "5": 5}.get(change, 1))]
    if change in "as":
        elements.append(f"new{number}")


def read_changing(form: Mapping[str, Any], way: str, changes: str, *, length: int = _LENGTH) -> Reading:
    """Read a collection in one way; each letter changes it before a response, from the second one on."""
    first = [str(number) for number in range(length)]
    collection = Collection([*first], **form)

    def change(sent: int) -> None:
        if 0 < sent <= len(changes):
            _change(collection.elements, changes[sent - 1], sent)

    collection.before_response = change
    paginator = collection.root.follow("items").items(
        reverse=way.startswith("backwards"), ranges=IndexRangeSyntax(size=3), absent=is_absent
    )
    found: list[str] = []
    logger, log = logging.getLogger("stellantis_hal"), _Log()
    logger.addHandler(log)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            anyio.run(_read, paginator, way, found)
    except StellantisError as error:
        log.lines.append(f"{type(error).__name__}: {error}")
    finally:
        logger.removeHandler(log)
    asked = [path.removeprefix("/items").removeprefix("?indexRange=") or "/" for path in collection.site.paths]
    return Reading(found, asked, log.lines, [id_ for id_ in first if id_ in collection.elements])


async def _read(paginator: Paginator[Any], way: str, found: list[str]) -> None:
    if way == "concurrently":
        async with paginator.concurrent(2) as items:
            async for item in items:
                found.append(item["id"])  # noqa: PERF401 - items before an error are kept
    elif way == "backwards, by token":
        token: str | None = None
        for _ in range(30):
            page = await anext(aiter(paginator.pages(token)), None)
            if page is None:
                return
            found.extend(item["id"] for item in page.items)
            token = page.token
            if token is None:
                return
    else:
        async for item in paginator:
            found.append(item["id"])  # noqa: PERF401 - items before an error are kept


def sequences() -> list[str]:
    """Return the changes of the file: some of those of up to four responses."""
    draw = random.Random(11)
    drawn = ["".join(draw.choices(".+-2arm=s", k=draw.randint(1, 4))) for _ in range(_SAMPLE)]
    return [*dict.fromkeys((*drawn, *_MANY))]


def described(form: str, way: str, part: slice = slice(None)) -> list[str]:
    """Return the readings of a form of collection in one way, a line for each sequence of changes."""
    lines: list[str] = []
    for changes in sequences()[part]:
        found = read_changing(FORMS[form], way, changes)
        lost = [id_ for id_ in found.stayed if id_ not in found.ids]
        missing = f"; without {' '.join(lost)}" if lost else ""
        told = "".join(f"; {line}" for line in found.told)
        lines.append(f"{changes}: {' '.join(found.asked)} -> {' '.join(found.ids)}{missing}{told}")
    return lines


def read() -> dict[tuple[str, str], list[str]]:
    """Return the lines of the file, by form and way."""
    found: dict[tuple[str, str], list[str]] = {}
    for part in FILE.read_text(encoding="utf-8").removesuffix("\n").split("\n\n"):
        head, *lines = part.split("\n")
        form, _, way = head.removeprefix("# ").partition(" / ")
        found[form, way] = lines
    return found


if __name__ == "__main__":
    parts = ["\n".join([f"# {form} / {way}", *described(form, way)]) for form in FORMS for way in WAYS]
    FILE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
