"""What the roles that look across tenants may see: the rows of their work, told apart here without their policies."""

from psycopg import sql
from psycopg.types.json import Jsonb

from tests.isolation.actors import INTAKE, RETENTION, SERVER, SERVICE, SWEEP, Actor, person
from tests.isolation.ground import Ground, insertion, relation_name
from tests.isolation.inventory import Relation
from tests.isolation.sides import ATTACKER
from tests.isolation.tables import SERVICE_READS

SCOPES = {
    SWEEP: {
        "inbox": "outcome is null",
        "outbox": "state in ('pending', 'unconfirmed')",
        "channels": "true",
        "knowledge_files": "state in ('awaited', 'waiting')",
        "media": "state in ('waiting', 'awaited')",
        "tenant_keys": "true",
        "usage_ledger": "true",
        "usage_holds": "expires_at < now()",
    },
    INTAKE: {"channels": "true", "billing_events": "true", "deletion_requests": "true"},
}
# Retention sees what is older than the table's comment says and, in these, done with.
DONE_WITH = {
    "inbox": "outcome is not null",
    "outbox": "state in ('sent', 'failed')",
    "billing_events": "outcome is not null",
    "deletion_requests": "state <> 'received'",
}


def probe_scopes(ground: Ground) -> None:
    """Each of these roles, in no tenant, sees the rows of its work: all of them and no other."""
    for role in (SWEEP, INTAKE, RETENTION):
        for table in ground.inventory.tables:
            expected = _expected(role, table)
            _probe(ground, Actor(role, role, SERVER), table, expected)
            if expected is not None:
                _probe_stranger(ground, Actor(f"{role}, called by a person", role, person(ATTACKER.owner)), table)
    _probe_service(ground)


def _probe_service(ground: Ground) -> None:
    """What the service reads in every tenant it reads for a caller: called by nobody it sees nothing."""
    actor = Actor(f"{SERVICE}, called by nobody", SERVICE, {})
    for table in ground.inventory.tables:
        if table.name in SERVICE_READS:
            _probe_stranger(ground, actor, table)


def _expected(role: str, table: Relation) -> str | None:
    if role != RETENTION:
        return SCOPES[role].get(table.name)
    if table.keep is None:
        return None
    age, column = table.keep
    return f"{column} < now() - interval '{age}' and {DONE_WITH.get(table.name, 'true')}"


def _probe(ground: Ground, actor: Actor, table: Relation, expected: str | None) -> None:
    ground.count("scope", actor.name)
    granted = ground.granted(actor, table)
    if expected is None:
        if granted.select or granted.insert or granted.update or granted.delete:
            ground.find("scope", actor.name, table.name, "is no part of its work, and it has privileges")
        return
    column = (granted.select or ["none"])[0]
    statement = sql.SQL("select count({}) from {}").format(sql.Identifier(column), relation_name(table))
    seen = ground.attempt(actor, statement).rows
    wanted = ground.connection.execute(f"select count(*) from {table.schema}.{table.name} where {expected}").fetchall()
    total = ground.connection.execute(f"select count(*) from {table.schema}.{table.name}").fetchall()
    if seen != repr(wanted) or (wanted == total and expected != "true") or wanted == [(0,)]:
        ground.find("scope", actor.name, table.name, f"sees {seen} of {total}, should see {wanted}")
    if granted.delete:
        _probe_delete(ground, actor, table, expected)


def _probe_stranger(ground: Ground, actor: Actor, table: Relation) -> None:
    """As if one of its functions had lost its guard: its policies hold alone."""
    ground.count("scope", actor.name)
    column = (ground.granted(actor, table).select or ["none"])[0]
    statement = sql.SQL("select count({}) from {}").format(sql.Identifier(column), relation_name(table))
    seen = ground.attempt(actor, statement)
    if seen.rows != "[(0,)]":
        ground.find("scope", actor.name, table.name, f"sees {seen.rows or seen.message}")
    if ground.granted(actor, table).insert:
        row = ground.rows[table.name][0]
        outcome = ground.attempt(actor, insertion(table, row), {"row": Jsonb(row)})
        if outcome.refusal != "42501":
            ground.find("scope", actor.name, table.name, f"may insert: {outcome.message or outcome.touched}")


def _probe_delete(ground: Ground, actor: Actor, table: Relation, expected: str) -> None:
    ground.count("scope", actor.name)
    left = f"select count(*) from {table.schema}.{table.name} where not ({expected})"
    before = ground.connection.execute(left).fetchall()
    with Actor("superuser", "none").acting(ground.connection):
        # What would go along by a foreign key is not asked about here.
        ground.connection.execute("select set_config('session_replication_role', 'replica', true)")
        actor.become(ground.connection)
        ground.connection.execute(f"delete from {table.schema}.{table.name}")
        ground.connection.execute("select set_config('role', 'none', true)")
        after = ground.connection.execute(left).fetchall()
        rest = ground.connection.execute(
            f"select count(*) from {table.schema}.{table.name} where {expected}"
        ).fetchall()
    if before != after or rest != [(0,)]:
        ground.find("scope", actor.name, table.name, "deletes what it should keep, or keeps what it should delete")
