"""Every fixture of tests/events/webhook_paddle, as the bytes that travel: what is kept of it."""

import hashlib
import json
import time
from pathlib import Path

import httpx
import pytest

from local.billing_payloads import paddle_event, paddle_signature
from local.world import World

EVENTS = Path(__file__).parent.parent / "events" / "webhook_paddle"

# Fixture -> its key without the namespace; None for a body whose digest is the key.
KEPT: dict[str, str | None] = {
    "subscription_created": "evt_01hv8x2acma2gz7he8kg2s0hna",
    "subscription_past_due": "evt_01hv8x2acma2gz7he8kg2s0hnb",
    "transaction_completed": "evt_01hv8x2acma2gz7he8kg2s0hnc",
    "adjustment_updated": "evt_01hv8x2acma2gz7he8kg2s0hnd",
    "customer_created_accents_raw": "evt_01hv8x2acma2gz7he8kg2s0hne",
    "customer_created_accents_escaped": "evt_01hv8x2acma2gz7he8kg2s0hnf",
    "unknown_type": "evt_01hv8x2acma2gz7he8kg2s0hng",
    "without_event_id": None,
    "event_id_of_another_kind": None,
    "no_object": None,
    "nothing": None,
}


def deliver(world: World, raw: bytes, signature: str | None = None) -> httpx.Response:
    signature = paddle_signature(raw, world.plan.keys.paddle) if signature is None else signature
    return world.call("POST", "/webhook/paddle", content=raw, headers={"paddle-signature": signature})


def test_every_fixture_has_an_expectation():
    assert {path.stem for path in EVENTS.glob("*.json")} == KEPT.keys()


@pytest.mark.parametrize("name", KEPT)
def test_an_event_is_kept_once(world, name):
    raw = (EVENTS / f"{name}.json").read_bytes()
    first, again = deliver(world, raw), deliver(world, raw)
    assert (first.status_code, first.json()) == (200, {"kept": 1})
    assert (again.status_code, again.json()) == (200, {"kept": 0})
    [row] = world.rows("select * from billing_events")
    key = f"event:{KEPT[name]}" if KEPT[name] else f"digest:{hashlib.sha256(raw).hexdigest()}"
    assert (row["provider"], row["effect_key"], row["trusted"]) == ("paddle", key, True)
    event = json.loads(raw)
    assert row["item"] == (event if isinstance(event, dict) else {"value": event})
    assert (row["deliveries"], row["outcome"]) == (1, None)


def test_the_time_is_the_events_own_and_that_of_arrival_when_it_is_absurd(world):
    deliver(world, (EVENTS / "subscription_created.json").read_bytes())
    [row] = world.rows("select occurred_at, facts from billing_events")
    assert row["occurred_at"].isoformat() == "2026-11-20T14:05:11.500000+00:00"
    assert row["facts"]["event_type"] == "subscription.created"
    deliver(world, (EVENTS / "event_id_of_another_kind.json").read_bytes())
    [row] = world.rows("select now() - occurred_at < '1 minute' as is_now from billing_events where facts = '{}'")
    assert row["is_now"]


def test_a_replay_under_another_notification_id_is_the_same_event(world):
    one = paddle_event("transaction.completed", {"id": "txn_1"})
    assert deliver(world, json.dumps(one).encode()).json() == {"kept": 1}
    again = paddle_event("transaction.completed", {"id": "txn_1"}, event_id=one["event_id"])
    assert again["notification_id"] != one["notification_id"]
    assert deliver(world, json.dumps(again).encode()).json() == {"kept": 0}


def test_during_a_rotation_one_of_two_signatures_is_enough(world):
    raw = (EVENTS / "subscription_created.json").read_bytes()
    assert deliver(world, raw, paddle_signature(raw, "the next one", world.plan.keys.paddle)).status_code == 200


def test_a_text_that_cannot_be_stored_does_not_cost_the_event(world):
    raw = json.dumps(paddle_event("customer.updated", {"name": "a\x00b\ud800"})).encode()
    assert deliver(world, raw).json() == {"kept": 1}
    [row] = world.rows("select item from billing_events")
    assert row["item"]["data"]["name"] == "a\ufffdb\ufffd"


def test_the_tolerance_is_a_setting(world, monkeypatch):
    raw = (EVENTS / "subscription_created.json").read_bytes()
    late = paddle_signature(raw, world.plan.keys.paddle, at=time.time() - 20)
    assert deliver(world, raw, late).status_code == 401
    for setting, status in (("30", 200), ("", 401), ("0", 503), ("1e9", 503), ("-1", 503), ("1000", 503)):
        monkeypatch.setitem(world.variables["webhook_paddle"], "PADDLE_TOLERANCE_SECONDS", setting)
        assert deliver(world, raw, late).status_code == status, setting


def test_without_the_database_the_answer_is_503_and_the_retry_is_kept(world):
    raw = (EVENTS / "subscription_created.json").read_bytes()
    with world.away("supabase"):
        refused = deliver(world, raw)
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    assert deliver(world, raw).json() == {"kept": 1}


RAW = json.dumps({"event_id": "evt_1", "event_type": "subscription.created", "data": {"name": "ação"}}).encode()


ATTACKS = [
    (lambda world: deliver(world, RAW, ""), 401),
    (lambda world: deliver(world, RAW, paddle_signature(RAW, "another secret")), 401),
    (lambda world: deliver(world, RAW, paddle_signature(RAW, "")), 401),
    (lambda world: deliver(world, RAW, paddle_signature(RAW, world.plan.keys.mercadopago)), 401),
    (lambda world: deliver(world, RAW, good(world, RAW + b" ")), 401),
    (lambda world: deliver(world, json.dumps(json.loads(RAW), ensure_ascii=False).encode(), good(world, RAW)), 401),
    (lambda world: deliver(world, RAW, good(world, RAW)[:-2]), 401),
    (lambda world: deliver(world, RAW, good(world, RAW).upper()), 401),
    (lambda world: deliver(world, RAW, good(world, RAW) + "," + good(world, RAW)), 401),
    (lambda world: deliver(world, RAW, good(world, RAW, time.time() - 3600)), 401),
    (lambda world: deliver(world, RAW, good(world, RAW, time.time() + 3600)), 401),
    (lambda world: deliver(world, b"{"), 400),
    (lambda world: deliver(world, b""), 400),
    (lambda world: deliver(world, b'{"event_id":"evt_1","event_id":"evt_2"}'), 400),
    (lambda world: deliver(world, b'"' + b"a" * (1024 * 1024) + b'"'), 413),
    (lambda world: world.call("GET", "/webhook/paddle"), 404),
]


def test_every_attack_is_refused_and_leaves_no_trace(world):
    for place, (attack, status) in enumerate(ATTACKS):
        refused = attack(world)
        assert refused.status_code == status, place
        assert len(refused.content) <= 300
        assert world.rows("select from billing_events") == [], place
    assert deliver(world, RAW).json() == {"kept": 1}


def good(world: World, raw: bytes, at: float | None = None) -> str:
    return paddle_signature(raw, world.plan.keys.paddle, at=at)
