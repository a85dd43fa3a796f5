"""Every fixture of tests/events/webhook_mercadopago: what is kept, and as what. Its body must never matter."""

import json
import logging
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from local.billing_payloads import mercadopago_body, mercadopago_headers, mercadopago_query
from local.runtime import Invocation
from local.world import World
from shared import clock
from shared.abuse import quarantine
from shared.data import billing_events

EVENTS = Path(__file__).parent.parent / "events" / "webhook_mercadopago"

# Fixture -> the id that is signed (None: Mercado Pago does not sign this one), and what is kept as a hint.
KEPT: dict[str, tuple[str | None, dict[str, str]]] = {
    "payment_created": ("98124501122", {"type": "payment"}),
    "subscription_preapproval": ("2c938084726fca480172750000000000", {"type": "subscription_preapproval"}),
    "subscription_authorized_payment": ("6114264375", {"type": "subscription_authorized_payment"}),
    "order_in_upper_case": ("ORD01JD4ZTQ9W8T3V2XKQ5M8N7P6R", {"type": "order"}),
    "body_says_another_id": ("98124501123", {"type": "payment"}),
    "ipn": (None, {"topic": "merchant_order"}),
}


@pytest.fixture(autouse=True)
def _empty_quarantine():
    quarantine.forget()
    billing_events.forget()


def deliver(world: World, query: str, headers: dict[str, str], body: object = None) -> httpx.Response:
    return world.call("POST", f"/webhook/mercadopago?{query}", content=json.dumps(body).encode(), headers=headers)


def notify(world: World, data_id: str, topic: str = "payment", **signed: str) -> httpx.Response:
    headers = mercadopago_headers(data_id, world.plan.keys.mercadopago, **signed)
    return deliver(world, mercadopago_query(data_id, topic), headers, mercadopago_body(data_id, topic))


def kept(world: World) -> list[dict[str, object]]:
    return world.rows("select effect_key, trusted, facts, item, deliveries, outcome from billing_events")


def test_every_fixture_has_an_expectation():
    assert {path.stem for path in EVENTS.glob("*.json")} == KEPT.keys()


@pytest.mark.parametrize("name", KEPT)
def test_a_notification_is_kept_once(world, name):
    fixture, (signed_id, hints) = json.loads((EVENTS / f"{name}.json").read_text()), KEPT[name]
    signed = {"request_id": "b8d4b5a0", "ts": "1795183511"}
    headers = mercadopago_headers(signed_id, world.plan.keys.mercadopago, **signed) if signed_id else {}
    first = deliver(world, fixture["query"], headers, fixture["body"])
    assert (first.status_code, first.json()) == (200, {"kept": 1})
    again = deliver(world, fixture["query"], headers, fixture["body"])
    assert (again.status_code, again.json()) == (200, {"kept": 0})
    [row] = kept(world)
    assert row["trusted"] is (signed_id is not None)
    assert row["item"] == hints
    if signed_id:
        assert row["facts"] == {"data_id": signed_id, "request_id": "b8d4b5a0", "ts": "1795183511"}
        assert row["deliveries"] == 1


def test_an_order_may_be_signed_in_lower_case_and_is_one_event_in_every_spelling(world):
    headers = mercadopago_headers("ord01abc", world.plan.keys.mercadopago)
    assert deliver(world, mercadopago_query("ORD01ABC", "order"), headers).json() == {"kept": 1}
    assert deliver(world, mercadopago_query("oRd01aBc", "order"), headers).json() == {"kept": 0}
    [row] = kept(world)
    assert (row["trusted"], row["facts"]["data_id"]) == (True, "ORD01ABC")


def test_another_request_about_the_same_payment_is_another_event(world):
    assert notify(world, "1").json() == {"kept": 1}
    assert notify(world, "1").json() == {"kept": 1}
    assert len(kept(world)) == 2


