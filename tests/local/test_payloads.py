"""Official shapes, and the bytes that are signed."""

import base64
import json

import pytest

from local import payloads
from local.payloads import Customer


def test_the_signature_is_the_one_meta_would_make() -> None:
    # The public pair of GitHub's webhook documentation, which uses the same scheme.
    signature = payloads.sign(b"Hello, World!", "It's a Secret to Everybody")
    assert signature == "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_a_wamid_has_the_real_structure() -> None:
    record = base64.b64decode(payloads.new_wamid("5491155550101").removeprefix("wamid."))
    assert record[:3] == b"\x1c\x18\x0d"
    assert record[3:16] == b"5491155550101"
    assert record[16:20] == b"\x15\x02\x00\x12"
    assert record[20:22] == b"\x18\x14"
    assert len(record) == 22 + 20 + 1
    assert base64.b64decode(payloads.new_wamid("1", outgoing=True).removeprefix("wamid."))[7] == 0x11


def test_a_text_message_looks_like_the_official_example() -> None:
    body = payloads.whatsapp_message(payloads.text("hola"), message_id="wamid.x", at=1700000000.9)
    assert body == {
        "object": "whatsapp_business_account",
        "entry": [
            {
                "id": payloads.DEMO_WABA_ID,
                "changes": [
                    {
                        "value": {
                            "messaging_product": "whatsapp",
                            "metadata": {
                                "display_phone_number": payloads.DEMO_DISPLAY_NUMBER,
                                "phone_number_id": payloads.DEMO_NUMBER_ID,
                            },
                            "contacts": [{"profile": {"name": "Ana"}, "wa_id": payloads.DEMO_CUSTOMER}],
                            "messages": [
                                {
                                    "from": payloads.DEMO_CUSTOMER,
                                    "id": "wamid.x",
                                    "timestamp": "1700000000",
                                    "type": "text",
                                    "text": {"body": "hola"},
                                }
                            ],
                        },
                        "field": "messages",
                    }
                ],
            }
        ],
    }


def test_a_customer_without_a_phone_number_shows_only_the_user_id() -> None:
    sender = Customer(phone=None, user_id="AR.13491208655302741918", username="ana")
    value = payloads.whatsapp_message(payloads.text("hola"), sender)["entry"][0]["changes"][0]["value"]
    assert "wa_id" not in value["contacts"][0]
    assert "from" not in value["messages"][0]
    assert value["contacts"][0]["user_id"] == value["messages"][0]["from_user_id"] == "AR.13491208655302741918"


@pytest.mark.parametrize(
    "content",
    [
        payloads.image("1", "foto"),
        payloads.audio("1"),
        payloads.location(-34.6, -58.4, "Kiosco"),
        payloads.contact_card("Ana", "5491155550101"),
        payloads.reaction("wamid.x", "👍"),
        payloads.button("Sí", "yes"),
        payloads.button_reply("yes", "Sí"),
        payloads.list_reply("1", "Uno", "El primero"),
        payloads.order("9", [("PAN", 2, 100.0, "ARS")]),
        payloads.number_changed("549115550101", "549115550102"),
        payloads.edit("wamid.x", "chau"),
        payloads.revoke("wamid.x"),
    ],
    ids=lambda content: content["type"],
)
def test_every_content_is_named_after_its_type(content: payloads.Json) -> None:
    assert content[content["type"]]
    assert payloads.message(content)["type"] == content["type"]


def test_a_removed_reaction_has_no_emoji_and_an_unsupported_message_has_errors() -> None:
    assert "emoji" not in payloads.reaction("wamid.x", None)["reaction"]
    assert payloads.unsupported()["errors"][0]["code"] == 131051


def test_both_encodings_say_the_same_in_different_bytes() -> None:
    body = payloads.whatsapp_message(payloads.text("¿qué? 😀 a/b"))
    escaped, raw = payloads.encode(body), payloads.encode(body, escaped=False)
    assert escaped.isascii()
    assert b"\\u00bfqu\\u00e9? \\ud83d\\ude00 a\\/b" in escaped
    assert "¿qué? 😀 a/b".encode() in raw
    assert json.loads(escaped) == json.loads(raw) == body


@pytest.mark.parametrize(
    ("body", "account"),
    [
        (payloads.instagram_text("oi", "7"), payloads.DEMO_INSTAGRAM_ID),
        (payloads.messenger_text("oi", "7"), payloads.DEMO_PAGE_ID),
    ],
)
def test_direct_messages_are_addressed_to_the_account(body: payloads.Json, account: str) -> None:
    item = body["entry"][0]["messaging"][0]
    assert body["entry"][0]["id"] == item["recipient"]["id"] == account
    assert item["message"]["text"] == "oi"
    assert item["timestamp"] > 10**12  # milliseconds


def test_statuses_carry_the_callback_data_and_a_failure_its_error() -> None:
    sent = payloads.status("wamid.x", "sent", "549", callback_data="outbox-1", at=1700000000)
    assert sent["biz_opaque_callback_data"] == "outbox-1"
    assert sent["conversation"]["expiration_timestamp"] == "1700086400"
    error = {"code": 131026, "title": "Message undeliverable", "details": "Unable to deliver message."}
    assert payloads.status("wamid.x", "failed", "549", error=error)["errors"][0]["code"] == 131026
