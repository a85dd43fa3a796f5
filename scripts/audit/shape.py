"""The shape of one function's file: one GUARD, one handler under it, and nothing else that Lambda could call."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from scripts.audit.declared import KINDS
from scripts.audit.findings import Finding
from scripts.audit.grammar import import_time_code
from scripts.audit.source import nodes

GUARD_NAMES = KINDS | {"guard"}
# Each can make, find or change something that reading does not show.
DYNAMIC = {
    *("__builtins__", "__import__", "__loader__", "__spec__", "breakpoint", "compile", "delattr", "eval", "exec"),
    *("getattr", "globals", "input", "locals", "open", "setattr", "vars"),
}
# The same, by a text, wherever they come from.
BY_TEXT = {"ForwardRef", "ImportString", "attrgetter", "get_type_hints", "import_string"}
HARMLESS_DUNDERS = frozenset({"__doc__", "__name__", "__version__"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Binding:
    """A place where a name gets a meaning, or loses it; `statement` is the top-level statement around it."""

    name: str
    line: int
    node: ast.AST
    statement: ast.stmt


def bindings(tree: ast.Module) -> list[Binding]:
    """All bindings of a module at any depth: assignments, definitions, parameters, imports, patterns, deletions."""
    found = []
    for statement in tree.body:
        line = statement.lineno
        for node in nodes(statement):
            line = getattr(node, "lineno", line)
            found += [Binding(name, line, node, statement) for name in _bound(node)]
    return found


def _bound(node: ast.AST) -> list[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
            return [name]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            return names
        case ast.alias(name=name, asname=other):
            return [other or name.partition(".")[0]]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return [name]
        case ast.MatchMapping(rest=str(name)):
            return [name]
    return []


def check_shape(file: str, tree: ast.Module) -> Iterator[Finding]:
    """Everything about GUARD's and handler's place, and about what else the file holds."""
    bound = bindings(tree)
    if not ast.get_docstring(tree):
        yield Finding(file, 1, "docstring-missing", "open with a docstring: who calls, what changes, what is answered")
    found = [
        *_check_guard(file, bound),
        *_check_guard_names(file, tree, bound),
        *_check_handler(file, tree, bound),
        *_check_others(file, tree),
        *_check_dynamic(file, tree),
    ]
    yield from found


def check_import_time(file: str, tree: ast.Module) -> Iterator[Finding]:
    """What an import of the file would run outside the grammar."""
    for line in sorted({getattr(node, "lineno", 1) for node in import_time_code(tree)}):
        message = "move this into a function: an import runs only what scripts/audit/grammar.py lists"
        yield Finding(file, line, "module-runs-code", message)


def guard_statement(tree: ast.Module) -> ast.Assign | None:
    """The one plain top-level assignment of GUARD."""
    plain = (node for node in tree.body if isinstance(node, ast.Assign) and _is_plain(node))
    return next(plain, None)


def _is_plain(statement: ast.stmt) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name(id="GUARD")]):
            return True
    return False


def _check_guard(file: str, bound: list[Binding]) -> Iterator[Finding]:
    guards = [binding for binding in bound if binding.name == "GUARD"]
    if not guards:
        yield Finding(file, 1, "guard-missing", "declare GUARD = guard(<kind>(...), ...) above handler")
        return
    declared = next((binding for binding in guards if _is_plain(binding.statement)), None)
    for binding in guards:
        if binding is declared:
            continue
        if declared is not None:
            message = f"take this out: GUARD is declared in line {declared.line} and stays as it is"
            yield Finding(file, binding.line, "guard-repeated", message)
        elif binding.node is binding.statement or not hasattr(binding.statement, "body"):
            yield Finding(
                file, binding.line, "guard-form", "write one plain assignment: GUARD = guard(<kind>(...), ...)"
            )
        else:
            message = "move GUARD to the top level, under no condition, loop, function or class"
            yield Finding(file, binding.line, "guard-nested", message)


def _check_guard_names(file: str, tree: ast.Module, bound: list[Binding]) -> Iterator[Finding]:
    renamed = {
        alias
        for node in nodes(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "shared.guard"
        for alias in node.names
        if alias.name in GUARD_NAMES and alias.asname not in (None, alias.name)
    }
    for binding in bound:
        if binding.node in renamed:
            yield Finding(file, binding.line, "guard-import", "take it from shared.guard under its own name")
            continue
        if binding.name not in GUARD_NAMES:
            continue
        statement = binding.statement
        if isinstance(binding.node, ast.alias) and isinstance(statement, ast.ImportFrom):
            if statement.module == "shared.guard" and binding.node.asname is None:
                continue
            message = f"write: from shared.guard import {binding.name}"
            yield Finding(file, binding.line, "guard-import", message)
        else:
            message = f"choose another name: {binding.name} is a word of the guard layer"
            yield Finding(file, binding.line, "guard-shadowed", message)
    here = {binding.name for binding in bound}
    for node in nodes(tree):
        if isinstance(node, ast.Name) and node.id in GUARD_NAMES - here:
            yield Finding(file, node.lineno, "guard-import", f"write: from shared.guard import {node.id}")


def _check_handler(file: str, tree: ast.Module, bound: list[Binding]) -> Iterator[Finding]:
    handlers = [binding for binding in bound if binding.name == "handler"]
    if not handlers:
        yield Finding(file, 1, "handler-missing", "define handler(request) under @GUARD")
        return
    node = next((part for part in tree.body if isinstance(part, _Function) and part.name == "handler"), None)
    for binding in handlers:
        if binding.node is node:
            continue
        if node is None:
            message = "write def handler(request) at the top level, under no condition and by no assignment"
            yield Finding(file, binding.line, "handler-nested", message)
        else:
            message = f"take this out: handler is defined in line {node.lineno} and stays as it is"
            yield Finding(file, binding.line, "handler-repeated", message)
    if isinstance(node, ast.AsyncFunctionDef):
        yield Finding(file, node.lineno, "handler-async", "write def, not async def: Lambda would not await it")
    if node is not None:
        yield from _check_definition(file, node)
    yield from _check_references(file, tree)


def _check_definition(file: str, node: _Function) -> Iterator[Finding]:
    others = [part for part in node.decorator_list if not (isinstance(part, ast.Name) and part.id == "GUARD")]
    if others or len(node.decorator_list) != 1:
        message = "decorate handler with @GUARD and nothing else"
        yield Finding(file, others[0].lineno if others else node.lineno, "handler-decorators", message)
    given = node.args
    extra = [*given.posonlyargs, *given.kwonlyargs, *given.defaults, given.vararg, given.kwarg]
    if len(given.args) != 1 or any(extra):
        yield Finding(file, node.lineno, "handler-parameters", "let handler take one parameter: the request")


def _check_references(file: str, tree: ast.Module) -> Iterator[Finding]:
    """Names that are read: GUARD but for the decorator of handler, and handler at all."""
    handlers = [node for node in nodes(tree) if isinstance(node, _Function) and node.name == "handler"]
    decorators = [decorator for handler in handlers for decorator in handler.decorator_list]
    for node in nodes(tree):
        if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
            continue
        if node.id == "GUARD" and node not in decorators:
            message = "use GUARD as the decorator of handler and nowhere else"
            yield Finding(file, node.lineno, "guard-referenced", message)
        if node.id == "handler":
            message = "take this out: another name for handler, or a call of it, goes around the guard"
            yield Finding(file, node.lineno, "handler-referenced", message)


def _check_others(file: str, tree: ast.Module) -> Iterator[Finding]:
    """What Lambda could be pointed at beside handler."""
    message = "make it private (_name) and give it what it needs of the request; only handler may be called by Lambda"
    for node in tree.body:
        if isinstance(node, _Function) and node.name != "handler":
            if not node.name.startswith("_") or node.name.startswith("__"):
                yield Finding(file, node.lineno, "second-handler", message)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Lambda):
            yield Finding(file, node.lineno, "second-handler", "write def _name(...), not a lambda with a name")
    for inner in nodes(tree):
        if isinstance(inner, _Function) and inner.name == "__call__":
            yield Finding(
                file, inner.lineno, "second-handler", "name the method: an object that is called is a handler"
            )
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            named_private = isinstance(inner, ast.Lambda) or inner.name.startswith("_") or inner not in tree.body
            names = [argument.arg for argument in inner.args.args]
            if named_private and names == ["event", "context"]:
                yield Finding(
                    file, inner.lineno, "second-handler", "take what you need, not Lambda's event and context"
                )


def _check_dynamic(file: str, tree: ast.Module) -> Iterator[Finding]:
    imported = {binding.name for binding in bindings(tree) if isinstance(binding.node, ast.alias)}
    for node in nodes(tree):
        match node:
            case ast.Name(id=name) if name in DYNAMIC | BY_TEXT:
                yield Finding(file, node.lineno, "dynamic-code", f"do it without {name}: the audit cannot read it")
            case ast.Attribute(attr=name) | ast.alias(name=name) if name in BY_TEXT:
                yield Finding(file, node.lineno, "dynamic-code", f"do it without {name}: the audit cannot read it")
            case ast.Attribute(attr=name) if _is_dunder(name) and name not in HARMLESS_DUNDERS:
                yield Finding(file, node.lineno, "dynamic-code", f"do it without {name}: the audit cannot read it")
            case (
                ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del())
                | ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del())
            ) if name in imported:
                yield Finding(file, node.lineno, "dynamic-code", f"change nothing in {name}: it is imported")


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")
