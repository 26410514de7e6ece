"""Redaction of messages and logs."""

from types import MappingProxyType

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import (
    excerpt,
    hide,
    is_private,
    mask_error,
    mask_repr,
    mask_text,
    mask_url,
    mask_vin,
    one_line,
    redacted_repr,
    shortlist,
    show_value,
)
from tests.support.profiles import few_examples

VIN = "VF3ABCDEF12345678"


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://api.example/connectedcar/v4/user/vehicles", "https://api.example/connectedcar/v4/user/vehicles"),
        (f"https://h/vehicles/{VIN}/trips", "https://h/vehicles/***/trips"),
        (f"https://h/vehicles/{VIN.lower()}", "https://h/vehicles/***"),
        ("https://h/vehicles/1929d3a8f1/lastPosition", "https://h/vehicles/***/lastPosition"),
        ("https://h/a/abcdefghijklmnopqrstuvwxyz", "https://h/a/***"),
        ("https://h/am/oauth2/access_token", "https://h/am/oauth2/access_token"),
        ("https://h/a?client_id=abc&pageToken=YQ==&&flag", "https://h/a?client_id=***&pageToken=***&&***"),
        ("https://h/a?state=half=other", "https://h/a?state=***"),
        (f"https://h/{'a' * 24}/{'a' * 23}", f"https://h/***/{'a' * 23}"),
        ("https://h/abcde1/abcd1/abcdef", "https://h/***/abcd1/abcdef"),
        ("https://user:se@cret@h/a", "https://***@h/a"),
        ("https://user:secret@h/a#frag", "https://***@h/a#***"),
        ("https://h/user/jean.dupont@example.com", "https://h/user/***"),
        ("https://h/user/jean%40example.com", "https://h/user/***"),
        (f"https://{VIN}.example/", "https://***.example/"),
        ("http://user:sec/ret@proxy.test:3128", "http://***"),
        ("http://[::1]:80/a", "http://[::1]:80/a"),
        ("http://[fe80::1]/a", "http://[fe80::1]/a"),
        ("http://h:80/a", "http://h:80/a"),
        ("/user?x", "/user?***"),
        ("", ""),
    ],
)
def test_ids_and_query_values_of_urls_are_masked(url: str, masked: str) -> None:
    assert mask_url(url) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer SECRET.x-y_z",
        "authorization: basic SECRET==",
        "access_token=SECRET&x=1",
        '{"refresh_token": "SECRET"}',
        '{"refresh_token": "SEC, RET; SECRET"}',
        "{'id_token': 'SECRET SECRET'}",
        '{\\"access_token\\": \\"SECRET\\"}',
        "client_id=SECRET",
        "clientId: SECRET",
        "client_secret = SECRET",
        "my-api-token: SECRET",
        "x-introspect-realm: SECRET",
        "code=SECRET&state=1",
        "code_verifier=SECRET",
        "password=SECRET",
        "user_password=SECRET",
        "vin=SECRET",
        "username=SECRET",
        '"firstName": "SECRET"',
        "last_name: SECRET",
        '"email": "SECRET"',
        '"phoneNumber": "SECRET"',
        '{"id": "SECRET"}',
        '{\\"id\\":\\"SECRET\\"}',
        '"latitude": SECRET',
    ],
)
def test_named_secrets_are_masked(text: str) -> None:
    assert "SEC" not in mask_text(text)
    assert "***" in mask_text(text)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"car {VIN} stopped", "car *** stopped"),
        ("mail jean.dupont+x@mail.example.com now", "mail *** now"),
        ('"coordinates": [2.352219, 48.856613]', '"coordinates": [***]'),
        ("at -2.352219,48.856613", "at ***"),
        ("at 2.352219%2C48.856613", "at ***"),
        ("vehicle 1929d3a8f1c04b5e9a77 is unknown", "vehicle *** is unknown"),
        ("call +33 6 12 34 56 78 or +44(0)20-7946-0958.", "call *** or ***."),
        ("see https://user:secret@h/a/1929d3a8f1?b=secret#c now", "see https://***@h/a/***?b=***#*** now"),
        ("'http://user:secret@proxy.test:3128'", "'http://***@proxy.test:3128'"),
        ("facade, 12345678, +1 2, id: 7", "facade, 12345678, +1 2, id: 7"),
        ("took 1.5 s, 2 tries", "took 1.5 s, 2 tries"),
        ("internationalisation", "internationalisation"),
        ("httpCode: 401, tokens", "httpCode: 401, tokens"),
    ],
)
def test_personal_data_are_masked_and_the_rest_is_unchanged(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.unmeasured
@few_examples()
@given(st.text(max_size=200))
def test_masking_accepts_any_text_and_is_idempotent(text: str) -> None:
    assert mask_text(mask_text(text)) == mask_text(text)
    assert mask_url(text) is not None


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "hostile",
    [
        "a",
        "token",
        "token ",
        "a_",
        "1.111 ",
        "1.111,",
        "a@",
        "a.",
        "%40",
        "Bearer ",
        "client_id",
        '"',
        "=",
        "-",
        "1",
        "A1",
        "a1f",
        "+1 ",
        "+1",
        "a://",
        "https://a/",
        'id"',
    ],
)
def test_no_text_makes_masking_slow(hostile: str) -> None:
    # A pattern that takes time by the square of the text would take minutes here.
    text = hostile * (60_000 // len(hostile)) + " access_token=SECRET"
    assert "SECRET" not in mask_text(text)
    assert "SECRET" not in mask_url(f"https://h/{text}?{text}")


@pytest.mark.parametrize("sign", ["\n", "\r\n", "\x1b", "\x00", "\x7f", "\x9b", "\u202e", "\u2028", "\u200b", "\ud800"])
def test_masked_text_has_no_line_breaks_or_control_characters(sign: str) -> None:
    for masked in (mask_text(f"a{sign}b"), mask_url(f"https://h/a{sign}b"), one_line(f"a{sign}b")):
        assert masked.isprintable()
        assert "a" in masked
        assert "b" in masked


def test_secrets_across_line_breaks_are_masked() -> None:
    assert mask_text(f"line\n{VIN}\ntoken\n=\nSECRET") == "line *** token = ***"


def test_masked_text_has_a_bounded_length() -> None:
    assert 8_000 < len(mask_text("word " * 1_000_000)) < 8_300
    assert len(mask_url("https://h/" + "a/" * 1_000_000)) < 8_300


@pytest.mark.unmeasured
@given(st.integers(0, 20))
def test_a_secret_at_the_cut_is_not_shown(before: int) -> None:
    assert VIN[:8] not in mask_text(" " * (8_192 - before) + VIN + " " * 100)


def test_an_excerpt_is_masked_before_it_is_cut() -> None:
    assert excerpt("x" * 290 + " " + VIN) == "x" * 290 + " ***"
    assert excerpt(f"{'x' * 70} {VIN} and more", 80) == f"{'x' * 70} *** and m"
    assert excerpt(f"{'x' * 70} {VIN} and more".encode(), 80) == f"{'x' * 70} *** and m"


def test_an_excerpt_has_three_hundred_characters_at_most() -> None:
    assert excerpt("word " * 1_000_000) == excerpt(b"word " * 1_000_000) == "word " * 60
    assert excerpt("a\nb\xe9") == excerpt(b"a\nb\xc3\xa9") == "a bé"
    assert excerpt(b"\xff") == "\ufffd"


@pytest.mark.unmeasured
@few_examples()
@given(st.integers(0, 20))
def test_a_secret_at_the_cut_of_bytes_is_not_shown(before: int) -> None:
    text = " " * (8_192 - before) + VIN + " " * 100
    assert VIN[:8] not in excerpt(text, 9_000)
    assert excerpt(text.encode(), 9_000) == excerpt(text, 9_000)


def test_a_long_list_of_names_is_shortened() -> None:
    assert shortlist(["self", None, f"a\n{VIN}"]) == "self, None, a ***"
    listed = shortlist([f"rel{at}" + "x" * 1_000 for at in range(1_000)])
    assert listed.endswith("… (1000 in all)")
    assert len(listed) < 2_000


def test_a_list_of_twenty_names_is_complete() -> None:
    assert shortlist([str(at) for at in range(20)]) == ", ".join(map(str, range(20)))


def test_a_control_character_becomes_one_replacement_character() -> None:
    assert one_line("a\x1bb\nc") == "a\ufffdb c"


def test_a_vin_shows_its_manufacturer() -> None:
    assert mask_vin(VIN) == "VF3***"


def test_the_repr_of_a_text_is_masked_escaped_and_bounded() -> None:
    assert mask_repr(f"a\n{VIN}\x1b") == "'a\\n***\\x1b'"
    assert mask_repr(None) == "None"
    assert 8_000 < len(mask_repr("word " * 1_000_000)) < 8_300


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "None"), ((), "()"), ("", "''"), ({}, "{}"), (0, "***"), ("a", "***"), ((1,), "***")]
)
def test_a_hidden_value_shows_whether_there_is_one(value: object, shown: str) -> None:
    assert hide(value) == shown


