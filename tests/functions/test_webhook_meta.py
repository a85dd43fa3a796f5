"""Every fixture of tests/events/webhook_meta, as the bytes that travel: what is kept of it."""

import json
from pathlib import Path

import pytest

from local import payloads
from local.payloads import DEMO_NUMBER_ID, Customer, encode, message, text, whatsapp, whatsapp_message
from local.world import World

EVENTS = Path(__file__).parent.parent / "events" / "webhook_meta"

# Fixture -> what the inbox holds afterwards: (kind of item, kind of message, text) in the order of the body.
KEPT: dict[str, list[tuple[str, str | None, str | None]]] = {
    "text": [("message", "text", "hola, a que hora abren?")],
    "text_accents_escaped": [("message", "text", "olá! vocês estão abertos amanhã? ☕👋🏽")],
    "text_accents_raw": [("message", "text", "¿Cuánto sale el envío a Ñuñoa? 🙏")],
    "batch": [
        ("message", "text", "hola"),
        ("message", "text", "oi"),
        ("message", "text", "cuánto sale la taza?"),
        ("status", None, None),
    ],
    "same_message_twice": [("message", "text", "hola")],
    "no_phone": [("message", "text", "oi, tudo bem?")],
    "phone_and_user_id": [("message", "text", "agora com telefone")],
    "image_with_caption": [("message", "image", "¿tienen esta taza?")],
    "audio": [("message", "audio", "")],
    "location": [("message", "location", "")],
    "contact_card": [("message", "contacts", "")],
    "reaction": [("message", "reaction", "")],
    "button": [("message", "button", "Sí, quiero")],
    "list_reply": [("message", "interactive", "Envíos")],
    "order": [("message", "order", "")],
    "unsupported": [("message", "unsupported", "")],
    "revoke": [("message", "revoke", "")],
    "edit": [("message", "edit", "")],
    "interactive_without_object": [("message", "unsupported", "")],
    "number_changed": [("message", "system", "")],
    "statuses": [("status", None, None)] * 4,
    "account_update": [("account", None, None)],
    "template_status_update": [("account", None, None)],
    "message_echo": [("echo", "text", "ya te atiendo")],
    "unknown_field": [("account", None, None)],
    "unknown_number": [],
    "known_and_unknown_number": [("message", "text", "hola")],
    "bad_items_beside_good_ones": [
        ("message", "text", "la buena"),
        ("account", None, None),
        ("account", None, None),
        ("message", "text", "nul \ufffd y medio par \ufffd aquí"),
    ],
    "instagram_text": [("message", "text", "oi! o bule ainda tem?")],
    "messenger_text": [("message", "text", "hola, ¿hacen envíos?")],
}


def kept(world: World) -> list[tuple[str, str | None, str | None]]:
    rows = world.rows(
        "select i.kind, m.kind as message_kind, m.body from inbox i left join messages m on m.inbox_id = i.id"
        " order by i.occurred_at, i.received_at, i.ctid"
    )
    return [(row["kind"], row["message_kind"], row["body"]) for row in rows]


def test_every_fixture_has_an_expectation():
    assert {path.stem for path in EVENTS.glob("*.json")} == KEPT.keys()


@pytest.mark.parametrize("name", KEPT)
def test_a_body_is_kept_item_by_item_and_a_repeated_delivery_changes_nothing(world, name):
    raw = (EVENTS / f"{name}.json").read_bytes()
    first = world.receive(raw)
    assert first.status_code == 200
    assert sorted(kept(world), key=repr) == sorted(KEPT[name], key=repr)
    assert first.json()["kept"] == len(KEPT[name])

    again = world.receive(raw)
    assert again.status_code == 200
    assert again.json()["kept"] == 0
    assert sorted(kept(world), key=repr) == sorted(KEPT[name], key=repr)


def test_the_same_message_in_another_batch_is_the_same_effect(world):
    one = message(text("hola"))
    assert world.receive(whatsapp([one])).json()["kept"] == 1
    other_batch = world.receive(whatsapp([one, message(text("¿hay alguien?"))]))
    assert (other_batch.json()["kept"], other_batch.json()["duplicate"]) == (1, 1)


def test_an_unknown_number_is_counted_answered_and_not_written(world):
    answer = world.receive((EVENTS / "unknown_number.json").read_bytes())
    assert answer.json() == {"kept": 0, "duplicate": 0, "unknown_channel": 1, "woken": 0}
    assert world.rows("select from contacts") == []


def test_a_contact_keeps_one_row_when_phone_and_opaque_id_come_one_after_the_other(world):
    phone_only = Customer(name="Bia", phone="5511987650003")
    both = Customer(name="Bia", phone="5511987650003", user_id="BR.1234567890abcdef")
    opaque_only = Customer(name="Bia", phone=None, user_id="BR.1234567890abcdef")
    for sender in (phone_only, both, opaque_only, phone_only):
        assert world.receive(whatsapp_message(text("oi"), sender)).json()["kept"] == 1
    [contact] = world.rows("select external_id, phone from contacts")
    assert contact == {"external_id": "BR.1234567890abcdef", "phone": "5511987650003"}
    assert world.rows("select count(*) from conversations") == [{"count": 1}]


def test_a_burst_over_parallel_deliveries_is_one_conversation_and_wakes_it(world):
    sender = Customer(phone="5491155550102")
    for _ in range(3):
        assert world.receive(whatsapp_message(payloads.image("1"), sender)).json()["woken"] == 1
    assert world.rows("select count(*) from conversations") == [{"count": 1}]


