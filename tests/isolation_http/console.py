"""The console's functions with the attacker's good token, and the victim's ids in every place where an id can stand."""

import importlib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from tests.isolation.sides import ATTACKER, VICTIM
from tests.isolation_http.ground import Actor, Ground, Sent
from tests.isolation_http.rows import ROWS, Built, Row
from tests.refusals.world_state import state_of

GATEWAY = "gateway"
NOT_BUILT = 501
# Names under which handlers elsewhere have been seen to take somebody's word for who they are.
FIELDS = {
    "tenant_id": VICTIM.tenant,
    "tenants": [VICTIM.tenant],
    "business": VICTIM.tenant,
    "user_id": VICTIM.owner,
    "owner": VICTIM.owner,
    "channel": VICTIM.id(20),
    "contact": VICTIM.id(30),
    "conversation": VICTIM.id(40),
    "file": VICTIM.id(70),
    "outbox": VICTIM.id(80),
    "id": VICTIM.tenant,
    "role": "service_role",
}
HEADERS = {
    "x-tenant": VICTIM.tenant,
    "x-tenant-id": VICTIM.tenant,
    "x-business-id": VICTIM.tenant,
    "x-user": VICTIM.owner,
    "x-user-id": VICTIM.owner,
    "x-forwarded-user": VICTIM.owner,
    "x-amzn-oidc-identity": VICTIM.owner,
    "x-supabase-user": VICTIM.owner,
    "cookie": f"tenant={VICTIM.tenant}; user={VICTIM.owner}",
    "referer": f"http://localhost:5173/{VICTIM.tenant}",
}

Line = tuple[str, str, str, str, str, str]


def address_of(function: str) -> str:
    prefix, _, subject = function.partition("_")
    return f"/{prefix}/{subject.replace('_', '-')}"


def attack_functions(ground: Ground, only: tuple[str, ...] = ()) -> list[Line]:
    """(function, place, foreign, absent, own, the owner's own call) of every place of every row; or of `only` some."""
    attacker = Actor("another owner", {"authorization": f"Bearer {ground.token(ATTACKER.owner)}"})
    lines: list[Line] = []
    for function, row in sorted(ROWS.items()):
        if only and function not in only:
            continue
        before = state_of(ground.world)
        attacked = {place: _attack(ground, attacker, function, place, sent) for place, sent in _places(function, row)}
        # What was let in with the attacker's own ids has done the attacker's own things; the rest has done nothing.
        if all(max(statuses) >= 400 for statuses in attacked.values()) and state_of(ground.world) != before:
            ground.find(attacker, function, "was refused everywhere, and something in the world has changed")
        for place, sent in _places(function, row):
            own = _ask(ground, attacker, function, place, sent.as_if(ATTACKER))
            statuses = (*attacked[place], own)
            if isinstance(row, Built):
                lines.append((function, place, *map(str, statuses), ""))
            elif place.startswith("path"):
                continue  # no such route: the function is not even called
            elif {*statuses} == {NOT_BUILT}:
                lines.append((function, "anywhere", *map(str, statuses), ""))
            else:
                ground.find(attacker, function, f"answers {statuses}: it is built, give it real ids in rows.py")
        if isinstance(row, Built):
            lines.append((function, "own agent", "", "", _agent(ground, function, row), ""))
            lines.append((function, "control", "", "", "", _control(ground, function, row)))
    return lines


def _places(function: str, row: Row) -> Iterator[tuple[str, Sent]]:
    """Every request that carries ids of the victim, by the place where they stand."""
    path = address_of(function)
    own = row.body(ATTACKER) if isinstance(row, Built) else {}
    ids = row.ids if isinstance(row, Built) else ("tenant",)
    theirs: dict[str, Any] = row.body(VICTIM) if isinstance(row, Built) else {"tenant": str(VICTIM.tenant)}
    for name in ids:
        yield f"body: {name}", Sent("POST", path, body=own | {name: theirs[name]})
    yield "body: everything", Sent("POST", path, body=theirs)
    for name, value in FIELDS.items():
        yield f"extra field: {name}", Sent("POST", path, body=own | {name: value})
    query = tuple((name, str(value)) for name, value in FIELDS.items())
    yield "query", Sent("POST", path, query=(("tenant", str(VICTIM.tenant)), *query), body=own)
    headers = tuple((name, str(value)) for name, value in HEADERS.items())
    yield "headers", Sent("POST", path, headers=headers, body=own)
    yield "path", Sent("POST", f"{path}/{VICTIM.tenant}", body=own)
    yield "path in front", Sent("POST", f"/{VICTIM.tenant}{path}", body=own)


