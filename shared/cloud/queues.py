"""Sending to SQS FIFO queues: ids in a sealed envelope, ordered by conversation."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from shared import clock
from shared.cloud import aws
from shared.cloud.envelope import seal
from shared.cloud.parameters import current
from shared.errors import Unavailable
from shared.settings import Secret, Setting, read

MESSAGES_PER_CALL = 10


class Wake(NamedTuple):
    """One message: `ids` say what to look at, `group` keeps the order, `once` names the cause.

    Two messages with the same ids and the same `once` within five minutes are one (SQS deduplication).
    """

    ids: dict[str, str]
    group: str
    once: str


def send(queue: str, wakes: Sequence[Wake], seconds: float) -> None:
    """Send up to ten in one call. `queue` is "reply", "send", "ingest" or "media".

    Raises Unavailable when SQS is away, refuses, or refuses one of them: what was not queued is swept up later.
    """
    url = read(Setting(f"{queue.upper()}_QUEUE_URL"))
    key = current(Secret.QUEUE_KEY)
    entries = [
        {
            "Id": str(place),
            "MessageBody": seal(queue, wake.ids, key, clock.now()),
            "MessageGroupId": wake.group,
            "MessageDeduplicationId": hashlib.sha256(repr((wake.ids, wake.once)).encode()).hexdigest(),
        }
        for place, wake in enumerate(wakes)
    ]
    body = {"QueueUrl": url, "Entries": entries}
    answer = aws.call_json("sqs", _endpoint(url), "AmazonSQS.SendMessageBatch", "1.0", body, seconds)
    if answer.get("Failed"):
        raise Unavailable("sqs_refused")


def _endpoint(queue_url: str) -> str:
    scheme, _, rest = queue_url.partition("://")
    return f"{scheme}://{rest.split('/', 1)[0]}/"
