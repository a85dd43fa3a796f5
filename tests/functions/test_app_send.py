"""A person writes to a customer from the console."""

from local.payloads import Customer, instagram_text, text, whatsapp_message
from local.world import World


def asked(world: World) -> dict[str, str]:
    world.receive(whatsapp_message(text("¿a qué hora abren los sábados?")))
    world.settle()
    [row] = world.rows("select id::text from conversations")
    return {
        "tenant": world.owner.tenant,
        "conversation": row["id"],
        "idempotency_key": "draft-00017",
        "text": "Hola, soy Ana",
    }


def test_what_a_person_writes_is_sent_once_and_the_conversation_is_theirs(world):
    body = asked(world)
    answers = [world.call_as_owner("/app/send", body) for _ in range(2)]
    world.settle()
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert [sent["text"] for sent in world.sent()][1:] == ["Hola, soy Ana"]
    assert world.rows("select handled_by from conversations") == [{"handled_by": "person"}]
    [row] = world.rows("select action, user_id::text from audit_log where action = 'conversation.written'")
    assert row["user_id"] is not None


def test_one_key_in_two_conversations_is_two_messages(world):
    first = asked(world)
    world.receive(whatsapp_message(text("hola"), Customer(name="Ana", phone="5511987650001")))
    world.settle()
    [other] = world.rows("select id::text from conversations where id <> %s", first["conversation"])
    for body in (first, first | {"conversation": other["id"]}):
        assert world.call_as_owner("/app/send", body).status_code == 201
    world.settle()
    assert len({sent["to"] for sent in world.sent() if sent["text"] == "Hola, soy Ana"}) == 2


def test_after_a_day_after_a_stop_and_what_is_too_long_nothing_is_written(world):
    body = asked(world)
    world.rows("update conversations set last_inbound_at = now() - interval '25 hours'")
    refused = world.call_as_owner("/app/send", body)
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "The customer last wrote more than 24 hours ago; only WhatsApp takes something now, an approved template.",
    )
    world.rows("update conversations set last_inbound_at = now()")
    world.rows("update contacts set opted_out_at = now()")
    refused = world.call_as_owner("/app/send", body)
    assert (refused.status_code, refused.json()["detail"]) == (409, "The customer asked for no more messages.")
    world.rows("update contacts set opted_out_at = null")
    world.receive(instagram_text("oi", "7"))
    [direct] = world.rows(
        "select v.id::text from conversations v join channels c on c.id = v.channel_id where c.kind = 'instagram'"
    )
    refused = world.call_as_owner("/app/send", body | {"conversation": direct["id"], "text": "ñ" * 501})
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "text: Messenger takes 2,000 characters, Instagram 1,000 bytes.",
    )
    assert world.rows("select from messages where author = 'person'") == []
    assert world.call_as_owner("/app/send", body | {"conversation": direct["id"], "text": "ñ" * 500}).status_code == 201
    assert world.call_as_owner("/app/send", body).status_code == 201
