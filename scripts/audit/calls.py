"""What a function's code can reach in shared/, name by name: database functions, secrets, settings.

From a file along the names that it uses, into the functions and classes of shared/ that bear them, and on. Of a class
those methods count whose names the reached code uses on anything. That is more than what runs, and never less, since
no module of shared/ reaches another by a text (patching.py). Two are left out: what a kind of shared/guard needs is in
guard_literal.py, and shared/cloud/parameters.py reads the secret that it is asked for.
"""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from scripts.audit.facts import Facts
from scripts.audit.source import nodes

LEFT_OUT = ("shared.guard", "shared.cloud.parameters")


class Reach(NamedTuple):
    """What the reached code names."""

    texts: frozenset[str]
    secrets: frozenset[str]
    settings: frozenset[str]


class Calls:
    """The names of shared/, each with its code."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._reached: dict[ast.Module, Reach] = {}
        self._definitions: dict[str, dict[str, list[ast.AST]]] = {}
        self._sources: dict[str, dict[str, tuple[str, str]]] = {}

    def reach(self, tree: ast.Module) -> Reach:
        """Follow every name of a function's file."""
        if tree not in self._reached:
            self._reached[tree] = self._follow(tree)
        return self._reached[tree]

    def _follow(self, tree: ast.Module) -> Reach:
        names = self._imported(tree, "")
        seen: set[tuple[str, str]] = set()
        classes: dict[tuple[str, ast.ClassDef], set[str]] = {}
        attributes: set[str] = set()
        code: list[ast.AST] = []
        waiting: list[tuple[str, ast.AST]] = [("", tree)]
        while waiting:
            while waiting:
                module, node = waiting.pop()
                code.append(node)
                local = names if module == "" else self._names(module)
                for part in nodes(node):
                    if isinstance(part, ast.Attribute):
                        attributes.add(part.attr)
                    for target in self._targets(part, module, local):
                        if target not in seen:
                            seen.add(target)
                            waiting += [(target[0], found) for found in self._code(*target)]
                            for found in self._defined(target[0]).get(target[1], []):
                                if isinstance(found, ast.ClassDef):
                                    classes[target[0], found] = set()
            for (module, found), done in classes.items():
                for method in found.body:
                    if isinstance(method, ast.FunctionDef) and method.name not in done and _may_run(method, attributes):
                        done.add(method.name)
                        waiting.append((module, method))
        return _read(code)

    def _targets(self, node: ast.AST, module: str, names: dict[str, tuple[str, str]]) -> Iterator[tuple[str, str]]:
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                source, inner = names.get(name, (module, name))
                if source and inner and not source.startswith(LEFT_OUT):
                    yield source, inner
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in names:
                source, inner = names[name]
                if not inner and source.startswith("shared") and not source.startswith(LEFT_OUT):
                    yield source, attribute
            case ast.ImportFrom(module=str(source)) if source.startswith("shared"):
                # An import inside a function: its names are resolved like those at the top.
                for alias in node.names:
                    names.setdefault(alias.asname or alias.name, self._resolve(source, alias.name))

    def _names(self, module: str) -> dict[str, tuple[str, str]]:
        if module not in self._sources:
            path = self._facts.module(module)
            self._sources[module] = {} if path is None else self._imported(self._facts.tree(path), module)
        return self._sources[module]

    def _imported(self, tree: ast.Module, module: str) -> dict[str, tuple[str, str]]:
        """Name -> (module, name there); the name is empty for a module."""
        found: dict[str, tuple[str, str]] = {}
        for node in nodes(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("shared"):
                for alias in node.names:
                    found[alias.asname or alias.name] = self._resolve(str(node.module), alias.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    found[alias.asname or alias.name.partition(".")[0]] = ("", "")
        return found

    def _resolve(self, source: str, name: str) -> tuple[str, str]:
        inner = f"{source}.{name}"
        if self._facts.module(inner) is not None:
            return inner, ""
        return source, name

    def _defined(self, module: str) -> dict[str, list[ast.AST]]:
        if module not in self._definitions:
            path = self._facts.module(module)
            found: dict[str, list[ast.AST]] = {}
            for node in self._facts.tree(path).body if path is not None else []:
                for name in _bound(node):
                    found.setdefault(name, []).append(node)
            self._definitions[module] = found
        return self._definitions[module]

    def _code(self, module: str, name: str) -> Iterator[ast.AST]:
        """The code of a name: a function whole, a class without its methods, a re-export where it is defined."""
        for node in self._defined(module).get(name, []):
            if isinstance(node, ast.ClassDef):
                yield from (*node.bases, *node.decorator_list)
                yield from (part for part in node.body if not isinstance(part, ast.FunctionDef))
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        yield from self._code(*self._resolve(str(node.module), alias.name))
            else:
                yield node


def _may_run(method: ast.FunctionDef, attributes: set[str]) -> bool:
    """Whether a method's name is used somewhere, or Python itself may call it."""
    return method.name in attributes or method.name.startswith("__") or bool(method.decorator_list)


def _bound(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [part.id for target in targets for part in nodes(target) if isinstance(part, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.ImportFrom(names=names):
            return [alias.asname or alias.name for alias in names]
        case ast.If(body=body) | ast.Try(body=body):
            return [name for inner in body for name in _bound(inner)]
    return []


def _read(code: list[ast.AST]) -> Reach:
    texts: set[str] = set()
    found: dict[str, set[str]] = {"Secret": set(), "Setting": set()}
    for node in code:
        for part in nodes(node):
            match part:
                case ast.Constant(value=str(text)):
                    texts.add(text)
                case ast.Attribute(value=ast.Name(id=("Secret" | "Setting") as kind), attr=name):
                    found[kind].add(name)
    return Reach(frozenset(texts), frozenset(found["Secret"]), frozenset(found["Setting"]))
