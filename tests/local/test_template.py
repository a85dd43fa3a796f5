from pathlib import Path

import pytest

from local.template import (
    EventSource,
    GetAtt,
    Ref,
    Route,
    Schedule,
    Template,
    TemplateError,
    load_template,
)

PROJECT = Path(__file__).resolve().parents[2]
TINY = """
service: shop
params:
  default: {url: https://shop.example, size: 3, endpoint: "https://${sls:stage}.example"}
  prod: {size: 20}
provider:
  name: aws
  runtime: python3.13
  stage: ${opt:stage, 'dev'}
  region: ${opt:region, 'eu-west-1'}
  memorySize: 512
  timeout: 10
  environment: {STAGE: "${sls:stage}", PREFIX: "/shop/${sls:stage}"}
functions:
  order:
    handler: functions/order.handler
    timeout: 5
    reservedConcurrency: ${param:concurrency, null}
    environment:
      SHOP_URL: ${param:url}
      ENDPOINT: ${param:endpoint}
      SIZE: ${param:size}
      STRICT: true
      QUEUE_URL: !Ref Orders
      QUEUE_ARN: !GetAtt Orders.Arn
      FILES: !Sub "s3://${Files}/${sls:stage}/${AWS::Region}/${AWS::AccountId}/${!Literal}/${Orders.Arn}"
    events:
      - httpApi: POST /order
      - httpApi: {method: get, path: /order}
      - schedule: rate(5 minutes)
      - schedule: {rate: "cron(0 4 * * ? *)", input: {stage: "${sls:stage}"}}
  ship:
    handler: functions/ship.handler
    memorySize: 256
    events:
      - sqs: {arn: !GetAtt Orders.Arn, batchSize: 5, functionResponseType: ReportBatchItemFailures}
resources:
  Resources:
    Orders:
      Type: AWS::SQS::Queue
      Properties: {QueueName: "shop-${sls:stage}.fifo", FifoQueue: true}
    Parcels:
      Type: AWS::SQS::Queue
    Files:
      Type: AWS::S3::Bucket
    Alarm:
      Type: AWS::CloudWatch::Alarm
      Properties: {AlarmActions: [!If [HasTopic, !Ref Topic, !Ref "AWS::NoValue"]]}
"""


def load(tmp_path: Path, text: str, stage: str = "test") -> Template:
    path = tmp_path / "serverless.yml"
    path.write_text(text, encoding="utf-8")
    return load_template(path, stage, "sa-east-1", "123456789012")


def resolve(value: Ref | GetAtt) -> str:
    return f"<{value.name}>" if isinstance(value, Ref) else f"<{value.name} {value.attribute}>"


def test_functions_take_the_providers_defaults_and_their_own_values(tmp_path: Path) -> None:
    template = load(tmp_path, TINY)
    order, ship = template.functions["order"], template.functions["ship"]
    assert (order.handler, order.timeout, order.memory, order.concurrency) == ("functions/order.handler", 5, 512, None)
    assert (ship.timeout, ship.memory) == (10, 256)
    assert template.deployed_name("order") == "shop-test-order"


def test_events_become_routes_sources_and_schedules(tmp_path: Path) -> None:
    template = load(tmp_path, TINY)
    assert template.routes == [Route("POST", "/order", "order"), Route("GET", "/order", "order")]
    assert template.event_sources == [EventSource("ship", "Orders", 5, True, None)]
    assert template.schedules == [
        Schedule("order", "rate(5 minutes)", None),
        Schedule("order", "cron(0 4 * * ? *)", {"stage": "test"}),
    ]


def test_queues_and_buckets_without_a_name_get_one(tmp_path: Path) -> None:
    template = load(tmp_path, TINY)
    assert {queue.name for queue in template.queues.values()} == {"shop-test.fifo", "shop-test-parcels"}
    assert template.buckets["Files"].name == "shop-test-files"


