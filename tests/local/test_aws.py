import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from local.aws import Cloud, serve
from local.template import GetAtt, Ref, Template, TemplateError, load_template

TINY = """
service: shop
provider: {name: aws, runtime: python3.13}
functions:
  tidy:
    handler: functions/tidy.handler
    events:
      - schedule: {rate: rate(1 minute), input: {key: "Bearer {{resolve:ssm:/shop/${sls:stage}/TRIGGER}}"}}
resources:
  Resources:
    Orders:
      Type: AWS::SQS::Queue
      Properties:
        QueueName: orders.fifo
        FifoQueue: true
        VisibilityTimeout: 77
        RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}
    Dead:
      Type: AWS::SQS::Queue
      Properties: {QueueName: dead.fifo, FifoQueue: true}
    Files:
      Type: AWS::S3::Bucket
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    path = tmp_path_factory.mktemp("project") / "serverless.yml"
    path.write_text(TINY)
    return load_template(path, "test", "sa-east-1", "123456789012")


@pytest.fixture(scope="module")
def shared_cloud(template: Template) -> Iterator[Cloud]:
    with serve() as url:
        yield Cloud(url, template, {"KEY": "secret", "TRIGGER": "plain"})


@pytest.fixture
def cloud(shared_cloud: Cloud) -> Cloud:
    shared_cloud.reset()
    return shared_cloud


def test_a_queue_has_the_properties_of_the_template(cloud: Cloud) -> None:
    url = cloud.resolve(Ref("Orders"))
    attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["QueueArn"] == cloud.resolve(GetAtt("Orders", "Arn"))
    assert attributes["FifoQueue"] == "true"
    assert attributes["VisibilityTimeout"] == "77"
    assert json.loads(attributes["RedrivePolicy"]) == {
        "deadLetterTargetArn": cloud.resolve(GetAtt("Dead", "Arn")),
        "maxReceiveCount": 2,
    }


def test_a_message_received_too_often_moves_to_the_dead_letters(cloud: Cloud) -> None:
    sqs, url = cloud.client("sqs"), cloud.resolve(Ref("Orders"))
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="1")
    for _ in range(2):
        assert len(sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]) == 1
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    [dead] = sqs.receive_message(QueueUrl=cloud.resolve(Ref("Dead")))["Messages"]
    assert dead["Body"] == "x"


def test_parameters_are_secure_except_those_that_a_schedule_names(cloud: Cloud) -> None:
    ssm = cloud.client("ssm")
    key = ssm.get_parameter(Name="/shop/test/KEY", WithDecryption=True)["Parameter"]
    trigger = ssm.get_parameter(Name="/shop/test/TRIGGER")["Parameter"]
    assert (key["Type"], key["Value"]) == ("SecureString", "secret")
    assert (trigger["Type"], trigger["Value"]) == ("String", "plain")


def test_files_and_keys_work(cloud: Cloud) -> None:
    s3, kms = cloud.client("s3"), cloud.client("kms")
    bucket = cloud.resolve(Ref("Files"))
    s3.put_object(Bucket=bucket, Key="menú del día.txt", Body=b"arepa")
    assert s3.get_object(Bucket=bucket, Key="menú del día.txt")["Body"].read() == b"arepa"
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert kms.decrypt(CiphertextBlob=kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"])["Plaintext"] == b"x"


def test_reset_forgets_what_happened(cloud: Cloud) -> None:
    sqs, s3, url = cloud.client("sqs"), cloud.client("s3"), cloud.resolve(Ref("Orders"))
    bucket = cloud.resolve(Ref("Files"))
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="1")
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    cloud.reset()
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="a")
    sqs.send_message(QueueUrl=url, MessageBody="y", MessageGroupId="g", MessageDeduplicationId="1")
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "y"


def test_a_new_server_is_empty(cloud: Cloud) -> None:
    with serve() as url:
        assert "QueueUrls" not in Cloud(url, cloud.template, {}).client("sqs").list_queues()


@pytest.mark.parametrize("value", [Ref("Nothing"), GetAtt("Nothing", "Arn"), GetAtt("Orders", "Colour")])
def test_what_does_not_exist_is_not_resolved(cloud: Cloud, value: Ref | GetAtt) -> None:
    with pytest.raises(TemplateError, match=value.name):
        cloud.resolve(value)


def test_names_are_known_before_the_server_runs(template: Template) -> None:
    cloud = Cloud("http://127.0.0.1:9", template, {})
    assert cloud.resolve(Ref("Orders")) == "http://127.0.0.1:9/123456789012/orders.fifo"
    assert cloud.resolve(GetAtt("Files", "Arn")) == "arn:aws:s3:::shop-test-files"
