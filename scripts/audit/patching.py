"""Every module of shared/ and functions/: none changes another module, runs text as code, or asks where it runs.

A module that could change another at run time would make the audit's reading of that one worthless. So an assignment
reaches a plain name, an attribute of `self` or an item of a value of its own; everything else is an allowance with its
reason (scripts/audit_allowances.txt).
"""

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from scripts.audit.facts import Facts
from scripts.audit.findings import Finding
from scripts.audit.source import nodes

# What is excepted, one a line: <file> | <code> | <reason>. A line that fits nothing is a finding itself.
ALLOWANCES = "scripts/audit_allowances.txt"
MINIMUM_REASON = 3  # words

# Names that run text as code, or reach a module's inside by a text.
BANNED_NAMES = frozenset({
    "__builtins__", "__import__", "__loader__", "__spec__", "breakpoint", "compile", "delattr", "eval", "exec",
    "getattr", "globals", "locals", "setattr", "vars",
})  # fmt: skip
BANNED_MODULES = frozenset({
    "_thread", "ast", "atexit", "builtins", "code", "codeop", "ctypes", "dis", "gc", "imp", "importlib", "inspect",
    "marshal", "mock", "multiprocessing", "operator", "pickle", "pkgutil", "runpy", "shelve", "site", "subprocess",
    "trace", "types", "unittest", "zipimport",
})  # fmt: skip
# Methods that change a list, a dict or a set in place.
MUTATORS = frozenset({
    "__delitem__", "__setitem__", "add", "append", "clear", "discard", "extend", "insert", "move_to_end", "pop",
    "popitem", "remove", "reverse", "setdefault", "sort", "update",
})  # fmt: skip
# `dict.update(SCHEMES, ...)` is `SCHEMES.update(...)`.
BUILT_IN = frozenset({"bytearray", "dict", "list", "set"})
READABLE_DUNDERS = frozenset({
    "__doc__", "__getitem__", "__init__", "__module__", "__name__", "__notes__", "__str__", "__traceback__",
})  # fmt: skip
# Methods that Python calls on its own when a class is made or an attribute is looked up.
BANNED_METHODS = frozenset({
    "__class_getitem__", "__del__", "__delattr__", "__getattr__", "__getattribute__", "__init_subclass__",
    "__mro_entries__", "__new__", "__prepare__", "__set_name__", "__setattr__", "__subclasshook__",
})  # fmt: skip
# What a module may use of sys and os.
PARTS = {
    "sys": frozenset({"argv", "exc_info", "executable", "platform", "stderr", "stdin", "stdout", "version_info"}),
    "os": frozenset({"close", "fstat", "open", "read", "urandom", "write"}),
}
ENVIRONMENT = "shared/settings.py"
# Names that tell where the code runs.
PLACES = frozenset({
    "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "CI", "PARAMETER_PREFIX", "PYTEST_CURRENT_TEST", "RELEASE",
    "STAGE",
})  # fmt: skip
_PLACE_MESSAGE = "do not ask where the code runs: the code that is tested is the code that runs"
# What a function may take from logging, so that it can neither silence a line nor unmask it.
LOGGING = frozenset({"getLogger"})
LOG_METHODS = frozenset({"critical", "debug", "error", "exception", "info", "warning"})


def check_patching(facts: Facts, functions: dict[str, ast.Module]) -> Iterator[Finding]:
    """Check every module; `functions` are the trees of functions/ by name."""
    trees = {f"functions/{name}.py": tree for name, tree in functions.items()}
    for path in sorted((facts.project / "shared").rglob("*.py")):
        file = str(path.relative_to(facts.project))
        trees[file] = facts.tree(path)
        if path in facts.unreadable:
            yield Finding(file, 1, "syntax-error", "mend this: what cannot be read cannot be audited")
    allowed, findings = _allowances(facts.project / ALLOWANCES)
    yield from findings
    used: set[tuple[str, str]] = set()
    for file, tree in trees.items():
        for line, code, rule, message in _check(file, tree):
            if (file, code) in allowed:
                used.add((file, code))
            else:
                yield Finding(file, line, rule, message)
    for file, line, name in _check_test_only(trees):
        yield Finding(file, line, "test-only", f"do without {name}: it is for tests")
    for key in sorted(allowed.keys() - used):
        yield Finding(ALLOWANCES, allowed[key], "allowance-unneeded", f"take out {' | '.join(key)}: it fits nothing")


