"""serverless.yml as a closed grammar: which keys there are, and which forms their values may have.

A key or a form that is not here is a finding, whatever it would do. deployment.py compares the entries with GUARD,
roles.py the permissions.
"""

import re
from collections.abc import Iterator
from typing import Any

from scripts.audit.findings import Finding
from scripts.audit.forms import Anything, Exactly, Mismatch, Number, Text, form_message, mismatches
from scripts.audit.template import Section, Tag

FILE = "serverless.yml"
# What every function gets. No name of AWS's own or of Python's: these change where a call goes or what runs.
PROVIDER_SETTINGS = ("STAGE", "PARAMETER_PREFIX", "RELEASE", "LOG_LEVEL", "LOG_SAMPLE", "SENTRY_DSN")
DANGEROUS_SETTINGS = re.compile(r"AWS_.*|LOCAL_.*|LD_.*|PYTHON.*|.*_(SECRET|TOKEN|PASSWORD|PRIVATE_KEY)")

_PARAMETER = r"\$\{param:[A-Za-z]+(, (null|[0-9]+))?\}"
_STAGE = r"\$\{sls:stage\}"
_XRAY = {"Effect": "Allow", "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "Resource": "*"}
# Fields of an access log that tell nothing of a person: no address, no user agent, no path with its query.
_LOGGED = "requestId|routeKey|status|responseLength|responseLatency|integrationLatency"
_LOG_FORMAT = r'\{("[a-z_]+":"\$context\.(' + _LOGGED + r')",?)+\}'

PROVIDER: dict[str, Any] = {
    "name": "aws",
    "runtime?": "python3.13",
    "architecture?": "arm64",
    "region?": Text(r"\$\{opt:region, '[a-z0-9-]+'\}"),
    "stage?": Text(r"\$\{opt:stage, 'dev'\}"),
    "memorySize?": Number(128, 1024),
    "timeout?": Number(1, 29),
    "logRetentionInDays?": Text(_PARAMETER),
    "tracing?": {"lambda": True},
    "versionFunctions?": False,
    # CORS, authorizers and mapping are the guard's business: it sees the request as the caller sent it.
    "httpApi?": {"payload": "2.0"},
    "logs?": {"httpApi": {"format": Text(_LOG_FORMAT)}},
    "iam?": {"role": {"statements": Exactly((_XRAY,))}},
    "environment?": {f"{name}?": (Text(r"[A-Za-z]*|" + _PARAMETER + "|" + _STAGE + r"|/portero/" + _STAGE),)
                     for name in PROVIDER_SETTINGS},
}  # fmt: skip
TOP: dict[str, Any] = {
    "service": Text(r"[a-z]+"),
    "frameworkVersion?": Text(r">=[0-9.]+"),
    "configValidationMode?": "error",
    "plugins?": Exactly(("serverless-iam-roles-per-function",)),
    "custom?": {
        "serverless-iam-roles-per-function": {"defaultInherit": True},
        "secrets": [Text(r"arn:\$\{AWS::Partition\}:ssm:[^*]*:parameter/portero/\$\{sls:stage\}/[A-Z_]+", "Sub")],
        "prefixes": Anything("anchors: what refers to them is checked where it is used"),
        "cron_target": Anything("an anchor"),
    },
    "prefixes?": Anything("anchors: what refers to them is checked where it is used"),
    "params?": {
        "default": Anything("values of parameters, checked where they are used"),
        "prod": Anything("values of parameters, checked where they are used"),
    },
    "provider": PROVIDER,
    "package?": {"individually": True},
    "functions": Anything("each entry is compared below"),
    "resources?": {
        "Conditions?": {
            "HasAlarmEmail?": Anything("decides whether a mail address gets the alarms"),
            "HasSharedRole?": Tag("Equals", "['per-function', 'shared']"),
        },
        "extensions?": Anything("compared below"),
        "Resources?": Anything("compared below"),
    },
}
_CRON_REFERENCE = r"Bearer \{\{resolve:ssm:/[a-z]+/\$\{sls:stage\}/CRON_TRIGGER\}\}"
_EVENTS = {
    "httpApi": ({"method": Text(r"GET|POST|OPTIONS|\*"), "path": Text(r"/[a-z/-]+")}, Text(r"[A-Z]+ /[a-z/-]+")),
    "sqs": {
        "arn": Text(r"[A-Z][A-Za-z]+Queue\.Arn", "GetAtt"),
        "batchSize?": Number(1, 10),
        "functionResponseType?": "ReportBatchItemFailures",
        "maximumConcurrency?": (Number(2, 20), Text(_PARAMETER)),
    },
    "schedule": {
        "rate": Text(r"rate\((1 minute|[0-9]{1,2} minutes|1 hour|[0-9]{1,2} hours|1 day)\)"),
        "enabled?": False,
        "input": {"schedule?": Text(r"cron_[a-z_]+"), "authorization": Text(_CRON_REFERENCE)},
    },
}
FUNCTION: dict[str, Any] = {
    "handler": Anything("deployment.py"),
    "package?": {"artifact": Text(r"\.package/[a-z_]+\.zip")},
    "timeout?": Number(1, 60),
    "memorySize?": Number(128, 2048),
    "environment?": Anything("settings, below and in deployment.py"),
    "iamRoleStatements?": Anything("roles.py"),
    "events?": [tuple({source: form} for source, form in _EVENTS.items())],
    "reservedConcurrency?": Text(_PARAMETER),
    "maximumRetryAttempts?": Number(0, 2),
    "maximumEventAge?": Number(60, 3600),
    "destinations?": {"onFailure": {"type": "sqs", "arn": Tag("GetAtt", "CronFailures.Arn")}},
}


# X-Ray takes a permission, and an internal function has none.
INTERNAL_FUNCTION = FUNCTION | {"tracing?": "PassThrough", "iamRoleStatementsInherit?": False}


def check_stack(template: Section) -> Iterator[Finding]:
    """Compare the whole file with the grammar."""
    found = list(mismatches(template, TOP, FILE, 1))
    entries = template.get("functions")
    if isinstance(entries, Section):
        for name, entry in entries.items():
            form = INTERNAL_FUNCTION if name.startswith("internal_") else FUNCTION
            found += [*mismatches(entry, form, name, entries.line_of(name)), *_dangerous(entry, name)]
    provider = template.get("provider")
    found += _dangerous(provider, "provider")
    for path, line, expected in found:
        yield Finding(FILE, line, "template-form", form_message(path, expected))


def _dangerous(part: Any, path: str) -> Iterator[Mismatch]:
    environment = part.get("environment") if isinstance(part, Section) else None
    if not isinstance(environment, Section):
        return
    for name in environment:
        if DANGEROUS_SETTINGS.fullmatch(name):
            yield Mismatch(f"{path}.environment.{name}", environment.line_of(name), "no such name in an environment")
