"""The permissions of the functions' roles, and the answers that AWS gives to a call without one.

A function signs with its own name as the access key (local/template.py), so the local AWS knows who calls. Statements
are those of serverless.yml; a construct that this evaluator does not know is a TemplateError, not a yes.

Facts: IAM User Guide, "Policy evaluation logic" (no Allow is a Deny); Amazon S3 API Reference, GetObject (a missing
object is 403 for a caller without s3:ListBucket); the error pages of SQS (403), SSM and KMS (400) and Lambda (403).
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from io import BytesIO
from typing import Any, NamedTuple
from urllib.parse import unquote

from werkzeug.wrappers import Request, Response

from local.signatures import access_key_of, refusal
from local.template import Resolve, Template, TemplateError

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
INVOCATION = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")

_OBJECT_ACTIONS = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}
_TARGETS = {"AmazonSSM": "ssm", "AmazonSQS": "sqs", "TrentService": "kms"}
# SQS and Lambda refuse with 403; services of AWS JSON 1.1 with 400.
_REFUSED_STATUS = {"s3": 403, "sqs": 403, "lambda": 403}


class Statement(NamedTuple):
    """One Allow: patterns of actions and resources, and the values that the request's context must have."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    equal: Mapping[str, str]


class Call(NamedTuple):
    """One call of AWS as IAM sees it: an action on each of some resources."""

    action: str
    resources: tuple[str, ...]
    context: Mapping[str, str] = {}

    @property
    def service(self) -> str:
        """The service's prefix, for example "s3"."""
        return self.action.partition(":")[0]


Role = tuple[Statement, ...]


def allows(role: Role, call: Call) -> bool:
    """Return whether the role may make the call on every resource of it."""
    return bool(call.resources) and all(
        any(_covers(statement, call, resource) for statement in role) for resource in call.resources
    )


def roles_of(template: Template, resolve: Resolve) -> dict[str, Role]:
    """Return the role of each function. Raises TemplateError for a statement that is not understood."""
    return {
        name: tuple(_statement(name, template.resolved(entry, resolve)) for entry in function.statements)
        for name, function in template.functions.items()
    }


def enforced(application: Application, template: Template, resolve: Resolve, operator: str) -> Application:
    """Return the application behind the roles of the template's functions; the access key `operator` may do all.

    A missing object is 403 for a role without s3:ListBucket, and a wrong signature is 403 for every function.
    """
    roles = roles_of(template, resolve)

    def check(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/moto-api/"):
            return application(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ = environ | {"wsgi.input": BytesIO(body)}
        request = Request(environ)
        key = access_key_of(request)
        if key == operator:
            return application(environ | {"wsgi.input": BytesIO(body)}, start_response)
        call = call_of(request, body, template)
        if key not in roles:
            return _refused(call, "InvalidAccessKeyId")(environ, start_response)
        if wrong := refusal(request, body):
            return _refused(call, wrong)(environ, start_response)
        if call is None or not allows(roles[key], call):
            return _refused(call, "AccessDenied")(environ, start_response)
        answer = Response.from_app(application, environ | {"wsgi.input": BytesIO(body)}, buffered=True)
        if call.action == "s3:GetObject" and answer.status_code == 404 and not _may_list(roles[key], call):
            # S3 does not tell a caller that may not list whether an object exists.
            answer = _refused(call, "AccessDenied")
        return answer(environ, start_response)

    return check


def call_of(request: Request, body: bytes, template: Template) -> Call | None:
    """Return the request as IAM sees it; None for one that the suite has no use for, which no role may make."""
    target = request.headers.get("x-amz-target", "")
    if target:
        return _json_call(*target.partition(".")[::2], body, template)
    if invoked := INVOCATION.fullmatch(request.path):
        return Call("lambda:InvokeFunction", (template.arn("lambda", f"function:{unquote(invoked[1])}"),))
    bucket, _, key = request.path.removeprefix("/").partition("/")
    if request.method == "POST" and not key and request.mimetype == "multipart/form-data":
        return Call("s3:PutObject", (f"arn:aws:s3:::{bucket}/{request.form.get('key', '')}",))
    if key and request.method in _OBJECT_ACTIONS:
        return Call(_OBJECT_ACTIONS[request.method], (f"arn:aws:s3:::{bucket}/{key}",))
    if bucket and request.method in ("GET", "HEAD"):
        return Call("s3:ListBucket", (f"arn:aws:s3:::{bucket}",))
    return None


def _json_call(service: str, action: str, body: bytes, template: Template) -> Call | None:
    given = json.loads(body)
    match _TARGETS.get(service):
        case "ssm":
            names = [*given.get("Names", []), *([given["Name"]] if "Name" in given else [])]
            return Call(f"ssm:{action}", tuple(template.arn("ssm", f"parameter{name}") for name in names))
        case "sqs":
            queue = given.get("QueueUrl", "").rpartition("/")[2]
            return Call(f"sqs:{action.removesuffix('Batch')}", (template.arn("sqs", queue),))
        case "kms":
            context = {f"kms:EncryptionContext:{name}": value for name, value in given["EncryptionContext"].items()}
            return Call(f"kms:{action}", (given.get("KeyId", ""),), context)
    return None


def _statement(function: str, entry: dict[str, Any]) -> Statement:
    unknown = entry.keys() - {"Effect", "Action", "Resource", "Condition"}
    conditions = entry.get("Condition", {})
    if unknown or entry.get("Effect") != "Allow" or conditions.keys() - {"StringEquals"}:
        raise TemplateError(f"this permission of {function} is not understood by the offline world: {entry!r}")
    return Statement(_listed(entry["Action"]), _listed(entry["Resource"]), conditions.get("StringEquals", {}))


def _listed(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _covers(statement: Statement, call: Call, resource: str) -> bool:
    return (
        any(fnmatchcase(call.action, pattern) for pattern in statement.actions)
        and any(fnmatchcase(resource, pattern) for pattern in statement.resources)
        and all(call.context.get(name) == value for name, value in statement.equal.items())
    )


def _may_list(role: Role, call: Call) -> bool:
    buckets = tuple(resource.partition("/")[0] for resource in call.resources)
    return allows(role, Call("s3:ListBucket", buckets))


def _refused(call: Call | None, code: str) -> Response:
    service = call.service if call else "s3"
    if service == "s3":
        return Response(f"<Error><Code>{code}</Code><Message>Access Denied</Message></Error>", 403)
    document = json.dumps({"__type": f"{code}Exception", "message": "is not authorized to perform this action"})
    return Response(document, _REFUSED_STATUS.get(service, 400), content_type="application/x-amz-json-1.1")
