"""Probes of every function: what its own guard says to a caller who should not be there, and whose rows it reaches."""

import re
from typing import Any

from psycopg import sql

from tests.isolation.actors import ATTACKERS, OWNER, SERVER, Actor
from tests.isolation.calls import ACROSS_TENANTS, MEMBER_CALLS, SERVER_CALLS, Arguments, Call
from tests.isolation.ground import Ground, Outcome, neutral
from tests.isolation.inventory import Function
from tests.isolation.sides import ABSENT, ATTACKER, VICTIM

SERVER_KEY = Actor("the secret key", "service_role", SERVER, VICTIM)
# For what it may see of the victim: nothing, when it is called for the attacker's tenant.
SERVER_KEY_ELSEWHERE = Actor("the secret key, for another tenant", "service_role", SERVER, ATTACKER)


def probe_functions(ground: Ground) -> None:
    """Every function of the exposed schema, and the privileged ones of the private schema that take arguments."""
    for function in ground.inventory.functions:
        if function.trigger or (function.schema != "public" and not (function.definer and function.arguments)):
            continue
        if function.name in SERVER_CALLS:
            _probe_server_function(ground, function, SERVER_CALLS[function.name])
        elif function.name in MEMBER_CALLS:
            _probe_member_function(ground, function, MEMBER_CALLS[function.name])
        else:
            ground.find("function", "-", function.signature, "has no row in tests/isolation/calls.py")
            _probe_unknown_function(ground, function)


def _probe_server_function(ground: Ground, function: Function, call: Call) -> None:
    good = call.arguments(VICTIM)
    _control(ground, function, call, SERVER_KEY)
    for actor in ATTACKERS:
        if actor.claims == SERVER:
            continue
        # As if its privileges had been granted by mistake: the guard inside has to hold alone.
        outcome = _call(ground, actor, function, good, grant=True)
        _judge(ground, "guard", actor, function, outcome)
        if (outcome.refusal, outcome.message) != ("42501", "not allowed"):
            ground.find("guard", actor.name, function.name, f"was not stopped by the guard: {_said(outcome)}")
    if "p_tenant" in function.arguments:
        nobodys = _call(ground, SERVER_KEY, function, good | {"p_tenant": None})
        ground.count("guard", SERVER_KEY.name)
        if nobodys.refusal != "42501" or nobodys.changed:
            ground.find("guard", SERVER_KEY.name, function.name, f"works without a tenant: {_said(nobodys)}")
        _probe_mixed(ground, function, call)
    elif function.name not in ACROSS_TENANTS:
        ground.find("function", "-", function.name, "names no tenant")


def _probe_mixed(ground: Ground, function: Function, call: Call) -> None:
    """The attacker's tenant with each of the victim's ids, beside ids that nothing has."""
    own, foreign, absent = (call.arguments(side) for side in (ATTACKER, VICTIM, ABSENT))
    ids = [name for name, kind in function.arguments.items() if kind in ("uuid", "jsonb") and name != "p_tenant"]
    for name in ids:
        answers = []
        for other in (foreign, absent):
            outcome = _call(ground, SERVER_KEY_ELSEWHERE, function, own | {name: other[name]})
            _judge(ground, "call", SERVER_KEY_ELSEWHERE, function, outcome)
            answers.append((outcome.refusal, neutral(outcome.message), neutral(_without_new_ids(outcome.rows))))
        if answers[0] != answers[1]:
            ground.find("oracle", SERVER_KEY_ELSEWHERE.name, f"{function.name}.{name}", f"tells what exists: {answers}")


def _probe_member_function(ground: Ground, function: Function, call: Call) -> None:
    _control(ground, function, call, OWNER)
    for actor in ATTACKERS:
        if actor.role in ("authenticated", "anon"):
            answers = []
            for side in (VICTIM, ABSENT):
                outcome = _call(ground, actor, function, call.arguments(side))
                _judge(ground, "call", actor, function, outcome)
                answers.append((outcome.refusal, neutral(outcome.message), neutral(outcome.rows)))
            if answers[0] != answers[1]:
                ground.find("oracle", actor.name, function.name, f"tells what exists: {answers}")


def _probe_unknown_function(ground: Ground, function: Function) -> None:
    """Whatever ids it takes, it gets the victim's."""
    candidates = sorted(
        {
            str(value)
            for table in ground.inventory.tables
            for row in ground.rows_of(table, VICTIM)
            for value in row.values()
            if re.fullmatch(r"a{8}-0000-4000-8000-\d{12}", str(value))
        }
    )
    for actor in ATTACKERS:
        if actor.role in ("authenticated", "anon"):
            for candidate in candidates if function.arguments else [""]:
                arguments = {name: candidate if kind == "uuid" else None for name, kind in function.arguments.items()}
                _judge(ground, "call", actor, function, _call(ground, actor, function, arguments))


def _control(ground: Ground, function: Function, call: Call, actor: Actor) -> None:
    ground.count("control", actor.name)
    # Seen with the eyes of somebody to whom the victim is foreign, so that a change counts.
    watcher = Actor(actor.name, actor.role, actor.claims)
    outcome = _call(ground, watcher, function, call.arguments(VICTIM))
    works = outcome.refusal is None
    if call.does == "changes":
        works = works and outcome.changed
    elif call.does == "shows":
        works = works and VICTIM.is_in(outcome.rows)
    if not works:
        ground.find("control", actor.name, function.name, f"a good call does not work: {_said(outcome)}")


def _call(ground: Ground, actor: Actor, function: Function, arguments: Arguments, *, grant: bool = False) -> Outcome:
    assignments = sql.SQL(", ").join(
        sql.SQL("{} => {}::{}").format(
            sql.Identifier(name),
            sql.Placeholder(name),
            sql.SQL(function.arguments[name]),  # type: ignore[arg-type]
        )
        for name in arguments
    )
    statement = sql.SQL("select to_jsonb(r)::text from {}({}) r").format(
        sql.Identifier(function.schema, function.name), assignments
    )

    def allow() -> None:
        ground.connection.execute(
            f"grant execute on function {function.signature} to {actor.role};"
            f"grant usage on schema extensions, private to {actor.role}"
        )

    # What the private schema holds is called by other functions only.
    return ground.attempt(actor, statement, arguments, prepare=allow if grant or function.schema == "private" else None)


def _judge(ground: Ground, probe: str, actor: Actor, function: Function, outcome: Outcome) -> None:
    ground.count(probe, actor.name)
    if outcome.changed and function.name not in ACROSS_TENANTS:
        ground.find(probe, actor.name, function.name, "changed what belongs to others")
    if any(side.is_in(outcome.rows) for side in actor.foreign):
        ground.find(probe, actor.name, function.name, "shows what belongs to others")


def _without_new_ids(rows: str) -> str:
    # What the database makes anew at each call is no difference.
    return re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", "…", rows)


def _said(outcome: Outcome) -> Any:
    return outcome.message or outcome.rows or "nothing changed"
