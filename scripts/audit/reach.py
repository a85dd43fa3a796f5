"""GUARD against what the code can reach: `secrets` and `writes` are neither more nor less."""

import ast
from collections.abc import Iterator
from pathlib import Path

from scripts.audit.calls import Calls, Reach
from scripts.audit.declared import Declared
from scripts.audit.findings import Finding
from scripts.audit.guard_literal import OTHER_WRITES, needed_secrets

# Database function: tables. tests/test_database_writes.py holds it against the catalog.
DATABASE_WRITES = "tests/output/database_writes.txt"
# Written by a statement that names its tables at run time.
ANY = "*"


def read_database_writes(project: Path) -> dict[str, set[str]]:
    """Tables by database function; nothing where there is no list."""
    path = project / DATABASE_WRITES
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return {name: {*tables.split()} for name, _, tables in (line.partition(":") for line in text.splitlines())}


def check_reach(
    declared: Declared, tree: ast.Module, calls: Calls, database: dict[str, set[str]], bucket: bool
) -> Iterator[Finding]:
    """Compare one built function. `bucket`: whether it puts, deletes or signs forms for objects."""
    if not declared.built:
        return
    reach = calls.reach(tree)
    yield from _check_secrets(declared, reach)
    if database:
        yield from _check_writes(declared, reach, database, bucket)


def _check_secrets(declared: Declared, reach: Reach) -> Iterator[Finding]:
    line = declared.line_of("secrets")
    needed = reach.secrets | {*needed_secrets(declared)}
    for name in sorted(needed - {*declared.secrets}):
        yield Finding(declared.file, line, "secret-missing", f"add {name}: code that is reached from here reads it")
    for name in sorted({*declared.secrets} - needed):
        message = f"take {name} out of secrets: neither the guard nor the code that is reached from here reads it"
        yield Finding(declared.file, line, "secret-unused", message)


def _check_writes(declared: Declared, reach: Reach, database: dict[str, set[str]], bucket: bool) -> Iterator[Finding]:
    line = declared.line_of("writes")
    given = declared.arguments.get("writes", ())
    if not isinstance(given, tuple):
        return
    needed = {table for name in reach.texts & database.keys() for table in database[name]}
    needed |= {"bucket"} if bucket else set()
    for name in sorted(needed - {*given, ANY}):
        message = f"add {name} to writes: a database function that is reached from here writes it"
        yield Finding(declared.file, line, "writes-missing", message)
    for name in sorted({*given} - needed - (OTHER_WRITES - {"bucket"})) if ANY not in needed else ():
        message = f"take {name} out of writes: nothing that is reached from here writes it"
        yield Finding(declared.file, line, "writes-unused", message)
