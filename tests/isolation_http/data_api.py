"""The Data API with tokens that should not: every relation and every function of the catalog, none from a list."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.types.json import Jsonb

from tests.isolation.calls import MEMBER_CALLS, SERVER_CALLS
from tests.isolation.inventory import Function, Relation
from tests.isolation.sides import ATTACKER, VICTIM
from tests.isolation_http.ground import VICTIM_ID, Actor, Answer, Ground, Pairs, Sent, as_if

SUPABASE = "supabase"
REST = "/rest/v1"
COUNTED = (("prefer", "count=exact"),)
SHOWN = (("prefer", "return=representation,count=exact"),)
SINGLE = (("accept", "application/vnd.pgrst.object+json"),)

GRANTED = """
select c.relname, a.attname, bool_or(has_column_privilege(r.oid, c.oid, a.attnum, 'select')),
  bool_or(has_column_privilege(r.oid, c.oid, a.attnum, 'insert')),
  bool_or(has_column_privilege(r.oid, c.oid, a.attnum, 'update'))
from pg_class c join pg_attribute a on a.attrelid = c.oid, pg_roles r
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and a.attnum > 0 and not a.attisdropped and r.rolname in ('authenticated', 'anon')
group by c.relname, a.attname, a.attnum order by 1, a.attnum
"""

Row = dict[str, Any]
Tally = dict[tuple[str, str], dict[str, Counter[int]]]


class Granted(NamedTuple):
    """The columns that anybody may select, insert and update, whosesoever the rows are."""

    select: list[str]
    insert: list[str]
    update: list[str]


class Target:
    """A relation, the victim's rows in it, and what may be tried on it."""

    def __init__(self, ground: Ground, relation: Relation, granted: Granted) -> None:
        self.relation = relation
        self.granted = granted
        self.path = f"{REST}/{relation.name}"
        found = ground.connection.execute(f"select to_jsonb(t) from public.{relation.name} t").fetchall()
        rows: list[Row] = [row for (row,) in found]
        theirs = [row for row in rows if VICTIM.is_in(json.dumps(row))]
        # Of a table that has no tenant, any row: nobody may change it.
        self.rows = theirs or ([] if relation.tenant else rows)
        # The columns by which the victim's row can be named.
        self.key = relation.primary_key or tuple(name for name in relation.columns if name in ("inbox_id", "id"))

    @property
    def row(self) -> Row:
        return self.rows[0]

    def named(self, row: Row) -> Pairs:
        """The filters that choose this row."""
        return tuple((name, f"eq.{row[name]}") for name in self.key)

    def telling(self, row: Row) -> Iterator[tuple[str, str]]:
        """The columns of a row whose value tells whose it is."""
        for name, value in row.items():
            if isinstance(value, str) and VICTIM.is_in(value):
                yield name, value


def actors(ground: Ground) -> list[Actor]:
    """A member of another business, nobody, and somebody who says of themselves that they belong here."""
    keys, claimed = ground.world.plan.keys, {"tenant_id": str(VICTIM.tenant), "sub": str(VICTIM.owner), "role": "owner"}
    good, forged = ground.token(ATTACKER.owner), ground.token(ATTACKER.owner, user_metadata=claimed | {"a": claimed})
    return [
        Actor("another owner", {"apikey": keys.publishable, "authorization": f"Bearer {good}"}),
        Actor("forged", {"apikey": keys.publishable, "authorization": f"Bearer {forged}"}),
        Actor("nobody", {"apikey": keys.publishable}),
    ]


def targets_in(ground: Ground) -> list[Target]:
    """Every relation that the Data API shows."""
    granted: dict[str, Granted] = defaultdict(lambda: Granted([], [], []))
    for name, column, *allowed in ground.connection.execute(GRANTED):
        for verb, may in zip(granted[name], allowed, strict=True):
            verb.extend([column] if may else [])
    return [Target(ground, relation, granted[relation.name]) for relation in ground.relations]


def attack_relations(ground: Ground, only: str = "") -> Tally:
    """Statuses by (relation, actor) and verb; with `only`, of one relation."""
    tally: Tally = {}
    for target in targets_in(ground):
        if only not in ("", target.relation.name):
            continue
        _control(ground, target)
        for actor in actors(ground):
            verbs = tally.setdefault((target.relation.name, actor.name), {})
            for verb, sent in _requests(target):
                place = f"{target.relation.name}, {verb} {sent.method} {dict(sent.query)} {str(sent.body)[:200]}"
                if VICTIM.is_in(sent.text):
                    answers: tuple[Answer, ...] = ground.attack(actor, SUPABASE, place, sent)
                else:
                    answers = (ground.look(actor, SUPABASE, place, sent),)
                verbs.setdefault(verb, Counter()).update(answer.status for answer in answers)
    return tally


