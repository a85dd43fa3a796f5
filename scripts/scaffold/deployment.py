"""The entry of a new function in serverless.yml, as text: a person's comments and anchors stay as they are."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from scripts.scaffold.name import Name

TRIGGER = "Bearer {{resolve:ssm:/portero/${sls:stage}/CRON_TRIGGER}}"


class Block(NamedTuple):
    """Lines to put into a part of the file (a path of its keys), after the last sibling whose key fits `after`."""

    part: tuple[str, ...]
    after: str
    text: str
    apart: bool = False  # by an empty line


def with_function(text: str, name: Name) -> str:
    """serverless.yml with the function in it. Raises ValueError when the file is not of the shape that it has here."""
    lines = text.splitlines()
    for block in _blocks(name):
        _insert(lines, block)
    return "\n".join(lines) + "\n"


def _insert(lines: list[str], block: Block) -> None:
    start, end = _part(lines, block.part)
    indent = "  " * len(block.part)
    keys = [
        place
        for place in range(start, end)
        if (found := re.match(rf"{indent}(\w+):", lines[place])) and re.fullmatch(block.after, found[1])
    ]
    place = _end_of_block(lines, keys[-1], end) if keys else _end_of_block(lines, start - 1, end)
    new = [indent + line if line else "" for line in block.text.strip("\n").splitlines()]
    lines[place:place] = [*([""] if block.apart else []), *new]


def _part(lines: list[str], path: tuple[str, ...]) -> tuple[int, int]:
    """The lines below the last key of a path: first, and the one after the last."""
    start, end = 0, len(lines)
    for depth, key in enumerate(path):
        try:
            start = lines.index("  " * depth + key + ":", start, end) + 1
        except ValueError:
            raise ValueError(f"serverless.yml has no {' > '.join(path[: depth + 1])}") from None
        end = next((at for at in range(start, end) if _depth(lines[at]) <= depth), end)
    return start, end


def _end_of_block(lines: list[str], start: int, end: int) -> int:
    """The line after the block that begins at `start`, without the empty lines that follow it."""
    depth = _depth(lines[start])
    after = next((at for at in range(start + 1, end) if _depth(lines[at]) <= depth), end)
    while after > start + 1 and not lines[after - 1].strip():
        after -= 1
    return after


def _depth(line: str) -> float:
    """Steps of indentation; an empty line belongs to what is around it."""
    return (len(line) - len(line.lstrip())) / 2 if line.strip() else float("inf")


def _blocks(name: Name) -> Iterator[Block]:
    resources = ("resources", "Resources")
    yield Block(("functions",), rf"{name.prefix}_\w+", _entry(name), apart=True)
    if name.prefix == "queue":
        yield Block(resources, r"\w+DeadLetters", _queue(name))
        yield Block(resources, r"\w+DeadLettersAlarm", _dead_letters_alarm(name))
    if name.prefix == "cron":
        yield Block(("resources", "extensions"), r"Cron\w+EventsRuleSchedule1", _target(name))
    yield Block(resources, r"\w+ErrorsAlarm", _errors_alarm(name))
    if name.prefix == "webhook":
        yield Block(resources, r"\w+RefusalsAlarm", _refusals(name))


def _entry(name: Name) -> str:
    shared = {"ai": "console", "app": "console"}.get(name.prefix, name.prefix)
    lines = [f"{name}:"]
    lines += [] if name.prefix == "queue" else [f"  <<: *{shared}"]
    lines += [f"  handler: functions/{name}.handler", f"  package: {{artifact: .package/{name}.zip}}"]
    if name.prefix == "queue":
        lines += ["  timeout: 30", "  environment:"]
        lines += [f"    {name.subject.upper()}_QUEUE_ARN: !GetAtt {name.queue}Queue.Arn"]
    return "\n".join([*lines, *_rights(name), "  events:", *_events(name)])


def _rights(name: Name) -> list[str]:
    if not name.secrets:
        return ["  iamRoleStatements: []"]
    secrets = ", ".join(f"*{secret}" for secret in name.secrets)
    lines = [f'    - {{Effect: Allow, Action: "ssm:GetParameters", Resource: [{secrets}]}}']
    if name.prefix == "cron":
        lines.append('    - {Effect: Allow, Action: "sqs:SendMessage", Resource: !GetAtt CronFailures.Arn}')
    return ["  iamRoleStatements:", *lines]


def _events(name: Name) -> list[str]:
    match name.prefix:
        case "queue":
            return f"""\
    - sqs:
        arn: !GetAtt {name.queue}Queue.Arn
        batchSize: 1
        functionResponseType: ReportBatchItemFailures
        maximumConcurrency: 2""".splitlines()
        case "cron":
            return f"""\
    - schedule:
        rate: rate(1 hour)
        # Until it is built.
        enabled: false
        input:
          schedule: {name}
          authorization: {TRIGGER}""".splitlines()
    methods = {"ai": ("POST", "OPTIONS"), "app": ("POST", "OPTIONS"), "public": ("GET",)}.get(name.prefix, ("POST",))
    return [f"    - httpApi: {{method: {method}, path: {name.path}}}" for method in methods]


def _queue(name: Name) -> str:
    lower = name.subject.replace("_", "-")
    return f"""\
{name.queue}Queue:
  Type: AWS::SQS::Queue
  Properties:
    <<: *queue
    QueueName: portero-${{sls:stage}}-{lower}.fifo
    VisibilityTimeout: 180
    RedrivePolicy: {{deadLetterTargetArn: !GetAtt {name.queue}DeadLetters.Arn, maxReceiveCount: 5}}
{name.queue}DeadLetters:
  Type: AWS::SQS::Queue
  Properties: {{<<: *dead_letter_queue, QueueName: "portero-${{sls:stage}}-{lower}-dead.fifo"}}"""


def _dead_letters_alarm(name: Name) -> str:
    return f"""\
{name.queue}DeadLettersAlarm:
  Type: AWS::CloudWatch::Alarm
  Properties:
    <<: *dead_letters
    AlarmDescription: {name} failed five times with a message. It waits in the dead letter queue.
    Dimensions: [{{Name: QueueName, Value: !GetAtt {name.queue}DeadLetters.QueueName}}]"""


def _target(name: Name) -> str:
    return f"""\
{name.logical}EventsRuleSchedule1:
  Properties:
    Targets:
      - <<: *cron_target
        Id: {str(name).replace("_", "-")}
        Arn: !GetAtt {name.logical}LambdaFunction.Arn
        Input: '{{"schedule":"{name}","authorization":"{TRIGGER}"}}'"""


def _errors_alarm(name: Name) -> str:
    return f"""\
{name.title}ErrorsAlarm:
  Type: AWS::CloudWatch::Alarm
  Properties: {{<<: *errors, Dimensions: [{{Name: FunctionName, Value: !Ref {name.logical}LambdaFunction}}]}}"""


def _refusals(name: Name) -> str:
    metrics = "\n".join(_watched(metric, name) for metric in ("refusals", "calls"))
    cause = "Either somebody forges, or the provider's secret is stale."
    return f"""\
{name.title}RefusalsAlarm:
  Type: AWS::CloudWatch::Alarm
  Properties:
    <<: *refusals
    AlarmDescription: A fifth of the calls of {name} were refused. {cause}
    Metrics:
{metrics}
      - *refused_share"""


def _watched(metric: str, name: Name) -> str:
    dimensions = f"[{{Name: function, Value: {name}}}]"
    return f"""\
      - Id: {metric}
        ReturnData: false
        MetricStat:
          Metric: {{Namespace: "portero/${{sls:stage}}", MetricName: {metric}, Dimensions: {dimensions}}}
          Period: 300
          Stat: Sum"""
