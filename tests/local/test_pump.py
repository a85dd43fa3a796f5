import hashlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws import Cloud, serve
from local.pump import Pump, build_record, failed_message_ids
from local.runtime import FunctionError, Invocation, failed
from local.template import Ref, Template, load_template

TINY = """
service: shop
provider: {name: aws, runtime: python3.13}
functions:
  pack:
    handler: functions/pack.handler
    events:
      - sqs: {arn: !GetAtt Orders.Arn, batchSize: 10, functionResponseType: ReportBatchItemFailures}
  ship:
    handler: functions/ship.handler
    events:
      - sqs: {arn: !GetAtt Parcels.Arn, batchSize: 2}
resources:
  Resources:
    Orders:
      Type: AWS::SQS::Queue
      Properties:
        FifoQueue: true
        VisibilityTimeout: 600
        RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
    Dead:
      Type: AWS::SQS::Queue
      Properties: {FifoQueue: true}
    Parcels:
      Type: AWS::SQS::Queue
"""
Event = dict[str, Any]


class Functions:
    """Stands for the functions: keeps the bodies of each batch and fails as the test says."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[str]]] = []
        self.records: list[Event] = []
        self.failing: set[str] = set()  # bodies that are reported as failed
        self.error: FunctionError | None = None
        self.arrived = threading.Semaphore(0)

    def invoke(self, function: str, event: Event) -> Invocation:
        records = event["Records"]
        self.records += records
        self.batches.append((function, [record["body"] for record in records]))
        self.arrived.release()
        if self.error:
            return failed("id", 0.0, self.error)
        failures = [{"itemIdentifier": record["messageId"]} for record in records if record["body"] in self.failing]
        return Invocation("id", 0.0, {"batchItemFailures": failures})


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    path = tmp_path_factory.mktemp("project") / "serverless.yml"
    path.write_text(TINY)
    return load_template(path, "test", "sa-east-1", "123456789012")


@pytest.fixture(scope="module")
def shared_cloud(template: Template) -> Iterator[Cloud]:
    with serve() as url:
        yield Cloud(url, template, {})


@pytest.fixture
def cloud(shared_cloud: Cloud) -> Cloud:
    shared_cloud.reset()
    return shared_cloud


@pytest.fixture
def functions() -> Functions:
    return Functions()


@pytest.fixture
def pump(template: Template, functions: Functions, cloud: Cloud) -> Pump:
    return Pump(template, functions.invoke, cloud.client("sqs"), cloud.resolve)


def send(cloud: Cloud, body: str, group: str = "g", **more: Any) -> None:
    url = cloud.resolve(Ref("Orders"))
    cloud.client("sqs").send_message(
        QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=body, **more
    )


def waiting(cloud: Cloud, queue: str) -> tuple[int, int]:
    """How many messages of a queue are visible, and how many are hidden."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = cloud.resolve(Ref(queue))
    attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(attributes[names[0]]), int(attributes[names[1]])


def test_a_batch_is_handed_over_and_deleted(pump: Pump, functions: Functions, cloud: Cloud) -> None:
    for body in ("one", "two", "three"):
        send(cloud, body)
    assert pump.step() == 3
    assert functions.batches == [("pack", ["one", "two", "three"])]
    assert waiting(cloud, "Orders") == (0, 0)
    assert pump.step() == 0


