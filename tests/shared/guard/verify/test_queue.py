import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cloud.envelope import seal
from shared.errors import Refused
from shared.guard.verify.queue import verify_record

ARN = "arn:aws:sqs:sa-east-1:123456789012:portero-test-reply.fifo"
IDS = {"tenant": "t", "conversation": "c"}


def record(**change: object) -> dict[str, object]:
    good = {"eventSource": "aws:sqs", "eventSourceARN": ARN, "body": seal("reply", IDS, "key", 1_700_000_000)}
    return good | change


def test_a_sealed_record_gives_its_ids_under_the_new_key_and_the_one_before():
    assert verify_record(record(), "reply", ARN, ["key"]) == IDS
    assert verify_record(record(), "reply", ARN, ["next", "key"]) == IDS


@pytest.mark.parametrize(
    ("change", "keys", "name"),
    [
        ({"eventSourceARN": ARN + "x"}, ["key"], "queue_foreign"),
        ({"eventSource": "aws:sns"}, ["key"], "queue_foreign"),
        ({"body": json.dumps({"ids": IDS})}, ["key"], "envelope_malformed"),
        ({"body": None}, ["key"], "envelope_malformed"),
        ({"body": seal("reply", IDS, "other", 0)}, ["key"], "envelope_wrong"),
        ({"body": seal("reply", IDS, "", 0)}, [""], "envelope_wrong"),
        ({"body": seal("send", IDS, "key", 0)}, ["key"], "envelope_misplaced"),
        ({}, [], "envelope_wrong"),
    ],
)
def test_anything_else_is_refused(change, keys, name):
    assert verify_record(record(), "reply", ARN, ["key"]) == IDS
    with pytest.raises(Refused) as caught:
        verify_record(record(**change), "reply", ARN, keys)
    assert caught.value.name == name


@given(st.text())
def test_no_text_is_an_envelope_without_the_key(body):
    with pytest.raises(Refused):
        verify_record(record(body=body), "reply", ARN, ["key"])
