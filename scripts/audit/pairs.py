"""Resources that need each other: a queue its dead-letter queue and its time, a bucket its policy."""

from collections.abc import Iterator
from typing import Any

from scripts.audit.declared import Declared
from scripts.audit.findings import Finding
from scripts.audit.stack import FILE
from scripts.audit.template import Section, Tag

# A message is hidden for so many time-outs of its function, as AWS asks, so that no second worker gets it meanwhile.
TIMEOUTS = 6
# Seconds. SQS keeps no message longer.
LONGEST = 14 * 86_400
# Buckets of which a database row decides how long an object stays; every other one forgets by itself.
KEPT_BY_ROWS = {"KnowledgeBucket"}


def check_pairs(resources: Any, functions: list[Declared]) -> Iterator[Finding]:
    """Look for the other half of each queue and bucket."""
    inner = resources.get("Resources") if isinstance(resources, Section) else None
    if not isinstance(inner, Section):
        return
    timeouts = {f"{function.argument.capitalize()}Queue": function.timeout for function in functions}
    for name, resource in inner.items():
        properties = resource.get("Properties") if isinstance(resource, Section) else None
        if not isinstance(properties, Section):
            continue
        kind = resource.get("Type")
        if kind == "AWS::SQS::Queue" and name.endswith(("Queue", "DeadLetters")):
            complaints = _queue(name, properties, timeouts.get(name) or 0)
        elif kind == "AWS::S3::Bucket":
            complaints = _bucket(name, properties, inner)
        elif kind == "AWS::S3::BucketPolicy":
            complaints = _policy(name, properties)
        else:
            continue
        for complaint in complaints:
            yield Finding(FILE, inner.line_of(name), "resource-missing", complaint)


def _queue(name: str, properties: Section, timeout: int) -> Iterator[str]:
    if properties.get("FifoQueue") is not True:
        yield f"write FifoQueue: true for {name}: a conversation is answered in order"
    if name.endswith("DeadLetters"):
        if properties.get("MessageRetentionPeriod") != LONGEST:
            yield f"keep the messages of {name} for {LONGEST} seconds: people look at them"
        return
    letters = Tag("GetAtt", f"{name.removesuffix('Queue')}DeadLetters.Arn")
    redrive = properties.get("RedrivePolicy")
    if not isinstance(redrive, Section) or redrive.get("deadLetterTargetArn") != letters:
        yield f"give {name} its own dead-letter queue: !GetAtt {letters.text}"
    if "MessageRetentionPeriod" in properties:
        yield f"take MessageRetentionPeriod from {name}: a message waits as long as SQS keeps it by itself"
    hidden = properties.get("VisibilityTimeout", 30)
    if not isinstance(hidden, int) or hidden < TIMEOUTS * timeout:
        yield f"hide the messages of {name} for {TIMEOUTS * timeout} seconds, {TIMEOUTS} time-outs of its function"


def _bucket(name: str, properties: Section, resources: Section) -> Iterator[str]:
    if f"{name}Policy" not in resources:
        yield f"add {name}Policy: it refuses plain HTTP"
    if name not in KEPT_BY_ROWS and "LifecycleConfiguration" not in properties:
        yield f"give {name} its LifecycleConfiguration: its objects are forgotten"


def _policy(name: str, properties: Section) -> Iterator[str]:
    bucket = name.removesuffix("Policy")
    if properties.get("Bucket") != Tag("Ref", bucket):
        yield f"write Bucket: !Ref {bucket} in {name}"
    document = properties.get("PolicyDocument")
    statements = document.get("Statement") if isinstance(document, Section) else None
    named = [Tag("GetAtt", f"{bucket}.Arn"), Tag("Sub", f"${{{bucket}.Arn}}/*")]
    for statement in statements if isinstance(statements, list) else []:
        if isinstance(statement, Section) and statement.get("Resource") != named:
            yield f"let {name} name {bucket} and its objects"
