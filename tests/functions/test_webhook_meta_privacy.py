"""Every fixture of tests/events/webhook_meta_privacy: what is kept, and that the answer is what Meta asks for."""

import json
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.billing_payloads import privacy_form, signed_request
from local.world import World

EVENTS = Path(__file__).parent.parent / "events" / "webhook_meta_privacy"
FORM = {"content-type": "application/x-www-form-urlencoded"}

# Fixture -> whose row is kept.
KEPT = {
    "deletion": "122091234567890123",
    "deletion_number_as_id": "122091234567890124",
    "deletion_of_an_older_shape": "122091234567890125",
    "deauthorize": "122091234567890123",
}


def post(world: World, body: bytes, kind: str | None = "deletion") -> httpx.Response:
    query = "" if kind is None else f"?kind={kind}"
    return world.call("POST", f"/webhook/meta-privacy{query}", content=body, headers=FORM)


def deliver(world: World, kind: str = "deletion", **payload: Any) -> httpx.Response:
    user = payload.pop("user_id", "122091234567890123")
    return post(world, privacy_form(signed_request(user, world.plan.keys.meta_app_secret, **payload)), kind)


def test_every_fixture_has_an_expectation():
    assert {path.stem for path in EVENTS.glob("*.json")} == KEPT.keys()


@pytest.mark.parametrize("name", KEPT)
def test_a_request_is_kept_once_and_every_delivery_gets_the_same_answer(world, name):
    fixture = json.loads((EVENTS / f"{name}.json").read_text())
    first, again = (deliver(world, fixture["kind"], **fixture["payload"]) for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    [row] = world.rows("select kind, provider_user_id, issued_at, code, state from deletion_requests")
    assert (row["kind"], row["provider_user_id"], row["state"]) == (fixture["kind"], KEPT[name], "received")
    assert row["issued_at"].timestamp() == fixture["payload"]["issued_at"]
    if fixture["kind"] == "deauthorize":
        assert first.json() == {"kept": True}
        return
    assert first.json().keys() == {"url", "confirmation_code"}
    assert first.json()["confirmation_code"] == row["code"]
    assert re.fullmatch(r"[0-9a-zA-Z]{32}", row["code"])
    assert first.json()["url"] == f"{world.plan.url('gateway')}/public/deletion?code={row['code']}"
    assert world.client.get(first.json()["url"]).status_code == 200


def test_another_time_another_person_and_the_other_kind_are_other_requests(world):
    at = time.time() - 100
    for change in ({}, {"at": at + 1}, {"user_id": "2"}, {"kind": "deauthorize"}):
        assert deliver(world, **{"at": at, **change}).status_code == 200
    assert world.rows("select count(*), count(distinct code) as codes from deletion_requests") == [
        {"count": 4, "codes": 4}
    ]


def test_open_requests_of_one_person_are_bounded(world):
    # A person who signs in again gets another time of issue, as often as they like.
    codes = [deliver(world, issued_at=1_760_000_000 + number).json()["confirmation_code"] for number in range(8)]
    assert len({*codes}) == 5
    assert {*codes[5:]} == {codes[4]}
    assert len(world.rows("select 1 from deletion_requests")) == 5
    assert deliver(world, issued_at=1_760_000_000).json()["confirmation_code"] == codes[0]
    assert deliver(world, user_id="2", issued_at=1_760_000_009).json()["confirmation_code"] not in codes
    world.rows("update deletion_requests set state = 'done', settled_at = now() returning id")
    assert deliver(world, issued_at=1_760_000_008).json()["confirmation_code"] not in codes


def test_a_padded_request_is_the_same_as_an_unpadded_one(world):
    at = time.time()
    assert deliver(world, at=at, padded=True).json() == deliver(world, at=at).json()


def test_without_the_database_the_answer_is_503_and_the_retry_is_kept(world):
    with world.away("supabase"):
        assert deliver(world).status_code == 503
    assert world.rows("select from deletion_requests") == []
    assert deliver(world).status_code == 200


def signed(world: World, user: str = "1", **payload: Any) -> bytes:
    return privacy_form(signed_request(user, world.plan.keys.meta_app_secret, **payload))


ATTACKS = [
    (lambda world: post(world, b""), 401),
    (lambda world: post(world, b"\xff\xfe"), 401),
    (lambda world: post(world, b"signed_request=a.b"), 401),
    (lambda world: post(world, privacy_form(signed_request("1", "another secret"))), 401),
    (lambda world: post(world, privacy_form(signed_request("1", ""))), 401),
    (lambda world: post(world, privacy_form(signed_request("1", world.plan.keys.paddle))), 401),
    (lambda world: post(world, signed(world).replace(b"signed_request=", b"signed_request=A")), 401),
    (lambda world: post(world, signed(world)[:-4]), 401),
    (lambda world: post(world, signed(world) + b"&" + signed(world)), 401),
    (lambda world: post(world, signed(world, algorithm="none")), 401),
    (lambda world: post(world, signed(world, at=time.time() + 3600)), 401),
    (lambda world: post(world, signed(world, user="")), 401),
    (lambda world: post(world, signed(world), kind=None), 400),
    (lambda world: post(world, signed(world), kind="everything"), 400),
    (lambda world: post(world, signed(world), kind="deletion&kind=deauthorize"), 400),
    (lambda world: post(world, b"signed_request=" + b"a" * (16 * 1024)), 413),
    (lambda world: world.call("GET", "/webhook/meta-privacy?kind=deletion"), 404),
]


def test_every_attack_is_refused_and_leaves_no_trace(world):
    for place, (attack, status) in enumerate(ATTACKS):
        refused = attack(world)
        assert refused.status_code == status, place
        assert len(refused.content) <= 300
        assert world.rows("select from deletion_requests") == [], place
    assert deliver(world).status_code == 200
