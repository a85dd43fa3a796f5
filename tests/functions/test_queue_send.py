"""One attempt at a time, and what came of each."""

import base64
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from local.aws import OPERATOR
from local.payloads import DEMO_NUMBER_ID, text, whatsapp_message
from local.world import World
from shared.clock import Deadline
from shared.cloud import key_management
from shared.data import credentials, store
from shared.privacy.pseudonyms import pseudonym
from tests.logged import lines_logged


def outbox(world: World) -> dict[str, object]:
    [row] = world.rows(
        "select o.state, o.error, o.attempts, m.status from outbox o join messages m on m.id = o.message_id"
    )
    return row


def ask(world: World) -> None:
    world.receive(whatsapp_message(text("¿hacen envíos?")))
    world.settle()


def connect_second_number(world: World) -> str:
    """A number of the demo shop that the platform's token opens; its id at Meta."""
    told = {"id": "42", "waba_id": "43", "display_number": "5511988887777"}
    httpx.post(f"{world.plan.url('meta')}/_local/number", json=told).raise_for_status()
    with world.as_server():
        store.connect_channel(world.owner.tenant, "whatsapp", "42", "43", "5511988887777", Deadline(10))
    return "42"


def retry(world: World) -> None:
    """What the sweep does when the delay is over."""
    world.rows("update outbox set next_attempt_at = now() - interval '5 minutes'")
    world.schedules.fire("cron_recover")
    world.settle()


def refused(world: World) -> int:
    """How many requests the simulator of Meta has refused."""
    count: int = httpx.get(f"{world.plan.url('meta')}/_local/idle").json()["refused"]
    return count


@contextmanager
def without_master_keys(world: World) -> Iterator[None]:
    file = world.plan.master_keys
    hidden = file.with_suffix(".away")
    file.rename(hidden)
    try:
        yield
    finally:
        hidden.rename(file)


def test_a_reply_is_sent_delivered_and_read(world):
    ask(world)
    assert outbox(world) == {"state": "sent", "error": None, "attempts": 1, "status": "read"}
    [sent] = world.sent()
    assert sent["callback_data"] == str(world.rows("select id from outbox")[0]["id"])


def test_a_customer_is_found_in_the_log_by_a_name_that_stands_for_the_number(world):
    with lines_logged() as written:
        ask(world)
    [row] = world.rows("select phone, external_id from contacts")
    with world.as_server():
        [named] = {pseudonym("contact", notation) for notation in (row["phone"], f"+{row['phone']}")}
    lines = [json.loads(line) for line in written]
    [sent] = [line for line in lines if line.get("contact") == named]
    assert (sent["event"], sent["function"], sent["outcome"], sent["calls"]) == ("settled", "queue_send", "sent", 1)
    assert sent["outbox"] == str(world.rows("select id from outbox")[0]["id"])
    assert {line["function"] for line in lines} >= {"webhook_meta", "queue_reply", "queue_send"}
    assert row["phone"] not in "".join(written)


@pytest.mark.parametrize(
    ("code", "state"), [(131026, "failed"), (190, "failed"), (100, "failed"), (131056, "pending"), (130429, "pending")]
)
def test_an_error_is_final_or_waits_by_its_class(world, code, state):
    world.script("meta", error=code)
    ask(world)
    row = outbox(world)
    assert (row["state"], row["error"]) == (state, str(code))
    assert world.sent() == []
    if state == "pending":
        world.rows("update outbox set next_attempt_at = now() - interval '5 minutes'")
        world.schedules.fire("cron_recover")
        world.settle()
        assert outbox(world) == {"state": "sent", "error": None, "attempts": 2, "status": "read"}
        assert len(world.sent()) == 1


def test_an_attempt_without_an_answer_is_not_repeated_and_the_status_settles_it(world):
    world.script("meta", drop=True)
    world.receive(whatsapp_message(text("¿hacen envíos?")))
    world.pump.drain()
    assert outbox(world)["state"] == "unconfirmed"
    world.settle()
    assert len(world.sent()) == 1
    row = outbox(world)
    assert (row["state"], row["status"]) == ("sent", "read")


