"""URI references: resolution by RFC 3986, and unchanged queries."""

import random
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.hal.uri import append_query, encode_query, join_segment, resolve, split, to_ascii

BASE = "http://a/b/c/d;p?q"

# RFC 3986, sections 5.4.1 (normal) and 5.4.2 (abnormal), strict.
EXAMPLES = """
g:h             g:h
g               http://a/b/c/g
./g             http://a/b/c/g
g/              http://a/b/c/g/
/g              http://a/g
//g             http://g
?y              http://a/b/c/d;p?y
g?y             http://a/b/c/g?y
#s              http://a/b/c/d;p?q#s
g#s             http://a/b/c/g#s
g?y#s           http://a/b/c/g?y#s
;x              http://a/b/c/;x
g;x             http://a/b/c/g;x
g;x?y#s         http://a/b/c/g;x?y#s
.               http://a/b/c/
./              http://a/b/c/
..              http://a/b/
../             http://a/b/
../g            http://a/b/g
../..           http://a/
../../          http://a/
../../g         http://a/g
../../../g      http://a/g
../../../../g   http://a/g
/./g            http://a/g
/../g           http://a/g
g.              http://a/b/c/g.
.g              http://a/b/c/.g
g..             http://a/b/c/g..
..g             http://a/b/c/..g
./../g          http://a/b/g
./g/.           http://a/b/c/g/
g/./h           http://a/b/c/g/h
g/../h          http://a/b/c/h
g;x=1/./y       http://a/b/c/g;x=1/y
g;x=1/../y      http://a/b/c/y
g?y/./x         http://a/b/c/g?y/./x
g?y/../x        http://a/b/c/g?y/../x
g#s/./x         http://a/b/c/g#s/./x
g#s/../x        http://a/b/c/g#s/../x
http:g          http:g
"""


@pytest.mark.parametrize(("reference", "expected"), [line.split() for line in EXAMPLES.strip().splitlines()])
def test_references_resolve_as_the_rfc_shows(reference: str, expected: str) -> None:
    assert resolve(BASE, reference) == expected


@pytest.mark.parametrize(
    ("base", "reference", "expected"),
    [
        (BASE, "", BASE),
        ("http://a", "g", "http://a/g"),
        ("http://a", "", "http://a"),
        ("http://a?q", "", "http://a?q"),
        ("http://a/b", "//g/./x/../y", "http://g/y"),
        ("http://a/b", "http://g/./x/../y", "http://g/y"),
        ("http://a/b", "http://g/..", "http://g/"),
        ("http://a/b", "g:a/./b", "g:a/b"),
        ("http://a/b", "g:a/.", "g:a/"),
        ("urn:x", "y", "urn:y"),
        ("urn:a/b", "../..", "urn:"),
        ("http://h/v4/", "vehicles", "http://h/v4/vehicles"),
        ("http://h/v4", "vehicles", "http://h/vehicles"),
        ("http://h/v4", "?a=b%2Fc==&a=1&a=2", "http://h/v4?a=b%2Fc==&a=1&a=2"),
        ("http://h/", "1:2", "http://h/1:2"),
        ("http://h/", "g\n?x#y\nz", "http://h/g\n?x#y\nz"),
    ],
)
def test_references_resolve_byte_for_byte(base: str, reference: str, expected: str) -> None:
    assert resolve(base, reference) == expected


@pytest.mark.unmeasured
@given(st.text(max_size=40))
def test_any_string_splits_and_recomposes_unchanged(text: str) -> None:
    assert str(split(text)) == text


