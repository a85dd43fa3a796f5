"""The permissions of each function's role, computed from its GUARD and its code, and compared with serverless.yml.

A role may do exactly what the function's secrets, queues, buckets and keys need: one statement more is as much a
finding as one less.
"""

import ast
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from scripts.audit.consumption import Imports
from scripts.audit.declared import Declared
from scripts.audit.findings import Finding
from scripts.audit.resources import logical
from scripts.audit.source import nodes
from scripts.audit.template import Section, Tag

FILE = "serverless.yml"
# Functions of shared/cloud/objects.py and what each needs of S3, the presigned forms included.
OBJECT_ACTIONS = {
    "get": "s3:GetObject",
    "address": "s3:GetObject",
    "put": "s3:PutObject",
    "form": "s3:PutObject",
    "delete": "s3:DeleteObject",
}
READS = {"s3:GetObject"}
ENCRYPTION_CONTEXT = "{'StringEquals': {'kms:EncryptionContext:purpose': 'credentials'}}"
# Action, resource and condition of one permission.
Permission = tuple[str, str, str]


def check_roles(
    functions: Section, declared: list[Declared], trees: dict[str, ast.Module], imports: Imports
) -> Iterator[Finding]:
    """Compare every role with what its function needs."""
    names = {function.name: function for function in declared}
    for name, function in names.items():
        entry = functions.get(name)
        if not isinstance(entry, Section):
            continue
        line = entry.lines.get("iamRoleStatements", entry.line)
        granted, complaints = _granted(entry.get("iamRoleStatements", []))
        for complaint in complaints:
            yield Finding(FILE, line, "role-form", complaint)
        needed = _needed(function, entry, trees[name], imports, names)
        for action, resource, _ in sorted(granted - needed):
            message = f"take {action} on {resource} from {name}: GUARD and the code do not need it"
            yield Finding(FILE, line, "role-excess", message[:200])
        for action, resource, _ in sorted(needed - granted):
            message = f"add {action} on {resource} to {name}: GUARD or the code needs it"
            yield Finding(FILE, line, "role-missing", message[:200])


def _granted(statements: Any) -> tuple[set[Permission], list[str]]:
    granted: set[Permission] = set()
    complaints: list[str] = []
    for statement in statements if isinstance(statements, list) else [None]:
        if not isinstance(statement, Section) or not {*statement} <= {"Effect", "Action", "Resource", "Condition"}:
            complaints.append("write each statement with Effect, Action, Resource and Condition only")
            continue
        if statement.get("Effect") != "Allow":
            complaints.append("write Effect: Allow, and leave out what is not allowed")
        condition = _plain(statement.get("Condition")) if "Condition" in statement else ""
        for action in _listed(statement.get("Action")):
            for resource in _listed(statement.get("Resource")):
                granted.add((_plain(action), _plain(resource), condition))
    return granted, complaints


def _needed(
    function: Declared, entry: Section, tree: ast.Module, imports: Imports, names: dict[str, Declared]
) -> set[Permission]:
    needed = {("ssm:GetParameters", f"parameter {name}", "") for name in function.secrets}
    environment = entry.get("environment")
    settings = {*environment} if isinstance(environment, Section) else set()
    for name in settings:
        queue = name.removesuffix("_QUEUE_URL")
        if queue != name:
            needed.add(("sqs:SendMessage", f"{queue.capitalize()}Queue.Arn", ""))
        bucket = name.removesuffix("_BUCKET")
        if bucket != name:
            for action in object_actions(tree, imports):
                needed.add((action, f"${{{bucket.capitalize()}Bucket.Arn}}/*", ""))
    if "KMS_KEY_ID" in settings:
        needed.add(("kms:Decrypt", "CredentialsKey.Arn", ENCRYPTION_CONTEXT))
    if "destinations" in entry:
        needed.add(("sqs:SendMessage", "CronFailures.Arn", ""))
    for other in names.values():
        if other.kind == "internal" and other.options.get("caller") == function.name:
            needed.add(("lambda:InvokeFunction", f"{logical(other.name)}LambdaFunction.Arn", ""))
    return needed


def object_actions(tree: ast.Module, imports: Imports) -> set[str]:
    """What a function's code, and what it imports, asks of shared/cloud/objects.py."""
    actions: set[str] = set()
    for reader in [tree, *imports.reach(tree)]:
        actions |= _actions(reader)
    return actions


@lru_cache(1024)
def _actions(tree: ast.Module) -> frozenset[str]:
    return frozenset(
        OBJECT_ACTIONS[node.attr]
        for node in nodes(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "objects"
        and node.attr in OBJECT_ACTIONS
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _plain(value: Any) -> str:
    """A text for comparison: of a parameter's ARN the name alone, of a Tag its text."""
    text = value.text if isinstance(value, Tag) else str(dict(value) if isinstance(value, Section) else value)
    prefix = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/portero/${sls:stage}/"
    return f"parameter {text.removeprefix(prefix)}" if text.startswith(prefix) else text
