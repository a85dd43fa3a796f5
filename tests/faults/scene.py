"""A few customers, something goes wrong, time passes, and what must be true at the end whatever it was."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local.payloads import Customer, text, whatsapp_message
from local.world import World
from shared import clock
from shared.abuse import admission
from tests.faults.line import Fault, Line

# The steps from a message to its answer, in order: the first of a new business, whose budgets are opened on the way.
STEPS = (
    *("webhook_meta: database keep_inbox", "webhook_meta: queue"),
    *("queue_reply: database claim_turn", "queue_reply: store", "queue_reply: database open_budget"),
    *("queue_reply: store 2", "queue_reply: store 3", "queue_reply: database budget_facts", "queue_reply: store 4"),
    *("queue_reply: model embeddings", "queue_reply: database search_knowledge_for_turn"),
    *("queue_reply: model completions", "queue_reply: store 5", "queue_reply: database record_usage"),
    *("queue_reply: database settle_turn", "queue_reply: queue"),
    *("queue_send: database claim_outbox", "queue_send: store", "queue_send: database open_budget"),
    *("queue_send: store 2", "queue_send: database budget_facts", "queue_send: store 3"),
    *("queue_send: database dispatch_outbox", "queue_send: provider", "queue_send: store 4"),
    *("queue_send: database record_usage", "queue_send: database settle_outbox"),
)
SEED = 20261126
SHOP_QUESTIONS = ("¿a qué hora abren los sábados?", "quanto custa a caneca?", "¿hacen envíos?", "hola", "¿tienen té?")
CUSTOMERS = tuple(Customer(name="", phone=f"54911{40_000_000 + place}") for place in range(3))
DELIVERIES = 4
ROUNDS = 6
OPEN = (
    "select from inbox where outcome is null"
    " union all select from outbox where state in ('pending', 'unconfirmed')"
    " union all select from conversations where claimed_until > now()"
)


def play(world: World, watched: Line, fault: Fault | None, chance: random.Random | None = None) -> list[str]:
    """One run from a fresh world. What is wrong at its end: nothing, if all is well."""
    world.reset()
    # Redis knows the script, as it does but for the first call of its life.
    world.redis("SCRIPT", "LOAD", admission.script().text)
    written = _write(world, watched, fault, chance)
    _settle(world, chance)
    watched.fault = None
    for _ in range(ROUNDS):
        if not world.rows(OPEN):
            break
        _let_time_pass(world)
        world.schedules.fire("cron_recover")
        world.settle()
    with clock.held_at(time.time() + 300):
        world.schedules.fire("cron_budgets")
    return list(wrong(world, written))


def _write(world: World, watched: Line, fault: Fault | None, chance: random.Random | None) -> Counter[str]:
    """Customers write, and Meta delivers until it hears a 200. How many messages each wrote."""
    watched.fault = fault
    if chance is None:
        bodies = [(CUSTOMERS[0], words) for words in SHOP_QUESTIONS[:2]]
    else:
        bodies = [(chance.choice(CUSTOMERS), chance.choice(SHOP_QUESTIONS)) for _ in range(chance.choice((1, 2, 3, 5)))]
    deliveries = [whatsapp_message(text(words), customer) for customer, words in bodies]
    if chance is not None:
        # Meta repeats what it believes lost, and keeps no order.
        deliveries += chance.sample(deliveries, chance.randint(0, len(deliveries)))
        chance.shuffle(deliveries)
    for delivery in deliveries:
        for _ in range(DELIVERIES):
            if world.receive(delivery).status_code == 200:
                break
        else:
            raise AssertionError("never taken")
        if chance is not None and chance.random() < 0.5:
            _settle(world, chance)
    return Counter(str(customer.phone) for customer, _ in bodies)


def _settle(world: World, chance: random.Random | None) -> None:
    """Work is done; in half of the seeded runs by two workers at once, who are given the same records."""
    if chance is None or chance.random() < 0.5:
        world.settle()
        return
    invoke = world.pump._invoke

    def twice(function: str, event: dict[str, Any]) -> Any:
        with ThreadPoolExecutor(2) as workers:
            first, second = [workers.submit(invoke, function, event) for _ in range(2)]
            return first.result() if second.result().error is None else second.result()

    world.pump._invoke = twice
    try:
        world.settle()
    finally:
        world.pump._invoke = invoke


def _let_time_pass(world: World) -> None:
    """What is claimed is free again, what waits is due; an hour for what no status told of is over at the end."""
    world.rows("update conversations set claimed_until = now() - interval '1 second' where claimed_until is not null")
    world.rows("update outbox set claimed_until = now() - interval '1 second' where claimed_until is not null")
    world.rows("update outbox set next_attempt_at = now() - interval '5 minutes' where state = 'pending'")
    world.rows("update outbox set dispatched_at = dispatched_at - interval '20 minutes' where state = 'unconfirmed'")
    world.rows("update inbox set received_at = received_at - interval '5 minutes' where outcome is null")
    world.forget_rates()
    # Breakers that opened have cooled down.
    for key in world.redis("KEYS", "portero:*"):
        if world.redis("TYPE", key) == "hash":
            fields = [field for field in world.redis("HKEYS", key) if field.startswith("b:")]
            if fields:
                world.redis("HDEL", key, *fields)


def wrong(world: World, written: Counter[str]) -> Iterator[str]:
    """What of this world's end nobody may see. `written`: how many messages each telephone wrote."""
    rows = world.rows(
        "select k.phone, i.outcome, i.turn_id from inbox i join conversations v on v.id = i.conversation_id"
        " join contacts k on k.id = v.contact_id where i.kind = 'message'"
    )
    if Counter(row["phone"] for row in rows) != written:
        yield "lost: a message was not kept once"
    for row in rows:
        if row["outcome"] is None:
            yield "lost: a message has no outcome"
    replied = {row["turn_id"] for row in rows if row["outcome"] == "replied"}
    outbox = world.rows(
        "select o.id::text, o.state, o.error, m.turn_id from outbox o join messages m on m.id = o.message_id"
    )
    turns = Counter(row["turn_id"] for row in outbox)
    if replied - turns.keys():
        yield "lost: an answered turn has no reply"
    if any(count > 1 for count in turns.values()):
        yield "duplicate: two replies of one turn"
    sent = Counter(message["callback_data"] for message in world.sent())
    for row in outbox:
        if sent[row["id"]] > 1:
            yield "duplicate: one reply was sent twice"
        if row["state"] not in ("sent", "failed") or (row["state"] == "failed" and not row["error"]):
            yield f"lost: a reply ended as {row['state']}"
        if row["state"] == "failed" and row["error"] not in ("no_status",):
            yield f"lost: a reply failed with {row['error']}"
        if row["state"] == "sent" and not sent[row["id"]]:
            yield "lost: a reply is said to be sent"
    if world.rows("select from conversations where claimed_until > now()"):
        yield "an orphan claim"
    yield from _budgets(world)


def given_up(world: World) -> int:
    """Replies of which nobody can know whether they arrived, and that their owner is told of."""
    return len(world.rows("select from outbox where state = 'failed' and error = 'no_status'"))


def _budgets(world: World) -> Iterator[str]:
    for key in world.redis("KEYS", "portero:*"):
        if world.redis("TYPE", key) != "hash":
            continue
        fields = world.redis("HGETALL", key)
        for name, packed in zip(fields[::2], fields[1::2], strict=True):
            if name.startswith("u:") and int(packed.split()[2]):
                yield f"held at the end: {name}"
