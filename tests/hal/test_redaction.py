"""Redaction of messages and logs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.hal.redaction import excerpt, mask_text, mask_url, one_line, shortlist

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
        ("took 1.5 s, 2 tries", "took 1.5 s, 2 tries"),
        ("internationalisation", "internationalisation"),
        ("httpCode: 401, tokens", "httpCode: 401, tokens"),
    ],
)
def test_personal_data_are_masked_and_the_rest_is_unchanged(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@given(st.text(max_size=200))
def test_masking_accepts_any_text_and_is_idempotent(text: str) -> None:
    assert mask_text(mask_text(text)) == mask_text(text)
    assert mask_url(text) is not None


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
