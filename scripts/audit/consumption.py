"""What a function's code can use up, and whether its GUARD says so.

A point of consumption is a name of shared/: who imports it can spend. From a file along its imports through shared/ to
those names, and back to what GUARD declares: neither may be more than the other. Each point takes the grant of an
admission or is called beside one, and nobody else knows the address of what it asks.
"""

import ast
from collections.abc import Iterator

from scripts.audit.declared import Declared
from scripts.audit.facts import Facts
from scripts.audit.findings import Finding
from scripts.audit.source import nodes

# module -> name -> what it consumes
POINTS = {
    "shared.assistant.model": {"complete": "ai", "embed": "embedding"},
    "shared.cloud.objects": {"put": "file", "form": "file"},
    "shared.messaging.sending": {"send_message": "send"},
}
# The setting with the address of each, and the modules that read it: no others do.
_META = ("shared.messaging.sending", "shared.messaging.accounts", "shared.messaging.media")
ADDRESSES = {
    "AI_BASE_URL": ("shared.assistant.model",),
    "KNOWLEDGE_BUCKET": ("shared.cloud.objects",),
    "MEDIA_BUCKET": ("shared.cloud.objects",),
    "META_GRAPH_URL": _META,
    "INSTAGRAM_GRAPH_URL": _META,
}
ADMISSION = "shared.abuse.admission"
RESOURCES = frozenset(resource for names in POINTS.values() for resource in names.values())
SCOPES = frozenset({"tenant", "contact", "member", "channel"})


class Imports:
    """What each module of shared/ takes from others: (module, name), with name "" for the module itself."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._points: dict[ast.Module, dict[str, str]] = {}
        self._reached: dict[ast.Module, list[ast.Module]] = {}
        self._taken: dict[ast.Module, list[tuple[str, str, int]]] = {}

    def of(self, tree: ast.Module) -> list[tuple[str, str, int]]:
        """Return module, name and line of each import of shared/, at any depth."""
        if tree not in self._taken:
            self._taken[tree] = list(self._read(tree))
        return self._taken[tree]

    def _read(self, tree: ast.Module) -> Iterator[tuple[str, str, int]]:
        for node in nodes(tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, "", node.lineno) for alias in node.names if alias.name.startswith("shared"))
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("shared"):
                source = str(node.module)
                for alias in node.names:
                    inner = f"{source}.{alias.name}"
                    is_module = self._facts.module(inner) is not None
                    yield (inner, "", node.lineno) if is_module else (source, alias.name, node.lineno)

    def tree(self, module: str) -> ast.Module | None:
        """A module of shared/ as it is written; None when it is not there or cannot be read."""
        path = self._facts.module(module)
        return None if path is None else self._facts.tree(path)

    def points(self, tree: ast.Module) -> dict[str, str]:
        """Return the points of consumption that a file reaches: resource -> the name that uses it."""
        if tree not in self._points:
            self._points[tree] = _reach(tree, self)
        return self._points[tree]

    def reach(self, tree: ast.Module) -> list[ast.Module]:
        """Every module of shared/ that a file imports, directly or through others."""
        if tree in self._reached:
            return self._reached[tree]
        seen: dict[str, ast.Module] = {}
        waiting = [tree]
        while waiting:
            for source, _, _ in self.of(waiting.pop()):
                following = None if source in seen else self.tree(source)
                if following is not None:
                    seen[source] = following
                    waiting.append(following)
        self._reached[tree] = list(seen.values())
        return self._reached[tree]


def check_consumption(declared: Declared, tree: ast.Module, imports: Imports) -> Iterator[Finding]:
    """The reach of one function against its declaration."""
    consumes = declared.arguments.get("consumes", ())
    line = declared.line_of("consumes")
    if not isinstance(consumes, tuple) or not set(consumes) <= RESOURCES:
        message = f"give consumes as a tuple of {', '.join(sorted(RESOURCES))}"
        yield Finding(declared.file, line, "consumes-unknown", message)
        return
    yield from _check_rates(declared)
    yield from _check_admitted(declared.file, tree, imports)
    reached = imports.points(tree)
    for resource in sorted(reached.keys() - set(consumes)):
        message = f'add "{resource}" to consumes: {reached[resource]} is reached from here'
        yield Finding(declared.file, line, "consumption-undeclared", message)
    if not declared.built:
        return
    for resource in sorted(set(consumes) - reached.keys()):
        message = f'take "{resource}" out of consumes: nothing that uses it is reached from here'
        yield Finding(declared.file, line, "consumption-unused", message)


def check_rooms(facts: Facts, imports: Imports) -> Iterator[Finding]:
    """In shared/: who imports a point of consumption knows admissions, and addresses are read in their own modules."""
    for path in sorted((facts.project / "shared").rglob("*.py")):
        module = ".".join(path.relative_to(facts.project).with_suffix("").parts).removesuffix(".__init__")
        tree = imports.tree(module)
        if tree is None:
            continue
        file = str(path.relative_to(facts.project))
        yield from _check_admitted(file, tree, imports)
        for node in nodes(tree):
            match node:
                case ast.Attribute(value=ast.Name(id="Setting"), attr=name) if module not in ADDRESSES.get(
                    name, (module,)
                ):
                    message = f"ask {ADDRESSES[name][0]}: only there is {name} read"
                    yield Finding(file, node.lineno, "consumption-bypass", message)


def _check_admitted(file: str, tree: ast.Module, imports: Imports) -> Iterator[Finding]:
    taken = imports.of(tree)
    if any(source == ADMISSION for source, _, _ in taken):
        return
    for source, name, line in taken:
        for point in sorted(_used(tree, source, name) & POINTS.get(source, {}).keys()):
            message = f"ask for admission first ({ADMISSION}), and take its grant along: {point} spends"
            yield Finding(file, line, "consumption-unadmitted", message)


def _check_rates(declared: Declared) -> Iterator[Finding]:
    rates = declared.arguments.get("rates", ())
    fits = isinstance(rates, tuple) and all(
        isinstance(rate, tuple)
        and len(rate) == 3
        and rate[0] in SCOPES
        and all(isinstance(part, int) and not isinstance(part, bool) and part > 0 for part in rate[1:])
        for rate in rates
    )
    if not fits or (rates and not declared.arguments.get("consumes")):
        message = "give rates as ((scope, calls, seconds), ...) of a function that consumes; scopes: " + ", ".join(
            sorted(SCOPES)
        )
        yield Finding(declared.file, declared.line_of("rates"), "rates-malformed", message)


def _reach(tree: ast.Module, imports: Imports) -> dict[str, str]:
    """Resource -> the name that uses it, along all imports through shared/."""
    reached: dict[str, str] = {}
    modules: set[str] = set()
    waiting = [tree]
    while waiting:
        reader = waiting.pop()
        for source, name, _ in imports.of(reader):
            for point in _used(reader, source, name) & POINTS.get(source, {}).keys():
                reached.setdefault(POINTS[source][point], f"{source}.{point}")
            if source not in modules:
                modules.add(source)
                following = imports.tree(source)
                if following is not None:
                    waiting.append(following)
    return reached


def _used(tree: ast.Module, module: str, name: str) -> set[str]:
    """The name that was imported, or those that are used of a module which was imported whole: `objects.put`."""
    if name:
        return {name}
    last = module.rpartition(".")[2]
    return {
        node.attr
        for node in nodes(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == last
    }
