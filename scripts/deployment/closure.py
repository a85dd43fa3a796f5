"""What a function needs to run, read from the code without importing it.

From a file in functions/ along its imports through functions/ and shared/ to third-party packages. An import inside a
function body is lazy: it costs nothing at start, and it matters only to functions whose GUARD makes the body run.
LAZY says which; an import inside a body of shared/ that LAZY does not know is an error, so that no zip silently lacks
what it needs.
"""

import ast
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OWN_FOLDERS = ("functions", "shared")
Follow = Callable[["Import"], bool]


class ClosureError(ValueError):
    """The code imports something in a way that packaging cannot follow, or something that it must not."""


@dataclass(frozen=True)
class Guard:
    """What packaging and the deployment checks need of a GUARD literal."""

    kind: str
    argument: str
    secrets: tuple[str, ...]
    rate: int
    methods: tuple[str, ...]
    consumes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Import:
    """One import statement: `target` is a module of ours, or the first name of a third-party package."""

    importer: str
    target: str
    line: int
    lazy: bool


@dataclass(frozen=True)
class LazyEdge:
    """An import inside a body of shared/: `live` tells for which guards the body can run.

    `on_error`: it runs only after a fault, so that even a webhook may carry it.
    """

    importer: str
    target: str
    live: Callable[[Guard], bool]
    on_error: bool = False


def _signed_by(scheme: str) -> Callable[[Guard], bool]:
    return lambda guard: (guard.kind, guard.argument) == ("hmac", scheme)


LAZY = (
    # A webhook carries the verifier of its own scheme only.
    LazyEdge("shared.guard.schemes", "shared.guard.verify", live=lambda guard: guard.kind == "hmac"),
    LazyEdge("shared.guard.schemes", "shared.guard.verify.meta", live=_signed_by("meta")),
    LazyEdge("shared.guard.schemes", "shared.guard.verify.signed_request", live=_signed_by("meta_signed_request")),
    LazyEdge("shared.guard.schemes", "shared.guard.verify.mercadopago", live=_signed_by("mercadopago")),
    LazyEdge("shared.guard.schemes", "shared.guard.verify.paddle", live=_signed_by("paddle")),
    LazyEdge("shared.guard.kinds", "shared.guard.people", live=lambda guard: guard.kind == "jwt"),
    # A webhook keeps its rate by itself, and a function that consumes has it in its admission.
    LazyEdge(
        "shared.guard.declaration",
        "shared.abuse.shared_rate",
        live=lambda guard: guard.kind == "jwt" and guard.rate > 0 and not guard.consumes,
    ),
    # Whoever reaches these opens credentials, though not at every call.
    LazyEdge("shared.data.encryption", "cryptography", live=lambda guard: True),
    LazyEdge("shared.cloud.key_management", "cryptography", live=lambda guard: True),
    # The child that reads a file loads the parser of its kind.
    LazyEdge("shared.knowledge.reading", "shared.knowledge.pdf", live=lambda guard: True),
    LazyEdge("shared.knowledge.reading", "shared.knowledge.word", live=lambda guard: True),
    LazyEdge("shared.knowledge.reading", "pypdf", live=lambda guard: True),
    LazyEdge("shared.privacy.monitoring", "sentry_sdk", live=lambda guard: True, on_error=True),
)


@dataclass(frozen=True)
class Reach:
    """What can be reached, each with the chain of modules that leads there."""

    modules: dict[str, tuple[str, ...]]
    third_party: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Closure:
    """What one function needs: `at_start` when it is imported, `shipped` in its whole life."""

    function: str
    guard: Guard
    at_start: Reach
    shipped: Reach


