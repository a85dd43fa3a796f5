"""What there is to probe, from the catalog: nothing here is a list that somebody must remember to extend."""

import re
from dataclasses import dataclass

import psycopg

# Schemas that the Data API shows, and Supabase's own storage where a project has it.
EXPOSED = ("public", "storage")

RELATIONS = """
select c.oid::int, n.nspname, c.relname, c.relkind::text, coalesce(obj_description(c.oid, 'pg_class'), ''),
  c.relrowsecurity, c.relforcerowsecurity, coalesce(c.reloptions::text[], '{}'), pg_get_userbyid(c.relowner)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = any (%s) and c.relkind in ('r', 'p', 'v', 'm', 'f')
order by 2, 3
"""
# What the database makes itself (attgenerated) nobody can write.
COLUMNS = """
select a.attrelid::int, a.attname, format_type(a.atttypid, a.atttypmod)
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
where n.nspname = any (%s) and a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and a.attgenerated = ''
order by a.attrelid, a.attnum
"""
FOREIGN_KEYS = """
select c.conrelid::int, c.conname,
  (select s.nspname || '.' || p.relname from pg_class p join pg_namespace s on s.oid = p.relnamespace
    where p.oid = c.confrelid),
  array(select a.attname::text from unnest(c.conkey) with ordinality k (n, place)
    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.n order by place),
  array(select a.attname::text from unnest(c.confkey) with ordinality k (n, place)
    join pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.n order by place)
from pg_constraint c join pg_namespace n on n.oid = c.connamespace
where c.contype = 'f' and n.nspname = any (%s) order by 1, 2
"""
UNIQUE_INDEXES = """
select i.indrelid::int, x.relname, i.indisprimary, exists (select from pg_constraint c where c.conindid = i.indexrelid),
  array(select a.attname::text from unnest(i.indkey) with ordinality k (n, place)
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.n order by place)
from pg_index i join pg_class x on x.oid = i.indexrelid join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
where i.indisunique and n.nspname = any (%s) order by 1, 2
"""
FUNCTIONS = """
select p.oid::int, n.nspname, p.proname, p.oid::regprocedure::text, p.prosecdef, pg_get_userbyid(p.proowner),
  coalesce(p.proconfig::text[], '{}'), p.prosrc, p.prorettype = 'trigger'::regtype,
  coalesce((proargnames::text[])[1:pronargs], '{}'),
  array(select format_type(t, null) from unnest(p.proargtypes::oid[]) with ordinality u (t, place) order by place)
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname in ('public', 'private') and p.prokind = 'f' order by 2, 3, 4
"""

_STORY = re.compile(r"(\w+)=(\S+)")
_KEEP = re.compile(r"(\d+)-(days|months)\((\w+)\)")


@dataclass(frozen=True)
class ForeignKey:
    """`columns` of the table point at `parent_columns` of `parent`."""

    name: str
    parent: str
    columns: tuple[str, ...]
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class UniqueIndex:
    """A unique index; `constraint` when it stands behind a constraint of its name."""

    name: str
    primary: bool
    constraint: bool
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Relation:
    """A table, view, materialised view or foreign table. `columns` maps names to types."""

    schema: str
    name: str
    kind: str
    story: dict[str, str]
    protected: bool
    forced: bool
    options: tuple[str, ...]
    owner: str
    columns: dict[str, str]
    foreign_keys: tuple[ForeignKey, ...]
    unique_indexes: tuple[UniqueIndex, ...]

    @property
    def is_table(self) -> bool:
        return self.kind in ("r", "p")

    @property
    def tenant(self) -> str | None:
        """The column that says whose a row is; None where the comment says that it is nobody's."""
        by_name = "tenant_id" if "tenant_id" in self.columns else "none"
        declared = self.story.get("tenant", by_name)
        return None if declared == "none" else declared

    @property
    def ids(self) -> list[str]:
        """The columns that hold ids of something else."""
        return [name for name, kind in self.columns.items() if kind == "uuid" and self.primary_key != (name,)]

    @property
    def keep(self) -> tuple[str, str] | None:
        """(age, column) of a table that is kept for a time, such as ("90 days", "received_at")."""
        found = _KEEP.fullmatch(self.story.get("keep", ""))
        return (f"{found[1]} {found[2]}", found[3]) if found else None

    @property
    def primary_key(self) -> tuple[str, ...]:
        return next((index.columns for index in self.unique_indexes if index.primary), ())


@dataclass(frozen=True)
class Function:
    """A function of public or private; `arguments` maps names to types."""

    schema: str
    name: str
    signature: str
    definer: bool
    owner: str
    settings: tuple[str, ...]
    body: str
    trigger: bool
    arguments: dict[str, str]

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Inventory:
    """All relations of the exposed schemas and all functions of the project."""

    relations: tuple[Relation, ...]
    functions: tuple[Function, ...]

    @property
    def tables(self) -> list[Relation]:
        return [relation for relation in self.relations if relation.is_table]

    def table(self, name: str) -> Relation:
        """The table of schema public with that name."""
        return next(table for table in self.tables if (table.schema, table.name) == ("public", name))


def take_inventory(connection: psycopg.Connection, focus: str = "") -> Inventory:
    """Read the catalog, the relation or function called `focus` first. The connection is a superuser's."""
    schemas = [list(EXPOSED)]
    columns: dict[int, dict[str, str]] = {}
    for oid, name, kind in connection.execute(COLUMNS, schemas):
        columns.setdefault(oid, {})[name] = kind
    keys: dict[int, list[ForeignKey]] = {}
    for oid, name, parent, own, theirs in connection.execute(FOREIGN_KEYS, schemas):
        keys.setdefault(oid, []).append(ForeignKey(name, parent.removeprefix("public."), tuple(own), tuple(theirs)))
    indexes: dict[int, list[UniqueIndex]] = {}
    for oid, name, primary, constraint, names in connection.execute(UNIQUE_INDEXES, schemas):
        indexes.setdefault(oid, []).append(UniqueIndex(name, primary, constraint, tuple(names)))
    relations = [
        Relation(
            schema,
            name,
            kind,
            dict(_STORY.findall(story)),
            protected,
            forced,
            tuple(options),
            owner,
            columns.get(oid, {}),
            tuple(keys.get(oid, [])),
            tuple(indexes.get(oid, [])),
        )
        for oid, schema, name, kind, story, protected, forced, options, owner in connection.execute(RELATIONS, schemas)
    ]
    functions = [
        Function(
            schema,
            name,
            signature,
            definer,
            owner,
            tuple(settings),
            body,
            trigger,
            dict(zip(names, types, strict=True)) if names else {},
        )
        for _, schema, name, signature, definer, owner, settings, body, trigger, names, types in connection.execute(
            FUNCTIONS
        )
    ]
    relations.sort(key=lambda relation: relation.name != focus)
    functions.sort(key=lambda function: function.name != focus)
    return Inventory(tuple(relations), tuple(functions))
