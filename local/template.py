"""serverless.yml as data: functions, routes, queues, schedules and the environment of each function.

The offline world reads the file that is deployed, so that it cannot drift from it. Only what the file uses is
understood: the variables of osls (`${sls:stage}`, `${opt:name, 'default'}`, `${param:name, default}`) and
CloudFormation's `!Ref`, `!GetAtt` and `!Sub`. Anything else that matters here is a TemplateError that names it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

# What has another name here: a file of keys outlives a restart, a key in moto's KMS does not.
STAND_INS = {"KMS_KEY_ID": "LOCAL_KEY_FILE"}
KNOWN_OF_SCHEDULES = {"input", "name", "description", "enabled"}


class TemplateError(ValueError):
    """serverless.yml says something that the offline world does not understand."""


@dataclass(frozen=True)
class Ref:
    """`!Ref Name`: the URL of a queue, the name of a bucket."""

    name: str


@dataclass(frozen=True)
class GetAtt:
    """`!GetAtt Name.Attribute`: of queues and buckets, their Arn."""

    name: str
    attribute: str


@dataclass(frozen=True)
class Sub:
    """`!Sub text`: text with `${Name}`, `${Name.Attribute}` and `${AWS::Region}` in it."""

    text: str


@dataclass(frozen=True)
class UnknownTag:
    """Any other CloudFormation tag: harmless where the offline world does not look, an error where it does."""

    tag: str


Resolve = Callable[[Ref | GetAtt], str]
Value = str | Ref | GetAtt | Sub


@dataclass(frozen=True)
class Function:
    """One Lambda function: `timeout` in seconds, `memory` in MB, `concurrency` None when nothing is reserved.

    `statements` are the IAM statements of its role, besides those for logs and event sources that osls adds.
    """

    name: str
    handler: str
    timeout: int
    memory: int
    concurrency: int | None
    environment: dict[str, Value]
    statements: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Route:
    """One route of the HTTP API, for example POST /webhook/meta."""

    method: str
    path: str
    function: str


@dataclass(frozen=True)
class Queue:
    """An AWS::SQS::Queue: its logical name and its CloudFormation properties (tags not resolved)."""

    logical_name: str
    name: str
    properties: dict[str, Any]


@dataclass(frozen=True)
class Bucket:
    """An AWS::S3::Bucket: its logical name and the name it has here."""

    logical_name: str
    name: str


@dataclass(frozen=True)
class EventSource:
    """A queue that feeds a function; `queue` is the queue's logical name."""

    function: str
    queue: str
    batch_size: int
    report_batch_item_failures: bool
    maximum_concurrency: int | None


@dataclass(frozen=True)
class Schedule:
    """`expression` is rate(...) or cron(...); `input` the event that the function gets, None for EventBridge's own.

    One that is not `enabled` is deployed, but fires only by hand.
    """

    function: str
    expression: str
    input: Any
    enabled: bool = True


@dataclass(frozen=True)
class Template:
    """What serverless.yml deploys to one stage."""

    service: str
    stage: str
    region: str
    account: str
    runtime: str
    functions: dict[str, Function] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)
    queues: dict[str, Queue] = field(default_factory=dict)
    buckets: dict[str, Bucket] = field(default_factory=dict)
    # Logical names of KMS keys.
    master_keys: set[str] = field(default_factory=set)
    event_sources: list[EventSource] = field(default_factory=list)
    schedules: list[Schedule] = field(default_factory=list)

    def deployed_name(self, function: str) -> str:
        """The name that a function has in AWS, which is not its key in the file."""
        return f"{self.service}-{self.stage}-{function}"

    def function_named(self, logical_name: str) -> str | None:
        """The function that osls gives this logical name, as in `!GetAtt QueueUnderscorereplyLambdaFunction.Arn`."""
        return next((name for name in self.functions if _logical_name(name) == logical_name), None)

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource in the template's region and account."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def environment_for(
        self, function: str, resolve: Resolve, overrides: Mapping[str, str], aws_url: str
    ) -> dict[str, str]:
        """The environment of one function: the names that the file gives it and those that Lambda sets, no others.

        A value is taken from `overrides` (name -> local value) if it is there, else from the file through `resolve`.
        A name of STAND_INS is replaced by the other one if that is there. `aws_url` is where the local AWS listens.
        """
        deployed = self.deployed_name(function)
        environment = {
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            # The local AWS takes it for the function's role (local/roles.py).
            "AWS_ACCESS_KEY_ID": function,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_SESSION_TOKEN": "local",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{self.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": deployed,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.functions[function].memory),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{deployed}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_ENDPOINT_URL": aws_url,
        }
        for declared, value in self.functions[function].environment.items():
            name = STAND_INS[declared] if STAND_INS.get(declared) in overrides else declared
            environment[name] = overrides[name] if name in overrides else self.resolved(value, resolve)
        return environment

    def resolved(self, value: Any, resolve: Resolve) -> Any:
        """The value with every Ref, GetAtt and Sub in it (at any depth) replaced by its text."""
        match value:
            case Ref() | GetAtt():
                return resolve(value)
            case Sub(text):
                return re.sub(r"\$\{([^}]*)\}", lambda hole: self._substitute(hole[1], resolve), text)
            case UnknownTag(tag):
                raise TemplateError(f"{tag} is not understood by the offline world")
            case dict():
                return {key: self.resolved(inner, resolve) for key, inner in value.items()}
            case list():
                return [self.resolved(inner, resolve) for inner in value]
            case _:
                return value

    def _substitute(self, name: str, resolve: Resolve) -> str:
        if name.startswith("!"):
            return "${" + name[1:] + "}"
        pseudo_parameters = {"AWS::Region": self.region, "AWS::AccountId": self.account, "AWS::Partition": "aws"}
        if name.startswith("AWS::"):
            if name not in pseudo_parameters:
                raise TemplateError(f"${{{name}}} in !Sub is not understood by the offline world")
            return pseudo_parameters[name]
        logical_name, dot, attribute = name.partition(".")
        return resolve(GetAtt(logical_name, attribute) if dot else Ref(logical_name))


