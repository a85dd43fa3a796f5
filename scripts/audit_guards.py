"""Audit: does every function declare its guard, and do file, GUARD and serverless.yml agree?

Reads the code without importing it. Prints a table and what to do about each finding.
Exit codes: 0 all is well, 1 findings, 2 the audit could not be made (no functions, unreadable files).

    python scripts/audit_guards.py [project folder]
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parent.parent

# The prefix of a function's file fixes which guard kinds it may declare.
LEGAL_KINDS = {
    "webhook": {"hmac"},
    "queue": {"queue"},
    "cron": {"cron"},
    "ai": {"jwt"},
    "app": {"jwt"},
    "public": {"public"},
}
# What only the guard layer and the store may import.
FORBIDDEN_IMPORTS = (
    "functions",
    "os",
    "shared.guard.verify",
    "shared.data.database",
    "supabase",
    "postgrest",
    "httpx",
    "upstash_redis",
    "jwt",
)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, where, and what to do."""

    place: str
    message: str


@dataclass(frozen=True)
class Declared:
    """What a function's file says of itself."""

    name: str
    kind: str
    argument: str
    methods: tuple[str, ...]


def audit(project: Path) -> tuple[list[Declared], list[Finding]]:
    """All functions of a project as they declare themselves, and all findings, in the order of the files."""
    declared: list[Declared] = []
    findings: list[Finding] = []
    for path in sorted((project / "functions").glob("*.py")):
        function, found = read_function(path)
        findings += found
        if function is not None:
            declared.append(function)
    names = {path.stem for path in (project / "functions").glob("*.py")}
    findings += compare_with_deployment(project / "serverless.yml", names, declared)
    if not names:
        findings.append(Finding("functions/", "no function found: an audit of nothing is no audit"))
    return declared, findings


def read_function(path: Path) -> tuple[Declared | None, list[Finding]]:
    """One file's declaration, or None, and what is wrong with it."""
    place = f"functions/{path.name}"
    tree = ast.parse(path.read_text(), str(path))
    findings = list(_forbidden_imports(place, tree))
    guards = [node for node in tree.body if _assigned_name(node) == "GUARD"]
    everywhere = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == "GUARD"
    ]
    if len(guards) != 1 or len(everywhere) != 1:
        findings.append(Finding(place, "declare GUARD = guard(...) exactly once, at the top level of the file"))
        return None, findings
    declared = _read_guard(path.stem, guards[0])
    if declared is None:
        findings.append(
            Finding(f"{place}:{guards[0].lineno}", "GUARD must be guard(<kind>(...), ...) with literals only")
        )
        return None, findings
    legal = LEGAL_KINDS.get(path.stem.partition("_")[0])
    if legal is None:
        findings.append(Finding(place, f"name the file <trigger>_<subject>.py; triggers: {', '.join(LEGAL_KINDS)}"))
    elif declared.kind not in legal:
        wanted = " or ".join(sorted(legal))
        findings.append(Finding(f"{place}:{guards[0].lineno}", f"its prefix wants guard {wanted}, not {declared.kind}"))
    findings += _handler_findings(place, tree)
    return declared, findings


def compare_with_deployment(path: Path, names: set[str], declared: list[Declared]) -> Iterator[Finding]:
    """File, GUARD and the entry in serverless.yml are three witnesses that must agree."""
    deployed: dict[str, Any] = yaml.load(path.read_text(), _Tolerant).get("functions") or {}
    for name in sorted(names - deployed.keys()):
        yield Finding("serverless.yml", f"functions/{name}.py is not deployed: add it under functions")
    for name in sorted(deployed.keys() - names):
        yield Finding("serverless.yml", f"{name} has no file functions/{name}.py: remove it, or write the file")
    for function in declared:
        entry = deployed.get(function.name)
        if entry is None:
            continue
        place = f"serverless.yml: {function.name}"
        if entry.get("handler") != f"functions/{function.name}.handler":
            yield Finding(place, f"handler must be functions/{function.name}.handler")
        yield from _event_findings(place, function, entry.get("events") or [])


def _event_findings(place: str, function: Declared, events: list[dict[str, Any]]) -> Iterator[Finding]:
    prefix, _, subject = function.name.partition("_")
    sources = {next(iter(event)) for event in events}
    legal = {"queue": {"sqs"}, "cron": {"schedule", "httpApi"}}.get(prefix, {"httpApi"})
    if not sources or not sources <= legal:
        yield Finding(place, f"its events must be {' or '.join(sorted(legal))}")
    routes = [event["httpApi"] for event in events if "httpApi" in event]
    wanted_path = f"/{prefix}/{subject.replace('_', '-')}"
    for route in routes:
        if route["path"] != wanted_path:
            yield Finding(place, f"its path must be {wanted_path}, not {route['path']}")
    methods = {route["method"] for route in routes} - ({"OPTIONS"} if function.kind == "jwt" else set())
    if routes and methods != set(function.methods):
        yield Finding(place, f"routes {sorted(methods)} and GUARD methods {sorted(function.methods)} differ")


def _read_guard(name: str, assignment: ast.stmt) -> Declared | None:
    call = assignment.value if isinstance(assignment, ast.Assign) else None
    if not isinstance(call, ast.Call) or not _is_call_of(call, "guard") or len(call.args) != 1:
        return None
    kind = call.args[0]
    if not isinstance(kind, ast.Call) or not isinstance(kind.func, ast.Name):
        return None
    literals = [
        *kind.args,
        *(keyword.value for keyword in kind.keywords),
        *(keyword.value for keyword in call.keywords),
    ]
    if not all(_is_literal(node) for node in literals):
        return None
    methods = next((ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg == "methods"), ())
    argument = str(ast.literal_eval(kind.args[0])) if kind.args else ""
    return Declared(name, kind.func.id, argument, tuple(methods))


def _is_literal(node: ast.expr) -> bool:
    """A constant, a tuple of them, or a product of constants (3 * 1024)."""
    if isinstance(node, ast.Tuple):
        return all(_is_literal(inner) for inner in node.elts)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Mult) and _is_literal(node.left) and _is_literal(node.right)
    return isinstance(node, ast.Constant)


def _handler_findings(place: str, tree: ast.Module) -> Iterator[Finding]:
    handlers = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "handler"]
    top_level = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "handler"]
    if len(handlers) != 1 or len(top_level) != 1:
        yield Finding(place, "define handler exactly once, at the top level of the file")
        return
    decorators = handlers[0].decorator_list
    if len(decorators) != 1 or not (isinstance(decorators[0], ast.Name) and decorators[0].id == "GUARD"):
        yield Finding(f"{place}:{handlers[0].lineno}", "handler must be decorated with @GUARD and nothing else")
    for node in tree.body:
        if _assigned_name(node) == "handler":
            yield Finding(f"{place}:{node.lineno}", "handler is assigned again: that would be an unguarded door")


def _forbidden_imports(place: str, tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
            if any(alias.name == "*" for alias in node.names):
                yield Finding(f"{place}:{node.lineno}", "name what you import: a star could bring another handler")
        else:
            continue
        for module in modules:
            if any(module == root or module.startswith(f"{root}.") for root in FORBIDDEN_IMPORTS):
                yield Finding(
                    f"{place}:{node.lineno}", f"a function may not import {module}: use the guard layer or the store"
                )


def _assigned_name(node: ast.stmt) -> str:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return next((target.id for target in targets if isinstance(target, ast.Name)), "")


def _stores(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name


def _is_call_of(call: ast.Call, name: str) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == name


class _Tolerant(yaml.SafeLoader):
    """Reads CloudFormation's tags as None: they do not matter here."""


_Tolerant.add_multi_constructor("!", lambda loader, suffix, node: None)


def main(arguments: list[str]) -> int:
    project = Path(arguments[0]) if arguments else PROJECT
    try:
        declared, findings = audit(project)
    except (OSError, SyntaxError, yaml.YAMLError) as error:
        print(f"The audit could not be made: {error}", file=sys.stderr)
        return 2
    for function in declared:
        guard = f"{function.kind}({function.argument})" if function.argument else function.kind
        print(f"{function.name:<20} {guard:<16} {' '.join(function.methods)}")
    for finding in findings:
        print(f"{finding.place}: {finding.message}", file=sys.stderr)
    print(f"{len(declared)} functions, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
