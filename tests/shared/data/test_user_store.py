import pytest

from shared.clock import Deadline
from shared.data.user_store import UserStore
from shared.errors import Unavailable


def test_without_time_left_nothing_is_asked(world, monkeypatch):
    for name, value in world.variables["ai_chat"].items():
        monkeypatch.setenv(name, value)
    assert UserStore(world.owner.access_token, Deadline(5)).tenant(world.owner.tenant)["language"] == "es"
    with pytest.raises(Unavailable) as caught:
        UserStore(world.owner.access_token, Deadline(0)).tenant(world.owner.tenant)
    assert caught.value.name == "database_deadline"