def _attack(ground: Ground, attacker: Actor, function: str, place: str, sent: Sent) -> tuple[int, int]:
    before = below_the_victims_prefix(ground)
    _let_in(ground)
    foreign, absent = ground.attack(attacker, GATEWAY, f"{function}, {place}", sent)
    if below_the_victims_prefix(ground) != before:
        ground.find(attacker, f"{function}, {place}", "wrote below the victim's prefix of the bucket")
    return foreign.status, absent.status


def _ask(ground: Ground, attacker: Actor, function: str, place: str, sent: Sent) -> int:
    _let_in(ground)
    return ground.look(attacker, GATEWAY, f"{function}, {place}, own", sent).status


def below_the_victims_prefix(ground: Ground) -> list[tuple[str, str, str]]:
    """Name, digest and time of every object of the victim's, in every bucket."""
    s3 = ground.world.cloud.client("s3")
    return [
        (entry["Key"], entry["ETag"], str(entry["LastModified"]))
        for bucket in ground.world.template.buckets.values()
        for entry in s3.list_objects_v2(Bucket=bucket.name, Prefix=f"{VICTIM.tenant}/").get("Contents", [])
    ]


def _let_in(ground: Ground) -> None:
    """The rates are for people: a test asks more often."""
    ground.world.forget_rates()


def _agent(ground: Ground, function: str, row: Built) -> str:
    """What an agent of the very business is told: let in, or refused exactly like a stranger."""
    agent = Actor("its own agent", {"authorization": f"Bearer {ground.token(ATTACKER.agent)}"})
    sent = Sent("POST", address_of(function), body=row.body(VICTIM))
    _let_in(ground)
    foreign = ground.attack(agent, GATEWAY, f"{function}, own agent", sent)[0]
    _let_in(ground)
    own = ground.look(agent, GATEWAY, f"{function}, own agent", sent.as_if(ATTACKER))
    if row.owners_only and own.meaning != foreign.meaning:
        ground.find(agent, function, f"tells forbidden from foreign:\n    {own.text}\n    {foreign.text}")
    if not row.owners_only and own.status not in (200, 201, 202):
        ground.find(agent, function, f"is told {own.status}: say owners_only in rows.py, or let agents in")
    return str(own.status)


def _control(ground: Ground, function: str, row: Built) -> str:
    """The victim's owner with the same body is let in, and the harness sees the victim's values or rows there."""
    victim = Actor("the owner", {"authorization": f"Bearer {ground.token(VICTIM.owner)}"})
    _let_in(ground)
    answer = ground.ask(victim, GATEWAY, Sent("POST", address_of(function), body=row.body(VICTIM)))
    changed = ground.put_back()
    works = VICTIM.is_in(answer.text) if row.control == "shows" else changed
    if answer.status not in (200, 201, 202) or not works:
        ground.find(victim, function, f"control: does not work, so nothing is proved: {answer.text}")
    return f"{answer.status} {row.control}"


def ids_of(function: str) -> set[str]:
    """The fields of a function's bodies that are ids, by its models."""
    module = importlib.import_module(f"functions.{function}")
    models = [found for found in vars(module).values() if isinstance(found, type) and issubclass(found, BaseModel)]
    return {
        name
        for model in models
        if model.__module__ == module.__name__
        for name, schema in model.model_json_schema().get("properties", {}).items()
        if '"uuid"' in str(schema).replace("'", '"')
    }
