"""Laws of typed reading by msgspec: what it reads is what the tolerant reader reads, down to records and logs."""

from __future__ import annotations

import copy
import io
import logging
import pickle
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from stellantis_hal.errors import StellantisError
from stellantis_hal.hal.document import HalDocument, parse
from stellantis_hal.hal.encoded import parse_encoded
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.json import decode
from stellantis_hal.navigation.lazy_body import LazyResponseBody
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.response_snapshot import ResponseSnapshot
from stellantis_hal.structuring.converter import TypedConverter
from stellantis_hal.structuring.extra import Extra
from stellantis_hal.structuring.field_mapping import schema_of
from stellantis_hal.structuring.generated_msgspec_structs import forget_unknown_keys
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.typed_resource import TypedResource
from tests.structuring.wire_bodies import keys_of, model_classes, mutate, sample

pytest.importorskip("msgspec")

_NOW = datetime(2024, 1, 1, tzinfo=UTC)
_URL = "https://api.example/things/1"
_CLASSES = model_classes()
_IDS = [kind.__name__ for kind in _CLASSES]


def resource_of(document: HalDocument, content: bytes) -> HalResource:
    """Return the resource of a body."""
    snapshot = ResponseSnapshot(
        url=_URL,
        status=200,
        headers=Headers({}),
        fetched_at=_NOW,
        content=LazyResponseBody(content, document, base=_URL),
    )
    return HalResource(snapshot, document, None)


def exact(value: Any) -> bytes:
    """Return bytes that are equal only for what is the same in every respect."""
    target = io.BytesIO()
    pickler = pickle.Pickler(target, protocol=5)
    pickler.fast = True  # equal values may or may not be the same objects
    pickler.dump(value)
    return target.getvalue()


def in_order(value: Any) -> Any:
    """Return a value with its unknown keys in the order of their names: JSON objects have no order."""
    if isinstance(value, Model):
        ordered = copy.copy(value)
        for field in schema_of(type(value)).fields:
            object.__setattr__(ordered, field.name, in_order(getattr(value, field.name)))
        object.__setattr__(ordered, "extra", Extra(in_order(value.extra)))
        return ordered
    if isinstance(value, Mapping):
        return {key: in_order(value[key]) for key in sorted(value)}
    return tuple([in_order(part) for part in value]) if type(value) is tuple else value


def clocks_of(model: Any) -> list[Any]:
    """Return the clocks of a model and its parts."""
    found = [clock.now if (clock := getattr(model, "_clock", None)) else None]
    for field in schema_of(type(model)).fields:
        value = getattr(model, field.name)
        for part in value if field.many else (value,):
            found += clocks_of(part) if isinstance(part, Model) else []
    return found


class Log(logging.Handler):
    """The lines of the package's log."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelno, record.getMessage()))


@pytest.fixture
def log() -> Iterator[Log]:
    """Record what the package logs."""
    logger, handler = logging.getLogger("stellantis_hal"), Log()
    level, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)
    logger.propagate = propagates


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    """Begin without keys that other tests have shown, and leave none."""
    forget_unknown_keys()
    yield
    forget_unknown_keys()


def outcome(
    converter: TypedConverter, document: HalDocument, content: bytes, kind: type[Model], log: Log
) -> tuple[Any, Any]:
    """Return what reading a body as a class leads to: the value or the error, and the log."""
    log.lines.clear()
    try:
        value: Any = converter.structure(resource_of(document, content), kind)
    except StellantisError as error:
        return None, (type(error), str(error), getattr(error, "problems", None), [*log.lines])
    if isinstance(value, TypedResource):
        object.__setattr__(value, "_resource", None)  # that of this reading
    return value, (clocks_of(value), [*log.lines])


def compare(kind: type[Model], count: int, log: Log) -> int:
    """Read mutated bodies of a class both ways; return how many were read by msgspec."""
    random, body, keys = Random(kind.__name__), sample(kind), keys_of(kind)
    pairs = [
        (TypedConverter(strict=strict, clock=_clock), TypedConverter(strict=strict, clock=_clock))
        for strict in (False, True)
    ]
    hook: Any = pairs[0][0].converter.get_structure_hook(kind)
    reader = hook.wire
    assert reader.prepare()
    read = 0
    for number in range(count):
        content = mutate(body, random, keys).encode("utf-8", "surrogatepass")
        document = parse_encoded(content)
        if document is None:  # half a character: the whole body is decoded, as without msgspec
            continue
        fast, slow = pairs[number % 8 == 0]
        reader.resume()
        if number % 400 == 0:
            assert reader.prepare()  # with other doubts than before
        found = outcome(fast, document, content, kind, log)
        read += reader.is_reading
        expected = outcome(slow, parse(decode(content)), content, kind, log)
        assert found[1] == expected[1], content
        if exact(found[0]) != exact(expected[0]):
            assert exact(in_order(found[0])) == exact(in_order(expected[0])), content
        assert repr(document.body) == repr(decode(content))
    return read


def _clock() -> datetime:
    return _NOW


@pytest.mark.parametrize("kind", _CLASSES, ids=_IDS)
@pytest.mark.unmeasured
def test_mutated_bodies_read_the_same_with_and_without(kind: type[Model], log: Log) -> None:
    assert compare(kind, 20, log) >= 2


@pytest.mark.deep
@pytest.mark.parametrize("kind", _CLASSES, ids=_IDS)
def test_many_mutated_bodies_read_the_same(kind: type[Model], log: Log) -> None:
    assert compare(kind, 20_000, log) >= 2_000
