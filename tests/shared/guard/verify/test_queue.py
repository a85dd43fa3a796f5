import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.plan import PROJECT
from local.template import load_template
from shared.cloud.envelope import seal
from shared.errors import Refused
from shared.guard.verify.queue import MAX_AGE_SECONDS, MAX_SKEW_SECONDS, verify_record

ARN = "arn:aws:sqs:sa-east-1:123456789012:portero-test-reply.fifo"
NOW = 1_700_000_000
IDS = {"tenant": "t", "conversation": "c"}


def record(**change: object) -> dict[str, object]:
    good = {"eventSource": "aws:sqs", "eventSourceARN": ARN, "body": seal("reply", IDS, "key", NOW)}
    return good | change


def test_a_sealed_record_gives_its_ids_under_the_new_key_and_the_one_before():
    assert verify_record(record(), "reply", ARN, ["key"], NOW) == IDS
    assert verify_record(record(), "reply", ARN, ["next", "key"], NOW) == IDS


@pytest.mark.parametrize(
    ("change", "keys", "name"),
    [
        ({"eventSourceARN": ARN + "x"}, ["key"], "queue_foreign"),
        ({"eventSource": "aws:sns"}, ["key"], "queue_foreign"),
        ({"body": json.dumps({"ids": IDS})}, ["key"], "envelope_malformed"),
        ({"body": None}, ["key"], "envelope_malformed"),
        ({"body": seal("reply", IDS, "other", NOW)}, ["key"], "envelope_wrong"),
        ({"body": seal("reply", IDS, "", NOW)}, [""], "envelope_wrong"),
        ({"body": seal("send", IDS, "key", NOW)}, ["key"], "envelope_misplaced"),
        ({"body": 5}, ["key"], "envelope_malformed"),
        ({"body": ["x"]}, ["key"], "envelope_malformed"),
        ({}, [], "envelope_wrong"),
    ],
)
def test_anything_else_is_refused(change, keys, name):
    assert verify_record(record(), "reply", ARN, ["key"], NOW) == IDS
    with pytest.raises(Refused) as caught:
        verify_record(record(**change), "reply", ARN, keys, NOW)
    assert caught.value.name == name


@given(st.text())
def test_no_text_is_an_envelope_without_the_key(body):
    with pytest.raises(Refused):
        verify_record(record(body=body), "reply", ARN, ["key"], NOW)


def seal_payload(payload: object) -> str:
    text = json.dumps(payload)
    return f"{hmac.new(b'key', text.encode(), 'sha256').hexdigest()}.{text}"


def test_envelope_without_a_time_is_refused():
    assert verify_record(record(), "reply", ARN, ["key"], NOW) == IDS
    with pytest.raises(Refused, match="envelope_malformed"):
        verify_record(record(body=seal_payload({"queue": "reply", "ids": IDS})), "reply", ARN, ["key"], NOW)


@pytest.mark.parametrize(
    ("sent_at", "name"),
    [
        (NOW, None),
        (NOW + MAX_SKEW_SECONDS, None),
        (NOW + MAX_SKEW_SECONDS + 1, "envelope_from_future"),
        (NOW - MAX_AGE_SECONDS, None),
        (NOW - MAX_AGE_SECONDS - 1, "envelope_expired"),
        (0, "envelope_expired"),
        (str(NOW), "envelope_malformed"),
        (float(NOW), "envelope_malformed"),
        (True, "envelope_malformed"),
        (None, "envelope_malformed"),
    ],
)
def test_envelope_outside_its_time_is_refused(sent_at, name):
    sealed = record(body=seal_payload({"queue": "reply", "at": sent_at, "ids": IDS}))
    if name is None:
        assert verify_record(sealed, "reply", ARN, ["key"], NOW) == IDS
        return
    with pytest.raises(Refused) as caught:
        verify_record(sealed, "reply", ARN, ["key"], NOW)
    assert caught.value.name == name


def test_envelope_lives_as_long_as_its_queues_keep_it():
    template = load_template(PROJECT / "serverless.yml", "prod", "sa-east-1", "123456789012")
    default = 4 * 86_400
    kept = {
        name: int(queue.properties.get("MessageRetentionPeriod", default)) for name, queue in template.queues.items()
    }
    for source in template.event_sources:
        policy = template.queues[source.queue].properties["RedrivePolicy"]
        dead = kept[policy["deadLetterTargetArn"].name]
        assert 2 * kept[source.queue] + dead <= MAX_AGE_SECONDS
