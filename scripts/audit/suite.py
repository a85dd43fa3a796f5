"""The whole audit of a project: every function's file, then the files against what is said of them elsewhere."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path

from scripts.audit import waivers
from scripts.audit.calls import Calls
from scripts.audit.consumption import Imports, check_consumption, check_rooms
from scripts.audit.declared import KIND_OF, Declared
from scripts.audit.deployment import check_deployment
from scripts.audit.facts import Facts, facts_of
from scripts.audit.findings import Finding
from scripts.audit.guard_literal import check_guard, check_uses, read_guard
from scripts.audit.imports import check_imports
from scripts.audit.pairs import check_pairs
from scripts.audit.patching import check_patching
from scripts.audit.reach import check_reach, read_database_writes
from scripts.audit.resources import check_resources
from scripts.audit.roles import READS, check_roles, object_actions
from scripts.audit.settings import check_settings
from scripts.audit.shape import check_import_time, check_shape, guard_statement
from scripts.audit.source import nodes, parse
from scripts.audit.stack import FILE as TEMPLATE
from scripts.audit.stack import check_stack
from scripts.audit.template import load
from scripts.audit.waivers import Waived
from scripts.audit.witnesses import check_witnesses

_FILE_NAME = re.compile(rf"({'|'.join(KIND_OF)})(_[a-z][a-z0-9]*)+")

# Modules, and data that they read: nothing else that an import could find.
SHARED_FILES = (".json", ".lua", ".py", ".txt")


@dataclass
class Audit:
    """What was found: each function as it declares itself, in the order of the files; findings in that of places."""

    functions: list[Declared]
    findings: list[Finding]
    waived: list[Waived] = field(default_factory=list)


def audit(project: Path, today: date) -> Audit:
    """Audit a project. `today` decides whether waivers still hold.

    Raises AuditError when there is nothing to compare with: no serverless.yml, no shared/settings.py, no shared/guard.
    """
    facts = facts_of(project)
    imports, calls = _readers(facts)
    template = load(project / "serverless.yml")
    functions: list[Declared] = []
    trees: dict[str, ast.Module] = {}
    paths, findings = _list_files(project / "functions")
    for path in paths:
        function, tree, found = read_function(path, facts)
        findings += found
        if tree is not None:
            trees[path.stem] = tree
        if function is not None:
            functions.append(function)
    findings += _foreign_in_shared(project / "shared")
    names = {path.stem for path in paths}
    findings += _rooms(facts, imports)
    for function in functions:
        findings += check_consumption(function, trees[function.name], imports)
    database = read_database_writes(project)
    told = {finding.file for finding in findings}
    for function in functions:
        if function.file not in told:
            bucket = bool(object_actions(trees[function.name], imports) - READS)
            findings += check_reach(function, trees[function.name], calls, database, bucket)
    # A function's own rules are stricter: where one of them has spoken, these would say it again.
    told = {finding.file for finding in findings}
    findings += [finding for finding in check_patching(facts, trees) if finding.file not in told]
    findings += check_deployment(template, names, functions, facts, trees)
    if not any(finding.file == TEMPLATE for finding in findings):
        # Where an entry's own rule has spoken, the grammar would say it again.
        findings += [*check_stack(template), *check_settings(template)]
        findings += check_resources(template.get("resources"), functions)
        findings += check_pairs(template.get("resources"), functions)
        told = {finding.file for finding in findings}
        # A role depends on the internal functions that name its function, too.
        sound = [function for function in functions if function.file not in told]
        unsound = {str(function.options.get("caller")) for function in functions if function.file in told}
        sound = [function for function in sound if function.name not in unsound]
        findings += check_roles(template["functions"], sound, trees, imports)
    findings += check_witnesses(project, names, {name for name, tree in trees.items() if not is_built(tree)})
    if not names:
        findings.append(Finding("functions", 1, "no-functions", "write a function: an audit of nothing is no audit"))
    remaining, waived = waivers.apply(project, findings, today)
    return Audit(functions, sorted(set(remaining)), waived)


@lru_cache(2)
def _readers(facts: Facts) -> tuple[Imports, Calls]:
    """Return what follows names through shared/ and remembers it while shared/ stays the same."""
    return Imports(facts), Calls(facts)


@lru_cache(2)
def _rooms(facts: Facts, imports: Imports) -> tuple[Finding, ...]:
    return tuple(check_rooms(facts, imports))


@lru_cache(256)
def _shape_and_imports(file: str, tree: ast.Module, facts: Facts) -> tuple[Finding, ...]:
    return (*check_shape(file, tree), *check_imports(file, tree, facts))


def read_function(path: Path, facts: Facts) -> tuple[Declared | None, ast.Module | None, list[Finding]]:
    """One file: its declaration and its tree, as far as they can be read, and what is wrong with it."""
    file = f"functions/{path.name}"
    findings: list[Finding] = []
    if not _FILE_NAME.fullmatch(path.stem):
        message = f"name the file <trigger>_<subject>.py; triggers: {', '.join(KIND_OF)}"
        findings.append(Finding(file, 1, "file-name", message))
    try:
        tree = parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        said = getattr(error, "msg", None) or str(error)
        return None, None, [*findings, Finding(file, line, "syntax-error", f"mend this: {said}")]
    try:
        function, found = _read_tree(file, path.stem, tree, facts)
    except RecursionError:
        message = "take this apart: something in it is nested too deeply to be read"
        return None, None, [*findings, Finding(file, 1, "syntax-error", message)]
    return function, tree, findings + found


def _read_tree(file: str, name: str, tree: ast.Module, facts: Facts) -> tuple[Declared | None, list[Finding]]:
    findings = [*_shape_and_imports(file, tree, facts)]
    statement = guard_statement(tree)
    if statement is None:
        return None, findings
    function, found = read_guard(file, name, statement, facts)
    findings += found
    if function is not None:
        function.built = is_built(tree)
        findings += check_guard(function, facts)
        findings += check_uses(function, tree)
    # A file with another finding is refused already, and most of those lie outside the grammar too.
    return function, findings or list(check_import_time(file, tree))


def is_built(tree: ast.Module) -> bool:
    """Whether the file never raises NotBuilt."""
    return not any(isinstance(node, ast.Name) and node.id == "NotBuilt" for node in nodes(tree))


def _list_files(folder: Path) -> tuple[list[Path], list[Finding]]:
    """The files to read, and findings for everything else in the folder."""
    if not folder.is_dir():
        return [], []
    paths: list[Path] = []
    findings: list[Finding] = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".py" and path.is_file() and not path.is_symlink():
            paths.append(path)
        elif path.name != "__pycache__":
            findings += _foreign(path)
    return paths, findings


def _foreign_in_shared(folder: Path) -> Iterator[Finding]:
    """Files that Python might import without the audit reading them, and links."""
    for path in sorted(folder.rglob("*")):
        is_read = path.is_dir() or path.suffix in SHARED_FILES
        if "__pycache__" not in path.parts and (path.is_symlink() or not is_read):
            message = f"move this out of shared/: it holds {', '.join(SHARED_FILES)} only, and no links"
            yield Finding(path.relative_to(folder.parent).as_posix(), 1, "foreign-file", message)


def _foreign(path: Path) -> Iterator[Finding]:
    what = "link" if path.is_symlink() else "folder" if path.is_dir() else "file"
    message = f"move this {what} out of functions/: it is flat and holds Python files only"
    yield Finding(f"functions/{path.name}", 1, "foreign-file", message)
