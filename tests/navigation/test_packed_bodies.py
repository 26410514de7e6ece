"""Bodies that are compressed after their documents were let go."""

import json
import threading
import zlib
from typing import Any

import pytest

from stellantis_hal.hal.document import HalDocument, parse_root
from stellantis_hal.hal.json import decode
from stellantis_hal.navigation.lazy_body import EmbeddedPathStep, LazyResponseBody

ITEMS = [{"number": number, "text": "x" * 200} for number in range(20)]


def content_of(number: int = 0, items: list[dict[str, Any]] = ITEMS) -> bytes:
    return json.dumps({"page": number, "_embedded": {"items": items}}).encode()


def decoded(content: bytes) -> HalDocument:
    return parse_root(decode(content), is_empty=False)


def let_go(number: int = 0, *, items: list[dict[str, Any]] = ITEMS) -> LazyResponseBody:
    """Return a body whose document is not held."""
    content = content_of(number, items)
    return LazyResponseBody(content, decoded(content))


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what was compressed, in order."""
    sizes: list[int] = []
    compress = zlib.compress

    def note(content: bytes, level: int) -> bytes:
        sizes.append(len(content))
        return compress(content, level)

    monkeypatch.setattr("stellantis_hal.navigation.lazy_body.zlib.compress", note)
    return sizes


def test_a_body_that_is_held_is_packed_after_others(packed: list[int]) -> None:
    held = [let_go(number) for number in range(20)]
    assert len(packed) >= 12
    for number, body in enumerate(held):
        assert body.raw == content_of(number)
        assert body.document().body["page"] == number
        assert body.document((EmbeddedPathStep("items", 3),)).body["number"] == 3


def test_single_values_that_are_taken_soon_are_not_packed(packed: list[int]) -> None:
    waiting = [let_go(number, items=ITEMS[:10]) for number in range(60)]
    assert packed == []
    waiting += [let_go(number, items=ITEMS[:10]) for number in range(60, 200)]
    assert len(packed) >= 130
    assert [body.document().body["page"] for body in waiting] == [*range(200)]


def test_a_walk_that_holds_no_item_packs_nothing(packed: list[int]) -> None:
    for _ in range(5):
        let_go()  # what other tests hold leaves the row
    packed.clear()
    for number in range(20):
        let_go(number)
    assert packed == []


def test_a_body_is_packed_once(packed: list[int]) -> None:
    body = let_go()
    packed.clear()
    body.pack()
    body.pack()
    assert packed == [len(content_of())]
    for _ in range(20):
        assert body.document().body["page"] == 0
    assert len(packed) == 1


def test_a_small_body_is_not_packed(packed: list[int]) -> None:
    body = let_go(items=[])
    packed.clear()
    body.pack()
    assert packed == []
    assert body.raw == content_of(items=[])


def test_a_document_without_bytes_is_not_packed(packed: list[int]) -> None:
    body = LazyResponseBody.of(decoded(content_of()))
    packed.clear()
    body.pack()
    assert packed == []
    assert body.raw == b""
    assert body.document().body["page"] == 0


def test_threads_read_and_let_go_the_same_bodies() -> None:
    held = [let_go(number) for number in range(8)]
    wrong: list[int] = []

    def read() -> None:
        for round_ in range(20):
            for number, body in enumerate(held):
                if round_ % 7 == 0:
                    body.pack()
                if body.document().body["page"] != number or body.raw != content_of(number):
                    wrong.append(number)
                let_go(number)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
