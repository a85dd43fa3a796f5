"""After 24 hours WhatsApp takes one message, an approved template: it goes once, and to nobody who said stop."""

from typing import Any

import pytest

from local.payloads import text, whatsapp_message
from local.world import World

QUESTION = "¿a qué hora abren los sábados?"
WORDS = "Seguimos en contacto: respóndanos y le contamos."
TEMPLATE = {"name": "seguimos_en_contacto", "language": "es_AR", "body": WORDS}


def name_template(world: World, template: dict[str, Any] | None = TEMPLATE) -> list[dict[str, Any]]:
    [channel] = world.rows("select id::text from channels where kind = 'whatsapp'")
    body = {"tenant": world.owner.tenant, "channel": channel["id"], "template": template}
    answer = world.call_as_owner("/app/channels", body)
    assert answer.status_code == 200, answer.text
    channels: list[dict[str, Any]] = answer.json()["channels"]
    return channels


def receive(world: World, words: str = QUESTION) -> None:
    world.receive(whatsapp_message(text(words)))


def close_window(world: World) -> None:
    world.rows("update conversations set last_inbound_at = now() - interval '25 hours'")


def kinds(world: World) -> list[str]:
    return [sent["type"] for sent in world.sent()]


def recover(world: World) -> None:
    world.rows("update outbox set next_attempt_at = now() - interval '5 minutes'")
    world.schedules.fire("cron_recover")
    world.settle()


def test_a_template_is_named_shown_and_taken_away(world):
    shown = {channel["kind"]: channel for channel in name_template(world)}
    assert shown.keys() == {"whatsapp", "messenger", "instagram"}
    assert shown["whatsapp"]["template_body"] == WORDS
    assert "ciphertext" not in str(shown)
    shown = {channel["kind"]: channel for channel in name_template(world, None)}
    assert shown["whatsapp"]["template_name"] is None
    actions = world.rows("select action from audit_log where action like %s order by done_at", "template%")
    assert [row["action"] for row in actions] == ["template.named", "template.removed"]


def test_messenger_has_no_templates(world):
    [channel] = world.rows("select id::text from channels where kind = 'messenger'")
    body = {"tenant": world.owner.tenant, "channel": channel["id"], "template": TEMPLATE}
    assert world.call_as_owner("/app/channels", body).status_code == 422


@pytest.mark.parametrize("named", [True, False])
def test_a_message_that_was_found_too_late_is_answered_by_the_template_if_there_is_one(world, named):
    if named:
        name_template(world)
    receive(world)
    close_window(world)
    world.settle()
    assert [row["outcome"] for row in world.rows("select outcome from inbox where kind = 'message'")] == [
        "outside_window"
    ]
    assert kinds(world) == (["template"] if named else [])
    timeline = world.rows("select reply, reply_status from timeline")
    assert timeline == [{"reply": WORDS, "reply_status": "read"} if named else {"reply": None, "reply_status": None}]


def test_a_second_one_within_a_day_is_not_sent(world):
    name_template(world)
    for words in (QUESTION, "¿hola?"):
        receive(world, words)
        close_window(world)
        world.settle()
    assert kinds(world) == ["template"]
    world.rows("update messages set created_at = created_at - interval '25 hours' where kind = 'template'")
    receive(world, "¿siguen ahí?")
    close_window(world)
    world.settle()
    assert kinds(world) == ["template", "template"]


def test_a_reply_whose_window_closed_on_the_way_leaves_the_template(world):
    name_template(world)
    receive(world)
    world.script("meta", error=131056)
    world.settle()
    close_window(world)
    recover(world)
    assert kinds(world) == []
    recover(world)
    assert kinds(world) == ["template"]
    states = world.rows(
        "select o.state, o.error, m.kind from outbox o join messages m on m.id = o.message_id order by m.created_at"
    )
    assert states == [
        {"state": "failed", "error": "outside_window", "kind": "text"},
        {"state": "sent", "error": None, "kind": "template"},
    ]


def test_a_template_that_meta_does_not_know_fails_with_its_reason(world):
    name_template(world, TEMPLATE | {"name": "nobody_approved_it"})
    receive(world)
    close_window(world)
    world.settle()
    assert kinds(world) == []
    assert world.rows("select state, error from outbox") == [{"state": "failed", "error": "132001"}]


def test_who_said_stop_gets_none(world):
    name_template(world)
    receive(world, "BAJA")
    world.settle()
    receive(world)
    close_window(world)
    world.settle()
    assert kinds(world) == ["text"]


def test_a_person_sends_it_and_nothing_else(world):
    name_template(world)
    receive(world)
    world.settle()
    close_window(world)
    [row] = world.rows("select id::text from conversations")
    body = {"tenant": world.owner.tenant, "conversation": row["id"], "idempotency_key": "draft-00017"}
    assert world.call_as_owner("/app/send", body | {"text": "hola"}).status_code == 409
    assert [world.call_as_owner("/app/send", body).status_code for _ in range(2)] == [201, 201]
    world.settle()
    assert kinds(world) == ["text", "template"]
    again = world.call_as_owner("/app/send", body | {"idempotency_key": "draft-00018"})
    assert (again.status_code, again.json()["detail"]) == (
        409,
        "This channel has no template, or one went to the customer within the last 24 hours.",
    )