def test_a_function_gets_its_own_names_and_those_of_lambda_only(tmp_path: Path) -> None:
    template = load(tmp_path, TINY)
    environment = template.environment_for(
        "order", resolve, {"SHOP_URL": "http://127.0.0.1:1", "OTHER": "x"}, "http://aws"
    )
    own = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    assert own == {
        "STAGE": "test",
        "PREFIX": "/shop/test",
        "SHOP_URL": "http://127.0.0.1:1",
        "ENDPOINT": "https://test.example",
        "SIZE": "3",
        "STRICT": "true",
        "QUEUE_URL": "<Orders>",
        "QUEUE_ARN": "<Orders Arn>",
        "FILES": "s3://<Files>/test/sa-east-1/123456789012/${Literal}/<Orders Arn>",
    }
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "shop-test-order"
    assert environment["AWS_ENDPOINT_URL"] == "http://aws"
    assert "SHOP_URL" not in template.environment_for("ship", resolve, {"SHOP_URL": "x"}, "http://aws")


def test_a_local_name_stands_in_for_one_that_has_no_use_here(tmp_path: Path) -> None:
    template = load(tmp_path, TINY.replace("STRICT: true", "KMS_KEY_ID: !GetAtt MasterKey.Arn"))
    given = template.environment_for("order", resolve, {"LOCAL_KEY_FILE": "/keys"}, "http://aws")
    assert given["LOCAL_KEY_FILE"] == "/keys"
    assert "KMS_KEY_ID" not in given
    assert template.environment_for("order", resolve, {}, "http://aws")["KMS_KEY_ID"] == "<MasterKey Arn>"
    assert "LOCAL_KEY_FILE" not in template.environment_for("ship", resolve, {"LOCAL_KEY_FILE": "/keys"}, "http://aws")


def test_a_stages_parameters_win_over_the_default_ones(tmp_path: Path) -> None:
    assert load(tmp_path, TINY, "prod").functions["order"].environment["SIZE"] == "20"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("${param:url}", "${param:nothing}", "param:nothing"),
        ("${param:url}", "${env:HOME}", "env:HOME"),
        ("${param:url}", "${ssm:/a/b}", "ssm:/a/b"),
        ("${param:url}", "${file(./x.yml):name}", "file(./x.yml):name"),
        ("!Ref Orders", "!Join ['', [a, b]]", "!Join"),
        ("!Ref Orders", "{Fn::GetAtt: [Orders, Arn]}", "Fn::GetAtt"),
        ("httpApi: POST /order", "httpApi: {method: POST, path: '/order/{id}'}", "/order/{id}"),
        ("httpApi: POST /order", "httpApi: '*'", "httpApi"),
        ("httpApi: POST /order", "s3: bucket", "s3"),
        ("httpApi: POST /order", "schedule: {rate: rate(1 day), inputPath: $.x}", "inputPath"),
        ("batchSize: 5", "filterPatterns: []", "filterPatterns"),
        ("arn: !GetAtt Orders.Arn", "arn: !GetAtt Nowhere.Arn", "Nowhere"),
        ("service: shop", "name: shop", "no service"),
        ("service: shop", "service: [", "not valid YAML"),
    ],
)
def test_what_is_not_understood_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in TINY
    with pytest.raises(TemplateError) as raised:
        load(tmp_path, TINY.replace(old, new))
    assert named in str(raised.value)


def test_the_projects_own_file_is_understood() -> None:
    text = (PROJECT / "serverless.yml").read_text(encoding="utf-8")
    template = load_template(PROJECT / "serverless.yml", "local", "sa-east-1", "123456789012")
    assert len(template.routes) == text.count("- httpApi:")
    assert len(template.event_sources) == text.count("- sqs:")
    assert len(template.schedules) == text.count("- schedule:")
    assert len(template.queues) == text.count("Type: AWS::SQS::Queue\n")
    assert len(template.buckets) == text.count("Type: AWS::S3::Bucket\n")
    assert len(template.functions) == text.count("    handler:")
    assert Route("POST", "/webhook/meta", "webhook_meta") in template.routes
    assert {source.queue for source in template.event_sources} <= template.queues.keys()
    for function in template.functions:
        environment = template.environment_for(function, resolve, {}, "http://aws")
        assert all(isinstance(value, str) for value in environment.values())