def test_without_the_provider_the_row_waits(world):
    with world.away("meta"):
        world.receive(whatsapp_message(text("¿hacen envíos?")))
        world.pump.drain()
    assert outbox(world) == {"state": "pending", "error": "provider_unreachable", "attempts": 1, "status": "queued"}
    world.rows("update outbox set next_attempt_at = now() - interval '5 minutes'")
    world.schedules.fire("cron_recover")
    world.settle()
    assert outbox(world)["state"] == "sent"


def test_the_window_is_looked_at_when_sending(world, monkeypatch):
    monkeypatch.setattr("functions.queue_reply.wake_sends", lambda *anything: 0)
    ask(world)
    assert outbox(world)["state"] == "pending"
    world.rows("update conversations set last_inbound_at = now() - interval '25 hours'")
    retry(world)
    assert outbox(world) == {"state": "failed", "error": "outside_window", "attempts": 1, "status": "failed"}
    assert world.sent() == []


def test_a_failed_status_after_the_send_is_final(world):
    world.script("meta", statuses="failed", status_error=131026)
    ask(world)
    row = outbox(world)
    assert (row["state"], row["status"], row["error"]) == ("failed", "failed", "131026")


@pytest.mark.parametrize("mode", ["reordered", "repeated"])
def test_statuses_out_of_order_or_twice_end_at_the_same_place(world, mode):
    world.script("meta", statuses=mode)
    ask(world)
    assert outbox(world)["status"] == "read"
    assert len(world.sent()) == 1


def test_each_number_is_written_from_with_its_token_and_the_simulator_refuses_any_other(world):
    second = connect_second_number(world)
    ask(world)
    world.receive(whatsapp_message(text("¿hacen envíos?"), number_id=second))
    world.settle()
    assert [sent["number_id"] for sent in world.sent()] == [DEMO_NUMBER_ID, second]
    keys = world.plan.keys
    for number, token, accepted in [
        (DEMO_NUMBER_ID, keys.meta_channel_token, True),
        (DEMO_NUMBER_ID, keys.meta_access_token, False),
        (second, keys.meta_channel_token, False),
        (second, keys.meta_access_token, True),
    ]:
        address = f"{world.plan.url('meta')}/v24.0/{number}"
        assert httpx.get(address, headers={"authorization": f"Bearer {token}"}).is_success == accepted


def test_a_number_that_has_lost_its_token_is_refused_by_the_provider(world):
    world.rows("delete from credentials")
    ask(world)
    assert outbox(world) == {"state": "failed", "error": "100", "attempts": 1, "status": "failed"}
    assert world.sent() == []


@pytest.mark.parametrize("spoil", ["ciphertext", "wrapped_key", "master_keys"])
def test_a_token_that_does_not_open_is_waited_for_and_no_other_is_tried(world, spoil, caplog):
    table = {"ciphertext": "credentials", "wrapped_key": "tenant_keys"}.get(spoil)
    world.receive(whatsapp_message(text("¿hacen envíos?")))
    if table:
        world.rows(f"update {table} set {spoil} = reverse({spoil})")
        world.pump.drain()
        world.rows(f"update {table} set {spoil} = reverse({spoil})")
    else:
        with without_master_keys(world):
            world.pump.drain()
    waiting = {"state": "pending", "error": "credential_unreadable", "attempts": 1, "status": "queued"}
    assert outbox(world) == waiting
    assert (world.sent(), refused(world)) == ([], 0)
    [line] = [record for record in caplog.records if record.getMessage() == "credential unreadable"]
    assert line.levelno == logging.ERROR
    assert line.problem in ("credential_unreadable", "master_key_unknown", "local_key_file_missing")
    world.schedules.fire("cron_recover")
    world.settle()
    assert outbox(world) == waiting, "the delay is not over"
    retry(world)
    assert outbox(world) == {"state": "sent", "error": None, "attempts": 2, "status": "read"}


