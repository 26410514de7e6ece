"""The Link header: rules of RFC 8288, and headers that break them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.hal import link_header
from stellantis_hal.hal.document import parse_root
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.link_header import MAX_LENGTH, MAX_LINKS, parse_link_header

BASE = "https://api.example/v1/orders?page=2"


def _pairs(value: str) -> list[tuple[str | None, str]]:
    return [(link.href, link.rel) for link in parse_link_header(value, BASE)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('</p?page=2>; rel="next"', [("/p?page=2", "next")]),
        ('</1>; rel="next", </2>; rel="last"', [("/1", "next"), ("/2", "last")]),
        ('</1>; rel="item", </2>; rel="item"', [("/1", "item"), ("/2", "item")]),
        ('</1>; rel="Next https://Ex/Rel  item"', [("/1", "next"), ("/1", "https://Ex/Rel"), ("/1", "item")]),
        ('</1>; rel="item item"', [("/1", "item")]),
        ("</p?ids=1,2;3>; rel=next", [("/p?ids=1,2;3", "next")]),
        ("< /1 >; rel=next", [("/1", "next")]),
        ("<>; rel=self", [("", "self")]),
        ("</1>;rel=next;rel=prev", [("/1", "next")]),
        ("</1>; title=x", []),
        ("</1>; rev=next", []),
        ("</1>", []),
        ('</1> ; REL = "NEXT" , </2>;rel=prev', [("/1", "next"), ("/2", "prev")]),
        ("</1>; rel=next;", [("/1", "next")]),
        ("</1>;; ;rel=next", [("/1", "next")]),
        ("</1>; =x; rel=next", [("/1", "next")]),
        (",, </1>; rel=next ,,", [("/1", "next")]),
        ("garbage, </1>; rel=next", [("/1", "next")]),
        (
            "</1>; rel=next garbage, </2>; rel=prev",
            [("/1", "next"), ("/1", "garbage"), ("/2", "prev")],
        ),
        ('</1>; rel="next" garbage, </2>; rel=prev', [("/1", "next"), ("/2", "prev")]),
        ("</1; rel=next, </2>; rel=prev", [("/2", "prev")]),
        ("</1; rel=next", []),
        ('</1>; rel="next, </2>; rel=prev', [("/1", "next"), ("/2", "prev")]),
        ("</1>; rel='next'", [("/1", "next")]),
        ("<../x?a=b>; rel=up", [("../x?a=b", "up")]),
        ("</{id}>; rel=item; templated=true", [("/{id}", "item")]),
        ("", []),
        (" ", []),
    ],
)
def test_links_are_read_as_meant(value: str, expected: list[tuple[str, str]]) -> None:
    assert _pairs(value) == expected
    assert not any(link.templated for link in parse_link_header(value, BASE))


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ('title="a, b; <c>; rel=\\"x\\""', {"title": 'a, b; <c>; rel="x"'}),
        ("title=plain; title*=UTF-8'de'n%c3%a4chste", {"title": "nächste"}),
        ("title*=ISO-8859-1''n%e4chste; title=plain", {"title": "nächste"}),
        ("title=plain; title*=UTF-16''x", {"title": "plain"}),
        ("title=plain; title*=UTF-8''%ff", {"title": "plain"}),
        ("title=plain; title*=x", {"title": "plain"}),
        ('type="text/html"; type=text/plain', {"type": "text/html"}),
        ("name=a; profile=https://p", {"name": "a", "profile": "https://p"}),
        ("hreflang=de", {"hreflang": "de"}),
        ("hreflang=de; hreflang=fr", {"hreflang": "de", "extra": {"hreflang": ("de", "fr")}}),
        ("crossorigin; as=x; as=y", {"extra": {"crossorigin": "", "as": "x"}}),
    ],
)
def test_parameters_become_members(parameters: str, expected: dict[str, Any]) -> None:
    assert parse_link_header(f"</1>; {parameters}; rel=next", BASE) == (Link("/1", "next", **expected),)


@pytest.mark.parametrize(
    ("anchor", "is_own"),
    [
        ("", True),
        ("?page=2", True),
        ("/v1/orders?page=2", True),
        ("https://api.example/v1/orders?page=2", True),
        ("#part", False),
        ("/v1/orders", False),
        ("https://other.example/v1/orders?page=2", False),
    ],
)
def test_a_link_of_another_resource_is_left_out(anchor: str, *, is_own: bool) -> None:
    assert bool(_pairs(f'</1>; rel=next; anchor="{anchor}"')) is is_own


def test_so_many_characters_and_links_are_read() -> None:
    assert len(parse_link_header("</1>;rel=a," * 2_000, BASE)) == MAX_LINKS
    blanks = " " * (MAX_LENGTH - len("</1>; rel=a,") - 1)
    assert _pairs(f"</1>; rel=a,{blanks}</2>; rel=b") == [("/1", "a")]
    assert _pairs(f'</1>; rel="{" ".join(f"a{n}" for n in range(2_000))}"')[MAX_LINKS - 1 :] == [("/1", "a999")]


FLOODS = {
    "commas": ",",
    "links": "<a>;rel=x,",
    "open": "<",
    "open, comma": "<,",
    "pairs": "<>",
    "nested": "<><,",
    "semicolons": "<a>;;;;",
    "blanks": "<a>     ",
    "quotes": '<a>;t="',
    "escaped": '\\"',
    "equals": "=",
    "parameters": ";a=b",
    "names": "<a>;b",
}


class _Counting:
    """A pattern that counts the characters that its matches read."""

    def __init__(self, pattern: Any, steps: list[int]) -> None:
        self._pattern = pattern
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pattern, name)

    def match(self, text: str, position: int) -> Any:
        found = self._pattern.match(text, position)
        if found is not None:
            self._steps.append(1 + found.end() - position)
        else:  # a quoted text that is not closed was read to the end
            self._steps.append(len(text) - position if text[position : position + 1] == '"' else 1)
        return found


@pytest.mark.parametrize("end", ["", ">", '"', "<a>;rel=x"])
@pytest.mark.parametrize("start", ["", "<a>;", '<a>;t="'])
@pytest.mark.parametrize("unit", FLOODS.values(), ids=FLOODS)
@pytest.mark.unmeasured
def test_floods_are_read_in_linear_time(start: str, unit: str, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the characters take twice the steps."""
    steps = list[int]()
    for name in ("_BLANKS", "_SEPARATORS", "_SEMICOLONS", "_NAME", "_TOKEN", "_QUOTED"):
        monkeypatch.setattr(link_header, name, _Counting(getattr(link_header, name), steps))
    counts = list[int]()
    for size in (4_000, 8_000):
        steps.clear()
        parse_link_header(start + unit * (size // len(unit)) + end, BASE)
        counts.append(sum(steps))
    assert counts[1] <= 2.2 * counts[0] + 100
    assert counts[1] <= 10 * 8_000


@pytest.mark.unmeasured
@given(st.text(alphabet="<>;,=\"'\\ abrel*%/:#é\n", max_size=40))
def test_any_text_is_read(text: str) -> None:
    for link in parse_link_header(f"{text}, </1>; rel=next; {text}", BASE):
        assert link.rel
        assert not link.templated


def test_fragment_of_the_base_names_no_other_resource() -> None:
    for anchor in ("", "https://api.example/v1"):
        links = parse_link_header(f'</1>; rel=next; anchor="{anchor}"', "https://api.example/v1#top")
        assert [link.href for link in links] == ["/1"]


def test_links_of_the_header_that_the_document_has_are_left_out() -> None:
    base = "https://api.example/v1"
    body = {"_links": {"next": {"href": "/1"}, "item": {"href": "2", "templated": True}}}
    header = parse_link_header("<https://api.example/1>; rel=next, </2>; rel=item, </3>; rel=next", base)
    links = parse_root(body, header_links=header, base=base).links
    assert {rel: [link.href for link in found] for rel, found in links.items()} == {
        "next": ["/1", "/3"],
        "item": ["2", "/2"],
    }
