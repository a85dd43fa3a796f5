"""A small deployment that keeps every rule, and for each rule changes that break it and what is said then."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from scripts.deployment.closure import Guard
from scripts.deployment.rules import RULES
from scripts.deployment.template import Deployment

SECRET_INPUT = '{"authorization": "Bearer {{resolve:ssm:/shop/prod/CRON_TRIGGER}}"}'
TOPIC = [{"Ref": "Topic"}]
Change = Callable[[dict[str, Any]], None]


def arn(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, "Arn"]}


def allow(*actions: str, on: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on}


def decrypt(*keys: Any) -> dict[str, Any]:
    return allow("kms:Decrypt", on=[*keys]) | {"Condition": {"StringEquals": {"kms:EncryptionContext:purpose": "one"}}}


def secret(name: str) -> dict[str, str]:
    return {"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/shop/prod/" + name}


def role(*statements: dict[str, Any]) -> dict[str, Any]:
    trust = {"Statement": [{"Principal": {"Service": ["lambda.amazonaws.com"]}, "Action": ["sts:AssumeRole"]}]}
    policy = {"PolicyName": "all", "PolicyDocument": {"Statement": [*statements]}}
    return {"AssumeRolePolicyDocument": trust, "Policies": [policy], "ManagedPolicyArns": []}


def function(name: str, logical: str, timeout: int, variables: dict[str, Any], reserved: int | None) -> dict[str, Any]:
    properties = {
        "FunctionName": f"shop-prod-{name}",
        "Handler": f"functions/{name}.handler",
        "Runtime": "python3.13",
        "Architectures": ["arm64"],
        "Code": {"S3Key": f"some/where/{name}.zip"},
        "Timeout": timeout,
        "TracingConfig": {"Mode": "Active"},
        "Environment": {"Variables": {"STAGE": "prod", **variables}},
        "Role": arn(f"{logical}Role"),
    }
    return properties if reserved is None else properties | {"ReservedConcurrentExecutions": reserved}


def alarm(metric: str, name: str, dimension: str) -> dict[str, Any]:
    dimensions = [{"Name": dimension, "Value": {"Ref": name}}] if dimension else []
    return {"MetricName": metric, "Dimensions": dimensions, "Threshold": 0, "AlarmActions": TOPIC}


def own(metric: str, dimension: str, value: str) -> dict[str, Any]:
    return {"Namespace": "shop/prod", "MetricName": metric, "Dimensions": [{"Name": dimension, "Value": value}]}


def alarms() -> dict[str, tuple[str, dict[str, Any]]]:
    watched = {
        "HookErrors": alarm("Errors", "Hook", "FunctionName"),
        "WorkErrors": alarm("Errors", "Work", "FunctionName"),
        "ParseErrors": alarm("Errors", "Parse", "FunctionName"),
        "SweepErrors": alarm("Errors", "Sweep", "FunctionName"),
        "ApiFaults": alarm("5xx", "Api", "ApiId"),
        "DeadAlarm": alarm("ApproximateNumberOfMessagesVisible", "Dead", "QueueName"),
        "FailuresAlarm": alarm("ApproximateNumberOfMessagesVisible", "Failures", "QueueName"),
        "RefusalsAlarm": {
            "Metrics": [
                {"Id": "refusals", "MetricStat": {"Metric": own("refusals", "function", "webhook_hook")}},
                {"Id": "calls", "MetricStat": {"Metric": own("calls", "function", "webhook_hook")}},
                {"Id": "share", "Expression": "refusals / calls"},
            ],
            "Threshold": 0.2,
            "AlarmActions": TOPIC,
        },
        "CronRefusedAlarm": {**own("refusals", "guard", "cron"), "Threshold": 0, "AlarmActions": TOPIC},
    }
    return {name: ("CloudWatch::Alarm", properties) for name, properties in watched.items()}


def good() -> dict[str, dict[str, Any]]:
    """A webhook that feeds a queue, the queue's worker, a function that only the worker invokes, a cron function."""
    logs = allow("logs:PutLogEvents", on=[{"Fn::Sub": "arn:...:log-group:/aws/lambda/x:*:*"}])
    xray = allow("xray:PutTraceSegments", on="*")
    receive = allow("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", on=[arn("Jobs")])
    resources: dict[str, tuple[str, dict[str, Any]]] = {
        "Hook": ("Lambda::Function", function("webhook_hook", "Hook", 5, {"JOBS_URL": {"Ref": "Jobs"}}, 20)),
        "HookRole": (
            "IAM::Role",
            role(
                logs, xray, allow("ssm:GetParameters", on=[secret("A_KEY")]), allow("sqs:SendMessage", on=arn("Jobs"))
            ),
        ),
        "Work": (
            "Lambda::Function",
            function(
                "queue_work",
                "Work",
                10,
                {"FILE_BUCKET": {"Ref": "Files"}, "KMS_KEY_ID": {"Fn::Sub": "${Key.Arn} ${OldKey.Arn}"}},
                None,
            ),
        ),
        "WorkRole": (
            "IAM::Role",
            role(
                logs,
                receive,
                allow("s3:PutObject", on={"Fn::Sub": "${Files.Arn}/*"}),
                decrypt(arn("Key"), arn("OldKey")),
                allow("lambda:InvokeFunction", on=arn("Parse")),
            ),
        ),
        "Key": ("KMS::Key", {"EnableKeyRotation": True}),
        "OldKey": ("KMS::Key", {"EnableKeyRotation": True}),
        "Parse": (
            "Lambda::Function",
            function("internal_parse", "Parse", 5, {"FILE_BUCKET": {"Ref": "Files"}}, None)
            | {"TracingConfig": {"Mode": "PassThrough"}},
        ),
        "ParseRole": (
            "IAM::Role",
            role(allow("logs:PutLogEvents", on="arn:logs:/aws/lambda/shop-prod-internal_parse:*")),
        ),
        "Sweep": ("Lambda::Function", function("cron_sweep", "Sweep", 28, {}, 2)),
        "SweepRole": ("IAM::Role", role(logs, allow("sqs:SendMessage", on=[arn("Failures")]))),
        "Jobs": (
            "SQS::Queue",
            {
                "FifoQueue": True,
                "VisibilityTimeout": 60,
                "SqsManagedSseEnabled": True,
                "RedrivePolicy": {"deadLetterTargetArn": arn("Dead"), "maxReceiveCount": 5},
            },
        ),
        "Dead": ("SQS::Queue", {"FifoQueue": True, "SqsManagedSseEnabled": True}),
        "Failures": ("SQS::Queue", {"SqsManagedSseEnabled": True}),
        "Files": (
            "S3::Bucket",
            {"PublicAccessBlockConfiguration": dict.fromkeys("abcd", True), "BucketEncryption": {"on": True}},
        ),
        "Mapping": (
            "Lambda::EventSourceMapping",
            {
                "EventSourceArn": arn("Jobs"),
                "FunctionName": arn("Work"),
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "ScalingConfig": {"MaximumConcurrency": 2},
            },
        ),
        "Rule": (
            "Events::Rule",
            {"Targets": [{"Arn": arn("Sweep"), "Input": SECRET_INPUT, "RetryPolicy": {}, "DeadLetterConfig": {}}]},
        ),
        "Permission": (
            "Lambda::Permission",
            {"Principal": "events.amazonaws.com", "FunctionName": arn("Sweep"), "SourceArn": arn("Rule")},
        ),
        "InvokeConfig": (
            "Lambda::EventInvokeConfig",
            {
                "FunctionName": {"Ref": "Sweep"},
                "MaximumRetryAttempts": 0,
                "MaximumEventAgeInSeconds": 60,
                "DestinationConfig": {"OnFailure": {"Destination": arn("Failures")}},
            },
        ),
        "Api": ("ApiGatewayV2::Api", {}),
        "Stage": (
            "ApiGatewayV2::Stage",
            {
                "DefaultRouteSettings": {
                    "ThrottlingRateLimit": 5,
                    "ThrottlingBurstLimit": 5,
                    "DetailedMetricsEnabled": True,
                },
                "AccessLogSettings": {"Format": "$context.requestId $context.status"},
            },
        ),
        "Route": (
            "ApiGatewayV2::Route",
            {"RouteKey": "POST /webhook/hook", "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]}},
        ),
        "Integration": ("ApiGatewayV2::Integration", {"IntegrationUri": arn("Hook")}),
        "Topic": ("SNS::Topic", {}),
        **{
            f"{logical}Logs": (
                "Logs::LogGroup",
                {"LogGroupName": f"/aws/lambda/shop-prod-{name}", "RetentionInDays": 30},
            )
            for logical, name in (
                ("Hook", "webhook_hook"),
                ("Work", "queue_work"),
                ("Sweep", "cron_sweep"),
                ("Parse", "internal_parse"),
            )
        },
        **alarms(),
    }
    kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    return {
        name: {"Type": f"AWS::{kind}", "Properties": copy.deepcopy(properties), **(kept if "Key" in name else {})}
        for name, (kind, properties) in resources.items()
    }


def deployment(resources: dict[str, Any], stage: str = "prod") -> Deployment:
    guards = {
        "webhook_hook": Guard("hmac", "meta", ("A_KEY",), 0, ("POST",)),
        "queue_work": Guard("queue", "jobs", (), 0, ()),
        "internal_parse": Guard("internal", "queue_work", (), 0, ()),
        "cron_sweep": Guard("cron", "", (), 0, ("POST",)),
    }
    inputs = {"cron_sweep": {"authorization": "Bearer {{resolve:ssm:/shop/prod/CRON_TRIGGER}}"}}
    return Deployment(stage, "shop", resources, guards, inputs)


def findings(resources: dict[str, Any], stage: str = "prod") -> list[str]:
    return [problem for rule in RULES for problem in rule(deployment(resources, stage))]


def put(name: str, key: str, value: Any) -> Change:
    """Set a property; `key` may lead down with slashes, and numbers count in lists."""

    def change(resources: dict[str, Any]) -> None:
        place = resources[name]["Properties"]
        *way, last = key.split("/")
        for step in way:
            place = place[int(step)] if step.isdigit() else place[step]
        place[last] = value

    return change


def drop(name: str, key: str = "") -> Change:
    """Remove a property, or the whole resource."""

    def change(resources: dict[str, Any]) -> None:
        if not key:
            del resources[name]
            return
        place = resources[name]["Properties"]
        *way, last = key.split("/")
        for step in way:
            place = place[int(step)] if step.isdigit() else place[step]
        del place[int(last) if last.isdigit() else last]

    return change


def grant(name: str, statement: dict[str, Any]) -> Change:
    def change(resources: dict[str, Any]) -> None:
        resources[name]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].append(statement)

    return change


