"""Addresses of Redis in messages, without user and password."""

from typing import Any

import pytest

from stellantis_hal import RedisLimiter, RedisTokenStore


@pytest.mark.parametrize(
    ("server", "place"),
    [
        ("redis://user:secret@host:6380/0", "host:6380"),
        ("redis://host", "host:6379"),
        ("redis://host/2", "host:6379/2"),
        ("rediss://host/2?db=3", "host:6379/3"),
        ("unix://user:secret@/run/redis.sock?db=1", "/run/redis.sock/1"),
        ("redis://:sec%23%2F%3F%40ret@host", "host:6379"),
    ],
)
def test_an_address_shows_host_and_database(server: str, place: str) -> None:
    store = RedisTokenStore(server, namespace="cars")
    assert repr(store) == f"RedisTokenStore(Redis {place})"
    assert store.identity == f"Redis {place}/cars"


@pytest.mark.parametrize(
    "server",
    [
        "redis://:sec#ret@host:6379/0",
        "redis://user:1#ret@host",
        "redis://user:1?ret@host",
        "redis://user:1/ret@host",
        "redis://user:sec/ret@host",
        "redis://host:port",
        "redis://host:0",
    ],
)
def test_a_password_that_splits_a_url_is_refused(server: str) -> None:
    with pytest.raises(ValueError, match=r"write the characters # / . @ of a password as %23 %2F %3F %40") as caught:
        RedisTokenStore(server)
    assert "ret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("server", [None, b"redis://host", 6379])
def test_what_is_no_client_of_coredis_is_refused(server: Any) -> None:
    """As a client of redis-py, which has other methods."""
    with pytest.raises(TypeError, match=r"a client of coredis \(coredis.Redis, .*\), not builtins\."):
        RedisTokenStore(server)
    with pytest.raises(TypeError, match="server must be a URL such as redis://"):
        RedisLimiter(server, "client id", processes=1)