@pytest.mark.unmeasured
@given(st.lists(st.sampled_from(["", ".", "..", "a", ".b", "c."]), max_size=8))
def test_dots_are_removed_as_the_rfc_describes_it(segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    assert split(resolve("http://h/x", f"http://h{path}")).path == _remove_dot_segments(path)


def _remove_dot_segments(path: str) -> str:
    """RFC 3986 section 5.2.4, word by word."""
    output = ""
    while path:
        if path.startswith("../"):
            path = path[3:]
        elif path.startswith(("./", "/./")):
            path = path[2:]
        elif path == "/.":
            path = "/"
        elif path.startswith("/../") or path == "/..":
            path = path[3:] or "/"
            output = output.rpartition("/")[0]
        elif path in {".", ".."}:
            path = ""
        else:
            cut = path.find("/", 1)
            cut = len(path) if cut < 0 else cut
            output, path = output + path[:cut], path[cut:]
    return output


@pytest.mark.parametrize(
    ("url", "text", "expected"),
    [
        ("http://h/a", "x=1", "http://h/a?x=1"),
        ("http://h/a?", "x=1", "http://h/a?x=1"),
        ("http://h/a?b=2&", "x=1", "http://h/a?b=2&x=1"),
        ("http://h/a?t=YQ==&r=1&r=2", "x=1", "http://h/a?t=YQ==&r=1&r=2&x=1"),
        ("http://h/a#f?g", "x=1", "http://h/a?x=1#f?g"),
        ("http://h/a?b#f", "x=1&y=2", "http://h/a?b&x=1&y=2#f"),
        ("http://h/a?b", "", "http://h/a?b"),
    ],
)
def test_a_query_is_added_as_text(url: str, text: str, expected: str) -> None:
    assert append_query(url, text) == expected


def test_names_and_values_of_a_query_are_encoded() -> None:
    pairs = [("a b", "1&2"), ("t", "2023-01-01T00:00:00+00:00/P1D"), ("é", "%")]
    assert encode_query(pairs) == "a%20b=1%262&t=2023-01-01T00:00:00%2B00:00/P1D&%C3%A9=%25"


def test_colons_commas_and_slashes_of_a_query_are_not_encoded() -> None:
    assert encode_query([("a:,/", "b:,/")]) == "a:,/=b:,/"


@pytest.mark.parametrize(
    ("url", "segment", "expected"),
    [
        ("http://h/trips?page=1#x", "t1", "http://h/trips/t1"),
        ("http://h/trips/", "t1", "http://h/trips/t1"),
        ("http://h/trips#x", "t1", "http://h/trips/t1"),
        ("http://h/X/", "t1", "http://h/X/t1"),
        ("http://h", "t1", "http://h/t1"),
        ("http://h/trips", "a/b?c#d e%2e", "http://h/trips/a%2Fb%3Fc%23d%20e%252e"),
        ("http://h/trips", "...", "http://h/trips/..."),
    ],
)
def test_an_id_is_joined_as_one_segment(url: str, segment: str, expected: str) -> None:
    assert join_segment(url, segment) == expected


@pytest.mark.unmeasured
@given(st.text(min_size=1, max_size=12).filter(lambda text: text not in {".", ".."}))
def test_any_id_stays_below_its_collection(segment: str) -> None:
    joined = resolve("http://h/", join_segment("http://h/trips", segment))
    assert joined.startswith("http://h/trips/")
    assert unquote(joined.rpartition("/")[2]) == segment


@pytest.mark.parametrize("segment", ["", ".", ".."])
def test_empty_and_dot_ids_are_rejected(segment: str) -> None:
    with pytest.raises(ValueError, match=r"^an id must name one resource .*, as 'abc123' does, not '\.{0,2}'$"):
        join_segment("http://h/trips", segment)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h/a?b=%20c#d", "http://h/a?b=%20c#d"),
        ("http://h/é?é#é", "http://h/%C3%A9?%C3%A9#%C3%A9"),
        ("/é%C3", "/%C3%A9%C3"),
        ("é/x", "%C3%A9/x"),
        ("//é/é", "//é/%C3%A9"),
        ("http://é@é:1/é", "http://é@é:1/%C3%A9"),
        ("http:é", "http:%C3%A9"),
        ("http://h/\ud800", "http://h/%ED%A0%80"),
        ("////é", "////%C3%A9"),
        ("a//é", "a//%C3%A9"),
    ],
)
def test_non_ascii_is_encoded_except_in_the_authority(url: str, expected: str) -> None:
    assert to_ascii(url) == expected


@pytest.mark.unmeasured
@given(st.text(max_size=30), st.integers())
def test_encoding_leaves_only_the_authority_unchanged(text: str, seed: int) -> None:
    url = random.Random(seed).choice(["", "http://", "//", "http:"]) + text
    encoded = to_ascii(url)
    assert split(encoded).authority == split(url).authority
    assert str(split(encoded)._replace(authority=None)).isascii()


def test_an_id_must_be_a_string() -> None:
    number: Any = 5
    with pytest.raises(TypeError, match=r"^an id must be str, not int$"):
        join_segment("http://h/trips", number)
