"""UTF-8 of any text."""

from stellantis_hal.hal.utf8 import utf8


def test_lone_surrogates_are_encoded_too() -> None:
    assert utf8("é") == b"\xc3\xa9"
    assert utf8("\ud800") == b"\xed\xa0\x80"
