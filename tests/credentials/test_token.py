"""Tokens as values."""

import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal import Token
from tests.credentials.doubles import NOON


def test_a_token_hides_its_secrets_in_repr() -> None:
    text = repr(Token("access-secret", "refresh-secret", NOON, ("data:trip",)))
    assert "secret" not in text
    assert "data:trip" in text


def test_a_token_is_equal_by_value_and_pickles() -> None:
    token = Token("a", "r", NOON, ("data:trip",))
    assert pickle.loads(pickle.dumps(token)) == token


def test_a_token_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Token("a").access_token = "b"  # type: ignore[misc]  # what mypy refuses is what is tested


def test_an_expiry_is_kept_in_utc() -> None:
    local = datetime(2026, 6, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    stored = Token("a", expires_at=local).expires_at
    assert stored is not None
    assert stored == NOON
    assert stored.tzinfo is UTC


@pytest.mark.parametrize("expiry", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_an_expiry_outside_of_the_years_of_utc_is_refused(expiry: str) -> None:
    with pytest.raises(ValueError, match="in the years 1 to 9999"):
        Token("a", expires_at=datetime.fromisoformat(expiry))
    with pytest.raises(ValueError, match="in the years 1 to 9999"):
        Token.from_dict({"access_token": "a", "expires_at": expiry})


def test_an_expiry_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        Token("a", expires_at=datetime(2026, 6, 1))  # noqa: DTZ001 - refusing it is the fact


def test_scopes_may_come_as_text() -> None:
    assert Token("a", scope="data:trip,data:position data:alert").scope == ("data:trip", "data:position", "data:alert")


@pytest.mark.parametrize("arguments", [(None,), (b"a",), ("a", 1)])
def test_a_token_that_is_no_text_is_refused_without_being_shown(arguments: tuple[str, str]) -> None:
    with pytest.raises(TypeError, match="must be a str, not"):
        Token(*arguments)


@pytest.mark.unmeasured
@given(
    st.builds(
        Token,
        st.text(),
        st.none() | st.text(),
        st.none() | st.datetimes(timezones=st.just(UTC)),
        st.lists(st.text("abc:", min_size=1)),
    )
)
def test_a_token_survives_json(token: Token) -> None:
    assert Token.from_dict(json.loads(json.dumps(token.to_dict()))) == token


@pytest.mark.parametrize(
    "expiry", [NOON, NOON.isoformat(), NOON.timestamp(), int(NOON.timestamp()), NOON.isoformat().replace("+00:00", "Z")]
)
def test_an_expiry_is_read_in_each_form_of_host_programs(expiry: object) -> None:
    assert Token.from_dict({"access_token": "a", "expires_at": expiry, "token_type": "Bearer"}) == Token(
        "a", None, NOON
    )


def test_a_scope_is_read_as_text_or_list() -> None:
    for scope in ("data:trip data:alert", ["data:trip", "data:alert"]):
        assert Token.from_dict({"access_token": "a", "scope": scope}).scope == ("data:trip", "data:alert")


@pytest.mark.parametrize("expiry", ["soon", "2026-06-01T12:00:00", 1e300, float("nan"), True, [1]])
def test_an_expiry_that_cannot_be_read_is_refused(expiry: object) -> None:
    with pytest.raises(ValueError, match="expires_at must be an aware datetime"):
        Token.from_dict({"access_token": "s3cret", "expires_at": expiry})


def test_a_mapping_without_an_access_token_is_refused() -> None:
    with pytest.raises(ValueError, match=r'"access_token" is missing; the members are: refresh_token') as caught:
        Token.from_dict({"refresh_token": "s3cret", "user": "Ann"})
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ValueError, match="the members are: none of a token"):
        Token.from_dict({})


@pytest.mark.parametrize("fields", [None, "text", [("access_token", "a")]])
def test_what_is_no_mapping_is_refused(fields: Any) -> None:
    with pytest.raises(TypeError, match="a token is read from a mapping"):
        Token.from_dict(fields)


@pytest.mark.parametrize("scope", [5, [1], [None], {"a": 1}.values()])
def test_a_scope_that_is_no_text_is_refused(scope: Any) -> None:
    with pytest.raises(TypeError, match="scope must be text, or a list of texts"):
        Token.from_dict({"access_token": "a", "scope": scope})
