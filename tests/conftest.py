"""One world for each test process, and a fresh state of it for each test that asks for it."""

from collections.abc import Iterator

import pytest

from local.world import World, running_world

# The files with tests of ten seconds and more. They run first, so that no worker is left alone with one at the end.
LONG = ("test_isolation.py", "test_isolation_http.py", "test_battery.py", "test_refusals.py", "test_whole_world.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of LONG first; the order of all others stays."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session")
def _running_world() -> Iterator[World]:
    with running_world() as running:
        yield running


@pytest.fixture
def world(_running_world: World) -> World:
    """The seeded demo shop, with nothing else in database, queues, Redis and simulators."""
    _running_world.reset()
    return _running_world
