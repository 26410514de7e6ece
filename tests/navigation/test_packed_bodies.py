"""Bodies that are compressed after their documents were let go."""

import json
import threading
import weakref
import zlib
from typing import Any

import pytest

from stellantis_hal.hal.curies import Curies
from stellantis_hal.hal.document import HalDocument, parse_root
from stellantis_hal.hal.json import decode
from stellantis_hal.hal.link import Link
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
        assert level == 1  # the fastest
        sizes.append(len(content))
        return compress(content, level)

    monkeypatch.setattr("stellantis_hal.navigation.lazy_body.zlib.compress", note)
    return sizes


def test_a_body_that_is_held_is_packed_after_others(packed: list[int]) -> None:
    for _ in range(5):
        let_go()  # what other tests hold leaves the row
    packed.clear()
    held = [let_go(number) for number in range(20)]
    assert len(packed) == 16
    for number, body in enumerate(held):
        assert body.raw == content_of(number)
        assert body.document().body["page"] == number
        assert body.document((EmbeddedPathStep("items", 3),)).body["number"] == 3


def test_single_values_that_are_taken_soon_are_not_packed(packed: list[int]) -> None:
    for _ in range(65):
        let_go(items=ITEMS[:10])  # what other tests hold leaves the row
    packed.clear()
    waiting = [let_go(number, items=ITEMS[:10]) for number in range(64)]
    assert packed == []
    waiting += [let_go(number, items=ITEMS[:10]) for number in range(64, 200)]
    assert len(packed) == 136
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


@pytest.mark.parametrize(("length", "is_packed"), [(1_023, False), (1_024, True)])
def test_bodies_of_a_kilobyte_are_packed(packed: list[int], length: int, is_packed: bool) -> None:
    body = LazyResponseBody(b" " * length, decoded(b"{}"))
    body.pack()
    assert packed == [length] * is_packed


@pytest.mark.parametrize(("length", "is_single"), [(4_095, True), (4_096, False)])
def test_bodies_below_four_kilobytes_are_single_values(length: int, is_single: bool) -> None:
    assert LazyResponseBody(b" " * length, decoded(b"{}")).is_single is is_single


@pytest.mark.parametrize(("length", "is_held"), [(999_999, True), (1_000_000, False)])
def test_documents_of_a_megabyte_are_decoded_each_time(length: int, is_held: bool) -> None:
    content = b'{"a": 1}'.ljust(length)
    body = LazyResponseBody(content, decoded(content))
    found = weakref.ref(body.document())
    assert (found() is not None) is is_held


@pytest.mark.parametrize("header_links", [(), (Link("/h", "h"),)])
def test_inherited_curies_are_kept(header_links: tuple[Link, ...]) -> None:
    """Those of the page that embedded a vehicle of a fleet."""
    content = b'{"_links": {"ex:a": {"href": "/a"}}}'
    curies = Curies({"ex": "https://docs.example/{rel}"})
    root = parse_root(decode(content), curies=curies, header_links=header_links, base="https://api.example/")
    body = LazyResponseBody(content, root, base="https://api.example/")
    del root
    document = body.document()
    assert document.curies.expand("ex:a") == "https://docs.example/a"
    assert document.rels == ("ex:a", *(one.rel for one in header_links))


def test_a_body_without_bytes_is_read_as_an_empty_one() -> None:
    body = LazyResponseBody(b"", parse_root(None, is_empty=True))
    assert body.document().kind == "empty"


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