@pytest.mark.parametrize(
    ("path", "private"),
    [
        ("id", True),
        ("vehicleId", True),
        ("$.vehicles[0].vin", True),
        ("position.coordinates[1]", True),
        ("user.first-name", True),
        ("extra", True),
        ("['city'].code", True),
        ("identity", False),
        ("energies[0].level", False),
        ("request_id", False),
        ("", False),
    ],
)
def test_paths_are_private_by_the_names_on_them(path: str, private: bool) -> None:
    assert is_private(path) is private


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (f"at {VIN}", "'at ***'"),
        (b"secret", "<6 bytes>"),
        ((VIN,), "('***',)"),
        ((VIN, 1), "('***', 1)"),
        ([VIN, None], "['***', None]"),
        ({"name": "secret"}, "{name}"),
        (MappingProxyType({"name": "secret"}), "{name}"),
        (Headers({"name": "secret"}), "Headers(name)"),
        (True, "True"),
    ],
)
def test_values_are_shown_by_what_they_are(value: object, shown: str) -> None:
    assert show_value(value) == shown


@attrs.frozen
class Sample:
    __repr__ = redacted_repr

    id: str
    url: str
    href: str | None
    words: str
    own: str = attrs.field(repr=lambda value: str(len(value)), default="secret")
    hidden: str = attrs.field(repr=False, default="secret")


def test_the_repr_of_a_value_is_redacted_by_field() -> None:
    sample = Sample("secret", "/a?b=secret", None, f"in {VIN}")
    assert repr(sample) == "Sample(id=***, url='/a?b=***', href=None, words='in ***', own=6)"
    assert repr(Link("/vehicles/1929d3a8f1", rel="a", extra={"x": "secret"})) == (
        "Link(href='/vehicles/***', rel='a', templated=False, name=None, title=None, type=None, profile=None, "
        "deprecation=None, hreflang=None, extra=***)"
    )


def test_texts_of_foreign_errors_are_masked() -> None:
    text, system, harmless = ValueError(f"about {VIN}", 7), OSError(5, f"about {VIN}"), ValueError("two\nlines")
    numbered = OSError(VIN)
    mask_error([text, system, harmless, numbered])
    assert text.args == ("about ***", 7)
    assert str(system) == "[Errno 5] about ***"
    assert harmless.args == ("two\nlines",)
    assert str(numbered) == "***"