class Sources:
    """The modules of a project and what each imports. `lazy` replaces LAZY in tests."""

    def __init__(self, project: Path, lazy: Iterable[LazyEdge] = LAZY) -> None:
        self.project = project
        self._lazy = {(edge.importer, edge.target): edge for edge in lazy}
        self.paths = {
            _module_name(path.relative_to(project)): path
            for folder in OWN_FOLDERS
            for path in sorted((project / folder).rglob("*.py"))
        }
        self._imports = {name: list(self._read_imports(name)) for name in self.paths}
        self._check_lazy_table()

    def functions(self) -> list[str]:
        """The names of the functions, sorted. Raises ClosureError when there are none."""
        names = [name.partition(".")[2] for name in self.paths if name.startswith("functions.")]
        if not names:
            raise ClosureError("there is no file in functions/: nothing to package")
        return sorted(names)

    def closure(self, function: str) -> Closure:
        """What functions/<function>.py needs. Raises ClosureError when it is a webhook and that is too much."""
        module = f"functions.{function}"
        guard = read_guard(self.paths[module])
        closure = Closure(
            function,
            guard,
            at_start=self._reach(module, lambda found: not found.lazy),
            shipped=self._reach(module, lambda found: self._is_live(found, guard, on_error=True)),
        )
        if function.startswith("webhook_"):
            self._check_webhook(self._reach(module, lambda found: self._is_live(found, guard, on_error=False)))
        return closure

    def _check_webhook(self, reach: Reach) -> None:
        for name, chain in sorted(reach.third_party.items()):
            raise ClosureError(
                f"a webhook imports only the standard library and our own light modules, but {name} is reached by "
                + " -> ".join(chain)
            )

    def _is_live(self, found: Import, guard: Guard, on_error: bool) -> bool:
        edge = self._lazy.get((found.importer, found.target))
        if not found.lazy or edge is None:  # without an edge it stands in the function's own file
            return True
        return edge.live(guard) and (on_error or not edge.on_error)

    def _reach(self, start: str, follow: Follow) -> Reach:
        modules: dict[str, tuple[str, ...]] = {start: (start,)}
        third_party: dict[str, tuple[str, ...]] = {}
        waiting = [start]
        while waiting:
            importer = waiting.pop(0)
            for found in filter(follow, self._imports[importer]):
                if found.target not in self.paths:
                    third_party.setdefault(found.target, (*modules[importer], found.target))
                    continue
                # Importing a.b.c runs a and a.b first.
                for name in (*_parents(found.target), found.target):
                    if name in self.paths and name not in modules:
                        modules[name] = (*modules[importer], name)
                        waiting.append(name)
        return Reach(modules, third_party)

    def _check_lazy_table(self) -> None:
        lazy = {
            (found.importer, found.target): found
            for imports in self._imports.values()
            for found in imports
            if found.lazy and not found.importer.startswith("functions.")
        }
        for key in sorted(lazy.keys() - self._lazy.keys()):
            place = f"{key[0].replace('.', '/')}.py:{lazy[key].line}"
            raise ClosureError(
                f"{place} imports {key[1]} inside a body: say in LAZY (deployment/closure.py) when it runs"
            )
        for importer, target in sorted(self._lazy.keys() - lazy.keys()):
            raise ClosureError(f"{importer} no longer imports {target} inside a body: remove it from LAZY")

    def _read_imports(self, module: str) -> Iterator[Import]:
        path = self.paths[module]
        tree = ast.parse(path.read_bytes(), str(path))
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for node, lazy in _import_statements(tree):
            for name in self._targets(node, package):
                target = self._target(name, module, node.lineno)
                if target is not None:
                    yield Import(module, target, node.lineno, lazy)

    def _targets(self, node: ast.Import | ast.ImportFrom | ast.Call, package: str) -> Iterator[str]:
        if isinstance(node, ast.Call):
            yield "importlib"
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names if f"{base}.{alias.name}" in self.paths)

    def _target(self, name: str, importer: str, line: int) -> str | None:
        """The module of ours or the package that `name` stands for; None for the standard library."""
        first = name.partition(".")[0]
        place = f"{importer.replace('.', '/')}.py:{line}"
        if first in OWN_FOLDERS:
            if name not in self.paths and not any(path.startswith(f"{name}.") for path in self.paths):
                raise ClosureError(f"{place} imports {name}, which is no file here")
            return name if name in self.paths else None
        if first == "importlib":
            raise ClosureError(f"{place} imports by a computed name: packaging cannot follow that")
        return None if first in sys.stdlib_module_names else first


def read_guard(path: Path) -> Guard:
    """The GUARD literal of a function's file. Raises ClosureError when there is none to read."""
    for node in ast.parse(path.read_bytes(), str(path)).body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id="GUARD")],
                value=ast.Call(args=[ast.Call(func=ast.Name(id=kind), args=arguments)], keywords=keywords),
            ):
                fields = {keyword.arg: keyword.value for keyword in keywords}
                return Guard(
                    kind,
                    _literal(path, arguments[0]) if arguments else "",
                    tuple(_literal(path, fields["secrets"])) if "secrets" in fields else (),
                    _literal(path, fields["rate"]) if "rate" in fields else 0,
                    tuple(_literal(path, fields["methods"])) if "methods" in fields else (),
                    tuple(_literal(path, fields["consumes"])) if "consumes" in fields else (),
                )
    raise ClosureError(f"functions/{path.name} declares no GUARD = guard(<kind>(...), ...)")


def _literal(path: Path, node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ClosureError(f"functions/{path.name}:{node.lineno}: GUARD must be made of literals") from None


def _module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _import_statements(
    node: ast.AST, lazy: bool = False
) -> Iterator[tuple[ast.Import | ast.ImportFrom | ast.Call, bool]]:
    """Every import below `node`, and calls of __import__, with whether a body must run for it."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node, lazy
        return
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "__import__":
        yield node, lazy
    if isinstance(node, ast.If) and _is_type_checking(node.test):
        for statement in node.orelse:
            yield from _import_statements(statement, lazy)
        return
    inner = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        yield from _import_statements(child, inner)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )
