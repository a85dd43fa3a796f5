"""Probes of every table and view: reads, updates, moves, deletes, inserts, upserts, and what the answers give away."""

import json
from collections.abc import Iterator

from psycopg import sql
from psycopg.types.json import Jsonb

from tests.isolation.actors import AGENT, ATTACKERS, GUARDED, OWNER, SERVICE, SERVICE_OF_VICTIM, Actor
from tests.isolation.ground import (
    REFUSALS,
    Ground,
    Outcome,
    Row,
    insertion,
    neutral,
    relation_name,
    spoken_by,
    translate,
)
from tests.isolation.inventory import Relation
from tests.isolation.sides import ABSENT, EMPTY, VICTIM, Side

# What an agent does not see of the business that it works for.
OWNERS_ONLY = {"subscriptions", "usage_ledger", "usage_alerts", "tenant_budgets", "audit_log"}
# What an agent sees and does not change.
OWNERS_CHANGE = {"tenants"}
# What belongs to no business and every signed-in person may read.
EVERYBODYS = {"plans"}
# The same, which the service reads in every tenant: limits and sums, and nothing of anybody.
SERVICE_READS = {"plans", "provider_budgets"}
# What the service may point at wherever it is, and why.
OPEN_TO_SERVICE = {
    ("members", "user_id"): "an invitation takes anybody's account into a business",
    ("audit_log", "user_id"): "who did it may have left since",
    ("audit_log", "subject_id"): "what it was done to may be gone since",
    ("usage_ledger", "user_id"): "who used it may have left since",
    ("usage_ledger", "hold_id"): "whoever asks makes it at random",
    ("usage_holds", "user_id"): "who used it may have left since",
    ("usage_holds", "id"): "whoever asks makes it at random",
}
# Unique for all tenants, and why that tells nobody anything: no member may insert or update them.
GLOBAL_KEYS = {("channels", ("kind", "external_id")), ("subscriptions", ("provider", "provider_id"))}


def probe_tables(ground: Ground) -> None:
    """Every relation, by every attacker."""
    for relation in ground.inventory.relations:
        for actor in ATTACKERS:
            read(ground, actor, relation)
            if relation.kind in ("r", "p", "v"):
                update(ground, actor, relation)
                delete(ground, actor, relation)
            if relation.is_table and ground.rows_of(relation, VICTIM):
                insert(ground, actor, relation)
                upsert(ground, actor, relation)
                compare_parents(ground, actor, relation)
                compare_keys(ground, actor, relation)


def read(ground: Ground, actor: Actor, relation: Relation) -> None:
    """Whole rows, as far as columns are granted."""
    columns = ground.granted(actor, relation).select or list(relation.columns)[:1]
    statement = sql.SQL("select to_jsonb(r)::text from (select {} from {}) r").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), relation_name(relation)
    )
    _judge(ground, "read", actor, relation, ground.attempt(actor, statement))


def update(ground: Ground, actor: Actor, table: Relation) -> None:
    """Every granted column of every row, to what it is and to a constant; and own rows into the hands of others.

    A constant, because a statement that reads no column is held by no policy for reading.
    """
    names = ground.granted(actor, table).update
    victims = ground.rows_of(table, VICTIM)
    for name in names or list(table.columns)[:1]:
        statement = sql.SQL("update {} set {column} = {column}").format(
            relation_name(table), column=sql.Identifier(name)
        )
        _judge(ground, "update", actor, table, ground.attempt(actor, statement))
        for row in ground.own_rows(table, actor)[:1]:
            outcome = ground.attempt(
                actor,
                sql.SQL("update {} set {} = {}").format(
                    relation_name(table), sql.Identifier(name), _value_of(table, name)
                ),
                {"row": Jsonb(row)},
                prepare=lambda: _leave_one(ground, table, actor.own or ABSENT),
            )
            _judge(ground, "update", actor, table, outcome)
    moved = [name for name in _pointing(ground, actor, table) if victims and VICTIM.is_in(str(victims[0][name]))]
    for name in [name for name in moved if name in names] or moved[:1]:
        statement = sql.SQL("update {} set {} = {}").format(
            relation_name(table), sql.Identifier(name), _value_of(table, name)
        )
        outcome = ground.attempt(
            actor,
            statement,
            {"row": Jsonb(victims[0])},
            clear=(table, VICTIM),
            prepare=lambda: _leave_one(ground, table, actor.own or ABSENT),
        )
        _judge(ground, "move", actor, table, outcome, policy=name == table.tenant)


def delete(ground: Ground, actor: Actor, table: Relation) -> None:
    """All rows."""
    statement = sql.SQL("delete from {}").format(relation_name(table))
    _judge(ground, "delete", actor, table, ground.attempt(actor, statement))


