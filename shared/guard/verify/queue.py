"""Records of our own queues: the declared queue's ARN, and a MAC over the envelope (shared/cloud/envelope.py)."""

import hmac
import json
import re
from collections.abc import Sequence
from typing import Any

from shared.errors import Refused
from shared.guard.verify.constant_time import find_match

_ENVELOPE = re.compile(r"([0-9a-f]{64})\.(\{.{1,2000}\})", re.DOTALL)


def verify_record(record: Any, queue: str, queue_arn: str, keys: Sequence[str]) -> dict[str, str]:
    """The ids inside one SQS record.

    Raises Refused: `queue_foreign` (another source or ARN), `envelope_malformed`, `envelope_wrong` (no live key signs
    it), `envelope_misplaced` (signed for another queue).
    """
    if (
        not isinstance(record, dict)
        or record.get("eventSource") != "aws:sqs"
        or record.get("eventSourceARN") != queue_arn
    ):
        raise Refused("queue_foreign", 403)
    found = _ENVELOPE.fullmatch(record.get("body") or "")
    if found is None:
        raise Refused("envelope_malformed", 403)
    given, payload = found.groups()
    signed = payload.encode("utf-8", "surrogatepass")
    macs = (hmac.new(key.encode(), signed, "sha256").hexdigest().encode() if key else b"" for key in keys)
    if find_match(given.encode(), macs) is None:
        raise Refused("envelope_wrong", 403)
    envelope = json.loads(payload)
    if envelope["queue"] != queue:
        raise Refused("envelope_misplaced", 403)
    ids: dict[str, str] = envelope["ids"]
    return ids