def _requests(target: Target) -> Iterator[tuple[str, Sent]]:
    for sent in _reads(target):
        yield "read", sent
    if not target.rows:
        return
    for sent in _filters(target):
        yield "filter", sent
    for sent in _changes(target):
        yield "change", sent
    for sent in _removals(target):
        yield "remove", sent
    for sent in _additions(target):
        yield "add", sent


def _reads(target: Target) -> Iterator[Sent]:
    """Everything, whole, by each column that can be read, counted, alone, and with what it points at."""
    columns = target.granted.select
    yield Sent("GET", target.path, headers=COUNTED)
    yield Sent("GET", target.path, (("select", "*"),))
    yield Sent("HEAD", target.path, headers=COUNTED)
    yield Sent("GET", target.path, (("limit", "1"),), SINGLE)
    for chosen in [",".join(columns), *columns] if columns else []:
        yield Sent("GET", target.path, (("select", chosen),), COUNTED)
    for parent in {key.parent for key in target.relation.foreign_keys}:
        yield Sent("GET", target.path, (("select", f"{','.join(columns) or '*'},{parent}(*)"),))


def _filters(target: Target) -> Iterator[Sent]:
    """The victim's values in every column that can hold them, in every form of a filter."""
    select = (("select", ",".join(target.granted.select) or "*"),)
    for name, value in target.telling(target.row):
        for column, condition in (
            (name, f"eq.{value}"),
            (name, f'in.("{value}")'),
            (name, f"not.neq.{value}"),
            ("or", f'({name}.eq."{value}",{name}.is.null)'),
        ):
            yield Sent("GET", target.path, (*select, (column, condition)), COUNTED)
    yield Sent("GET", target.path, (*select, *target.named(target.row)), SINGLE)
    yield Sent("HEAD", target.path, (*select, *target.named(target.row)), COUNTED)


def _changes(target: Target) -> Iterator[Sent]:
    """The victim's row taken over column by column, and one's own row pointed at what is the victim's."""
    own = {name: value for name, value in as_if(target.row, ATTACKER).items() if name in target.relation.columns}
    for body in ({name: own[name]} for name in target.granted.update):
        yield Sent("PATCH", target.path, target.named(target.row), SHOWN, body)
        yield Sent("PATCH", target.path, target.named(target.row), body=body)
    yield Sent("PATCH", target.path, target.named(target.row), SHOWN, own)
    for name, value in target.telling(target.row):
        if name in _pointing(target):
            yield Sent("PATCH", target.path, target.named(own), SHOWN, {name: value})
    if target.relation.tenant:
        tenant = target.relation.tenant
        filters = ((tenant, f"eq.{target.row[tenant]}"),)
        yield Sent("PATCH", target.path, filters, body={tenant: own[tenant]})


def _removals(target: Target) -> Iterator[Sent]:
    yield Sent("DELETE", target.path, target.named(target.row), SHOWN)
    yield Sent("DELETE", target.path, target.named(target.row))
    for name, value in target.telling(target.row):
        if name in _pointing(target):
            yield Sent("DELETE", target.path, ((name, f"eq.{value}"),))


def _additions(target: Target) -> Iterator[Sent]:
    """Rows that are the victim's, that point at it, or that have its keys: new ones, and in place of what is there.

    With all columns, and with those alone that may be inserted: else a missing privilege hides what a policy lets in.
    """
    numbers = count(5000)
    writable = [name for name in target.row if name in target.relation.columns]
    for columns in filter(None, (writable, target.granted.insert)):
        rows = [{name: target.row[name] for name in columns}]
        rows.append(_fresh(target, rows[0], next(numbers)))
        for name, value in target.telling(rows[0]):
            if name in _pointing(target):
                rows.append(_fresh(target, as_if(rows[0], ATTACKER), next(numbers)) | {name: value})
        # Where nobody may insert at all, the first ones tell as much as all.
        thorough = bool(target.granted.insert)
        for row in rows if thorough else rows[:2]:
            yield Sent("POST", target.path, headers=SHOWN, body=row)
            yield Sent("POST", target.path, body=row)
            for index in target.relation.unique_indexes if thorough else target.relation.unique_indexes[:1]:
                conflict = (("on_conflict", ",".join(index.columns)),)
                for resolution in ("merge-duplicates", "ignore-duplicates"):
                    headers = (("prefer", f"resolution={resolution},return=representation"),)
                    yield Sent("POST", target.path, conflict, headers, row)


def _pointing(target: Target) -> set[str]:
    """The columns that point somewhere or must be like no other: what is in them can be told from outside."""
    relation = target.relation
    keys = {name for key in relation.foreign_keys for name in key.columns}
    keys |= {name for index in relation.unique_indexes for name in index.columns} | {*relation.ids}
    # The name of an object in the bucket begins with the tenant's id.
    return keys | {name for name, value in target.telling(target.row) if VICTIM_ID.search(value)}


