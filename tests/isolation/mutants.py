"""Every way in which one wall of the database can be weaker, made from the catalog: what the prober must see.

A mutant is SQL for a transaction that is undone. What cannot be made (a unique index over values that are the same for
two tenants) or would change nothing (a check, where nobody may insert a row or change whose it is) is none.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from tests.isolation.actors import API
from tests.isolation.inventory import Function, Inventory, Relation, take_inventory
from tests.isolation.tables import OPEN_TO_SERVICE

POLICIES = """
select p.tablename, p.policyname, p.cmd, p.qual, p.with_check, exists (
  select from unnest(p.roles) r, pg_class c where c.oid = format('%I.%I', p.schemaname, p.tablename)::regclass
    and (has_any_column_privilege(r::text, c.oid, 'insert') or exists (
      select from pg_attribute a where a.attrelid = c.oid and has_column_privilege(r::text, c.oid, a.attnum, 'update')
        and a.attname = case p.tablename when 'tenants' then 'id' else 'tenant_id' end)))
from pg_policies p where p.schemaname = 'public' order by 1, 2
"""
GUARDS = (r"perform private\.require_server\(\);", r"perform private\.enter_tenant\(\w+\);")
VERBS = ("select", "insert", "update", "delete", "truncate")


@dataclass(frozen=True)
class Mutant:
    """One weakness: its kind, a name that tells it from others, and the SQL that makes it."""

    kind: str
    name: str
    sql: str
    focus: str


def make_mutants(connection: psycopg.Connection) -> list[Mutant]:
    """All mutants of the database. The connection is a superuser's."""
    inventory = take_inventory(connection)
    made = [
        *_policies(connection),
        *(mutant for table in inventory.tables for mutant in _tables(table)),
        *(mutant for table in inventory.tables for mutant in _keys(inventory, table)),
        *_functions(connection, inventory),
        *_grants(connection, inventory),
        *_roles(),
    ]
    return [mutant for mutant in made if _can_be_made(connection, mutant)]


def _policies(connection: psycopg.Connection) -> Iterator[Mutant]:
    for table, policy, command, qual, check, writes in connection.execute(POLICIES):
        name = f"{table}.{policy}"
        alter = f'alter policy "{policy}" on public."{table}"'
        if qual not in (None, "true"):
            yield Mutant("policy: using (true)", name, f"{alter} using (true)", table)
        if writes and command in ("ALL", "INSERT", "UPDATE") and (check or qual) != "true":
            yield Mutant("policy: with check (true)", name, f"{alter} with check (true)", table)
        yield Mutant("policy: dropped", name, f'drop policy "{policy}" on public."{table}"', table)


def _tables(table: Relation) -> Iterator[Mutant]:
    alter = f'alter table public."{table.name}"'
    yield Mutant("row level security: not forced", table.name, f"{alter} no force row level security", table.name)
    yield Mutant("row level security: off", table.name, f"{alter} disable row level security", table.name)


def _keys(inventory: Inventory, table: Relation) -> Iterator[Mutant]:
    alter = f'alter table public."{table.name}"'
    for key in table.foreign_keys:
        if table.tenant is None or table.tenant not in key.columns or len(key.columns) < 2:
            continue
        (own,) = [name for name in key.columns if name != table.tenant]
        if table.columns[own] != "uuid":
            continue  # a number within the tenant points at nobody else's
        dropped = f'{alter} drop constraint "{key.name}"'
        yield Mutant("composite key: dropped", key.name, dropped, table.name)
        parent = inventory.table(key.parent)
        theirs = key.parent_columns[key.columns.index(own)]
        if any(index.columns == (theirs,) for index in parent.unique_indexes):
            single = f"{dropped}; {alter} add foreign key ({own}) references public.{key.parent} ({theirs})"
            yield Mutant("composite key: single", key.name, single, table.name)
    for index in table.unique_indexes:
        rest = [name for name in index.columns if name != table.tenant]
        if table.tenant in index.columns and rest and rest != ["id"] and (table.name, rest[0]) not in OPEN_TO_SERVICE:
            sql = f'create unique index on public."{table.name}" ({", ".join(rest)})'
            yield Mutant("unique for all tenants", index.name, sql, table.name)


def _functions(connection: psycopg.Connection, inventory: Inventory) -> Iterator[Mutant]:
    for function in inventory.functions:
        if function.trigger:
            continue
        row = connection.execute("select pg_get_functiondef(%s::regprocedure)", [function.signature]).fetchone()
        assert row is not None
        for guard in GUARDS:
            if function.definer and re.search(guard, function.body):
                stripped = re.sub(guard, "", row[0], count=1)
                # Its replacement keeps owner and privileges.
                yield Mutant("guard: stripped", f"{function.name}: {guard[8:].split('(')[0]}", stripped, function.name)
        alter = f"alter function {function.signature}"
        yield Mutant("search_path: not pinned", function.signature, f"{alter} reset search_path", function.name)
        if function.definer:
            yield from _definers(function, alter)


def _definers(function: Function, alter: str) -> Iterator[Mutant]:
    if function.owner != "postgres":
        yield Mutant("owner: sees everything", function.signature, f"{alter} owner to postgres", function.name)
    yield Mutant("definer: caller's rights", function.signature, f"{alter} security invoker", function.name)


def _grants(connection: psycopg.Connection, inventory: Inventory) -> Iterator[Mutant]:
    for relation in inventory.relations:
        for role in API:
            for verb in VERBS:
                has = f"select has_table_privilege('{role}', 'public.{relation.name}', '{verb}')"
                if connection.execute(has).fetchone() == (False,):  # type: ignore[arg-type]
                    sql = f'grant {verb} on public."{relation.name}" to {role}'
                    yield Mutant(f"grant: {verb}", f"{relation.name} to {role}", sql, relation.name)
        if relation.kind == "v":
            alter = f'alter view public."{relation.name}" reset (security_invoker)'
            yield Mutant("view: owner's rights", relation.name, alter, relation.name)
    for function in inventory.functions:
        for role in ("anon", "authenticated"):
            has = f"select has_function_privilege('{role}', '{function.signature}', 'execute')"
            if connection.execute(has).fetchone() == (False,):  # type: ignore[arg-type]
                sql = f"grant execute on function {function.signature} to {role}"
                yield Mutant("grant: execute", f"{function.signature} to {role}", sql, function.name)


def _roles() -> Iterator[Mutant]:
    for role in ("portero_service", "portero_sweep", "portero_intake", "portero_retention"):
        yield Mutant("role: sees everything", role, f"alter role {role} bypassrls", "")
        yield Mutant("role: can log in", role, f"alter role {role} login", "")
        yield Mutant("role: given away", role, f"grant {role} to authenticated", "")
    yield Mutant("published", "messages", "create publication leak for table public.messages", "messages")


def _can_be_made(connection: psycopg.Connection, mutant: Mutant) -> bool:
    if mutant.kind != "unique for all tenants":
        return True
    with connection.transaction(force_rollback=True):
        try:
            connection.execute(mutant.sql)  # type: ignore[arg-type]
        except psycopg.errors.UniqueViolation:
            return False
    return True