def insert(ground: Ground, actor: Actor, table: Relation) -> None:
    """Rows of others, and own rows in which one value is another's. What would be in the way is taken out of it."""
    for row in ground.rows_of(table, VICTIM):
        for said in (row, spoken_by(actor, row)):
            statement, values = _insertion(ground, actor, table, said)
            outcome = ground.attempt(actor, statement, values, clear=(table, VICTIM))
            _judge(ground, "insert", actor, table, outcome, policy=table.tenant is not None)
    for row, changed in _mixed_rows(ground, actor, table):
        statement, values = _insertion(ground, actor, table, row)
        outcome = ground.attempt(actor, statement, values, clear=(table, actor.own or ABSENT))
        _judge(ground, "insert", actor, table, outcome, policy=changed == table.tenant)


def upsert(ground: Ground, actor: Actor, table: Relation) -> None:
    """A row of another, on conflict with it, over it or quietly not."""
    row = ground.rows_of(table, VICTIM)[0]
    columns = ground.granted(actor, table).insert or list(row)
    for index in table.unique_indexes:
        if not index.constraint or not set(index.columns) <= set(columns):
            continue
        target = ", ".join(f'"{name}"' for name in index.columns)
        for action in (f'do update set "{index.columns[0]}" = excluded."{index.columns[0]}"', "do nothing"):
            statement, values = _insertion(ground, actor, table, row, f"on conflict ({target}) {action}")
            _judge(ground, "upsert", actor, table, ground.attempt(actor, statement, values))


def compare_parents(ground: Ground, actor: Actor, table: Relation) -> None:
    """An own row that points at another's parent, beside one that points at nothing: the same answer."""
    may = set(ground.granted(actor, table).insert)
    for row in ground.own_rows(table, actor)[:1] if may else []:
        for key in table.foreign_keys:
            pointing = [name for name in key.columns if name != table.tenant and name in may]
            if set(pointing) & set(_pointing(ground, actor, table)):
                foreign = row | {name: translate(row, actor.own or ABSENT, VICTIM)[name] for name in pointing}
                absent = row | {name: translate(row, actor.own or ABSENT, ABSENT)[name] for name in pointing}
                _compare(ground, actor, table, foreign, absent, key.name)


def compare_keys(ground: Ground, actor: Actor, table: Relation) -> None:
    """An own row with another's key, beside one with a key that nobody has: the same answer."""
    may = set(ground.granted(actor, table).insert)
    for row in ground.own_rows(table, actor)[:1] if may else []:
        for index in table.unique_indexes:
            named = [name for name in index.columns if name != table.tenant and name in may]
            if not named or (table.name, index.columns) in GLOBAL_KEYS:
                continue
            if actor.role == SERVICE and (named == ["id"] or (table.name, named[0]) in OPEN_TO_SERVICE):
                continue  # the database makes the ids that the service inserts
            foreign = row | {name: translate(row, actor.own or ABSENT, VICTIM)[name] for name in named}
            absent = row | {name: translate(row, actor.own or ABSENT, ABSENT)[name] for name in named}
            _compare(ground, actor, table, foreign, absent, index.name)


def control_tables(ground: Ground) -> None:
    """Who should get in does: every granted verb works on the own rows. Else an empty answer would prove nothing."""
    for relation in ground.inventory.relations:
        owners_only = relation.name in OWNERS_ONLY
        for actor in (OWNER, GUARDED, SERVICE_OF_VICTIM):
            _control(ground, actor, relation)
        if relation.name in OWNERS_CHANGE:
            ground.count("control", AGENT.name)
            for name in ground.granted(AGENT, relation).update:
                statement = sql.SQL("update {} set {} = null").format(relation_name(relation), sql.Identifier(name))
                outcome = ground.attempt(AGENT, statement)
                if outcome.touched or outcome.refusal:
                    ground.find("control", AGENT.name, f"{relation.name}.{name}", "changes what is the owner's")
        if relation.tenant and ground.granted(AGENT, relation).select:
            ground.count("control", AGENT.name)
            seen = VICTIM.is_in(_read(ground, AGENT, relation).rows)
            if seen == owners_only:
                ground.find("control", AGENT.name, relation.name, "sees it" if seen else "does not see it")


def _control(ground: Ground, actor: Actor, relation: Relation) -> None:
    granted = ground.granted(actor, relation)
    rows = ground.rows_of(relation, VICTIM) if relation.is_table else []
    if granted.select:
        ground.count("control", actor.name)
        outcome = _read(ground, actor, relation)
        if not (VICTIM.is_in(outcome.rows) if relation.tenant else outcome.touched):
            ground.find("control", actor.name, relation.name, "does not see its own rows")
    for name in granted.update:
        ground.count("control", actor.name)
        statement = sql.SQL("update {} set {column} = {column}").format(
            relation_name(relation), column=sql.Identifier(name)
        )
        outcome = ground.attempt(actor, statement)
        if not outcome.touched:
            ground.find(
                "control", actor.name, f"{relation.name}.{name}", f"cannot update its own rows {outcome.message}"
            )
    if granted.delete:
        ground.count("control", actor.name)
        statement = sql.SQL("delete from {}").format(relation_name(relation))
        if not ground.attempt(actor, statement, prepare=lambda: _without_triggers(ground)).touched:
            ground.find("control", actor.name, relation.name, "cannot delete its own rows")
    if granted.insert and rows:
        ground.count("control", actor.name)
        outcomes = [
            ground.attempt(actor, *_insertion(ground, actor, relation, spoken_by(actor, row)), clear=(relation, VICTIM))
            for row in rows
        ]
        if all(outcome.refusal for outcome in outcomes):
            ground.find("control", actor.name, relation.name, f"cannot insert its own rows: {outcomes[0].message}")