def _fresh(target: Target, row: Row, number: int) -> Row:
    """The row with a key that no row has yet, so that it is not refused for being there already."""
    side = VICTIM if VICTIM.is_in(json.dumps(row)) else ATTACKER
    references = {name for key in target.relation.foreign_keys for name in key.columns} | {target.relation.tenant}
    fresh = dict(row)
    for name in {name for index in target.relation.unique_indexes for name in index.columns} - references:
        if name not in row:
            continue
        value = row[name]
        if isinstance(value, int):
            fresh[name] = number
        elif target.relation.columns[name] == "uuid":
            fresh[name] = str(side.id(number))
        elif value.isdigit():
            fresh[name] = side.digits(number)
        else:
            fresh[name] = side.text(f"fresh {number}")
    return fresh


def _control(ground: Ground, target: Target) -> None:
    """The victim's owner reads their own rows wherever reading is granted, so the harness can see what it looks for."""
    keys, token = ground.world.plan.keys, ground.token(VICTIM.owner)
    victim = Actor("the owner", {"apikey": keys.publishable, "authorization": f"Bearer {token}"})
    if target.relation.is_table and target.relation.tenant and not target.rows:
        ground.find(victim, target.relation.name, "has no row of the victim: add it to tests/isolation/seed.py")
    if not target.granted.select or not target.rows:
        return
    query = (("select", ",".join(target.granted.select)),)
    answer = ground.ask(victim, SUPABASE, Sent("GET", target.path, query))
    shown = VICTIM.is_in(answer.text) if target.relation.tenant or not target.relation.is_table else True
    if answer.status != 200 or not shown:
        ground.find(victim, target.relation.name, f"control: does not show the owner's own rows: {answer.text[:300]}")


def attack_routines(ground: Ground, only: str = "") -> Tally:
    """Statuses by (function, actor) and verb; with `only`, of one function."""
    tally: Tally = {}
    for function in ground.inventory.functions:
        if function.trigger or function.schema != "public" or only not in ("", function.name):
            continue
        call = (SERVER_CALLS | MEMBER_CALLS).get(function.name)
        if call is None:
            nobody = Actor("-", {})
            ground.find(nobody, function.name, "has no row in tests/isolation/calls.py, so it was not called")
            continue
        theirs = plain(call.arguments(VICTIM))
        _control_routine(ground, function, theirs, call.does)
        for actor in actors(ground):
            verbs = tally.setdefault((function.name, actor.name), {})
            for verb, sent in _calls(function, theirs):
                place = f"{function.name}, {verb} {sent.method} {dict(sent.query)} {str(sent.body)[:200]}"
                answers = ground.attack(actor, SUPABASE, place, sent)
                verbs.setdefault(verb, Counter()).update(answer.status for answer in answers)
    return tally


def _calls(function: Function, theirs: Row) -> Iterator[tuple[str, Sent]]:
    """All arguments the victim's; each alone among the attacker's own; each of those alone among the victim's."""
    path, own = f"{REST}/rpc/{function.name}", as_if(theirs, ATTACKER)
    yield "theirs", Sent("POST", path, body=theirs)
    yield "theirs", Sent("GET", path, tuple((name, _in_query(value)) for name, value in theirs.items()))
    for name, value in theirs.items():
        if VICTIM.is_in(json.dumps(value)):
            yield "mixed", Sent("POST", path, body=own | {name: value})
            yield "mixed", Sent("POST", path, body=theirs | {name: own[name]})


def _control_routine(ground: Ground, function: Function, theirs: Row, does: str) -> None:
    """Called by whom it is for, it works, and its work can be seen."""
    keys = ground.world.plan.keys
    headers = {"apikey": keys.secret}
    if function.name in MEMBER_CALLS:
        headers = {"apikey": keys.publishable, "authorization": f"Bearer {ground.token(VICTIM.owner)}"}
    caller = Actor("whom it is for", headers)
    answer = ground.ask(caller, SUPABASE, Sent("POST", f"{REST}/rpc/{function.name}", body=theirs))
    changed = ground.put_back()
    works = {"shows": VICTIM.is_in(answer.text), "changes": changed, "answers": True}[does]
    if answer.status not in (200, 204) or not works:
        ground.find(caller, function.name, f"control: does not work, so nothing is proved: {answer.text[:300]}")


def plain(arguments: Row) -> Row:
    """Arguments as JSON carries them."""
    return {
        name: value.obj if isinstance(value, Jsonb) else str(value) if isinstance(value, UUID) else value
        for name, value in arguments.items()
    }


def _in_query(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
