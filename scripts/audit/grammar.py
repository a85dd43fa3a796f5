"""What may run when a function's file is imported: a closed grammar, so that a new way to run code is outside of it.

A file holds a docstring, imports, constants, GUARD, models and functions. The expressions of these are literals, names
and calls of IMPORT_CALLS with literals. The body of a function runs later, behind the guard, and has rules of its own.
"""

import ast
from collections.abc import Iterator

# Calls that an import may make, and the module that each name comes from.
IMPORT_CALLS = {"ConfigDict": "pydantic", "Field": "pydantic", "timedelta": "datetime"}
FIELD_ARGUMENTS = frozenset({"alias", "default", "ge", "gt", "le", "lt", "max_length", "min_length", "pattern"})
DECORATORS = {"field_validator": "pydantic", "model_validator": "pydantic", "property": "", "staticmethod": ""}
# A base class, and the module that it comes from; none for a class of Python itself.
BASES = {"BaseModel": "pydantic", "Exception": "", "NamedTuple": "typing"}
_OPERATORS = (ast.Add, ast.Sub, ast.Mult)


def import_time_code(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield each node that runs at import and lies outside the grammar."""
    sources = _sources(tree)
    for place, statement in enumerate(tree.body):
        is_docstring = place == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not is_docstring:
            yield from _statement(statement, sources)


def _sources(tree: ast.Module) -> dict[str, str]:
    """The module that each imported name comes from."""
    return {
        alias.asname or alias.name: node.module or ""
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _statement(node: ast.stmt, sources: dict[str, str]) -> Iterator[ast.AST]:
    match node:
        case ast.Import() | ast.ImportFrom():
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                yield node
        case ast.FunctionDef():
            yield from _function(node, sources)
        case ast.ClassDef():
            yield from _class(node, sources)
        case ast.Assign(targets=[ast.Name(id="GUARD")]):
            pass  # guard_literal.py reads it
        case ast.Assign(targets=[ast.Name(id="log")], value=value):
            if ast.unparse(value) != "logging.getLogger('portero')":
                yield node
        case ast.Assign(targets=[target], value=value) if _is_constant_name(target):
            yield from _expression(value, sources)
        case ast.AnnAssign(target=target, annotation=annotation, value=ast.expr() as value) if _is_constant_name(
            target
        ):
            yield from _annotation(annotation, sources)
            yield from _expression(value, sources)
        case _:
            yield node


def _is_constant_name(target: ast.expr) -> bool:
    names = target.elts if isinstance(target, ast.Tuple) else [target]
    return all(isinstance(name, ast.Name) and name.id.isupper() and name.id != "GUARD" for name in names)


def _function(node: ast.FunctionDef, sources: dict[str, str], decorators: bool = False) -> Iterator[ast.AST]:
    for decorator in node.decorator_list:
        if ast.unparse(decorator) != "GUARD" and not (decorators and _is_decorator(decorator, sources)):
            yield decorator
    given = node.args
    for default in [*given.defaults, *filter(None, given.kw_defaults)]:
        yield from _expression(default, sources)
    arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    for argument in filter(None, arguments):
        if argument.annotation is not None:
            yield from _annotation(argument.annotation, sources)
    if node.returns is not None:
        yield from _annotation(node.returns, sources)
    if getattr(node, "type_params", None):
        yield node


def _is_decorator(node: ast.expr, sources: dict[str, str]) -> bool:
    name, arguments = node, []
    if isinstance(node, ast.Call):
        name, arguments = node.func, [*node.args, *(keyword.value for keyword in node.keywords)]
    return (
        isinstance(name, ast.Name)
        and name.id in DECORATORS
        and sources.get(name.id, "") == DECORATORS[name.id]
        and all(isinstance(argument, ast.Constant) for argument in arguments)
    )


def _class(node: ast.ClassDef, sources: dict[str, str]) -> Iterator[ast.AST]:
    for base in node.bases:
        if not (isinstance(base, ast.Name) and base.id in BASES and sources.get(base.id, "") == BASES[base.id]):
            yield base
    yield from node.decorator_list
    yield from (keyword.value for keyword in node.keywords)
    if getattr(node, "type_params", None):
        yield node
    for part in node.body:
        match part:
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case ast.AnnAssign(target=ast.Name(), annotation=annotation, value=value):
                yield from _annotation(annotation, sources)
                if value is not None:
                    yield from _expression(value, sources)
            case ast.Assign(targets=[ast.Name(id="model_config")], value=value):
                yield from _expression(value, sources)
            case ast.FunctionDef(name=name) if not name.startswith("__"):
                yield from _function(part, sources, decorators=True)
            case _:
                yield part


def _expression(node: ast.expr, sources: dict[str, str]) -> Iterator[ast.AST]:
    """Literals, names, arithmetic and the calls of IMPORT_CALLS."""
    match node:
        case ast.Constant() | ast.Name():
            return
        case ast.Attribute(value=ast.Name()):
            return
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            pass
        case ast.Dict(keys=keys, values=values) if None not in keys:
            parts = [*filter(None, keys), *values]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            parts = [operand]
        case ast.BinOp(left=left, op=operator, right=right) if isinstance(operator, _OPERATORS):
            parts = [left, right]
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr="compile"), args=parts, keywords=[]):
            pass
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=keywords) if _may_call(name, keywords, sources):
            parts = [*parts, *(keyword.value for keyword in keywords)]
        case _:
            yield node
            return
    for part in parts:
        yield from _expression(part, sources)


def _may_call(name: str, keywords: list[ast.keyword], sources: dict[str, str]) -> bool:
    if sources.get(name) != IMPORT_CALLS.get(name, "?") or any(keyword.arg is None for keyword in keywords):
        return False
    return name != "Field" or all(keyword.arg in FIELD_ARGUMENTS for keyword in keywords)


def _annotation(node: ast.expr, sources: dict[str, str]) -> Iterator[ast.AST]:
    """Names, unions and subscripts; texts only inside Literal[...], since a text is evaluated later, as code."""
    match node:
        case ast.Name() | ast.Attribute(value=ast.Name()) | ast.Constant(value=None):
            return
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            parts: list[ast.expr] = [left, right]
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner) if sources.get("Literal") == "typing":
            values = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            yield from (value for value in values if not isinstance(value, ast.Constant))
            return
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[kind, *more])):
            yield from _annotation(kind, sources)
            for part in more:
                yield from _expression(part, sources)
            return
        case ast.Subscript(value=ast.Name(), slice=inner):
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            pass
        case _:
            yield node
            return
    for part in parts:
        yield from _annotation(part, sources)
