"""The webhook that is measured is the one that is said to be: 4 KB, signed, one message for each id."""

import hashlib
import hmac
import json

from bench.peers.events import APP_SECRET, SIZE, body_of, event, fresh_id, sign


def test_a_body_has_its_size_to_the_byte_and_its_messages():
    ids = [fresh_id(), fresh_id()]
    raw = body_of(*ids)
    assert len(raw) == SIZE
    (change,) = json.loads(raw)["entry"][0]["changes"]
    assert [message["id"] for message in change["value"]["messages"]] == ids


def test_an_event_carries_the_signature_of_its_bytes():
    raw = body_of(fresh_id())
    expected = hmac.new(APP_SECRET.encode(), raw, hashlib.sha256).hexdigest()
    assert event(raw)["headers"]["x-hub-signature-256"] == f"sha256={expected}"
    assert sign(raw, "other") != sign(raw)
    assert "x-hub-signature-256" not in event(raw, {})["headers"]