def test_a_record_has_what_lambda_gives(pump: Pump, functions: Functions, cloud: Cloud) -> None:
    attributes = {
        "kind": {"DataType": "String", "StringValue": "x"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\0"},
    }
    send(cloud, "¿Hay arepas?", "tenant", MessageAttributes=attributes)
    pump.step()
    [record] = functions.records
    assert json.loads(json.dumps(record)) == record
    assert record["body"] == "¿Hay arepas?"
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == "arn:aws:sqs:sa-east-1:123456789012:shop-test-orders.fifo"
    assert record["awsRegion"] == "sa-east-1"
    assert record["messageId"]
    assert record["receiptHandle"]
    assert record["md5OfBody"] == hashlib.md5("¿Hay arepas?".encode()).hexdigest()
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["attributes"]["MessageGroupId"] == "tenant"
    assert record["attributes"]["MessageDeduplicationId"] == "¿Hay arepas?"
    assert {"SentTimestamp", "ApproximateFirstReceiveTimestamp", "SequenceNumber", "SenderId"} <= record[
        "attributes"
    ].keys()
    assert record["messageAttributes"] == {
        "kind": {"stringValue": "x", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
        "raw": {"binaryValue": "AA==", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
    }


def test_only_what_failed_comes_back_and_not_before_its_time(pump: Pump, functions: Functions, cloud: Cloud) -> None:
    functions.failing = {"two"}
    send(cloud, "one", "a")
    send(cloud, "two", "b")
    assert pump.step() == 2
    assert waiting(cloud, "Orders") == (0, 1)
    assert pump.step() == 0
    assert pump.drain() == 0


def test_a_failed_message_holds_back_its_group_only(pump: Pump, functions: Functions, cloud: Cloud) -> None:
    functions.failing = {"a1"}
    send(cloud, "a1", "a")
    assert pump.step() == 1
    send(cloud, "a2", "a")
    send(cloud, "b1", "b")
    assert pump.step() == 1
    assert functions.batches[-1] == ("pack", ["b1"])


def test_draining_retries_until_it_succeeds(template: Template, functions: Functions, cloud: Cloud) -> None:
    functions.failing = {"one"}
    send(cloud, "one")
    send(cloud, "two")

    def invoke_and_heal(function: str, event: Event) -> Invocation:
        invocation = functions.invoke(function, event)
        functions.failing = set()
        return invocation

    assert Pump(template, invoke_and_heal, cloud.client("sqs"), cloud.resolve).drain() == 3
    assert functions.batches == [("pack", ["one", "two"]), ("pack", ["one"])]
    assert [record["attributes"]["ApproximateReceiveCount"] for record in functions.records] == ["1", "1", "2"]
    assert waiting(cloud, "Orders") == (0, 0)


def test_what_never_succeeds_ends_in_the_dead_letters(pump: Pump, functions: Functions, cloud: Cloud) -> None:
    functions.failing = {"poison"}
    send(cloud, "poison")
    send(cloud, "fine", "other")
    assert pump.drain() == 4
    assert waiting(cloud, "Orders") == (0, 0)
    assert waiting(cloud, "Dead") == (1, 0)


def test_an_error_fails_the_whole_batch(pump: Pump, functions: Functions, cloud: Cloud) -> None:
    functions.error = FunctionError("LookupError", "no such order")
    send(cloud, "one", "a")
    send(cloud, "two", "b")
    assert pump.step() == 2
    assert waiting(cloud, "Orders") == (0, 2)


def test_draining_stops_after_its_rounds(pump: Pump, functions: Functions, cloud: Cloud) -> None:
    functions.failing = {"one"}
    send(cloud, "one")
    assert pump.drain(max_rounds=2) == 2
    assert waiting(cloud, "Orders") == (1, 0)


def test_a_shorter_delay_can_be_asked_for(template: Template, functions: Functions, cloud: Cloud) -> None:
    pump = Pump(template, functions.invoke, cloud.client("sqs"), cloud.resolve, retry_seconds=0)
    functions.failing = {"one"}
    send(cloud, "one")
    assert [pump.step(), pump.step()] == [1, 1]


def test_the_batch_size_is_the_templates_and_every_queue_has_its_turn(
    pump: Pump, functions: Functions, cloud: Cloud
) -> None:
    send(cloud, "order")
    for body in ("1", "2", "3"):
        cloud.client("sqs").send_message(QueueUrl=cloud.resolve(Ref("Parcels")), MessageBody=body)
    assert pump.drain() == 4
    assert functions.batches == [("pack", ["order"]), ("ship", ["1", "2"]), ("ship", ["3"])]


def test_running_hands_over_what_comes_until_it_is_stopped(pump: Pump, functions: Functions, cloud: Cloud) -> None:
    stop, poke = threading.Event(), threading.Event()
    thread = threading.Thread(target=pump.run, args=(stop, poke))
    thread.start()
    try:
        for body in ("one", "two"):
            send(cloud, body, body)
            poke.set()
            assert functions.arrived.acquire(timeout=10)
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
    assert [bodies for _, bodies in functions.batches] == [["one"], ["two"]]
    assert waiting(cloud, "Orders") == (0, 0)


MESSAGES = [{"MessageId": "1"}, {"MessageId": "2"}]


@pytest.mark.parametrize(
    ("answer", "failed_ids"),
    [
        (None, set()),
        ({}, set()),
        ("", set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": None}, set()),
        ({"other": 1}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "2"}]}, {"2"}),
        ({"batchItemFailures": [{"itemIdentifier": "3"}]}, {"1", "2"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"1", "2"}),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, {"1", "2"}),
        ({"batchItemFailures": [{"itemIdentifier": ["1"]}]}, {"1", "2"}),
        ({"batchItemFailures": [{"id": "1"}]}, {"1", "2"}),
        ({"batchItemFailures": ["1"]}, {"1", "2"}),
        ({"batchItemFailures": 1}, {"1", "2"}),
        ("words", {"1", "2"}),
        ([1], {"1", "2"}),
    ],
)
def test_what_an_answer_says_about_the_batch(answer: Any, failed_ids: set[str]) -> None:
    assert failed_message_ids(Invocation("id", 0.0, answer), MESSAGES, report_batch_item_failures=True) == failed_ids


def test_without_partial_failures_only_an_error_counts() -> None:
    answer = Invocation("id", 0.0, {"batchItemFailures": [{"itemIdentifier": "1"}]})
    assert failed_message_ids(answer, MESSAGES, report_batch_item_failures=False) == set()
    error = failed("id", 0.0, FunctionError("LookupError", ""))
    assert failed_message_ids(error, MESSAGES, report_batch_item_failures=False) == {"1", "2"}


def test_a_message_without_attributes_is_a_record() -> None:
    message = {"MessageId": "1", "ReceiptHandle": "r", "Body": "b", "Attributes": {}, "MD5OfBody": "m"}
    assert build_record(message, "arn", "sa-east-1")["messageAttributes"] == {}
