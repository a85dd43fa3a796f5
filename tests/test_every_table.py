"""Every table tells its data story in its comment, and the story is true.

    tenant=<column|none> personal=<columns|no> export=<owner|contact|no> erase=<how> keep=<how long>

Export, erasure and retention are driven by these comments, so what they say is checked against the catalog.
"""

import ast
import re
from collections.abc import Iterator

import psycopg
import pytest

from local.plan import PROJECT
from tests.isolation.actors import RETENTION
from tests.isolation.database import migrated_cluster
from tests.isolation.inventory import Inventory, Relation, take_inventory

STORY = {
    "tenant": r"none|\w+",
    "personal": r"no|\w+(,\w+)*",
    "export": r"owner|contact|no",
    "erase": r"with-tenant|with-user|with-age|contact|never",
    "keep": r"always|while-customer|while-member|while-connected|with-contact|\d+-(days|months)\(\w+\)",
}
# Columns that are called like something personal, and what they are instead.
NOT_PERSONAL = {
    ("channels", "external_id"): "the number of the business",
    ("channels", "display_name"): "the name of the business",
    ("channels", "template_body"): "what the business says to everybody",
    ("channels", "template_name"): "the name of a template",
    ("deletion_requests", "code"): "made by us, tells nothing",
    ("inbox", "kind"): "message, status or account",
    ("knowledge_files", "name"): "the name of a file",
    ("knowledge_chunks", "body"): "what the business tells everybody who asks",
    ("plans", "name"): "the name of a plan",
    ("tenants", "name"): "the name of the business",
    ("credentials", "name"): "which credential it is",
    ("subscriptions", "provider_id"): "the id of a subscription",
    ("messages", "provider_id"): "the id of a message; it holds a phone in base64, so logs mask it",
}
LOOKS_PERSONAL = re.compile(
    r"(^|_)(phone|email|mail|name|address|document|birth\w*|ip|user_id|provider_user_id|external_id|provider_id|body|item"
    r"|facts)$"
)
# Policies name these columns, and the rows that a caller may see are few by another column first.
NARROW = {
    "user_id": "within the tenant",
    "outcome": "partial indexes",
    "state": "partial indexes",
    "settled_at": "by age first",
}
POLICY_COLUMNS = """
select tablename, policyname, roles::text[], coalesce(qual, '') || coalesce(with_check, '')
from pg_policies where schemaname = 'public'
"""
INDEXES = """
select c.relname, array(select a.attname::text from unnest(i.indkey) with ordinality k (n, place)
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.n order by place)
from pg_index i join pg_class c on c.oid = i.indrelid where c.relnamespace = 'public'::regnamespace and i.indisvalid
"""


