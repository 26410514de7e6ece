"""Addresses of PostgreSQL in messages, without user and password."""

import pytest

from stellantis_hal import PostgresCheckpoints, PostgresTokenStore


@pytest.mark.parametrize(
    ("dsn", "place"),
    [
        ("postgresql://user:secret@host/db", "host/db"),
        ("postgresql://user:sec#ret@host/db", "host/db"),
        ("postgresql://user:sec?ret@host:5433/db", "host:5433/db"),
        ("postgresql://user@h1:1,h2:2/db?password=secret", "h1:1,h2:2/db"),
        ("postgresql://[::1]:5432/db", "[::1]:5432/db"),
        ("postgresql:///db?host=/run/pg&password=secret", "/db?host=/run/pg"),
        ("postgresql://user:sec/ret@host/db", ""),
        ("postgresql://user:1/ret@host/db", ""),
        ("postgresql://user:sec@ret@host/db", ""),
        ("host=h port = 1 password=secret dbname=d", "host=h port=1 dbname=d"),
        ("host=h password='se host=cret' dbname='a b'", "host=h dbname='a b'"),
        (r"host=h password='se\' host=cret'", "host=h"),
        (r"host=h password=se\ host=cret", "host=h"),
        ("", ""),
    ],
)
def test_an_address_shows_no_part_of_a_password(dsn: str, place: str) -> None:
    shown = f"PostgreSQL {place}".rstrip()
    assert repr(PostgresCheckpoints(dsn)) == f"PostgresCheckpoints({shown})"
    assert PostgresTokenStore(dsn).identity == shown