def test_what_the_query_calls_it_and_what_the_body_says_make_no_other_event(world):
    headers = mercadopago_headers("1", world.plan.keys.mercadopago)
    assert deliver(world, "data.id=1&type=payment", headers, {"user_id": 1}).json() == {"kept": 1}
    assert deliver(world, "data.id=1&type=order&action=x", headers, {"user_id": 2}).json() == {"kept": 0}
    [row] = kept(world)
    assert row["item"] == {"type": "payment"}


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"x-signature": ""}, "signature_missing"),
        ({"x-signature": "ts=1,v1=short"}, "signature_malformed"),
        ({"x-signature": "ts=1,v1=" + "0" * 64}, "signature_wrong"),
        ({"x-request-id": "another"}, "signature_wrong"),
    ],
)
def test_what_does_not_verify_is_answered_and_kept_apart(world, change, refusal):
    headers = mercadopago_headers("77", world.plan.keys.mercadopago) | change
    answer = deliver(world, mercadopago_query("77"), headers)
    assert (answer.status_code, answer.json()) == (200, {"kept": 1})
    [row] = kept(world)
    assert (row["trusted"], row["outcome"]) == (False, None)
    assert row["effect_key"].startswith("quarantine:")
    assert (row["facts"]["refusal"], row["facts"]["data_id"], row["facts"]["topic"]) == (refusal, "77", "payment")


@pytest.mark.parametrize("secret", ["", "another", "paddle"])
def test_no_other_secret_makes_a_notification_trusted(world, secret):
    secret = world.plan.keys.paddle if secret == "paddle" else secret
    assert deliver(world, mercadopago_query("77"), mercadopago_headers("77", secret)).status_code == 200
    assert [row["trusted"] for row in kept(world)] == [False]


def test_a_forged_delivery_does_not_take_the_place_of_the_real_one(world):
    signed = {"request_id": "b8d4b5a0", "ts": "1795183511"}
    forged = mercadopago_headers("77", "a forger's secret", **signed)
    assert deliver(world, mercadopago_query("77"), forged).json() == {"kept": 1}
    assert notify(world, "77", **signed).json() == {"kept": 1}
    assert deliver(world, mercadopago_query("77"), forged).json() == {"kept": 0}
    assert sorted((row["trusted"], row["deliveries"]) for row in kept(world)) == [(False, 2), (True, 1)]


def test_a_question_in_quarantine_that_was_settled_is_open_again_when_it_is_asked_again(world):
    ipn = "topic=payment&id=123"
    assert deliver(world, ipn, {}).json() == {"kept": 1}
    world.rows("update billing_events set outcome = 'confirmed', settled_at = now()")
    assert deliver(world, ipn, {}).json() == {"kept": 0}
    [row] = kept(world)
    assert (row["deliveries"], row["outcome"]) == (2, None)
    assert deliver(world, "topic=payment&id=124", {}).json() == {"kept": 1}


def test_a_settled_event_that_was_signed_stays_settled(world):
    signed = {"request_id": "b8d4b5a0", "ts": "1795183511"}
    notify(world, "77", **signed)
    world.rows("update billing_events set outcome = 'applied', settled_at = now()")
    assert notify(world, "77", **signed).json() == {"kept": 0}
    assert [(row["outcome"], row["deliveries"]) for row in kept(world)] == [("applied", 1)]


def flood(world: World, data_id: object, source_ip: str) -> Invocation:
    """A delivery that nobody signed, from this address."""
    event = {
        "requestContext": {"http": {"method": "POST", "path": "/webhook/mercadopago", "sourceIp": source_ip}},
        "rawQueryString": f"topic=payment&id={data_id}",
    }
    return world.invoke("webhook_mercadopago", event)


def test_quarantine_is_limited_by_source_and_in_total_and_delays_nothing_signed(world, caplog):
    quarantined = []
    with clock.held_at(1_800_000_000.0), caplog.at_level(logging.WARNING):
        for number in range(quarantine.TOTAL_RATE * 2):
            # Each network of IPv6 is one source, whatever the address in it.
            quarantined.append(flood(world, number, f"2001:db8:0:{number // 30}::{number:x}").payload["statusCode"])
        served = [place for place, status in enumerate(quarantined) if status == 200]
        assert served == [*range(20), *range(30, 50), *range(60, 80)]
        assert {*quarantined} == {200, 429}
        refusals = Counter(record.__dict__["refusal"] for record in caplog.records if record.getMessage() == "refused")
        assert refusals == {"quarantine_source_full": 40, "quarantine_full": 20}
        alerts = [record for record in caplog.records if record.getMessage() == "quarantine is full"]
        assert [(alert.levelname, alert.__dict__["unverified"]) for alert in alerts] == [("ERROR", "quarantine_full")]
        assert int(flood(world, "late", "192.0.2.1").payload["headers"]["retry-after"]) >= 1
        for number in range(3):
            assert notify(world, str(number), ts="1800000000").json() == {"kept": 1}
    with clock.held_at(1_800_000_004.0):
        assert flood(world, "later", "192.0.2.1").payload["statusCode"] == 200


