"""Variants, validators and conditions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.cache.validators import conditions_of, end_to_end, is_not_modified, is_of, merge_headers
from stellantis_hal.navigation.cache.variants import (
    admits,
    are_credentials,
    has_vary,
    matches,
    selecting_fields,
    with_caller,
)

OLD, NEW = "Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 07 Nov 1994 08:49:37 GMT"


def test_the_fields_named_by_vary_select() -> None:
    fields = {"accept-language": "DE, fr", "x": "a ,b", "y": "1"}
    selection = selecting_fields(Headers({"vary": "X, accept-language , , z"}), fields)
    assert selection is not None
    assert selection == (("accept-language", "de,fr"), ("x", "a,b"), ("z", None))
    assert matches(selection, {"accept-language": "de , FR", "x": "a,  b"})
    assert not matches(selection, {"accept-language": "de, fr", "x": "a,b", "z": ""})
    assert not matches(selection, {"accept-language": "fr", "x": "a,b"})


@pytest.mark.parametrize(
    "vary", ["*", "a, *", "a b", "a\x00", "ü", ",".join(f"a{number}" for number in range(33)), "a," * 100_000]
)
def test_a_vary_that_matches_no_other_request(vary: str) -> None:
    """The star; names that are none; more names than any server has a reason for."""
    assert selecting_fields(Headers({"vary": vary}), {}) is None


def test_without_vary_every_request_is_selected() -> None:
    for headers in ({}, {"vary": ""}, {"vary": " , "}):
        assert selecting_fields(Headers(headers), {"x": "1"}) == ()


@pytest.mark.parametrize("name", ["authorization", "cookie", "x-api-key", "x-auth-token", "x-tenant-id", "x-user"])
def test_credentials_are_no_part_of_a_selection(name: str) -> None:
    """Only a digest of them is: a store would keep the selection in clear."""
    assert are_credentials(name)
    assert not are_credentials("user-agent")
    plain = {name: "secret", "x": "1"}
    assert selecting_fields(Headers({"vary": f"{name}, x"}), plain) == (("x", "1"),)
    fields = with_caller(plain)
    for vary in ("", f"{name}, x"):
        selection = selecting_fields(Headers({"vary": vary}), fields)
        assert selection is not None
        assert "secret" not in repr(selection)
        assert has_vary(selection) is bool(vary)
        assert matches(selection, fields)
        assert not matches(selection, {"x": "1"})
        assert not matches(selection, with_caller({name: "other", "x": "1"}))
    for others in ((), (("x", "1"),)):
        assert not matches(others, fields)


@pytest.mark.unmeasured
@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text("ab ,", max_size=6)), st.sets(st.sampled_from("abc")))
def test_a_request_selects_what_it_stored(fields: dict[str, str], names: set[str]) -> None:
    selection = selecting_fields(Headers({"vary": ",".join(names)}), fields)
    assert selection is not None
    assert matches(selection, fields)


@pytest.mark.parametrize(
    ("accept", "content_type", "admitted"),
    [
        ("", "text/csv", True),
        ("text/csv", "", True),
        ("text/csv", "nonsense", True),
        ("text/csv", "Text/CSV; charset=utf-8", True),
        ("*/*", "text/csv", True),
        ("text/*;q=0.1", "text/csv", True),
        ("text/*;q=0", "text/csv", False),
        ("text/csv; q=0.000", "text/csv", False),
        ("application/*+json", "application/hal+json", True),
        ("application/*+json", "text/csv", False),
        ("application/hal+json, application/json;q=0.9", "text/csv", False),
        ("application/hal+json, application/json;q=0.9", "application/json", True),
    ],
)
def test_accept_admits_media_types(accept: str, content_type: str, admitted: bool) -> None:
    assert admits(accept, content_type) is admitted


# ------------------------------------------------------------------------------------------------- validators


def test_conditions_have_both_validators_that_can_be_sent() -> None:
    assert conditions_of(Headers({"etag": 'W/"1"', "last-modified": OLD})) == {
        "If-None-Match": 'W/"1"',
        "If-Modified-Since": OLD,
    }
    assert conditions_of(Headers({"etag": '"1"\r\nX: y', "last-modified": "x" * 2_000})) == {}


@pytest.mark.parametrize(
    ("tag", "is_sent"),
    [
        ('"a,b"', True),
        ('"a b"', True),
        ('""', True),
        ('W/"1"', True),
        ("unquoted", True),
        ("", False),
        ("*", False),
        ('"1", "2"', False),
        ('"1" , W/"2"', False),
        ('"1', False),
        ("one two", False),
    ],
)
def test_a_tag_is_sent_if_it_is_one_tag(tag: str, is_sent: bool) -> None:
    """``*`` and lists would match other representations than the stored one."""
    assert conditions_of(Headers({"etag": tag})) == ({"If-None-Match": tag} if is_sent else {})


@pytest.mark.parametrize(
    ("stored", "answer", "same"),
    [
        ({"etag": '"1"'}, {}, True),
        ({"etag": '"1"'}, {"etag": '"1"'}, True),
        ({"etag": 'W/"1"'}, {"etag": ' "1"'}, True),
        ({"etag": '"1"'}, {"etag": '"2"'}, False),
        ({"etag": '"1"', "last-modified": OLD}, {"last-modified": NEW}, True),
        ({"last-modified": OLD}, {"last-modified": NEW}, False),
        ({"last-modified": OLD}, {"last-modified": OLD, "etag": '"2"'}, True),
        ({}, {"etag": '"2"'}, True),
    ],
)
def test_a_304_speaks_of_a_response_by_its_validator(
    stored: dict[str, str], answer: dict[str, str], same: bool
) -> None:
    assert is_of(Headers(stored), Headers(answer)) is same


@pytest.mark.parametrize(
    ("fields", "stored", "unmodified"),
    [
        ({"if-none-match": '"1"'}, {"etag": '"1"'}, True),
        ({"if-none-match": '"1"'}, {"etag": 'W/"1"'}, True),
        ({"if-none-match": '"0" , W/"1"'}, {"etag": '"1"'}, True),
        ({"if-none-match": '"a,b", "c"'}, {"etag": '"a,b"'}, True),
        ({"if-none-match": "1"}, {"etag": "1"}, True),
        ({"if-none-match": "*"}, {}, True),
        ({"if-none-match": '"2"'}, {"etag": '"1"'}, False),
        ({"if-none-match": '"1"'}, {}, False),
        ({"if-none-match": '"2"', "if-modified-since": NEW}, {"etag": '"1"', "last-modified": OLD}, False),
        ({"if-modified-since": NEW}, {"last-modified": OLD}, True),
        ({"if-modified-since": OLD}, {"last-modified": OLD}, True),
        ({"if-modified-since": OLD}, {"last-modified": NEW}, False),
        ({"if-modified-since": OLD}, {"date": OLD}, True),
        ({"if-modified-since": OLD}, {}, False),
        ({"if-modified-since": "soon"}, {"last-modified": OLD}, False),
    ],
)
def test_a_stored_response_answers_conditions(fields: dict[str, str], stored: dict[str, str], unmodified: bool) -> None:
    assert is_not_modified(fields, Headers(stored)) is unmodified


def test_a_304_replaces_fields_but_those_of_the_content() -> None:
    stored = Headers({"etag": '"1"', "content-type": "a/b", "content-length": "9", "age": "5", "x": "1", "y": "1"})
    answer = Headers({"content-type": "c/d", "content-length": "0", "x": "2", "connection": "close, Z", "z": "3"})
    assert dict(merge_headers(stored, answer)) == {
        "etag": '"1"',
        "content-type": "a/b",
        "content-length": "9",
        "x": "2",
        "y": "1",
    }


def test_fields_of_one_connection_are_left_out() -> None:
    headers = Headers({"connection": "close, X-One", "x-one": "1", "keep-alive": "1", "te": "x", "etag": '"1"'})
    assert dict(end_to_end(headers)) == {"etag": '"1"'}