def _allowances(path: Path) -> tuple[dict[tuple[str, str], int], list[Finding]]:
    """The line of each allowance, by file and code."""
    allowed: dict[tuple[str, str], int] = {}
    findings: list[Finding] = []
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("|", 2)]
        if len(parts) < 3 or not parts[1] or len(parts[2].split()) < MINIMUM_REASON:
            message = "write <file> | <code> | <reason of three words or more>"
            findings.append(Finding(ALLOWANCES, number, "allowance-malformed", message))
        else:
            allowed[parts[0], parts[1]] = number
    return allowed, findings


_Found = tuple[int, str, str, str]


@lru_cache(1024)
def _check(file: str, tree: ast.Module) -> tuple[_Found, ...]:
    return tuple(_find(file, tree))


def _find(file: str, tree: ast.Module) -> Iterator[_Found]:
    imported = _imported(tree)
    reached = imported.keys() | _aliases(tree, imported)
    modules = {name for name, source in imported.items() if source is None}
    bases = {id(node.value) for node in nodes(tree) if isinstance(node, ast.Attribute)}
    for node in nodes(tree):
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()) if not _is_own(node):
                yield _patch(node, f"do not assign to {ast.unparse(node)}: it belongs to something else")
            case ast.Subscript(ctx=ast.Store() | ast.Del()) if _root(node) in reached:
                yield _patch(node, f"do not change {ast.unparse(node.value)}: it is imported")
            case ast.Attribute(value=value, attr=name) if name in MUTATORS and _root(value) in reached | BUILT_IN:
                yield _patch(node, f"do not change {ast.unparse(value)} by {name}: it is imported")
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if name in imported:
                yield _patch(node, f"choose another name than {name}: it is imported")
            case ast.Name(id=name) if name in BANNED_NAMES:
                yield _dynamic(node, name, f"do it without {name}: the audit cannot read it")
            case ast.Name(id=name, ctx=ast.Load()) if name in modules and id(node) not in bases:
                yield _dynamic(node, name, f"name what you use of the module {name}, not the module")
        yield from _check_machinery(node, imported)
        yield from _check_place(file, node)
        if file.startswith("functions/"):
            yield from _check_logging(node)


def _check_machinery(node: ast.AST, imported: dict[str, str | None]) -> Iterator[_Found]:
    match node:
        case ast.Import(names=names):
            for alias in names:
                if alias.name.partition(".")[0] in BANNED_MODULES:
                    yield _dynamic(
                        node, f"import {alias.name}", f"do without {alias.name}: it can change what was read"
                    )
        case ast.ImportFrom(module=module, names=names, level=level):
            first = (module or "").partition(".")[0]
            if first in BANNED_MODULES or level or any(alias.name == "*" for alias in names):
                yield _dynamic(node, f"import {first}", f"do without {module or '.'}: it can change what was read")
            for alias in names:
                if first in PARTS and alias.name not in PARTS[first]:
                    yield _dynamic(node, f"{first}.{alias.name}", f"do without {first}.{alias.name}")
        case ast.Attribute(value=ast.Name(id=module), attr=name, ctx=ast.Load()) if (
            module in PARTS and module in imported and name not in PARTS[module] and (module, name) != ("os", "environ")
        ):
            yield _dynamic(node, f"{module}.{name}", f"do without {module}.{name}")
        case ast.Attribute(attr=name, ctx=ast.Load()) if (
            name.startswith("__") and name.endswith("__") and name not in READABLE_DUNDERS
        ):
            yield _dynamic(node, name, f"do it without {name}: the audit cannot read it")
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name in BANNED_METHODS:
            yield _dynamic(node, name, f"do without {name}: Python calls it where no code shows it")
        case ast.ClassDef(keywords=[keyword, *_]):
            yield _dynamic(node, f"{keyword.arg}=", f"do without {keyword.arg}=: a metaclass runs code of its own")
    if getattr(node, "type_params", None):
        yield _dynamic(node, "type parameters", "write TypeVar: the grammar has no type parameters")