def test_a_warm_worker_unwraps_a_tenants_key_once(world, monkeypatch):
    real, calls = key_management.unwrap, []
    monkeypatch.setattr(key_management, "unwrap", lambda *given: calls.append(given) or real(*given))
    for _ in range(3):
        ask(world)
    assert (len(world.sent()), len(calls)) == (3, 1)


def test_in_aws_the_key_is_unwrapped_by_kms(world):
    arn = world.cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    variables = world.variables["queue_send"]
    file = variables.pop("LOCAL_KEY_FILE")
    variables["KMS_KEY_ID"] = arn
    # The role of the function names the template's own key, which moto cannot be given.
    role = variables["AWS_ACCESS_KEY_ID"]
    variables["AWS_ACCESS_KEY_ID"] = OPERATOR
    try:
        ask(world)
        assert outbox(world)["error"] == "credential_unreadable"
        wrapped = rewrapped_by_kms(world, arn)
        world.rows("update tenant_keys set wrapped_key = %s", wrapped)
        retry(world)
        assert outbox(world) == {"state": "sent", "error": None, "attempts": 2, "status": "read"}
    finally:
        del variables["KMS_KEY_ID"]
        variables["AWS_ACCESS_KEY_ID"] = role
        variables["LOCAL_KEY_FILE"] = file


def rewrapped_by_kms(world: World, arn: str) -> str:
    """The demo shop's data key, wrapped by the SDK of AWS rather than by us."""
    [row] = world.rows("select wrapped_key from tenant_keys")
    context = {"tenant": world.owner.tenant, "purpose": credentials.PURPOSE}
    with world.as_server():
        key = key_management.unwrap(row["wrapped_key"], context, 1)
    answer = world.cloud.client("kms").encrypt(KeyId=arn, Plaintext=key, EncryptionContext=context)
    return f"kms1 {arn} {base64.b64encode(answer['CiphertextBlob']).decode()}"


def test_neither_log_nor_row_shows_a_token(world, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    ask(world)
    world.rows("update credentials set ciphertext = reverse(ciphertext)")
    ask(world)
    assert len(world.sent()) == 1
    dump = [row["t"] for name in ("outbox", "messages", "inbox", "audit_log", "credentials", "tenant_keys")
            for row in world.rows(f"select to_jsonb(t)::text as t from {name} t")]  # fmt: skip
    output = capsys.readouterr()
    everything = "\n".join(
        [*dump, caplog.text, output.out, output.err, *(json.dumps(vars(r), default=repr) for r in caplog.records)]
    )
    assert "credential unreadable" in everything
    keys = world.plan.keys
    for token in (keys.meta_channel_token, keys.meta_access_token):
        for spelling in (token, base64.b64encode(token.encode()).decode()[:-4], token.encode().hex()):
            assert spelling not in everything
    assert not re.search("EAA[A-Za-z0-9]{60}", everything)


def test_a_worker_that_dies_after_the_message_left_does_not_send_it_again(world, monkeypatch):
    monkeypatch.setattr("functions.queue_send.send_message", lambda *anything: raise_exit())
    ask(world)
    assert (outbox(world)["state"], outbox(world)["attempts"]) == ("unconfirmed", 1)
    monkeypatch.undo()
    world.rows("update outbox set claimed_until = now() - interval '1 second'")
    retry(world)
    assert world.sent() == []
    world.rows("update outbox set dispatched_at = now() - interval '2 hours'")
    [ran] = world.schedules.fire("cron_recover")
    assert ran.payload["given_up"] == 1
    assert outbox(world) == {"state": "failed", "error": "no_status", "attempts": 1, "status": "failed"}


def raise_exit():
    raise SystemExit(137)
