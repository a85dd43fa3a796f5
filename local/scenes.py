"""What goes wrong in a shop's day, played in a world whose time can be moved: the second half of `make demo`.

Each scene has a customer of its own, and ends with the way of each message as the owner can look it up.
"""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple
from unittest import mock

from local.payloads import Customer, message, text, whatsapp, whatsapp_echo, whatsapp_message
from local.seed import as_owner
from local.world import World, running_world

QUESTION = "¿a qué hora abren los sábados?"
TEMPLATE = {
    "name": "seguimos_en_contacto",
    "language": "es_AR",
    "body": "Seguimos en contacto: respóndenos y te contamos.",
}


class Scene(NamedTuple):
    """`play` has the customer write; `outcomes` are those of the messages in order, `replies` how many were sent."""

    title: str
    play: Callable[[World, Customer], None]
    outcomes: tuple[str, ...]
    replies: int


def burst(world: World, customer: Customer) -> None:
    """Three messages within the quiet period."""
    world.rows("update tenants set quiet_seconds = 1")
    for words in ("hola", "una pregunta", QUESTION):
        world.receive(whatsapp_message(text(words), customer))
    world.settle()
    world.rows("update tenants set quiet_seconds = 0")


def takeover(world: World, customer: Customer) -> None:
    """The owner answers on the phone; the assistant keeps out."""
    _write(world, customer, QUESTION)
    world.receive(whatsapp_echo("Hola, soy Marta, la dueña. Te cuento…", customer))
    _write(world, customer, "gracias, ¿y los domingos?")


def stop(world: World, customer: Customer) -> None:
    """The customer wants no more messages, and comes back."""
    for words in ("BAJA", QUESTION, "ALTA", QUESTION):
        _write(world, customer, words)


def closed_window(world: World, customer: Customer) -> None:
    """The message waited for more than a day: WhatsApp takes no answer any more, only the shop's approved template."""
    [channel] = world.rows("select id::text from channels where kind = 'whatsapp'")
    named = {"tenant": world.owner.tenant, "channel": channel["id"], "template": TEMPLATE}
    world.call_as_owner("/app/channels", named).raise_for_status()
    world.receive(whatsapp_message(text(QUESTION), customer))
    world.rows("update conversations set last_inbound_at = now() - interval '25 hours'")
    world.settle()


def poison(world: World, customer: Customer) -> None:
    """One item of the body is broken; its siblings are answered."""
    broken, good = message(text("sin remitente"), customer), message(text(QUESTION), customer)
    broken.update({"from": None, "id": ""})
    world.receive(whatsapp([broken, good], senders=[customer]))
    world.settle()


def repeated(world: World, customer: Customer) -> None:
    """Meta delivers the same message three times."""
    delivery = whatsapp_message(text(QUESTION), customer)
    for _ in range(3):
        world.receive(delivery)
        world.settle()


def crash(world: World, customer: Customer) -> None:
    """The worker dies in the middle of its turn; the schedule finds the message when the claim is over."""
    from shared.assistant.answer import answer

    with mock.patch("shared.messaging.turn.answer", wraps=answer, side_effect=[SystemExit(137), mock.DEFAULT]):
        _write(world, customer, QUESTION)
    world.rows("update conversations set claimed_until = now() - interval '1 second' where claimed_until is not null")
    world.rows("update inbox set received_at = received_at - interval '5 minutes' where outcome is null")
    world.schedules.fire("cron_recover")
    world.settle()


def outage(world: World, customer: Customer) -> None:
    """The model is away: the shop's own sentence, once, and a person."""
    world.script("model", mode="fail", status=500, times=10)
    _write(world, customer, QUESTION)
    _write(world, customer, "¿hola?")


def _write(world: World, customer: Customer, words: str) -> None:
    world.receive(whatsapp_message(text(words), customer))
    world.settle()


SCENES = (
    Scene("A burst of three messages is answered once", burst, ("merged", "merged", "replied"), 1),
    Scene("The owner answers on the phone", takeover, ("replied", "handed_to_person"), 1),
    Scene("A stop, and a return", stop, ("opted_out", "opted_out", "replied", "replied"), 3),
    Scene("The 24 hours are over", closed_window, ("outside_window",), 1),
    Scene("A broken item beside a good one", poison, ("replied",), 1),
    Scene("The same message three times", repeated, ("replied",), 1),
    Scene("The worker dies in the middle", crash, ("replied",), 1),
    Scene("The model is away", outage, ("handed_to_person", "handed_to_person"), 1),
)


def play_all() -> bool:
    """Play them in a world of their own; whether each came to its end."""
    logging.disable(logging.CRITICAL)
    with running_world() as world:
        world.reset()
        played = [_play(world, number, scene) for number, scene in enumerate(SCENES, 1)]
    return all(played)


def _play(world: World, number: int, scene: Scene) -> bool:
    customer = Customer(name="", phone=f"54911{60_000_000 + number}")
    scene.play(world, customer)
    timeline = as_owner(world.plan, world.owner).from_("timeline")
    [row] = world.rows(
        "select v.id::text from conversations v join contacts k on k.id = v.contact_id where k.phone = %s",
        customer.phone,
    )
    ways: list[Any] = timeline.select("*").eq("conversation_id", row["id"]).order("occurred_at").execute().data
    ways.sort(key=lambda way: way["received_at"])
    sent = [one for one in world.sent() if one["to"] == customer.phone]
    went_well = tuple(way["outcome"] for way in ways) == scene.outcomes and len(sent) == scene.replies
    print(f"{number}. {scene.title}{'' if went_well else '   WRONG'}")
    for way in ways:
        said = f"{way['reply']}  ({way['reply_status']})" if way["reply"] else "-"
        print(f"   {way['text']:<32} {way['outcome']:<17} {said}")
    print()
    return went_well
