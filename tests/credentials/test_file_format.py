"""The format of a token file: read back exactly, or refused."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal import Token
from stellantis_hal.credentials.stores.file_format import TokenLines, parse_tokens, serialize_tokens
from stellantis_hal.errors import TokenStoreError
from tests.credentials.doubles import NOON
from tests.support.profiles import few_examples

YEAR_ONE, YEAR_LAST = NOON.replace(year=1, tzinfo=None), NOON.replace(year=9999, tzinfo=None)
TEXT = st.text(st.characters(codec=None))
TOKENS = st.builds(
    Token,
    TEXT,
    st.none() | TEXT,
    st.none() | st.datetimes(min_value=YEAR_ONE, max_value=YEAR_LAST, timezones=st.just(UTC)),
    st.lists(TEXT).map(tuple),
)
STORES = st.dictionaries(TEXT, TOKENS, max_size=4)
EXAMPLE = {
    "alice": Token("access-a", "refresh-a", datetime(2026, 6, 1, tzinfo=UTC), ("data:trip",)),
    "bob": Token("access-b"),
}


@pytest.mark.unmeasured
@few_examples()
@given(STORES)
def test_what_was_written_is_read(tokens: dict[str, Token]) -> None:
    assert parse_tokens(serialize_tokens(tokens)) == tokens


@pytest.mark.unmeasured
@few_examples()
@given(STORES, st.lists(st.dictionaries(TEXT, st.none() | TOKENS, max_size=3), max_size=4))
def test_changes_line_by_line_write_the_file_of_all(
    tokens: dict[str, Token], changes: list[dict[str, Token | None]]
) -> None:
    """And a process that reads each file again has the same tokens as one that reads it for the first time."""
    written = TokenLines().changed(tokens)
    reader = TokenLines().read_again(written.content())
    for change in changes:
        written = written.changed(change)
        for key, token in change.items():
            tokens.pop(key, None)
            tokens |= {} if token is None else {key: token}
            assert written.get(key) == token
        assert written.tokens() == tokens
        assert list(written.keys()) == sorted(tokens)
        assert written.content() == serialize_tokens(tokens)
        reader = reader.read_again(written.content())
        assert reader.tokens() == tokens
        assert reader.changed({}).content() == written.content()


@pytest.mark.unmeasured
@few_examples()
@given(STORES)
def test_a_file_with_indents_is_read(tokens: dict[str, Token]) -> None:
    """Version 0.1 wrote them; a process that has another version's file in memory reads it too."""
    fields = {key: token.to_dict() for key, token in tokens.items()}
    content = sealed(json.dumps(fields, indent=1).encode("ascii") + b"\n")
    assert parse_tokens(content) == tokens
    known = TokenLines().changed(EXAMPLE).read_again(content)
    assert known.tokens() == tokens
    assert parse_tokens(known.changed({}).content()) == tokens


def test_a_renewal_formats_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    formatted: list[Token] = []
    to_dict = Token.to_dict

    def note(token: Token) -> dict[str, Any]:
        formatted.append(token)
        return to_dict(token)

    monkeypatch.setattr(Token, "to_dict", note)
    accounts = TokenLines().changed({f"account-{number}": Token("a") for number in range(1_000)})
    formatted.clear()
    renewed = accounts.changed({"account-7": Token("renewed")})
    assert renewed.content() != accounts.content()
    assert formatted == [Token("renewed")]


def test_a_line_that_was_read_is_not_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[object] = []
    from_dict = Token.from_dict

    def note(fields: dict[str, Any]) -> Token:
        decoded.append(fields)
        return from_dict(fields)

    monkeypatch.setattr(Token, "from_dict", note)
    accounts = TokenLines().changed({f"account-{number}": Token("a") for number in range(1_000)})
    again = accounts.read_again(accounts.changed({"account-7": Token("renewed")}).content())
    assert again.get("account-7") == Token("renewed")
    assert len(decoded) == 1


def test_a_file_cut_short_at_any_byte_is_refused() -> None:
    content = serialize_tokens(EXAMPLE)
    for end in range(len(content)):
        with pytest.raises(TokenStoreError):
            parse_tokens(content[:end])


def test_a_file_with_any_byte_changed_is_refused() -> None:
    content = serialize_tokens(EXAMPLE)
    for position in range(len(content)):
        for change in (0x01, 0x20, 0x80):
            damaged = bytearray(content)
            damaged[position] ^= change
            with pytest.raises(TokenStoreError):
                parse_tokens(bytes(damaged))


@pytest.mark.unmeasured
@few_examples()
@given(STORES, st.data())
def test_damage_anywhere_never_yields_a_wrong_token(tokens: dict[str, Token], data: st.DataObject) -> None:
    content = serialize_tokens(tokens)
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    damaged = content[:start] + data.draw(st.binary(max_size=20)) + content[end:]
    if damaged == content:
        return
    with pytest.raises(TokenStoreError):
        parse_tokens(damaged)


@pytest.mark.unmeasured
@given(st.binary())
def test_any_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(TokenStoreError):
        parse_tokens(content)


def sealed(body: bytes) -> bytes:
    return b"stellantis-hal tokens 1 sha256=" + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"5",
        b"{",
        b'{"alice": null}',
        b'{"alice": {}}',
        b'{"alice": {"access_token": 5, "refresh_token": null, "expires_at": null, "scope": []}}',
        b'{"alice": {"access_token": "a", "refresh_token": null, "expires_at": "soon", "scope": []}}',
        b'{"alice": {"access_token": "a", "refresh_token": null, "expires_at": "2026-06-01", "scope": []}}',
        b'{"alice": {"access_token": "a", "refresh_token": null, "expires_at": null, "scope": 5}}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_a_file_without_tokens_but_with_a_digest_is_refused(body: bytes) -> None:
    with pytest.raises(TokenStoreError, match="does not contain tokens"):
        parse_tokens(sealed(body))


def test_messages_say_what_is_wrong_and_show_no_secret() -> None:
    content = serialize_tokens(EXAMPLE)
    with pytest.raises(TokenStoreError, match=r"/tokens is damaged, cut short or was edited") as caught:
        parse_tokens(content[:-1], place="/tokens")
    assert "access-a" not in str(caught.value)
    with pytest.raises(TokenStoreError, match="not a token file"):
        parse_tokens(b"{}", place="/tokens")