def revoke(name: str, action: str) -> Change:
    def change(resources: dict[str, Any]) -> None:
        document = resources[name]["Properties"]["Policies"][0]["PolicyDocument"]
        document["Statement"] = [found for found in document["Statement"] if action not in found["Action"]]

    return change


def add(name: str, kind: str, properties: dict[str, Any]) -> Change:
    return lambda resources: resources.update({name: {"Type": f"AWS::{kind}", "Properties": properties}})


def test_a_deployment_that_keeps_every_rule_passes() -> None:
    assert findings(good()) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (put("Hook", "Role", arn("WorkRole")), "share the role WorkRole"),
        (add("Shared", "IAM::Role", role()), "Shared is a role that no function has"),
        (grant("HookRole", allow("sqs:*", on=arn("Jobs"))), "webhook_hook may sqs:*, which no function"),
        (grant("WorkRole", allow("s3:PutObject", on="*")), "queue_work may s3:PutObject on every resource"),
        (put("HookRole", "ManagedPolicyArns", ["arn:aws:x"]), "HookRole has a managed policy"),
        (
            put("HookRole", "AssumeRolePolicyDocument/Statement/0/Principal/Service", "events.amazonaws.com"),
            "HookRole may be assumed by others",
        ),
        (revoke("HookRole", "ssm:GetParameters"), "GUARD lists A_KEY, but the role may not read it"),
        (
            grant("HookRole", allow("ssm:GetParameters", on=[secret("B_KEY")])),
            "the role may read B_KEY, but GUARD does not list it",
        ),
        (grant("WorkRole", allow("ssm:GetParameters", on=[secret("*")])), "which is not one parameter of this stage"),
        (
            grant("WorkRole", allow("ssm:GetParameters", on="arn:aws:ssm:::parameter/shop/dev/A_KEY")),
            "which is not one parameter of this stage",
        ),
        (revoke("HookRole", "sqs:SendMessage"), "webhook_hook must send to Jobs, but its role may not"),
        (revoke("SweepRole", "sqs:SendMessage"), "cron_sweep must send to Failures, but its role may not"),
        (revoke("WorkRole", "sqs:ReceiveMessage"), "queue_work must receive from Jobs, but its role may not"),
        (grant("WorkRole", allow("s3:ListBucket", on=arn("Files"))), "queue_work may s3:ListBucket, which no function"),
        (grant("HookRole", allow("s3:GetObject", on="arn:aws:s3:::x/*")), "may use the objects of something unnamed"),
        (revoke("WorkRole", "s3:PutObject"), "queue_work must use the objects of Files, but its role may not"),
        (grant("WorkRole", allow("sqs:SendMessage", on=arn("Jobs"))), "queue_work may send to Jobs, but has no"),
        (revoke("WorkRole", "kms:Decrypt"), "queue_work must decrypt with OldKey, but its role may not"),
        (grant("HookRole", decrypt(arn("Key"))), "webhook_hook may decrypt with Key, but has no business there"),
        (grant("WorkRole", allow("kms:Decrypt", on=[arn("Key")])), "queue_work may decrypt for any purpose"),
        (grant("WorkRole", allow("kms:Encrypt", on=[arn("Key")])), "queue_work may kms:Encrypt, which no function"),
        (revoke("WorkRole", "lambda:InvokeFunction"), "queue_work must invoke Parse, but its role may not"),
        (
            grant("HookRole", allow("lambda:InvokeFunction", on=arn("Parse"))),
            "webhook_hook may invoke Parse, but has no",
        ),
        (grant("WorkRole", allow("lambda:InvokeFunction", on=arn("Hook"))), "queue_work may invoke Hook, but has no"),
        (grant("ParseRole", allow("xray:PutTraceSegments", on="*")), "internal_parse may xray:PutTraceSegments: an"),
        (grant("ParseRole", allow("logs:PutLogEvents", on="arn:logs:*")), "internal_parse may write to other logs"),
        (grant("ParseRole", allow("s3:GetObject", on=arn("Files"))), "internal_parse may use the objects of Files"),
        (put("Parse", "TracingConfig/Mode", "Active"), "internal_parse is traced"),
        (
            add("Open", "Lambda::Permission", {"Principal": "s3.aws", "FunctionName": arn("Parse"), "SourceArn": "*"}),
            "internal_parse may be invoked by others",
        ),
        (add("Url", "Lambda::Url", {"TargetFunctionArn": arn("Parse")}), "internal_parse may be invoked by others"),
        (drop("Key", "EnableKeyRotation"), "Key is never renewed"),
        (lambda resources: resources["Key"].pop("DeletionPolicy"), "Key goes with its stack"),
        (put("Work", "Environment/Variables/LOCAL_KEY_FILE", "/x"), "LOCAL_KEY_FILE is for the offline world"),
        (grant("HookRole", allow("s3:PutObject", on="arn:aws:s3:::x/*")), "may use the objects of something unnamed"),
        (put("Jobs", "VisibilityTimeout", 59), "VisibilityTimeout must be at least 60 s, 6 x that of queue_work"),
        (drop("Jobs", "VisibilityTimeout"), "VisibilityTimeout must be at least 60 s"),
        (drop("Jobs", "RedrivePolicy"), "Jobs has no dead letter queue"),
        (put("Jobs", "RedrivePolicy/maxReceiveCount", 4), "maxReceiveCount must be at least 5"),
        (drop("Dead", "FifoQueue"), "Jobs and its dead letter queue Dead must both be FIFO"),
        (drop("DeadAlarm"), "Dead has no alarm for messages in it"),
        (drop("FailuresAlarm"), "Failures has no alarm for messages in it"),
        (put("DeadAlarm", "Threshold", 10), "Dead has no alarm for messages in it"),
        (drop("Mapping", "FunctionResponseTypes"), "Jobs: set functionResponseType"),
        (drop("Mapping", "ScalingConfig"), "Jobs: set maximumConcurrency"),
        (drop("Permission"), "Rule may not invoke Sweep"),
        (
            add("Timer", "Scheduler::Schedule", {"Target": {"Arn": arn("Sweep"), "RoleArn": arn("SweepRole")}}),
            "Timer: its role may not lambda:InvokeFunction",
        ),
        (put("Rule", "Targets/0/Input", "{}"), "cron_sweep: the Input under resources.extensions and the input"),
        (drop("Rule"), "cron_sweep: the Input under resources.extensions and the input"),
        (drop("InvokeConfig", "MaximumRetryAttempts"), "cron_sweep is called asynchronously: set maximumRetryAttempts"),
        (drop("InvokeConfig", "MaximumEventAgeInSeconds"), "cron_sweep is called asynchronously: set maximumEventAge"),
        (drop("InvokeConfig", "DestinationConfig"), "cron_sweep is called asynchronously: set destinations.onFailure"),
        (drop("InvokeConfig"), "cron_sweep is called asynchronously: set destinations.onFailure"),
        (drop("Rule", "Targets/0/DeadLetterConfig"), "Rule: its target needs a RetryPolicy and a DeadLetterConfig"),
        (put("Stage", "DefaultRouteSettings/ThrottlingRateLimit", 0), "DefaultRouteSettings lacks ThrottlingRateLimit"),
        (drop("Stage", "DefaultRouteSettings/DetailedMetricsEnabled"), "lacks DetailedMetricsEnabled"),
        (put("Stage", "AccessLogSettings/Format", "$context.identity.sourceIp"), "$context.identity.sourceIp"),
        (drop("Stage", "AccessLogSettings"), "Stage writes no access log"),
        (drop("Integration"), "POST /webhook/hook leads to no function"),
        (put("Hook", "Timeout", 6), "webhook_hook: timeout must be at most 5 s"),
        (
            lambda resources: (
                put("Sweep", "Timeout", 29)(resources),
                put("Integration", "IntegrationUri", arn("Sweep"))(resources),
            ),
            "cron_sweep: timeout must be at most 28 s",
        ),
        (drop("WorkLogs", "RetentionInDays"), "WorkLogs keeps logs for ever"),
        (drop("WorkLogs"), "queue_work has no log group"),
        (put("Hook", "Environment/Variables/AI_API_KEY", "x"), "webhook_hook: AI_API_KEY is a secret's name"),
        (put("Hook", "Environment/Variables/ADDRESS", "Bearer x"), "the value of ADDRESS looks like a secret"),
        (put("Hook", "Environment/Variables/A", {"Fn::Sub": "{{resolve:ssm:/a}}"}), "the value of A looks like a"),
        (put("Work", "Runtime", "python3.12"), "queue_work must run on python3.13 and arm64"),
        (put("Work", "Architectures", ["x86_64"]), "queue_work must run on python3.13 and arm64"),
        (put("Work", "Code", {"S3Key": "x/shop.zip"}), "queue_work is not deployed from .package/queue_work.zip"),
        (drop("Work", "TracingConfig"), "queue_work is not traced"),
        (put("DeadAlarm", "AlarmActions", []), "DeadAlarm tells nobody"),
        (drop("WorkErrors"), "shop-prod-queue_work has no alarm for its errors"),
        (drop("ApiFaults"), "Api has no alarm for its 5xx answers"),
        (drop("RefusalsAlarm", "Metrics/1"), "webhook_hook has no alarm for the share of its calls"),
        (
            put("RefusalsAlarm", "Metrics/0/MetricStat/Metric/Namespace", "shop"),
            "webhook_hook has no alarm for the share",
        ),
        (drop("RefusalsAlarm"), "webhook_hook has no alarm for the share of its calls"),
        (put("CronRefusedAlarm", "Dimensions/0/Value", "cron_sweep"), "no alarm tells of refused cron calls"),
        (drop("Failures", "SqsManagedSseEnabled"), "Failures is not encrypted"),
        (put("Files", "PublicAccessBlockConfiguration/a", False), "Files may be made public"),
        (drop("Files", "BucketEncryption"), "Files is not encrypted"),
        (drop("Hook", "ReservedConcurrentExecutions"), "webhook_hook has no reservedConcurrency in prod"),
    ],
)
def test_what_breaks_a_rule_is_named(change: Change, complaint: str) -> None:
    resources = good()
    change(resources)
    assert any(complaint in problem for problem in findings(resources)), findings(resources)


def test_a_reservation_outside_prod_is_named() -> None:
    rule = next(rule for rule in RULES if rule.__name__ == "reservations_are_for_prod")
    problems = list(rule(deployment(good(), stage="dev")))
    assert problems == [
        "webhook_hook reserves concurrency in dev, which a new account refuses",
        "cron_sweep reserves concurrency in dev, which a new account refuses",
    ]


def test_every_rule_is_in_the_list_and_has_a_case_that_breaks_it() -> None:
    from scripts.deployment import rules

    written = {name for name, found in vars(rules).items() if callable(found) and found.__module__ == rules.__name__}
    assert {rule.__name__ for rule in RULES} == written
    broken = set()
    (marks,) = test_what_breaks_a_rule_is_named.pytestmark  # type: ignore[attr-defined]
    for change, _ in marks.args[1]:
        resources = good()
        change(resources)
        broken |= {rule.__name__ for rule in RULES if list(rule(deployment(resources)))}
    assert broken == written