FILL = (
    "insert into billing_events (provider, effect_key, trusted, facts, item, occurred_at, received_at)"
    " select 'mercadopago', 'quarantine:filler' || n, false, '{}', '{}', now(), now() - %s::interval"
    " from generate_series(1, %s) n"
)


@pytest.mark.parametrize(
    ("age", "room", "refusal"), [("1 hour", 2000, "quarantine_day_full"), ("2 days", 10_000, "quarantine_table_full")]
)
def test_unverified_rows_are_bounded_in_the_database(world, caplog, age, room, refusal):
    world.rows(FILL + " returning id", age, room - 1)
    with clock.held_at(1_800_000_000.0), caplog.at_level(logging.WARNING):
        statuses = [flood(world, number, "192.0.2.1").payload["statusCode"] for number in (1, 2, 3, 4)]
        assert statuses == [200, 429, 429, 429]
        # For ten minutes this environment does not ask the database again.
        with world.away("supabase"):
            assert flood(world, 1, "192.0.2.1").payload["statusCode"] == 429
        assert notify(world, "1", ts="1800000000").json() == {"kept": 1}
    names = [record.__dict__.get("refusal") for record in caplog.records if record.getMessage() == "refused"]
    assert names == [refusal] * 4
    alerts = [record.__dict__["unverified"] for record in caplog.records if record.getMessage() == "quarantine is full"]
    assert alerts == [refusal]
    with clock.held_at(1_800_000_000.0 + billing_events.FULL_SECONDS):
        # A row that is there takes no room.
        assert flood(world, 1, "192.0.2.1").payload["statusCode"] == 200
        assert flood(world, 5, "192.0.2.1").payload["statusCode"] == 429


def test_old_unverified_rows_make_room_and_signed_ones_stay(world):
    notify(world, "1")
    world.rows("update billing_events set received_at = now() - interval '31 days' returning id")
    world.rows(FILL + " returning id", "31 days", 10_000)
    assert flood(world, 1, "192.0.2.1").payload["statusCode"] == 200
    [row] = world.rows("select count(*) filter (where trusted) as signed, count(*) as all from billing_events")
    assert (row["signed"], row["all"]) == (1, 1 + 10_000 - 100 + 1)
    [row] = world.rows(
        "select trusted from billing_events where outcome is null order by trusted desc, received_at limit 1"
    )
    assert row["trusted"]


ODD_QUERIES = [
    "",
    "data.id=",
    "data.id=1&data.id=2",
    "data.id=%00%F0%9F%98%80&type=%00",
    "data.id=" + "9" * 4000,
    "data.id=" + quote("1;request-id:x;ts:1;"),
    "type=" + quote("'; drop table billing_events; --"),
]
ODD_HEADERS = ["", "ts=1,v1=" + "0" * 64, "ts=,v1=", "," * 4000, "\x7f"]


def test_whatever_comes_is_kept_short_and_untrusted(world):
    for query in ODD_QUERIES:
        quarantine.forget()
        for header in ODD_HEADERS:
            headers = {"x-signature": header, "x-request-id": "x" * 1000}
            answer = deliver(world, query, headers, {"data": {"id": "1"}})
            assert answer.status_code == 200, (query, header)
    rows = kept(world)
    assert len(rows) == 6  # two of the queries ask for nothing
    assert sum(row["deliveries"] for row in rows) == len(ODD_QUERIES) * len(ODD_HEADERS)
    for row in rows:
        assert row["trusted"] is False
        assert all(len(value) <= 200 for value in [*row["facts"].values(), *row["item"].values()])


def test_too_large_wrong_method_and_broken_queries_are_refused(world):
    assert world.call("POST", "/webhook/mercadopago", content=b"a" * (64 * 1024 + 1)).status_code == 413
    assert world.call("GET", "/webhook/mercadopago?topic=payment&id=1").status_code == 404
    assert deliver(world, "data.id=%ff", {}).status_code == 400
    assert deliver(world, "a=1&" * 60, {}).status_code == 400
    assert kept(world) == []


def test_without_the_database_the_answer_is_503_and_the_retry_is_kept(world):
    signed = {"request_id": "b8d4b5a0", "ts": "1795183511"}
    with world.away("supabase"):
        assert notify(world, "77", **signed).status_code == 503
        assert deliver(world, "topic=payment&id=123", {}).status_code == 503
    assert notify(world, "77", **signed).json() == {"kept": 1}