@pytest.fixture(scope="module")
def connection() -> Iterator[psycopg.Connection]:
    with migrated_cluster() as cluster, psycopg.connect(cluster.dsn(), autocommit=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def inventory(connection: psycopg.Connection) -> Inventory:
    return take_inventory(connection)


@pytest.fixture(scope="module")
def indexes(connection: psycopg.Connection) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for table, columns in connection.execute(INDEXES):
        found.setdefault(table, []).append(columns)
    return found


def problems_of(table: Relation) -> list[str]:
    """What is wrong with a table's story."""
    problems = [
        f"{table.name}: {part}={table.story.get(part)}"
        for part, form in STORY.items()
        if not re.fullmatch(form, table.story.get(part, ""))
    ]
    named = [] if table.story.get("personal") == "no" else table.story.get("personal", "").split(",")
    named += [table.tenant] if table.tenant else []
    named += [table.keep[1]] if table.keep else []
    problems += [f"{table.name}: there is no column {name}" for name in named if name not in table.columns]
    personal = {name for name in table.columns if LOOKS_PERSONAL.search(name)}
    personal -= {name for of, name in NOT_PERSONAL if of == table.name}
    problems += [f"{table.name}: {name} looks personal" for name in sorted(personal - set(named))]
    if table.tenant is None and "tenant_id" in table.columns:
        problems.append(f"{table.name}: has a tenant_id and says that it has no tenant")
    if table.story.get("erase") == "with-user" and not any(key.parent == "auth.users" for key in table.foreign_keys):
        problems.append(f"{table.name}: no key takes its rows away with the user")
    return problems


def test_every_table_tells_a_true_story(inventory):
    assert len(inventory.tables) >= 20
    assert [problem for table in inventory.tables for problem in problems_of(table)] == [], (
        "You are here because a table has no story, or one that is not true: edit its comment in supabase/migrations "
        "(a new file), or NOT_PERSONAL here with a reason."
    )


@pytest.mark.parametrize(
    ("story", "problem"),
    [
        ("", "keep=None"),
        ("tenant=tenant_id personal=no export=owner erase=with-tenant keep=while-customer", ""),
        ("tenant=tenant_id personal=no export=owner erase=with-tenant keep=90-days(nowhere)", "no column nowhere"),
        ("tenant=none personal=no export=owner erase=with-tenant keep=always", "says that it has no tenant"),
        ("tenant=tenant_id personal=mail export=owner erase=with-tenant keep=always", "no column mail"),
        ("tenant=tenant_id personal=no export=owner erase=with-user keep=always", "away with the user"),
    ],
)
def test_a_story_that_is_not_true_is_noticed(connection, story, problem):
    with connection.transaction(force_rollback=True):
        connection.execute("create table public.novel (id uuid primary key, tenant_id uuid)")
        connection.execute(f"comment on table public.novel is '{story}'")  # type: ignore[arg-type]
        told = problems_of(take_inventory(connection).table("novel"))
    assert [problem] == [problem for line in told if problem in line][:1] if problem else told == []


def test_a_column_that_looks_personal_and_is_not_declared_is_noticed(connection):
    with connection.transaction(force_rollback=True):
        connection.execute("alter table public.strikes add column contact_phone text")
        assert problems_of(take_inventory(connection).table("strikes")) == ["strikes: contact_phone looks personal"]


def test_no_exception_outlives_its_column(inventory):
    columns = {(table.name, name) for table in inventory.tables for name in table.columns}
    assert set(NOT_PERSONAL) <= columns


def test_what_is_kept_for_a_time_is_pruned_by_an_index_and_a_policy(connection, inventory, indexes):
    policies = {
        table: condition for table, _, roles, condition in connection.execute(POLICY_COLUMNS) if RETENTION in roles
    }
    kept = {table.name: table.keep for table in inventory.tables if table.keep}
    assert policies.keys() == kept.keys()
    for table, (age, column) in kept.items():
        assert any(index[0] == column for index in indexes[table]), f"{table}: no index begins with {column}"
        # PostgreSQL writes 24 months as 2 years; it compares them rightly.
        intervals = re.findall(r"now\(\) - '([^']+)'::interval", policies[table])
        same = connection.execute("select %s::interval = %s::interval", [intervals[0], age]).fetchone()
        assert (len(intervals), same) == (1, (True,)), f"{table}: comment and policy keep it for different times"
        assert column in policies[table]


def test_every_foreign_key_and_every_policy_finds_its_rows_by_an_index(connection, inventory, indexes):
    for table in inventory.tables:
        for key in table.foreign_keys:
            width = len(key.columns)
            covered = any(set(index[:width]) == set(key.columns) for index in indexes[table.name])
            partly = any(index[0] == table.tenant for index in indexes[table.name]) and set(key.columns) == {
                table.tenant
            }
            assert covered or partly, f"{table.name}: no index for {key.name}"
    for table, policy, _, condition in connection.execute(POLICY_COLUMNS):
        columns = [name for name in inventory.table(table).columns if re.search(rf"\b{name}\b", condition)]
        for name in columns:
            found = any(index[0] == name for index in indexes[table]) or name in NARROW
            assert found, f"{table}.{policy}: no index begins with {name}"


def test_no_policy_is_left_without_a_verb_that_its_roles_may_use(connection):
    orphaned = connection.execute(
        """
        select p.tablename, p.policyname from pg_policies p where p.schemaname = 'public' and not exists (
          select from unnest(p.roles) r, unnest(case p.cmd when 'ALL' then array['SELECT', 'INSERT', 'UPDATE', 'DELETE']
            else array[p.cmd] end) verb
          where has_table_privilege(r::text, format('public.%I', p.tablename), verb)
            or (verb <> 'DELETE' and has_any_column_privilege(r::text, format('public.%I', p.tablename), verb)))
        """
    ).fetchall()
    assert orphaned == []


def test_every_server_function_has_one_typed_call_and_every_call_a_function(inventory, connection):
    called: dict[str, list[str]] = {}
    for path in (PROJECT / "shared" / "data").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "call":
                name = node.args[0]
                assert isinstance(name, ast.Constant), (
                    f"{path.name}:{node.lineno}: the function's name is not written out"
                )
                called.setdefault(str(name.value), []).append(path.name)
    callable_by_server = {
        row[0]
        for row in connection.execute(
            "select proname from pg_proc where pronamespace = 'public'::regnamespace"
            " and has_function_privilege('service_role', oid, 'execute')"
        )
    }
    assert called.keys() == callable_by_server, "You are here because shared/data/ and the migrations differ."
    assert {name: files for name, files in called.items() if len(files) > 1} == {}
