"""What the database itself holds to, whoever calls it."""

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from local.billing_payloads import paddle_event, paddle_signature, privacy_form, signed_request

INSERT = (
    "insert into billing_events (provider, effect_key, trusted, facts, item, occurred_at)"
    " values ('mercadopago', %s, %s, '{}', '{}', now())"
)


def test_of_deliveries_at_the_same_moment_one_is_new(world):
    raw = json.dumps(paddle_event("transaction.completed", {"id": "txn_1"})).encode()
    headers = {"paddle-signature": paddle_signature(raw, world.plan.keys.paddle)}
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda _: world.call("POST", "/webhook/paddle", content=raw, headers=headers), range(8))]
    assert [answer.status_code for answer in answers] == [200] * 8
    assert sum(answer.json()["kept"] for answer in answers) == 1


def test_deliveries_at_the_same_moment_get_one_code(world):
    form = privacy_form(signed_request("1", world.plan.keys.meta_app_secret))
    address, headers = "/webhook/meta-privacy?kind=deletion", {"content-type": "application/x-www-form-urlencoded"}
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda _: world.call("POST", address, content=form, headers=headers), range(8))]
    assert len({answer.json()["confirmation_code"] for answer in answers}) == 1


@pytest.mark.parametrize(("key", "trusted"), [("quarantine:1", True), ("signed:1", False), ("event:1", False)])
def test_quarantine_and_signed_events_never_share_a_key(world, key, trusted):
    world.rows(INSERT, key, not trusted)
    with pytest.raises(psycopg.errors.CheckViolation):
        world.rows(INSERT, key + "0", trusted)
