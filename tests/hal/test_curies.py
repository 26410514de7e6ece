"""CURIEs."""

from typing import Any

import pytest

from stellantis_hal.hal.document import HalDocument, parse
from stellantis_hal.hal.link import Link

DOCS = {"name": "ex", "href": "https://docs.example/{rel}", "templated": True}


def _document(*rels: str, curies: Any = (DOCS,), embedded: Any = None) -> HalDocument:
    links: dict[str, Any] = {rel: {"href": f"/{rel}"} for rel in rels}
    return parse(
        {"_links": {"curies": list(curies) if isinstance(curies, tuple) else curies, **links}, "_embedded": embedded}
    )


def _found(document: HalDocument, wanted: str) -> tuple[str, ...]:
    return document.curies.find(wanted, document.rels)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("ex:widgets", ("ex:widgets",)),
        ("https://docs.example/widgets", ("ex:widgets",)),
        ("widgets", ("ex:widgets",)),
        ("gadgets", ("https://docs.example/gadgets",)),
        ("ex:gadgets", ("https://docs.example/gadgets",)),
        ("https://docs.example/gadgets", ("https://docs.example/gadgets",)),
        ("tag:example.org,2020:thing", ("tag:example.org,2020:thing",)),
        ("thing", ()),
        ("other", ()),
        ("no:widgets", ()),
    ],
)
def test_a_relation_is_found_by_its_key_its_uri_or_its_bare_name(wanted: str, found: tuple[str, ...]) -> None:
    document = _document("ex:widgets", "https://docs.example/gadgets", "tag:example.org,2020:thing")
    assert _found(document, wanted) == found


def test_the_literal_key_wins_over_everything_else() -> None:
    document = _document("widgets", "ex:widgets")
    assert _found(document, "widgets") == ("widgets",)


def test_a_bare_name_under_several_prefixes_finds_all_of_them() -> None:
    other = {"name": "oo", "href": "https://other/{rel}", "templated": True}
    document = _document("ex:a", "oo:a", curies=(DOCS, other))
    assert _found(document, "a") == ("ex:a", "oo:a")


def test_the_literal_key_works_without_any_curie() -> None:
    document = _document("ex:a", curies=())
    assert _found(document, "ex:a") == ("ex:a",)
    assert _found(document, "a") == ()


@pytest.mark.parametrize("key", ["curies", "curie"])
@pytest.mark.parametrize(
    "form", [[DOCS], DOCS, {"ex": {"href": "https://docs.example/{rel}"}}, {"ex": "https://docs.example/{rel}"}]
)
def test_curies_are_read_in_every_form(key: str, form: Any) -> None:
    document = parse({"_links": {key: form, "ex:a": {"href": "/a"}}})
    assert document.curies.expand("ex:a") == "https://docs.example/a"
    assert document.rels == ("ex:a",)


def test_a_prefix_in_an_object_of_prefixes_is_a_link() -> None:
    assert parse({"_links": {"curies": {"ex": "/{rel}"}}}).links["curies"] == (Link("/{rel}", "curies", name="ex"),)


def test_a_curie_that_is_null_is_left_out() -> None:
    assert parse({"_links": {"curies": {"ex": None}}}).curies.prefixes == ()


@pytest.mark.parametrize("template", ["https://docs/{", "https://docs/{other}", "https://docs/"])
def test_a_curie_whose_template_is_broken_explains_nothing(template: str) -> None:
    document = _document("ex:a", curies=({"name": "ex", "href": template},))
    assert document.curies.expand("ex:a") is None
    assert _found(document, "ex:a") == ("ex:a",)


@pytest.mark.parametrize(("before", "prefixes"), [(999, ("ex",)), (1_000, ())])
def test_a_thousand_links_of_curies_are_looked_at(before: int, prefixes: tuple[str, ...]) -> None:
    named = {**dict.fromkeys(map(str, range(before))), "ex": "/{rel}"}
    forms: list[Any] = [named, [{"name": name, "href": href} for name, href in named.items()]]
    for form in forms:
        assert _document(curies=form).curies.prefixes == prefixes


def test_curies_without_name_or_href_are_no_prefixes() -> None:
    document = _document(curies=({"href": "/{rel}"}, {"name": "x"}))
    assert document.curies.prefixes == ()


def test_a_relation_is_compact_up_to_its_first_colon() -> None:
    assert _document().curies.expand("ex:a:b") == "https://docs.example/a%3Ab"


def test_a_prefix_alone_is_no_compact_relation() -> None:
    assert _document().curies.expand("ex") is None


@pytest.mark.parametrize(("length", "prefixes"), [(256, ("ex",)), (257, ())])
def test_a_template_counts_up_to_a_length(length: int, prefixes: tuple[str, ...]) -> None:
    document = _document(curies=({"name": "ex", "href": "/{rel}".ljust(length, "x")},))
    assert document.curies.prefixes == prefixes


def test_embedded_documents_inherit_curies_and_their_own_win() -> None:
    inner = {"_links": {"curies": [{"name": "ex", "href": "https://inner/{rel}"}], "ex:a": {"href": "/"}}}
    document = _document(embedded={"plain": {"_links": {"ex:a": {"href": "/"}}}, "own": inner})
    assert document.embedded["plain"][0].curies.expand("ex:a") == "https://docs.example/a"
    assert document.embedded["own"][0].curies.expand("ex:a") == "https://inner/a"
    assert document.curies.expand("ex:a") == "https://docs.example/a"


def test_objects_in_the_state_inherit_curies_too() -> None:
    document = parse({"_links": {"curies": [DOCS]}, "line": {"_links": {"ex:a": {"href": "/"}}}})
    line = document.at("line")
    assert line is not None
    assert line.curies.expand("ex:a") == "https://docs.example/a"


def _prefixes(start: int, count: int) -> list[dict[str, Any]]:
    return [{"name": f"c{at}", "href": f"https://docs.example/{at}/{{rel}}"} for at in range(start, start + count)]


def test_at_most_100_prefixes_are_kept() -> None:
    """The document's own prefixes come first."""
    inner = {"_links": {"curies": _prefixes(50, 60)}}
    document = parse({"_links": {"curies": _prefixes(0, 1_000)}, "_embedded": {"item": inner}})
    own = document.embedded["item"][0]
    assert len(document.curies.templates) == 100
    assert len(own.curies.templates) == 100
    assert set(own.curies.prefixes) >= {f"c{at}" for at in range(50, 110)}
    assert own.inherited is document.curies


@pytest.mark.unmeasured
def test_a_hostile_server_cannot_make_lookups_slow() -> None:
    curies = [{"name": "b", "href": "{" * 257}, {"name": "w", "href": "{rel}" * 51}]
    rels = {f"w:{at}": {"href": "/"} for at in range(200_000)}
    document = parse({"_links": {"curies": curies, **rels, "b:x": {"href": "/"}}})
    assert _found(document, "0") == ("w:0",)
    assert _found(document, "199999") == ()
    assert _found(document, "w:199999") == ("w:199999",)
    assert document.curies.expand("b:x") is None
