"""Tokens as values."""

import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest

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


def test_an_expiry_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        Token("a", expires_at=datetime(2026, 6, 1))  # noqa: DTZ001 - refusing it is the fact


def test_scopes_may_come_as_text() -> None:
    assert Token("a", scope="data:trip,data:position data:alert").scope == ("data:trip", "data:position", "data:alert")


@pytest.mark.parametrize("arguments", [(None,), (b"a",), ("a", 1)])
def test_a_token_that_is_no_text_is_refused_without_being_shown(arguments: tuple[str, str]) -> None:
    with pytest.raises(TypeError, match="must be a str, not"):
        Token(*arguments)