def _check_logging(node: ast.AST) -> Iterator[_Found]:
    """A function writes lines: it changes neither a logger nor what formats it."""
    match node:
        case ast.Attribute(value=ast.Name(id="logging"), attr=name) if name not in LOGGING:
            what = f"logging.{name}"
        case ast.Attribute(value=ast.Name(id="log"), attr=name) if name not in LOG_METHODS:
            what = f"log.{name}"
        case ast.Attribute(value=ast.Call(func=ast.Attribute(value=ast.Name(id="logging"))), attr=name):
            what = f"getLogger(...).{name}"
        case ast.ImportFrom(module="logging"):
            what = "from logging import"
        case _:
            return
    yield getattr(node, "lineno", 1), what, "logging-changed", f"do without {what}: a function only writes lines"


def _check_test_only(trees: dict[str, ast.Module]) -> Iterator[tuple[str, int, str]]:
    """Uses of a function of shared/ whose docstring says that it is for tests."""
    names = frozenset(
        (file.removesuffix(".py").replace("/", "."), node.name)
        for file, tree in trees.items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and (ast.get_docstring(node) or "").rstrip().endswith("For tests.")
    )
    for file, tree in trees.items():
        yield from ((file, line, name) for line, name in _uses(tree, names))


@lru_cache(1024)
def _uses(tree: ast.Module, names: frozenset[tuple[str, str]]) -> tuple[tuple[int, str], ...]:
    """Line and name of each use of a module's name."""
    modules = _modules(tree)
    found: list[tuple[int, str]] = []
    for node in nodes(tree):
        match node:
            case ast.ImportFrom(module=module, names=taken):
                found += [(node.lineno, part.name) for part in taken if (module, part.name) in names]
            case ast.Attribute(value=value, attr=name) if any(name == known for _, known in names):
                written = ast.unparse(value)
                if (modules.get(written, written), name) in names:
                    found.append((node.lineno, name))
    return tuple(found)


def _modules(tree: ast.Module) -> dict[str, str]:
    """Short name -> the module that it may stand for."""
    found: dict[str, str] = {}
    for node in nodes(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.asname: alias.name for alias in node.names if alias.asname}
    return found


def _check_place(file: str, node: ast.AST) -> Iterator[_Found]:
    """Whatever depends on where it runs: a test could not see it."""
    match node:
        case ast.Attribute(value=ast.Name(id="os"), attr="environ") if file != ENVIRONMENT:
            yield (
                node.lineno,
                "os.environ",
                "environment-read",
                "read a Setting: only shared/settings.py reads os.environ",
            )
        case ast.Attribute(attr=name) if name in PLACES:
            yield node.lineno, f"Setting.{name}", "stage-branch", _PLACE_MESSAGE
        case ast.Constant(value=str(text)) if text in PLACES and file != ENVIRONMENT:
            yield node.lineno, text, "stage-branch", _PLACE_MESSAGE
        case ast.For(iter=value) | ast.comprehension(iter=value) | ast.Call(args=[value, *_]) if (
            isinstance(value, ast.Name) and value.id == "Setting"
        ):
            yield value.lineno, "Setting", "stage-branch", "name the setting: all of them are more than is needed"


def _imported(tree: ast.Module) -> dict[str, str | None]:
    """Names that imports bind anywhere in a file: None for a whole module, else the module they come from."""
    imported: dict[str, str | None] = {}
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.asname or alias.name.partition(".")[0]: None for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {alias.asname or alias.name: node.module or "" for alias in node.names}
    return imported


def _aliases(tree: ast.Module, imported: dict[str, str | None]) -> set[str]:
    """Names that are bound to something imported, or to a part of it."""
    aliases: set[str] = set()
    for node in nodes(tree):
        match node:
            case ast.Assign(targets=targets, value=value):
                pass
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                targets = [target]
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                targets = [target]
            case _:
                continue
        values = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
        if any(_root(part) in imported.keys() | aliases for part in values):
            aliases |= {name.id for target in targets for name in nodes(target) if isinstance(name, ast.Name)}
    return aliases


def _is_own(node: ast.Attribute) -> bool:
    """Whether an attribute is one of `self`, or an item below one."""
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.NamedExpr):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _patch(node: ast.expr, message: str) -> _Found:
    return node.lineno, ast.unparse(node), "module-patched", message


def _dynamic(node: ast.AST, code: str, message: str) -> _Found:
    return getattr(node, "lineno", 1), code, "shared-dynamic", message