def _without_triggers(ground: Ground) -> None:
    # A parent that is still pointed at could not go for another reason than rights.
    ground.connection.execute("select set_config('session_replication_role', 'replica', true)")


def _read(ground: Ground, actor: Actor, relation: Relation) -> Outcome:
    columns = ground.granted(actor, relation).select
    statement = sql.SQL("select to_jsonb(r)::text from (select {} from {}) r").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), relation_name(relation)
    )
    return ground.attempt(actor, statement)


def _mixed_rows(ground: Ground, actor: Actor, table: Relation) -> Iterator[tuple[Row, str]]:
    """Own rows with one id of another's, and which."""
    for own in ground.own_rows(table, actor)[:2]:
        for name in _pointing(ground, actor, table):
            for side in (VICTIM, EMPTY):
                changed = translate({name: own[name]}, actor.own or ABSENT, side)[name]
                if changed != own[name] and side in actor.foreign:
                    yield own | {name: changed}, name


def _insertion(ground: Ground, actor: Actor, table: Relation, row: Row, rest: str = "") -> tuple[sql.Composable, Row]:
    """An insert of the columns that the actor may insert; of all, where it may insert none."""
    may = ground.granted(actor, table).insert or list(row)
    kept = {name: value for name, value in row.items() if name in may}
    return insertion(table, kept, rest), {"row": Jsonb(kept)}


def _pointing(ground: Ground, actor: Actor, table: Relation) -> list[str]:
    """The columns through which the actor's row could point at another's: for people all ids, for the service those
    whose seeded value is the id of a row or a person, whether or not a key of the database says so."""
    if actor.role != SERVICE:
        return table.ids
    there = ground.ids_of(VICTIM)
    return [
        name
        for name in table.ids
        if (table.name, name) not in OPEN_TO_SERVICE
        and any(row[name] in there for row in ground.rows_of(table, VICTIM))
    ]


def _leave_one(ground: Ground, table: Relation, side: Side) -> None:
    # Two rows that become alike would be refused for that.
    _without_triggers(ground)
    name = f"{table.schema}.{table.name}"
    ground.connection.execute(
        f"delete from {name} t where t::text ~ '{side.pattern}' and t.ctid <> (select min(o.ctid) from {name} o"
        f" where o::text ~ '{side.pattern}')"
    )
    ground.connection.execute("select set_config('session_replication_role', 'origin', true)")


def _value_of(table: Relation, name: str) -> sql.Composable:
    return sql.SQL("(jsonb_populate_record(null::{}, %(row)s::jsonb)).{}").format(
        relation_name(table), sql.Identifier(name)
    )


def _judge(
    ground: Ground, probe: str, actor: Actor, relation: Relation, outcome: Outcome, *, policy: bool = False
) -> None:
    """With `policy`, a right or a policy has to have refused: a foreign key is asked only after they have agreed."""
    ground.count(probe, actor.name)
    place = f"{relation.schema}.{relation.name}"
    if outcome.changed:
        ground.find(probe, actor.name, place, "changed what belongs to others")
    leaked = [side.letter for side in actor.foreign if side.is_in(outcome.rows)]
    if leaked:
        ground.find(probe, actor.name, place, f"shows what belongs to others ({', '.join(leaked)})")
    everybodys = relation.name in EVERYBODYS and actor.claims.get("sub")
    everybodys = everybodys or (relation.name in SERVICE_READS and actor.role == SERVICE)
    if "canary-none" in outcome.rows and not everybodys:
        ground.find(probe, actor.name, place, "shows what belongs to nobody")
    leaked = [side.letter for side in actor.foreign if side.is_in(outcome.message)]
    if leaked and probe == "read":
        ground.find(probe, actor.name, place, "the refusal shows what belongs to others")
    if policy and outcome.refusal == "23503":
        ground.find(probe, actor.name, place, "was let in, and failed at a foreign key")
    expected = REFUSALS | ({"55000"} if relation.kind == "v" else set())  # a view over a join takes no writes
    if outcome.refusal is not None and outcome.refusal not in expected:
        ground.find(
            "vacuous", actor.name, place, f"{probe} failed for another reason: {outcome.refusal} {outcome.message}"
        )


def _compare(ground: Ground, actor: Actor, table: Relation, foreign: Row, absent: Row, by: str) -> None:
    ground.count("oracle", actor.name)
    own = (table, actor.own or ABSENT)
    answers = []
    for row in (foreign, absent):
        statement, values = _insertion(ground, actor, table, row)
        outcome = ground.attempt(actor, statement, values, clear=own)
        answers.append((outcome.refusal, neutral(outcome.message)))
    if answers[0] != answers[1]:
        ground.find(
            "oracle", actor.name, f"{table.schema}.{table.name}", f"{by} tells what exists: {json.dumps(answers)}"
        )
