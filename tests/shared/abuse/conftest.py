"""A real Redis server for each test process, empty for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from local import redis_server


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("redis")
    with redis_server.running(folder) as server:
        yield server.url


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as connected:
        connected.flushall()
        yield connected
