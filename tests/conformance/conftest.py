"""Servers that several files of conformance tests use."""

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.redis_server import RedisServer


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
