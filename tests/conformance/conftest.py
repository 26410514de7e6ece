"""Servers that several files of conformance tests use."""

import gc
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conformance.postgres_server import PostgresServer
from tests.conformance.redis_server import RedisServer


@contextmanager
def postgres_running() -> Generator[PostgresServer, None, None]:
    """Start a PostgreSQL server, and remove it at the end."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """Return the PostgreSQL server of a module's tests."""
    with postgres_running() as server:
        yield server


@pytest.fixture
def postgres_of_its_own() -> Iterator[PostgresServer]:
    """Return a PostgreSQL server of one test, which changes it for good."""
    with postgres_running() as server:
        yield server


@pytest.fixture(scope="module")
def redis_options() -> tuple[str, ...]:
    """Return the options of the Redis server of a module, which says otherwise by a fixture of its own."""
    return ()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory, redis_options: tuple[str, ...]) -> Iterator[RedisServer]:
    """Start a Redis server for the tests of a module, and kill it at the end."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), redis_options)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Start a Redis server that keeps nothing on disk, and kill it at the end."""
    server = RedisServer(tmp_path)
    server.start()
    try:
        yield server
    finally:
        server.kill()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()  # what COREDIS_LEAVES_STREAMS is about
