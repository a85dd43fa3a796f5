"""Records of our own queues: the declared queue's ARN, and a MAC over the envelope (shared/cloud/envelope.py)."""

import hmac
import json
import re
from collections.abc import Sequence
from typing import Any

from shared.errors import Refused
from shared.guard.verify.constant_time import find_match

# Seconds. The clock of the sender may be ahead of the reader's by so much.
MAX_SKEW_SECONDS = 60
# Seconds. An envelope lives four days in its queue, fourteen in the dead-letter queue, and four again after a redrive
# (a FIFO queue counts a message's age from its last move). SQS has deleted an older one, so it can only be a replay.
MAX_AGE_SECONDS = (4 + 14 + 4) * 86_400

_ENVELOPE = re.compile(r"([0-9a-f]{64})\.(\{.{1,2000}\})", re.DOTALL)


def verify_record(record: Any, queue: str, queue_arn: str, keys: Sequence[str], now: float) -> dict[str, str]:
    """Return the ids inside one SQS record. `now` in seconds since the epoch.

    Raises Refused: `queue_foreign` (another source or ARN), `envelope_malformed`, `envelope_wrong` (no valid key signs
    it), `envelope_misplaced` (signed for another queue), `envelope_from_future`, `envelope_expired`.
    """
    if (
        not isinstance(record, dict)
        or record.get("eventSource") != "aws:sqs"
        or record.get("eventSourceARN") != queue_arn
    ):
        raise Refused("queue_foreign", 403)
    body = record.get("body")
    match = _ENVELOPE.fullmatch(body) if isinstance(body, str) else None
    if match is None:
        raise Refused("envelope_malformed", 403)
    given, payload = match.groups()
    signed = payload.encode("utf-8", "surrogatepass")
    macs = (hmac.new(key.encode(), signed, "sha256").hexdigest().encode() if key else b"" for key in keys)
    if find_match(given.encode(), macs) is None:
        raise Refused("envelope_wrong", 403)
    envelope = json.loads(payload)
    if envelope["queue"] != queue:
        raise Refused("envelope_misplaced", 403)
    sent_at = envelope.get("at")
    if type(sent_at) is not int:
        raise Refused("envelope_malformed", 403)
    if sent_at > now + MAX_SKEW_SECONDS:
        raise Refused("envelope_from_future", 403)
    if now - sent_at > MAX_AGE_SECONDS:
        raise Refused("envelope_expired", 403)
    ids: dict[str, str] = envelope["ids"]
    return ids
