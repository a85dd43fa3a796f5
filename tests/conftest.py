"""One world for each test process, and a fresh state of it for each test that asks for it."""

from collections.abc import Iterator

import pytest

from local.world import World, running_world


@pytest.fixture(scope="session")
def _running_world() -> Iterator[World]:
    with running_world() as running:
        yield running


@pytest.fixture
def world(_running_world: World) -> World:
    """The seeded demo shop, with nothing else in database, queues, Redis and simulators."""
    _running_world.reset()
    return _running_world
