"""Header fields, whatever their case."""

import pytest

from stellantis_hal.navigation import Headers


def test_a_field_is_found_whatever_its_case() -> None:
    headers = Headers({"Content-Type": "a/b"})
    assert headers["content-TYPE"] == "a/b"
    assert "CONTENT-type" in headers
    assert dict(headers) == {"content-type": "a/b"}
    with pytest.raises(KeyError):
        headers["other"]


def test_a_field_that_was_sent_twice_is_joined() -> None:
    assert Headers([("Vary", "a"), ("vary", "b")])["Vary"] == "a, b"
    assert len(Headers([("Vary", "a"), ("vary", "b")])) == 1


def test_the_representation_shows_names_and_no_values() -> None:
    assert repr(Headers({"Authorization": "secret", "ETag": "1"})) == "Headers(authorization, etag)"
