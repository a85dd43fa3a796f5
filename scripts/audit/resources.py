"""The resources of serverless.yml: the types that there are, each in one closed form, and the alarms."""

from collections.abc import Iterator
from typing import Any

from scripts.audit.declared import Declared
from scripts.audit.findings import Finding
from scripts.audit.forms import Anything, Exactly, Number, Text, form_message, mismatches
from scripts.audit.template import Section, Tag

FILE = "serverless.yml"
DAY = 86_400
_NAMESPACE = "portero/${sls:stage}"
_RETAINED = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
_QUEUE_NAME = Text(r"portero-\$\{sls:stage\}-[a-z-]+(\.fifo)?")
_REDRIVE = {"deadLetterTargetArn": Text(r"[A-Za-z]+DeadLetters\.Arn", "GetAtt"), "maxReceiveCount": Number(1, 5)}
_CORS = {
    "AllowedOrigins": Tag("Split", "[' ', '${param:allowedOrigins}']"),
    "AllowedMethods": ["POST"],
    "AllowedHeaders": ["*"],
    "MaxAge": Number(0, DAY),
}
_BUCKET = {
    "OwnershipControls": {"Rules": Exactly(({"ObjectOwnership": "BucketOwnerEnforced"},))},
    "PublicAccessBlockConfiguration": {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    },
    "BucketEncryption": {
        "ServerSideEncryptionConfiguration": Exactly(
            ({"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}},),
        )
    },
    "CorsConfiguration": {"CorsRules": Exactly((_CORS,))},
    "LifecycleConfiguration?": {
        "Rules": [{"Id": Text("[a-z]+"), "Status": "Enabled", "ExpirationInDays": Number(1, 400)}]
    },
}


def _policy(statement: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": Exactly((statement,))}


# The only wildcards of the file, each in the one statement that needs it.
_TLS_ONLY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": Exactly((Text(r"[A-Za-z]+Bucket\.Arn", "GetAtt"), Text(r"\$\{[A-Za-z]+Bucket\.Arn\}/\*", "Sub"))),
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
_FROM_SCHEDULES = {
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": Tag("GetAtt", "CronFailures.Arn"),
    "Condition": {
        "ArnLike": {
            "aws:SourceArn": Tag(
                "Sub",
                "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${AWS::StackName}-*",
            )
        }
    },
}
# A key policy that names the account leaves the decision to IAM; without it nobody could change the key's policy.
_BY_IAM = {
    "Effect": "Allow",
    "Principal": {"AWS": Tag("Sub", "arn:${AWS::Partition}:iam::${AWS::AccountId}:root")},
    "Action": "kms:*",
    "Resource": "*",
}
_ALARM = {
    "AlarmDescription": Text(r".{20,300}"),
    "EvaluationPeriods": Number(1, 2),
    "ComparisonOperator": Text(r"GreaterThanThreshold|GreaterThanOrEqualToThreshold|LessThanThreshold"),
    "TreatMissingData": Text("notBreaching|breaching"),
    "AlarmActions": Exactly((Tag("Ref", "AlarmTopic"),)),
    "Threshold": Anything("bounded below, by the metric"),
}
_SHARE = {
    "Id": "share",
    "Label": "refused share",
    "Expression": "IF(calls >= 20, refusals / calls, 0)",
}


def _series(name: str) -> dict[str, Any]:
    dimension = {"Name": "function", "Value": Text(r"webhook_[a-z_]+")}
    metric = {"Namespace": _NAMESPACE, "MetricName": name, "Dimensions": Exactly((dimension,))}
    return {"Id": name, "ReturnData": False, "MetricStat": {"Metric": metric, "Period": Number(60, 300), "Stat": "Sum"}}


_PLAIN_ALARM = _ALARM | {
    "Namespace": Text(r"AWS/(SQS|Lambda|ApiGateway)|portero/\$\{sls:stage\}"),
    "MetricName": Text(r"[A-Za-z0-9_]+"),
    "Dimensions": [{"Name": Text("[A-Za-z]+"), "Value": (Text(r".+", "GetAtt"), Text(r".+", "Ref"), Text("[a-z_]+"))}],
    "Statistic": Text("Sum|Maximum"),
    "Period": Number(60, 300),
}
_SHARE_ALARM = _ALARM | {"Metrics": Exactly((_series("refusals"), _series("calls"), _SHARE))}
_FILTER = {
    "LogGroupName": Text(r"[A-Za-z]+LogGroup", "Ref"),
    "FilterPattern": Text(r'\{ \$\.event = "[a-z ]+" \}'),
    "MetricTransformations": Exactly(
        ({"MetricNamespace": _NAMESPACE, "MetricName": Text("[a-z_]+"), "MetricValue": "1", "DefaultValue": 0},)
    ),
}
TYPES: dict[str, dict[str, Any]] = {
    "AWS::SQS::Queue": {
        "Properties": {
            "FifoQueue?": True,
            "SqsManagedSseEnabled": True,
            "QueueName?": _QUEUE_NAME,
            "VisibilityTimeout?": Number(30, 900),
            "MessageRetentionPeriod?": Number(60, 14 * DAY),
            "RedrivePolicy?": _REDRIVE,
        }
    },
    "AWS::SQS::QueuePolicy": {
        "Properties": {"Queues": Exactly((Tag("Ref", "CronFailures"),)), "PolicyDocument": _policy(_FROM_SCHEDULES)}
    },
    "AWS::S3::Bucket": {"DeletionPolicy?": "Retain", "UpdateReplacePolicy?": "Retain", "Properties": _BUCKET},
    "AWS::S3::BucketPolicy": {
        "Properties": {"Bucket": Text("[A-Za-z]+Bucket", "Ref"), "PolicyDocument": _policy(_TLS_ONLY)}
    },
    "AWS::KMS::Key": _RETAINED
    | {
        "Properties": {
            "Description": Text(".+"),
            "EnableKeyRotation": True,
            "PendingWindowInDays": Number(7, 30),
            "KeyPolicy": _policy(_BY_IAM),
        }
    },
    "AWS::KMS::Alias": {
        "Properties": {"AliasName": Text(r"alias/portero-.+"), "TargetKeyId": Text("[A-Za-z]+Key", "Ref")}
    },
    "AWS::SNS::Topic": {},
    "AWS::SNS::Subscription": {
        "Condition": "HasAlarmEmail",
        "Properties": {"TopicArn": Tag("Ref", "AlarmTopic"), "Protocol": "email", "Endpoint": "${param:alarmEmail}"},
    },
    "AWS::CloudWatch::Alarm": {"Properties": (_PLAIN_ALARM, _SHARE_ALARM)},
    "AWS::Logs::MetricFilter": {"Properties": _FILTER},
}
# Metric -> the highest threshold and the operator; every other metric of ours alarms above zero.
THRESHOLDS: dict[str, tuple[float, str]] = {
    "ApproximateAgeOfOldestMessage": (300, "GreaterThanThreshold"),
    "Invocations": (1, "LessThanThreshold"),
    # One upload that was announced and never came is a member's; several at once are a role's.
    "objects_missing": (2, "GreaterThanThreshold"),
    "share": (0.2, "GreaterThanOrEqualToThreshold"),
}
# Metric -> the dimension that it has; under another name there is no such series, and the alarm stays silent.
DIMENSIONS = {
    "Errors": "FunctionName",
    "Invocations": "FunctionName",
    "ApproximateNumberOfMessagesVisible": "QueueName",
    "ApproximateAgeOfOldestMessage": "QueueName",
    "5xx": "ApiId",
}
_STAGE_SETTINGS = {
    "DetailedMetricsEnabled": True,
    "ThrottlingRateLimit": "${param:requestsPerSecond}",
    "ThrottlingBurstLimit": "${param:requestBurst}",
}


def check_resources(resources: Any, functions: list[Declared]) -> Iterator[Finding]:
    """Compare every resource and extension with its form; then look for the alarms that each function needs."""
    if not isinstance(resources, Section):
        return
    inner = resources.get("Resources")
    section = inner if isinstance(inner, Section) else None
    for name, resource in section.items() if section is not None else ():
        line = section.line_of(name) if section is not None else 1
        kind = str(resource.get("Type", "")) if isinstance(resource, Section) else ""
        if kind not in TYPES:
            message = f"remove {name}, or give {kind or 'its type'} a form in scripts/audit/resources.py"
            yield Finding(FILE, line, "resource-form", message[:200])
            continue
        for path, place, expected in mismatches(resource, TYPES[kind] | {"Type": kind}, name, line):
            yield Finding(FILE, place, "resource-form", form_message(path, expected))
        if kind == "AWS::CloudWatch::Alarm":
            yield from _check_threshold(name, resource.get("Properties"), line)
    yield from _check_extensions(resources.get("extensions"))
    yield from _check_alarms(section if section is not None else Section(), functions, resources.line_of("Resources"))


def _check_threshold(name: str, properties: Any, line: int) -> Iterator[Finding]:
    if not isinstance(properties, Section):
        return
    metric = str(properties.get("MetricName", "share"))
    most, operator = THRESHOLDS.get(metric, (0, "GreaterThanThreshold"))
    threshold = properties.get("Threshold")
    fits = isinstance(threshold, int | float) and not isinstance(threshold, bool) and 0 <= threshold <= most
    if not fits or properties.get("ComparisonOperator") != operator:
        message = f"let {name} alarm by {operator}, with a threshold of {most:g} at most for {metric}"
        yield Finding(FILE, properties.lines.get("Threshold", line), "alarm-bounds", message)
    if properties.get("TreatMissingData") != ("breaching" if metric == "Invocations" else "notBreaching"):
        yield Finding(
            FILE,
            line,
            "alarm-bounds",
            f"let {name} take a silent metric as its kind does: breaching for Invocations only",
        )


def _check_extensions(extensions: Any) -> Iterator[Finding]:
    for name, extension in extensions.items() if isinstance(extensions, Section) else ():
        line = extensions.line_of(name)
        form: Any = None
        if name == "IamRoleLambdaExecution":
            form = {"Condition": "HasSharedRole"}
        elif name == "HttpApiStage":
            form = {"Properties": {"DefaultRouteSettings": _STAGE_SETTINGS}}
        elif name.endswith("EventsRuleSchedule1"):
            form = {"Properties": {"Targets": Exactly((_target(name.removesuffix("EventsRuleSchedule1")),))}}
        if form is None:
            message = f"remove {name}: an extension changes what the entries say"
            yield Finding(FILE, line, "resource-form", message)
            continue
        for path, place, expected in mismatches(extension, form, name, line):
            yield Finding(FILE, place, "resource-form", form_message(path, expected))


def _target(camel: str) -> dict[str, Any]:
    function = camel.replace("Underscore", "_").lower()
    reference = "Bearer {{resolve:ssm:/portero/${sls:stage}/CRON_TRIGGER}}"
    return {
        "Id": function.replace("_", "-"),
        "Arn": Tag("GetAtt", f"{camel}LambdaFunction.Arn"),
        "Input": f'{{"schedule":"{function}","authorization":"{reference}"}}',
        "RetryPolicy": {"MaximumEventAgeInSeconds": Number(60, 3600), "MaximumRetryAttempts": Number(0, 2)},
        "DeadLetterConfig": {"Arn": Tag("GetAtt", "CronFailures.Arn")},
    }


def logical(function: str) -> str:
    """The name that osls gives to a function's resources: webhook_meta is WebhookUnderscoremeta."""
    return function[:1].upper() + function[1:].replace("_", "Underscore")


def _check_alarms(resources: Section, functions: list[Declared], line: int) -> Iterator[Finding]:
    """Each function has an alarm for its errors, each dead-letter queue one for its messages, and so on."""
    alarms = [
        (str(properties.get("MetricName", "share")), _dimension(properties))
        for resource in resources.values()
        if isinstance(resource, Section) and resource.get("Type") == "AWS::CloudWatch::Alarm"
        and isinstance(properties := resource.get("Properties"), Section)
    ]  # fmt: skip
    wanted: list[tuple[str, Any]] = []
    for function in functions:
        wanted.append(("Errors", Tag("Ref", f"{logical(function.name)}LambdaFunction")))
        if function.prefix == "webhook":
            wanted.append(("share", function.name))
        if function.kind == "cron" and "rate(1 minute)" in function.events:
            wanted.append(("Invocations", Tag("Ref", f"{logical(function.name)}LambdaFunction")))
    for name in resources:
        if name.endswith("DeadLetters") or name == "CronFailures":
            wanted.append(("ApproximateNumberOfMessagesVisible", Tag("GetAtt", f"{name}.QueueName")))
    if "ReplyQueue" in resources:
        wanted.append(("ApproximateAgeOfOldestMessage", Tag("GetAtt", "ReplyQueue.QueueName")))
    if any(function.kind != "queue" for function in functions):
        wanted.append(("5xx", Tag("Ref", "HttpApi")))
    for metric, dimension in wanted:
        if (metric, dimension) not in alarms:
            of = dimension.text if isinstance(dimension, Tag) else dimension
            yield Finding(FILE, line, "alarm-missing", f"add the alarm of {of} for {metric}")


def _dimension(properties: Section) -> Any:
    dimensions = properties.get("Dimensions")
    if isinstance(dimensions, list) and len(dimensions) == 1 and isinstance(dimensions[0], Section):
        fits = dimensions[0].get("Name") == DIMENSIONS.get(str(properties.get("MetricName")))
        return dimensions[0].get("Value") if fits else None
    try:
        return properties["Metrics"][0]["MetricStat"]["Metric"]["Dimensions"][0]["Value"]
    except (KeyError, IndexError, TypeError):
        return None
