"""Header fields: lookup by name, and which values can be sent."""

import pytest

from stellantis_hal.hal.header_mapping import Headers, fits_field, is_sendable


def test_field_names_are_case_insensitive() -> None:
    headers = Headers({"Content-Type": "a/b"})
    assert headers["content-TYPE"] == "a/b"
    assert "CONTENT-type" in headers
    assert dict(headers) == {"content-type": "a/b"}
    with pytest.raises(KeyError):
        headers["other"]


def test_repeated_fields_are_joined() -> None:
    assert Headers([("Vary", "a"), ("vary", "b")])["Vary"] == "a, b"
    assert len(Headers([("Vary", "a"), ("vary", "b")])) == 1


def test_the_representation_shows_names_and_no_values() -> None:
    assert repr(Headers({"Authorization": "secret", "ETag": "1"})) == "Headers(authorization, etag)"


@pytest.mark.parametrize("value", ["a", "!", "~", "a-b.c=", "x" * 5_000])
def test_visible_ascii_is_sendable(value: str) -> None:
    assert is_sendable(value)


@pytest.mark.parametrize("value", ["", " ", "a b", "a\r\nb", "a\x00", "a\x7f", "é", None, 1, b"a", ["a"]])
def test_other_values_are_not_sendable(value: object) -> None:
    assert not is_sendable(value)


@pytest.mark.parametrize("value", ["a", "!", "~", "a b", "text/html; q=0.1", "x" * 1_024])
def test_a_field_value_is_visible_ascii_with_spaces_inside(value: str) -> None:
    assert fits_field(value)


@pytest.mark.parametrize("value", ["", " ", " a", "a ", "a\nb", "a\r", "a\n", "a\tb", "a\x7fb", "é", "x" * 1_025])
def test_other_values_do_not_fit_a_field(value: str) -> None:
    assert not fits_field(value)


def test_a_shorter_limit_can_be_set() -> None:
    assert fits_field("x" * 10, 10)
    assert not fits_field("x" * 11, 10)
