"""Lambda's event source mapping for SQS: what receives from the queues, invokes the functions and deletes.

The queue itself does the rest: it hides a received message for its visibility timeout, keeps the order in a FIFO
group by holding back the group while one of its messages is hidden, and moves a message to the dead letter queue
when it has been received `maxReceiveCount` times.
"""

import base64
import threading
import traceback
from collections.abc import Callable
from typing import Any

from local.runtime import Invocation, Invoke
from local.template import EventSource, GetAtt, Ref, Resolve, Template

POLL_SECONDS = 0.25
BATCHES_AT_ONCE = 2


class Pump:
    """Feeds the functions of the template from their queues.

    `sqs` is a boto3 client, `resolve` gives queue URLs and ARNs. Failed messages come back after the queue's
    visibility timeout, as in AWS, or after `retry_seconds` (whole seconds) if that is given. `has_messages` tells by a
    queue's name whether a receive could return anything; it saves the request where the queues are in this process.
    """

    def __init__(
        self,
        template: Template,
        invoke: Invoke,
        sqs: Any,
        resolve: Resolve,
        retry_seconds: int | None = None,
        has_messages: Callable[[str], bool] = lambda queue_name: True,
    ) -> None:
        self._template = template
        self._invoke = invoke
        self._sqs = sqs
        self._resolve = resolve
        self._retry_seconds = retry_seconds
        self._has_messages = has_messages

    def step(self) -> int:
        """Hand over one batch from each queue that has messages. Answers the number of records handed over."""
        return sum(self._step(source, self._retry_seconds) for source in self._template.event_sources)

    def drain(self, max_rounds: int = 100, retry_at_once: bool = True) -> int:
        """Hand over batches until no message is visible, at most `max_rounds` from each queue.

        With `retry_at_once` a failed message is visible again immediately, so that it is tried until it succeeds or
        ends in the dead letter queue. Answers the number of records handed over, counting each try.
        """
        retry_seconds = 0 if retry_at_once else self._retry_seconds
        total = 0
        for _ in range(max_rounds):
            handed_over = sum(self._step(source, retry_seconds) for source in self._template.event_sources)
            if handed_over == 0:
                break
            total += handed_over
        return total

    def run(self, stop: threading.Event, poke: threading.Event) -> None:
        """Hand over messages until `stop` is set: every quarter of a second, and at once
        when `poke` is set or after a batch.

        Each queue has up to two batches under way (fewer if `maximumConcurrency` says so), of different groups.
        """
        workers = [
            threading.Thread(target=self._work, args=(source, stop, poke), name=f"pump {source.queue}", daemon=True)
            for source in self._template.event_sources
            for _ in range(min(source.maximum_concurrency or BATCHES_AT_ONCE, BATCHES_AT_ONCE))
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def _work(self, source: EventSource, stop: threading.Event, poke: threading.Event) -> None:
        while not stop.is_set():
            try:
                handed_over = self._step(source, self._retry_seconds)
            except Exception:  # the queue is away for a moment: print why, and go on
                traceback.print_exc()
                stop.wait(1)
                continue
            if handed_over:
                poke.set()  # the function may have fed another queue
            else:
                poke.wait(POLL_SECONDS)
                poke.clear()

    def _step(self, source: EventSource, retry_seconds: int | None) -> int:
        if not self._has_messages(self._template.queues[source.queue].name):
            return 0
        queue_url = self._resolve(Ref(source.queue))
        messages = self._sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=min(source.batch_size, 10),
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        if not messages:
            return 0
        arn = self._resolve(GetAtt(source.queue, "Arn"))
        event = {"Records": [build_record(message, arn, self._template.region) for message in messages]}
        failed = failed_message_ids(self._invoke(source.function, event), messages, source.report_batch_item_failures)
        self._delete(queue_url, [message for message in messages if message["MessageId"] not in failed])
        if retry_seconds is not None:
            self._hide(queue_url, [message for message in messages if message["MessageId"] in failed], retry_seconds)
        return len(messages)

    def _delete(self, queue_url: str, messages: list[dict[str, Any]]) -> None:
        if messages:
            entries = [{"Id": message["MessageId"], "ReceiptHandle": message["ReceiptHandle"]} for message in messages]
            self._sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)

    def _hide(self, queue_url: str, messages: list[dict[str, Any]], seconds: int) -> None:
        for message in messages:
            self._sqs.change_message_visibility(
                QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
            )


def build_record(message: dict[str, Any], queue_arn: str, region: str) -> dict[str, Any]:
    """One record of Lambda's SQS event, from a message as ReceiveMessage gives it."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message["Attributes"]),
        "messageAttributes": {
            name: _message_attribute(value) for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }


def failed_message_ids(
    invocation: Invocation, messages: list[dict[str, Any]], report_batch_item_failures: bool
) -> set[str]:
    """Which messages of the batch are to be tried again.

    All of them after an error; without ReportBatchItemFailures else none. With it, those that the answer names: none
    for an empty answer, all for an answer of another shape or one that names a message that was not in the batch.
    """
    everything = {message["MessageId"] for message in messages}
    if invocation.error is not None:
        return everything
    if not report_batch_item_failures or not invocation.payload:
        return set()
    try:
        failures = invocation.payload.get("batchItemFailures") or []
        named = {failure["itemIdentifier"] for failure in failures}
    except (AttributeError, KeyError, TypeError):
        return everything
    return named if named <= everything else everything


def _message_attribute(value: dict[str, Any]) -> dict[str, Any]:
    attribute = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        attribute["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        attribute["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return attribute
