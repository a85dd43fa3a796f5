"""The server that stands for every upstream: it counts, deduplicates, refuses and hangs as told."""

import json
import threading
from collections.abc import Iterator

import httpx
import pytest

from bench.peers.upstreams import Upstreams
from shared.data.store import Swept, SweptTurn

MESSAGE = "wamid.HBgNNTQ5MTE1NTU1MDEwMQ=="


@pytest.fixture
def upstreams() -> Iterator[Upstreams]:
    server = Upstreams()
    yield server
    server.close()


def keep(upstreams: Upstreams) -> dict[str, object]:
    item = {"kind": "message", "key": "k", "item": {"id": MESSAGE}, "contact": {"id": "549"}}
    return httpx.post(f"{upstreams.url}/rest/v1/rpc/keep_inbox", json={"p_items": [item]}).json()


def enqueue(upstreams: Upstreams, body: str, once: str) -> httpx.Response:
    target = {"x-amz-target": "AmazonSQS.SendMessage"}
    return httpx.post(upstreams.url, headers=target, json={"MessageBody": body, "MessageDeduplicationId": once})


def test_what_was_kept_is_a_duplicate_the_second_time_and_every_call_counts(upstreams):
    assert keep(upstreams)["kept"] == 1
    assert keep(upstreams) | {"turns": []} == {"kept": 0, "duplicate": 1, "unknown_channel": 0, "turns": []}
    assert upstreams.calls == {"database": 2}
    assert upstreams.effects() == 1


def test_a_queued_id_covers_its_message_and_a_queued_conversation_what_was_kept_of_it(upstreams):
    enqueue(upstreams, json.dumps({"conversation": "549"}), "early")
    assert not upstreams.covered
    keep(upstreams)
    enqueue(upstreams, json.dumps({"conversation": "549"}), "early")
    assert not upstreams.covered, "the same deduplication id is queued once"
    enqueue(upstreams, json.dumps({"conversation": "549"}), "late")
    assert upstreams.covered == {MESSAGE}
    upstreams.forget()
    enqueue(upstreams, json.dumps({"id": MESSAGE}), "direct")
    assert upstreams.covered == {MESSAGE}


def test_the_sweep_names_the_conversations_that_nothing_queued_is_about(upstreams):
    keep(upstreams)
    # By our own model: a kind of work that the sweeper learns must not leave this server behind.
    swept = Swept.model_validate(httpx.post(f"{upstreams.url}/rest/v1/rpc/sweep", json={}).json())
    assert swept.turns == [SweptTurn(tenant="t", conversation="549")]
    assert httpx.post(f"{upstreams.url}/rest/v1/rpc/close_unconfirmed", json={}).json() == 0


def test_trouble_refuses_or_hangs_and_ends_with_its_block(upstreams):
    with upstreams.trouble(failing=("queue",)):
        assert enqueue(upstreams, "{}", "a").status_code == 503
    assert enqueue(upstreams, "{}", "a").status_code == 200
    answered = threading.Event()
    with upstreams.trouble(hanging=("queue",)):
        threading.Thread(target=lambda: (enqueue(upstreams, "{}", "b"), answered.set()), daemon=True).start()
        assert not answered.wait(0.2)
    assert answered.wait(5)


def test_an_idempotency_record_is_refused_a_second_time(upstreams):
    put = {"Item": {"id": {"S": "x"}}, "ConditionExpression": "attribute_not_exists(id)"}
    target = {"x-amz-target": "DynamoDB_20120810.PutItem"}
    statuses = [httpx.post(upstreams.url, headers=target, json=put).status_code for _ in range(2)]
    assert statuses == [200, 400]