def load_template(path: Path, stage: str, region: str, account: str) -> Template:
    """Read serverless.yml as it would be deployed to `stage`.

    Raises TemplateError when the file uses a construct that is not understood, OSError when it cannot be read.
    """
    document = _resolve_variables(_read_document(path), stage, region)
    provider = document["provider"]
    for key in ("cors", "authorizers"):
        if key in provider.get("httpApi", {}):
            raise TemplateError(f"provider.httpApi.{key} is not understood by the offline world")
    template = Template(document["service"], stage, region, account, provider["runtime"])
    _read_resources(template, document.get("resources", {}).get("Resources", {}))
    inherits = bool(document.get("custom", {}).get("serverless-iam-roles-per-function", {}).get("defaultInherit"))
    for name, entry in document.get("functions", {}).items():
        template.functions[name] = _read_function(name, entry, provider, inherits)
        for event in entry.get("events", []):
            _read_event(template, name, event)
    return template


def _logical_name(function: str) -> str:
    text = function.replace("-", "Dash").replace("_", "Underscore")
    return f"{text[:1].upper()}{text[1:]}LambdaFunction"


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags."""


def _construct_tag(loader: yaml.Loader, suffix: str, node: yaml.Node) -> Ref | GetAtt | Sub | UnknownTag:
    text = node.value if isinstance(node, yaml.ScalarNode) else None
    if suffix == "GetAtt" and isinstance(node, yaml.SequenceNode):
        text = ".".join(str(part) for part in loader.construct_sequence(node))
    if text is not None and suffix == "Ref":
        return Ref(text)
    if text is not None and suffix == "GetAtt" and "." in text:
        return GetAtt(*text.split(".", 1))
    if text is not None and suffix == "Sub":
        return Sub(text)
    return UnknownTag(f"!{suffix} (line {node.start_mark.line + 1})")


_Loader.add_multi_constructor("!", _construct_tag)


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.YAMLError as error:
        raise TemplateError(f"{path.name} is not valid YAML: {error}") from error
    if not isinstance(document, dict) or not {"service", "provider"} <= document.keys():
        raise TemplateError(f"{path.name} names no service or no provider")
    return document


_VARIABLE = re.compile(r"\$\{(?P<source>[a-z]+):(?P<name>[\w.-]+)(?:\s*,\s*(?P<default>[^${}]*?))?\s*\}")
_VARIABLE_LIKE = re.compile(r"\$\{[A-Za-z]+(?:\([^)]*\))?:(?!:)[^}]*\}?")


def _resolve_variables(document: dict[str, Any], stage: str, region: str) -> dict[str, Any]:
    """The document with every variable of osls replaced; a variable that is the whole text keeps its type."""
    stages = document.pop("params", {})
    params = {**stages.get("default", {}), **stages.get(stage, {})}
    options = {"stage": stage, "region": region}

    def look_up(match: re.Match[str]) -> Any:
        source, name, default = match["source"], match["name"], match["default"]
        if (source, name) == ("sls", "stage"):
            return stage
        if source == "opt" and name in options:
            return options[name]
        if source == "param" and name in params:
            return params[name]
        if source in ("opt", "param") and default is not None:
            return yaml.safe_load(default)
        raise TemplateError(f"{match[0]} has no value: only sls:stage, opt and param with a value or default are known")

    def replace(value: Any) -> Any:
        match value:
            case Sub(text):
                return Sub(str(replace(text)))
            case dict():
                return {key: replace(inner) for key, inner in value.items()}
            case list():
                return [replace(inner) for inner in value]
            case str():
                if whole := _VARIABLE.fullmatch(value):
                    return look_up(whole)
                text = _VARIABLE.sub(lambda match: str(look_up(match)), value)
                if unknown := _VARIABLE_LIKE.search(text):
                    raise TemplateError(f"{unknown[0]} is not a variable that the offline world understands")
                return text
            case _:
                return value

    params = {name: replace(value) for name, value in params.items()}
    resolved: dict[str, Any] = replace(document)
    return resolved


def _read_resources(template: Template, resources: dict[str, Any]) -> None:
    """Queues, buckets and keys; the offline world has no use for the other resources (alarms, roles, policies)."""
    for logical_name, resource in resources.items():
        properties = resource.get("Properties", {})
        generated_name = f"{template.service}-{template.stage}-{logical_name.lower()}"
        if resource.get("Type") == "AWS::SQS::Queue":
            suffix = ".fifo" if properties.get("FifoQueue") else ""
            name = properties.get("QueueName", generated_name + suffix)
            template.queues[logical_name] = Queue(logical_name, name, properties)
        elif resource.get("Type") == "AWS::S3::Bucket":
            template.buckets[logical_name] = Bucket(logical_name, properties.get("BucketName", generated_name))
        elif resource.get("Type") == "AWS::KMS::Key":
            template.master_keys.add(logical_name)


def _read_function(name: str, entry: dict[str, Any], provider: dict[str, Any], inherits: bool) -> Function:
    common = provider.get("iam", {}).get("role", {}).get("statements", [])
    own = entry.get("iamRoleStatements", [])
    environment = {**provider.get("environment", {}), **entry.get("environment", {})}
    return Function(
        name=name,
        handler=entry["handler"],
        timeout=int(entry.get("timeout", provider.get("timeout", 6))),
        memory=int(entry.get("memorySize", provider.get("memorySize", 1024))),
        concurrency=entry.get("reservedConcurrency"),
        environment={key: _environment_value(name, key, value) for key, value in environment.items()},
        statements=(*(common if entry.get("iamRoleStatementsInherit", inherits) else []), *own),
    )


def _environment_value(function: str, key: str, value: Any) -> Value:
    match value:
        case Ref() | GetAtt() | Sub() | str():
            return value
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case UnknownTag(tag):
            raise TemplateError(f"{key} of {function}: {tag} is not understood by the offline world")
        case _:
            raise TemplateError(f"{key} of {function} is neither text nor a number: {value!r}")


def _read_event(template: Template, function: str, event: dict[str, Any]) -> None:
    match event:
        case {"httpApi": str(text)} if len(text.split()) == 2:
            method, path = text.split()
            template.routes.append(_route(method, path, function))
        case {"httpApi": {"method": str(method), "path": str(path), **rest}} if not rest:
            template.routes.append(_route(method, path, function))
        case {"sqs": {"arn": GetAtt(queue, "Arn")}} if queue in template.queues:
            template.event_sources.append(_event_source(function, queue, event["sqs"]))
        case {"schedule": str(expression)}:
            template.schedules.append(Schedule(function, expression, None))
        case {"schedule": {"rate": str(expression), **rest}} if not rest.keys() - KNOWN_OF_SCHEDULES:
            enabled = bool(rest.get("enabled", True))
            template.schedules.append(Schedule(function, expression, rest.get("input"), enabled))
        case _:
            raise TemplateError(f"this event of {function} is not understood by the offline world: {event!r}")


def _event_source(function: str, queue: str, entry: dict[str, Any]) -> EventSource:
    known = {"arn", "batchSize", "functionResponseType", "maximumConcurrency"}
    if unknown := entry.keys() - known:
        raise TemplateError(f"{sorted(unknown)[0]} of the sqs event of {function} is not understood")
    return EventSource(
        function=function,
        queue=queue,
        batch_size=int(entry.get("batchSize", 10)),
        report_batch_item_failures=entry.get("functionResponseType") == "ReportBatchItemFailures",
        maximum_concurrency=entry.get("maximumConcurrency"),
    )


def _route(method: str, path: str, function: str) -> Route:
    if "{" in path or "*" in (method, path):
        raise TemplateError(f"{method} {path} of {function}: path parameters and * are not understood")
    return Route(method.upper(), path, function)
