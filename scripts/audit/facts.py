"""What the rest of the project says, that functions are compared with: settings, guard kinds, tables, names."""

import ast
import re
from functools import lru_cache
from pathlib import Path

from scripts.audit.findings import AuditError
from scripts.audit.source import nodes, parse

_TABLE = re.compile(r"^\s*create\s+table\s+(?:if\s+not\s+exists\s+)?(?:(\w+)\.)?(\w+)", re.IGNORECASE | re.MULTILINE)


def facts_of(project: Path) -> "Facts":
    """Read the facts, or return those of the last audit when no file that they come from has changed."""
    paths = sorted([*(project / "shared").rglob("*.py"), *(project / "supabase" / "migrations").glob("*.sql")])
    return _facts_of(project, tuple((path, path.read_bytes()) for path in paths if path.is_file()))


@lru_cache(2)
def _facts_of(project: Path, contents: tuple[tuple[Path, bytes], ...]) -> "Facts":
    return Facts(project)


class Facts:
    """Read from `shared/` and `supabase/` of a project. Raises AuditError when a file that must be there is not."""

    def __init__(self, project: Path) -> None:
        self.project = project
        settings = self._parse(project / "shared" / "settings.py")
        self.settings = _members(settings, "Setting")
        self.secrets = _members(settings, "Secret")
        if not self.settings or not self.secrets:
            raise AuditError("shared/settings.py has no members of Setting or of Secret")
        guard_modules = [self._parse(path) for path in sorted((project / "shared" / "guard").glob("*.py"))]
        self.schemes = {name for tree in guard_modules for name in _dict_keys(tree, "SCHEMES")}
        self.signatures = _signatures(guard_modules)
        self.tables = self._tables()
        self._names: dict[Path, tuple[set[str], set[str]]] = {}
        self._trees: dict[Path, ast.Module] = {}
        self.unreadable: set[Path] = set()
        self._modules: dict[str, Path | None] = {}

    def module(self, name: str) -> Path | None:
        """The file of a module of shared/, None when there is none."""
        if name not in self._modules:
            base = self.project.joinpath(*name.split("."))
            paths = (base / "__init__.py", base.with_suffix(".py"))
            self._modules[name] = next((path for path in paths if path.is_file()), None)
        return self._modules[name]

    def tree(self, path: Path) -> ast.Module:
        """A file of the project as it is written; an empty module when it cannot be read."""
        if path not in self._trees:
            try:
                self._trees[path] = parse(path.read_bytes())
            except (OSError, SyntaxError, ValueError):
                self._trees[path] = ast.Module([], [])
                self.unreadable.add(path)
        return self._trees[path]

    def has_function(self, name: str) -> bool:
        """Whether functions/ has a file of this name."""
        return (self.project / "functions" / f"{name}.py").is_file()

    def offers(self, module: str, name: str) -> bool:
        """Whether `name` is defined in a module of shared/, is a submodule of it, or is named in its `__all__`."""
        path = self.module(module)
        if path is None:
            return True  # Not ours: whether it may be imported at all is another rule.
        if path.name == "__init__.py" and self.module(f"{module}.{name}") is not None:
            return True
        if path not in self._names:
            self._names[path] = _names(self.tree(path))
        defined, listed = self._names[path]
        return name in defined or name in listed

    def _tables(self) -> set[str]:
        found: set[str] = set()
        for path in sorted((self.project / "supabase" / "migrations").glob("*.sql")):
            found |= {match[2].lower() for match in _TABLE.finditer(path.read_text(encoding="utf-8"))}
        return found

    def _parse(self, path: Path) -> ast.Module:
        try:
            return parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError) as error:
            raise AuditError(f"{path.relative_to(self.project)} cannot be read: {error}") from None


class Signature:
    """The parameters of guard(...) or of one kind: `order` of those that may be positional, which are `required`."""

    def __init__(self, arguments: ast.arguments) -> None:
        positional = [argument.arg for argument in [*arguments.posonlyargs, *arguments.args] if argument.arg != "self"]
        by_name = [argument.arg for argument in arguments.kwonlyargs]
        optional = positional[len(positional) - len(arguments.defaults) :] if arguments.defaults else []
        optional += [name for name, value in zip(by_name, arguments.kw_defaults, strict=True) if value is not None]
        self.order = positional
        self.names = {*positional, *by_name}
        self.required = self.names - set(optional)


def _signatures(modules: list[ast.Module]) -> dict[str, Signature]:
    """By name: `guard` (the constructor of class Guard) and each kind."""
    found = {}
    for tree in modules:
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                found[node.name] = Signature(node.args)
            elif isinstance(node, ast.ClassDef) and node.name == "Guard":
                for part in node.body:
                    if isinstance(part, ast.FunctionDef) and part.name == "__init__":
                        found["guard"] = Signature(part.args)
    if missing := {"guard", "hmac", "internal", "jwt", "cron", "queue", "public"} - found.keys():
        raise AuditError(f"shared/guard defines no {', '.join(sorted(missing))}")
    return found


def _members(tree: ast.Module, enumeration: str) -> set[str]:
    return {
        target.id
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == enumeration
        for statement in node.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def _dict_keys(tree: ast.Module, name: str) -> set[str]:
    """The literal keys of a module's dict of this name."""
    found: set[str] = set()
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and target.id == name and isinstance(value, ast.Dict):
            found |= {str(key.value) for key in value.keys if isinstance(key, ast.Constant)}
    return found


def _names(tree: ast.Module) -> tuple[set[str], set[str]]:
    """What a module defines at its top level, and what its `__all__` lists."""
    defined: set[str] = set()
    listed: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            defined.add(node.name)
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        defined |= {target.id for target in targets if isinstance(target, ast.Name)}
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            constants = nodes(node)
            listed |= {str(constant.value) for constant in constants if isinstance(constant, ast.Constant)}
    return defined, listed