def test_statuses_only_move_forward(world):
    world.receive(whatsapp_message(text("¿a qué hora abren?")))
    world.settle()
    [reply] = world.rows("select provider_id, status from messages where author = 'assistant'")
    assert reply["status"] == "read"
    late = payloads.status(reply["provider_id"], "delivered", payloads.DEMO_CUSTOMER)
    assert world.receive(whatsapp(statuses=[late])).json()["kept"] <= 1
    [reply] = world.rows("select status from messages where author = 'assistant'")
    assert reply["status"] == "read"


@pytest.mark.parametrize("reference", ["x", "", "00000000-0000-4000-8000-000000000000", "not-a-uuid' or true --"])
def test_a_status_with_a_reference_that_is_not_ours_is_kept_as_unmatched(world, reference):
    status = payloads.status("wamid.x", "delivered", payloads.DEMO_CUSTOMER, callback_data=reference)
    assert world.receive(whatsapp(statuses=[status])).json()["kept"] == 1
    assert world.rows("select outcome from inbox") == [{"outcome": "status_unmatched"}]


def test_without_the_database_the_answer_is_503_and_the_retry_is_kept(world, monkeypatch):
    body = whatsapp_message(text("hola"))
    with world.away("supabase"):
        refused = world.receive(body)
    assert refused.status_code == 503
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"]
    assert kept(world) == []
    assert world.receive(body).json() == {"kept": 1, "duplicate": 0, "unknown_channel": 0, "woken": 1}


def test_without_the_queue_the_message_is_kept_and_swept_up_later(world):
    world.call("GET", "/webhook/meta")  # an environment that has its secrets already
    with world.away("aws"):
        answer = world.receive(whatsapp_message(text("¿a qué hora abren?")))
    assert answer.json() == {"kept": 1, "duplicate": 0, "unknown_channel": 0, "woken": 0}
    world.rows("update inbox set received_at = now() - interval '5 minutes'")
    world.schedules.fire("cron_recover")
    world.settle()
    assert [sent["to"] for sent in world.sent()] == [payloads.DEMO_CUSTOMER]


def handshake(world: World, **change: str) -> tuple[int, str, str]:
    query = {
        "hub.mode": "subscribe",
        "hub.verify_token": world.plan.keys.meta_verify_token,
        "hub.challenge": "1158201444",
    }
    answer = world.call("GET", "/webhook/meta", params=query | {f"hub.{name}": value for name, value in change.items()})
    return answer.status_code, answer.headers["content-type"].partition(";")[0], answer.text


def test_the_handshake(world):
    assert handshake(world) == (200, "text/plain", "1158201444")
    assert handshake(world, verify_token="wrong")[0] == 403
    assert handshake(world, challenge="<script>")[0] == 403
    assert handshake(world, mode="unsubscribe")[0] == 403


BODY = encode(whatsapp_message(text("olá, ação")), escaped=True)


@pytest.mark.parametrize(
    ("attack", "status"),
    [
        (lambda world: world.receive(BODY, **{"x-hub-signature-256": ""}), 401),
        (lambda world: world.receive(BODY, **{"x-hub-signature-256": payloads.sign(BODY, "another secret")}), 401),
        (lambda world: world.receive(BODY, **{"x-hub-signature-256": payloads.sign(BODY, "")}), 401),
        (lambda world: world.receive(BODY, **{"x-hub-signature-256": signature_of(world, BODY + b" ")}), 401),
        (lambda world: world.receive(reserialised(BODY), **{"x-hub-signature-256": signature_of(world, BODY)}), 401),
        (lambda world: world.receive(BODY, **{"x-hub-signature-256": signature_of(world, BODY)[:-2]}), 401),
        (lambda world: world.receive(BODY, **{"x-hub-signature-256": signature_of(world, BODY).upper()}), 401),
        (lambda world: world.receive(b"{"), 400),
        (lambda world: world.receive(b""), 400),
        (lambda world: world.receive(b'{"object":1,"object":2}'), 400),
        (lambda world: world.receive(b'"' + b"a" * (3 * 1024 * 1024) + b'"'), 413),
        (lambda world: world.call("PUT", "/webhook/meta", content=BODY), 404),
        (lambda world: world.call("DELETE", "/webhook/meta"), 404),
    ],
)
def test_an_attack_is_refused_and_leaves_no_trace(world, attack, status):
    before = world.rows("select (select count(*) from inbox) + (select count(*) from contacts) as rows")
    refused = attack(world)
    assert refused.status_code == status
    assert len(refused.content) <= 300
    assert world.rows("select (select count(*) from inbox) + (select count(*) from contacts) as rows") == before
    assert world.pump.drain() == 0
    assert world.receive(BODY).json()["kept"] == 1


def signature_of(world: World, body: bytes) -> str:
    return payloads.sign(body, world.plan.keys.meta_app_secret)


def reserialised(body: bytes) -> bytes:
    return json.dumps(json.loads(body), ensure_ascii=False).encode()


def test_a_body_of_a_thousand_messages_is_kept_whole(world):
    body = whatsapp(
        [message(text(f"mensaje {place}"), Customer(phone=str(5491100000000 + place))) for place in range(1000)]
    )
    assert body["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] == DEMO_NUMBER_ID
    answer = world.receive(body)
    assert (answer.json()["kept"], answer.json()["woken"]) == (1000, 1000)


def test_everybody_in_a_large_body_gets_their_own_answer(world):
    shops_customers = [Customer(phone=str(5491100000000 + place)) for place in range(15)]
    world.receive(whatsapp([message(text("¿hacen envíos?"), customer) for customer in shops_customers]))
    with world.away("aws"):
        world.pump.drain(max_rounds=1)
    assert world.rows("select from outbox") == []
    # What a worker could not wake came back with its message.
    world.settle()
    assert sorted(sent["to"] for sent in world.sent()) == sorted(customer.phone for customer in shops_customers)
