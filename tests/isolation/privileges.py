"""What the catalog must say of every relation, function, role, sequence and publication.

And the table of privileges that people read, tests/output/privileges.txt.
"""

import re

import psycopg

from tests.isolation.actors import API, INTERNAL
from tests.isolation.ground import Ground
from tests.isolation.inventory import Function

ROLES = (*API, *INTERNAL)
# Definer functions that may be owned by a role that sees everything, and why.
OWNED_BY_POSTGRES = {
    "private.second_factor": "Supabase Auth keeps its factors behind row level security without a policy",
}
# The server's guard, or, for what a member may call, the member's.
GUARD = re.compile(
    r"\s*(declare\b.*?)?begin\s+perform private\.(require_server\(\)|require_member\(p_tenant\));", re.DOTALL
)

# Verbs that row level security does not cover, and that nobody here needs.
UNCOVERED = """
select r.rolname, c.oid::regclass::text, v.verb from pg_roles r, pg_class c
join pg_namespace n on n.oid = c.relnamespace,
unnest(array['truncate', 'references', 'trigger']) as v (verb)
where r.rolname = any (%s) and n.nspname in ('public', 'private', 'storage') and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and has_table_privilege(r.oid, c.oid, v.verb)
"""
SEQUENCES = """
select r.rolname, c.oid::regclass::text from pg_roles r, pg_class c join pg_namespace n on n.oid = c.relnamespace
where r.rolname = any (%s) and n.nspname in ('public', 'private') and c.relkind = 'S'
  and (has_sequence_privilege(r.oid, c.oid, 'usage') or has_sequence_privilege(r.oid, c.oid, 'select')
    or has_sequence_privilege(r.oid, c.oid, 'update'))
"""
ROLE_FACTS = """
select r.rolname from pg_roles r where r.rolname = any (%s)
  and (r.rolcanlogin or r.rolbypassrls or r.rolsuper or r.rolcreaterole or r.rolinherit)
"""
MEMBERSHIPS = """
select m.rolname, r.rolname from pg_auth_members a
join pg_roles m on m.oid = a.member join pg_roles r on r.oid = a.roleid
where (m.rolname = any (%(api)s) or m.rolname = any (%(internal)s)) or (r.rolname = any (%(internal)s)
  and m.rolname <> 'postgres')
"""
PUBLISHED = "select schemaname || '.' || tablename from pg_publication_tables where schemaname in ('public', 'private')"
EXECUTE = """
select p.oid::regprocedure::text, array(select r from unnest(%s::text[]) r
  where has_function_privilege(r, p.oid, 'execute') order by 1)
from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('public', 'private') order by 1
"""


def assert_privileges(ground: Ground) -> None:
    """Findings for everything in the catalog that is not as it must be."""
    for relation in ground.inventory.relations:
        ground.count("catalog", "-")
        if relation.is_table and not (relation.protected and relation.forced):
            ground.find("catalog", "-", relation.name, "row level security is not on and forced")
        if relation.kind == "v" and "security_invoker=true" not in relation.options:
            ground.find("catalog", "-", relation.name, "the view does not ask for the reader's rights")
        if relation.kind in ("m", "f"):
            ground.find("catalog", "-", relation.name, "obeys no row level security, and the API shows it")
        if relation.owner != "postgres" and relation.schema == "public":
            ground.find("catalog", "-", relation.name, f"is owned by {relation.owner}")
    for function in ground.inventory.functions:
        ground.count("catalog", "-")
        _assert_function(ground, function)
    for found in (
        _rows(ground.connection, UNCOVERED, [list(ROLES)]),
        _rows(ground.connection, SEQUENCES, [list(ROLES)]),
        _rows(ground.connection, ROLE_FACTS, [list(INTERNAL)]),
        _rows(ground.connection, MEMBERSHIPS, {"api": list(API), "internal": list(INTERNAL)}),
        _rows(ground.connection, PUBLISHED, []),
    ):
        ground.count("catalog", "-")
        for row in found:
            ground.find("catalog", "-", " ".join(row), "must not be")


def _assert_function(ground: Ground, function: Function) -> None:
    # Nothing but the system's own names, and the session's temporary ones after them: an empty path asks those first.
    if "search_path=pg_catalog, pg_temp" not in function.settings:
        ground.find("catalog", "-", function.signature, "search_path is not pinned to pg_catalog, pg_temp")
    if not function.definer:
        return
    owned_rightly = function.owner in INTERNAL or function.full_name in OWNED_BY_POSTGRES
    if not owned_rightly:
        ground.find("catalog", "-", function.signature, f"runs with the rights of {function.owner}")
    if function.arguments and not GUARD.match(function.body):
        ground.find("catalog", "-", function.signature, "its first statement is not the guard")


def table_of_privileges(ground: Ground) -> str:
    """Who may do what, as people read it: relations by role, with columns where not all are granted; functions."""
    lines = ["# What each role may do. select, insert, update: all columns, or the named ones.", ""]
    for relation in sorted(ground.inventory.relations, key=lambda relation: (relation.schema, relation.name)):
        lines.append(f"{relation.schema}.{relation.name}")
        for role in ROLES:
            name = relation.name if relation.schema == "public" else f"{relation.schema}.{relation.name}"
            grants = ground.grants.get((role, name))
            verbs = []
            for verb in ("select", "insert", "update"):
                columns = getattr(grants, verb) if grants else []
                if columns:
                    everything = set(columns) >= relation.columns.keys()
                    verbs.append(verb if everything else f"{verb}({', '.join(columns)})")
            verbs += ["delete"] if grants and grants.delete else []
            if verbs:
                lines.append(f"  {role:<18} {', '.join(verbs)}")
        lines.append("")
    lines += ["# Who may call what; whose rights a function has when they are not the caller's.", ""]
    owners = {function.signature: function for function in ground.inventory.functions}
    for signature, roles in ground.connection.execute(EXECUTE, [["public", *ROLES]]):
        function = owners.get(signature)
        rights = f"as {function.owner}" if function is not None and function.definer else "as the caller"
        lines.append(f"{signature}\n  {rights:<24} {', '.join(roles) or 'nobody'}")
    return "\n".join(lines) + "\n"


def _rows(connection: psycopg.Connection, query: str, values: object) -> list[tuple[str, ...]]:
    return connection.execute(query, values).fetchall()  # type: ignore[arg-type]
