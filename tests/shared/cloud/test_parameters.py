"""Secrets as lists with an expiry; the store is answered for without a network."""

import json
from collections.abc import Callable

import pytest

from shared import clock
from shared.cloud import aws, parameters
from shared.cloud.parameters import KEEP_SECONDS
from shared.errors import Unavailable
from shared.settings import Secret

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z


class Store:
    """The parameter store: what it holds, and how often it was asked."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.calls = 0
        self.away = False

    def put(self, secret: Secret, entries: object) -> None:
        self.held[f"/portero/test/{secret}"] = entries if isinstance(entries, str) else json.dumps(entries)

    def answer(self, service, url, target, version, body, seconds) -> dict[str, object]:
        self.calls += 1
        if self.away:
            raise Unavailable("upstream_timeout")
        return {"Parameters": [{"Name": name, "Value": self.held[name]} for name in body["Names"] if name in self.held]}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    held = Store()
    monkeypatch.setattr(aws, "call_json", held.answer)
    monkeypatch.setenv("PARAMETER_PREFIX", "/portero/test")
    monkeypatch.setenv("AWS_REGION", "sa-east-1")
    parameters.forget()
    return held


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(Unavailable) as caught:
        act()
    return caught.value.name


def test_live_values_newest_first_and_expired_ones_are_dropped(store):
    store.put(
        Secret.QUEUE_KEY,
        [
            {"value": "new", "expires": None},
            {"value": "before", "expires": "2027-01-15T08:00:01Z"},
            {"value": "old", "expires": "2027-01-15T07:59:59Z"},
        ],
    )
    with clock.held_at(NOW):
        assert parameters.live(Secret.QUEUE_KEY) == ("new", "before")
        assert parameters.current(Secret.QUEUE_KEY) == "new"


@pytest.mark.parametrize(
    ("entries", "name"),
    [
        ([], "secret_missing_QUEUE_KEY"),
        ([{"value": "", "expires": None}], "secret_missing_QUEUE_KEY"),
        ([{"value": "  ", "expires": None}], "secret_missing_QUEUE_KEY"),
        ([{"value": "x", "expires": "2020-01-01T00:00:00Z"}], "secret_missing_QUEUE_KEY"),
        ("the bare secret", "secret_malformed_QUEUE_KEY"),
        ([{"value": "x"}], "secret_malformed_QUEUE_KEY"),
        ([{"value": "x", "expires": "some day"}], "secret_malformed_QUEUE_KEY"),
    ],
)
def test_a_secret_without_a_live_value_stops_the_function_by_name(store, entries, name):
    store.put(Secret.QUEUE_KEY, entries)
    with clock.held_at(NOW):
        assert refusal(lambda: parameters.live(Secret.QUEUE_KEY)) == name


def test_an_absent_secret_stops_the_function_by_name(store):
    assert refusal(lambda: parameters.live(Secret.QUEUE_KEY)) == "secret_missing_QUEUE_KEY"


def test_all_secrets_of_a_function_are_one_call_and_kept_for_minutes(store):
    for secret in (Secret.QUEUE_KEY, Secret.AI_API_KEY):
        store.put(secret, [{"value": "x", "expires": None}])
    with clock.held_at(NOW):
        parameters.prepare([Secret.QUEUE_KEY, Secret.AI_API_KEY])
        parameters.live(Secret.AI_API_KEY)
        assert store.calls == 1
    store.put(Secret.QUEUE_KEY, [{"value": "rotated", "expires": None}])
    with clock.held_at(NOW + KEEP_SECONDS + 1):
        assert parameters.current(Secret.QUEUE_KEY) == "rotated"


def test_while_the_store_is_away_fresh_values_still_serve_but_not_for_ever(store):
    store.put(Secret.QUEUE_KEY, [{"value": "x", "expires": None}])
    with clock.held_at(NOW):
        parameters.live(Secret.QUEUE_KEY)
    store.away = True
    with clock.held_at(NOW + KEEP_SECONDS + 1):
        assert parameters.live(Secret.QUEUE_KEY) == ("x",)
    with clock.held_at(NOW + 3601):
        assert refusal(lambda: parameters.live(Secret.QUEUE_KEY)) == "upstream_timeout"
