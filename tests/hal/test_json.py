"""JSON decoding and encoding."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from stellantis_hal.hal.json import MAX_VALUES, count_values, decode, encode, rewrite, standard_decode
from tests.hal.values import JSON, nested
from tests.support.profiles import few_examples

DECODERS = pytest.mark.parametrize("read", [decode, standard_decode])


@pytest.mark.unmeasured
@few_examples()
@given(JSON)
def test_encoded_values_are_decoded_unchanged(value: Any) -> None:
    assert standard_decode(encode(value)) == value


@pytest.mark.unmeasured
@few_examples()
@given(JSON)
def test_rewritten_values_are_decoded_unchanged(value: Any) -> None:
    assert standard_decode(rewrite(value)) == value


@DECODERS
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1,]", b"NaN", b"-Infinity", b"\xff", b"1\0", b"\xff\xfe{\0}\0", b"[" * 100_000]
)
def test_invalid_json_is_a_value_error(read: Callable[[bytes], Any], content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the messages are those of two libraries
        read(content)


def test_an_invalid_constant_is_named() -> None:
    with pytest.raises(ValueError, match="-Infinity is not JSON"):
        decode(b"[-Infinity]")


@pytest.mark.unmeasured
def test_deep_nesting_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        standard_decode(b"[" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        encode(nested(100_000, "a"))


def test_a_byte_order_mark_is_ignored() -> None:
    assert decode(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, "\ud800", nested(100_000, "a")], ids=["nan", "inf", "half", "deep"]
)
def test_values_that_json_cannot_express_are_a_value_error(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is the standard library's
        encode(value)
    with pytest.raises(ValueError):  # noqa: PT011 - likewise
        rewrite(value)


def test_types_that_json_does_not_have_are_a_type_error() -> None:
    with pytest.raises(TypeError):
        encode(object())
    with pytest.raises(TypeError):
        rewrite(object())


def test_json_is_encoded_as_utf_8_without_spaces() -> None:
    assert encode({"a": ["é", 1]}) == '{"a":["é",1]}'.encode()


@DECODERS
@pytest.mark.parametrize("content", [b'{"half": "\\ud83d", "n": 1}', b'{"large": 1e400, "n": 1}'])
def test_one_unusual_value_does_not_affect_the_others(read: Callable[[bytes], Any], content: bytes) -> None:
    assert read(content)["n"] == 1


@DECODERS
def test_the_last_of_duplicate_keys_counts(read: Callable[[bytes], Any]) -> None:
    assert read(b'{"a": 1, "a": 2}') == {"a": 2}


@pytest.mark.parametrize("has_orjson", [True, False])
def test_a_number_of_any_length_leaves_the_others_readable(monkeypatch: pytest.MonkeyPatch, has_orjson: bool) -> None:
    if not has_orjson:
        monkeypatch.setattr("stellantis_hal.hal.json._loads", standard_decode)
    assert decode(b'{"a": ' + b"9" * 5_000 + b', "b": 5}') == {"a": math.inf, "b": 5}


@pytest.mark.parametrize("has_orjson", [True, False])
@pytest.mark.parametrize("number", [2**64, 2**64 + 1, -(2**63) - 1, 2**70, -(10**30) - 1])
@pytest.mark.parametrize("template", ["%d", ' [%d\n,""]', '{"a":%d}', '{"a": [{"b":1.5,"c": %d}, "d"]}'])
def test_integers_of_any_length_are_exact(
    monkeypatch: pytest.MonkeyPatch, has_orjson: bool, number: int, template: str
) -> None:
    if not has_orjson:
        monkeypatch.setattr("stellantis_hal.hal.json._loads", standard_decode)
    assert str(number) in repr(decode((template % number).encode()))
    assert decode(encode(decode((template % number).encode()))) == decode((template % number).encode())


@pytest.mark.parametrize("text", ['"12345678901234567890"', "0.12345678901234567890", "12345678901234567890.5", "9e0"])
def test_other_long_numbers_are_read_by_the_fast_decoder(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    fast: list[bytes] = []
    monkeypatch.setattr("stellantis_hal.hal.json._loads", fast.append)
    decode(f"[{text}]".encode())
    assert fast == [f"[{text}]".encode()]


@pytest.mark.parametrize("sign", [b"{", b"[", b","])
def test_values_of_large_bodies_are_counted_by_their_signs(sign: bytes) -> None:
    assert count_values(sign * MAX_VALUES) == 0  # shorter ones cannot have too many
    assert count_values(b"x" + sign * MAX_VALUES) == MAX_VALUES
