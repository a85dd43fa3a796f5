"""Apply supabase/migrations as the supabase CLI does: in order, once each, recorded in the database."""

import re
from dataclasses import dataclass
from pathlib import Path

import psycopg

FILE_NAME = re.compile(r"(\d+)_(.+)\.sql")

HISTORY = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
    version text not null primary key,
    statements text[],
    name text
)
"""

# What may hide a semicolon: comments, quoted text and names, dollar-quoted bodies.
TOKEN = re.compile(
    r"""
      (?P<line>--[^\n]*)
    | (?P<open>/\*)
    | (?P<escape>\b[eE]'(?:[^'\\]|\\.|'')*')
    | (?P<text>'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*")
    | (?P<dollar>(?<![\w$])\$(?:[A-Za-z_]\w*)?\$)
    | (?P<word>[A-Za-z_][\w$]*)
    | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)


class MigrationError(Exception):
    """A migration that cannot be applied; the message names its file."""


@dataclass(frozen=True)
class Migration:
    """One file `<version>_<name>.sql`."""

    path: Path
    version: str
    name: str


def migrate(connection: psycopg.Connection, folder: Path) -> list[str]:
    """Apply what is new in `folder`, each file in a transaction of its own; the names of the applied files.

    The connection is that of `postgres`, without an open transaction. Raises MigrationError: for a superuser (hosted
    migrations run without that power), a file name that the CLI would skip, files that the history does not fit, and
    a failing statement, whose file is rolled back.
    """
    connection.autocommit = True
    if connection.info.parameter_status("is_superuser") == "on":
        raise MigrationError("Migrations run as the role postgres, which is no superuser.")
    migrations = list_migrations(folder)
    connection.execute(HISTORY)
    rows = connection.execute("select version from supabase_migrations.schema_migrations order by version").fetchall()
    done = [str(row[0]) for row in rows]
    _refuse_other_history(migrations, done)
    new = [migration for migration in migrations if migration.version not in done]
    for migration in new:
        _apply(connection, migration)
    return [migration.path.name for migration in new]


def list_migrations(folder: Path) -> list[Migration]:
    """The migrations of a folder in the order of their versions. Raises MigrationError."""
    if not folder.is_dir():
        raise MigrationError(f"{folder} is no folder.")
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        parts = FILE_NAME.fullmatch(path.name)
        if parts is None:
            raise MigrationError(f"{path.name}: a migration is called <timestamp>_<name>.sql.")
        migrations.append(Migration(path, parts[1], parts[2]))
    versions = [migration.version for migration in migrations]
    if len(set(versions)) < len(versions):
        twice = next(version for version in versions if versions.count(version) > 1)
        raise MigrationError(f"Two migrations have the version {twice}.")
    return migrations


def split_statements(text: str) -> list[str]:
    """The statements of an SQL text, without the semicolons between them and without empty ones."""
    statements, start, position, depth, filled = [], 0, 0, 0, False
    while token := TOKEN.search(text, position):
        kind = token.lastgroup
        filled = filled or bool(text[position : token.start()].strip()) or kind not in ("line", "open", "end")
        position = token.end()
        if kind == "open":
            position = _end_of_comment(text, position)
        elif kind == "dollar":
            closing = text.find(token[0], position)
            position = len(text) if closing < 0 else closing + len(token[0])
        elif kind == "word":
            depth = _depth_after(text, token, depth)
        elif kind == "end" and depth == 0:
            statements += [text[start : token.start()].strip()] if filled else []
            start, filled = position, False
    if filled or text[position:].strip():
        statements.append(text[start:].strip())
    return statements


def _refuse_other_history(migrations: list[Migration], done: list[str]) -> None:
    versions = {migration.version for migration in migrations}
    gone = [version for version in done if version not in versions]
    if gone:
        raise MigrationError(f"The database has migrations that the folder does not: {', '.join(gone)}.")
    late = [migration.path.name for migration in migrations if done and _is_late(migration.version, done)]
    if late:
        raise MigrationError(f"Older than the newest applied migration: {', '.join(late)}. Give them a newer version.")


def _is_late(version: str, done: list[str]) -> bool:
    return version not in done and version < max(done)


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    text = migration.path.read_text()
    statements = split_statements(text)
    connection.execute("reset all")
    try:
        with connection.transaction():
            for statement in statements:
                _execute(connection, statement, text, migration.path.name)
            connection.execute(
                "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)",
                [migration.version, migration.name, statements],
            )
    except psycopg.Error as error:
        # A constraint that is checked at the end of the transaction has no statement to point at.
        raise MigrationError(f"{migration.path.name}: {error}") from error
    finally:
        if not connection.closed:
            connection.execute("reset all")


def _execute(connection: psycopg.Connection, statement: str, text: str, file_name: str) -> None:
    try:
        connection.execute(statement)
    except psycopg.Error as error:
        offset = text.index(statement) + int(error.diag.statement_position or 1) - 1
        line = text.count("\n", 0, offset) + 1
        details = [error.diag.message_primary or str(error), error.diag.message_detail, error.diag.message_hint]
        message = " ".join(detail for detail in details if detail)
        raise MigrationError(f"{file_name}:{line}: {error.sqlstate}: {message}") from error


def _end_of_comment(text: str, position: int) -> int:
    """Where a block comment ends that began before `position`; they nest."""
    depth = 1
    for edge in re.finditer(r"/\*|\*/", text[position:]):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return position + edge.end()
    return len(text)


def _depth_after(text: str, token: re.Match[str], depth: int) -> int:
    """Follow the standard-SQL function bodies, BEGIN ATOMIC ... END: their semicolons do not end the statement."""
    word = token[0].lower()
    if word == "atomic" and depth == 0 and re.search(r"\bbegin\s+$", text[: token.start()], re.IGNORECASE):
        return 1
    if depth > 0 and word == "case":
        return depth + 1
    if depth > 0 and word == "end":
        return depth - 1
    return depth
