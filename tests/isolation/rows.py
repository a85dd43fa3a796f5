"""The rows of every table, every column filled.

Where retention or the sweep looks at a row's state, there is one row on either side of the line.
"""

from collections.abc import Iterator
from typing import Any

from psycopg.types.json import Jsonb

from tests.isolation.sides import Side

Row = dict[str, Any]

NOW, LONG_AGO = "2026-11-25T12:00:00+00:00", "2001-01-01T00:00:00+00:00"
LATER = "2099-01-01T00:00:00+00:00"
USED = {
    "provider": "meta",
    "ai_microdollars": 5,
    "ai_tokens": 6,
    "embedding_tokens": 7,
    "files": 1,
    "file_bytes": 9,
    "sends": 2,
}
EMBEDDING = "[" + ",".join(["0.04"] * 512) + "]"


def nobodys_rows() -> Iterator[tuple[str, Row]]:
    """Rows of tables that have no tenant; young and settled ones, open ones, and old ones."""
    limits = Jsonb({"tenant.day.sends": 1000})
    yield "plans", {"id": "starter", "name": "canary-none plan", "limits": limits, "created_at": NOW, "version": 1}
    for number, (received_at, settled_at) in enumerate(
        [(NOW, NOW), (NOW, None), (LONG_AGO, LONG_AGO), (LONG_AGO, None)]
    ):
        yield (
            "billing_events",
            {
                "id": f"ffffffff-0000-4000-8000-{number + 1:012d}",
                "provider": "paddle",
                "effect_key": f"event:canary-none-{number}",
                "trusted": True,
                "facts": Jsonb({"of": "canary-none"}),
                "item": Jsonb({"of": "canary-none"}),
                "occurred_at": received_at,
                "received_at": received_at,
                "deliveries": 1,
                "outcome": settled_at and "applied",
                "settled_at": settled_at,
            },
        )
        yield (
            "deletion_requests",
            {
                "id": f"ffffffff-0000-4000-8000-{number + 11:012d}",
                "kind": "deletion",
                "provider_user_id": f"canary-none-{number}",
                "issued_at": received_at,
                "code": f"{number:032x}",
                "state": "done" if settled_at else "received",
                "received_at": received_at,
                "settled_at": settled_at,
            },
        )


def rows_of(side: Side) -> Iterator[tuple[str, Row]]:
    """The rows of one business, parents first."""
    mine = {"tenant_id": side.tenant}
    channel, contact, conversation = mine | {"channel_id": side.id(20)}, side.id(30), side.id(40)
    yield (
        "channels",
        mine
        | {
            "id": side.id(20),
            "kind": "whatsapp",
            "external_id": side.digits(20),
            "account_id": side.digits(21),
            "display_name": side.text("number"),
            "template_name": "seguimos",
            "template_language": "es_AR",
            "template_body": side.text("template"),
            "health": "unsubscribed",
            "checked_at": LONG_AGO,
            "created_at": NOW,
        },
    )
    yield "tenant_keys", mine | {"version": 1, "wrapped_key": side.text("wrapped key"), "created_at": NOW}
    yield "tenant_keys", mine | {"version": 2, "wrapped_key": side.text("wrapped key, 2"), "created_at": NOW}
    yield (
        "credentials",
        channel | {"name": "access_token", "ciphertext": side.text("ciphertext"), "key_version": 2, "updated_at": NOW},
    )
    for number, last_seen_at in ((30, NOW), (31, LONG_AGO)):
        yield (
            "contacts",
            channel
            | {
                "id": side.id(number),
                "external_id": side.text(f"contact {number}"),
                "phone": side.digits(number),
                "name": side.text("name"),
                "created_at": last_seen_at,
                "last_seen_at": last_seen_at,
                "opted_out_at": None if number == 30 else LONG_AGO,
            },
        )
    yield (
        "conversations",
        channel
        | {
            "id": conversation,
            "contact_id": contact,
            "handled_by": "assistant",
            "last_inbound_at": LATER,
            "fence": 3,
            "claimed_until": LONG_AGO,
            "taken_over_at": LONG_AGO,
            "summary": side.text("summary"),
            "summarised_until": LONG_AGO,
            "created_at": NOW,
        },
    )
    yield from _messages(side, conversation)
    yield from _media(side)
    for number, state in ((70, "ready"), (71, "ready"), (72, "waiting"), (73, "waiting"), (74, "awaited")):
        yield (
            "knowledge_files",
            mine
            | {
                "id": side.id(number),
                "name": side.text(f"file {number}"),
                "media_type": "text/plain",
                "bytes": 10,
                "sha256": side.letter * 64,
                "object_key": f"{side.tenant}/{number}",
                "state": state,
                "reason": "too_long",
                "withheld": 1,
                "fence": 2,
                "attempts": 1,
                "claimed_until": LONG_AGO,
                "created_at": NOW,
            },
        )
    for number in (70, 71):
        yield (
            "knowledge_chunks",
            mine
            | {
                "id": side.id(number + 5),
                "file_id": side.id(number),
                "position": 0,
                "body": side.text("passage"),
                "embedding": EMBEDDING,
            },
        )
    yield from _accounts(side, contact)


def _messages(side: Side, conversation: Any) -> Iterator[tuple[str, Row]]:
    mine, channel = {"tenant_id": side.tenant}, side.id(20)
    for number, (received_at, settled_at) in enumerate(
        [(NOW, None), (NOW, NOW), (LONG_AGO, LONG_AGO), (LONG_AGO, None)]
    ):
        yield (
            "inbox",
            mine
            | {
                "id": side.id(50 + number),
                "channel_id": channel,
                "conversation_id": conversation,
                "kind": "message",
                "effect_key": side.text(f"effect {number}"),
                "item": Jsonb({"text": side.text("item")}),
                "occurred_at": received_at,
                "received_at": received_at,
                "turn_id": side.id(90),
                "outcome": settled_at and ("failed" if number == 1 else "replied"),
                "settled_at": settled_at,
            },
        )
    for number, (created_at, state) in enumerate(
        [(NOW, "pending"), (NOW, "unconfirmed"), (LONG_AGO, "sent"), (LONG_AGO, "pending")]
    ):
        yield (
            "messages",
            mine
            | {
                "id": side.id(60 + number),
                "conversation_id": conversation,
                "inbox_id": side.id(50 + number),
                "turn_id": side.id(90),
                "author": "contact",
                "kind": "text",
                "body": side.text("words"),
                "provider_id": side.text(f"wamid {number}"),
                "status": "received",
                "sources": Jsonb([side.text("source")]),
                "verdict": "allow",
                "filter_version": side.text("filter"),
                "occurred_at": created_at,
                "sent_at": created_at,
                "delivered_at": created_at,
                "read_at": created_at,
                "created_at": created_at,
            },
        )
        yield (
            "outbox",
            mine
            | {
                "id": side.id(80 + number),
                "conversation_id": conversation,
                "message_id": side.id(60 + number),
                "state": state,
                "attempts": 1,
                "fence": 2,
                "claimed_until": LONG_AGO,
                "next_attempt_at": LONG_AGO,
                "dispatched_at": LONG_AGO,
                "error": side.text("error"),
                "created_at": created_at,
            },
        )


def _media(side: Side) -> Iterator[tuple[str, Row]]:
    for number, (created_at, state) in enumerate(
        [(NOW, "waiting"), (NOW, "waiting"), (NOW, "kept"), (LONG_AGO, "kept"), (NOW, "awaited")]
    ):
        yield (
            "media",
            {
                "tenant_id": side.tenant,
                "id": side.id(180 + number),
                "message_id": side.id(60),
                "place": number,
                "kind": "image",
                "state": state,
                "reason": "gone",
                "reference": f"canary-{side.letter}-reference",
                "media_type": side.text("type"),
                "bytes": 10,
                "object_key": f"{side.tenant}/{side.id(180 + number)}" if state == "kept" else None,
                "fence": 2,
                "attempts": 1,
                "claimed_until": LONG_AGO,
                "created_at": created_at,
            },
        )


def _accounts(side: Side, contact: Any) -> Iterator[tuple[str, Row]]:
    mine = {"tenant_id": side.tenant}
    yield (
        "subscriptions",
        mine
        | {
            "plan_id": "starter",
            "state": "active",
            "provider": "paddle",
            "provider_id": side.text("subscription"),
            "period_ends_at": LATER,
            "updated_at": NOW,
            "version": 1,
        },
    )
    yield (
        "tenant_budgets",
        mine
        | {
            "limits": Jsonb({"tenant.day.files": 7}),
            "stopped": ["file"],
            "version": 1,
            "epoch": 3,
            "token": side.text("token"),
            "place": "postgres",
            "opens_at": LONG_AGO,
        },
    )
    for number, at in ((140, NOW), (141, LONG_AGO)):
        yield (
            "usage_alerts",
            mine
            | {
                "id": side.id(number),
                "policy": "tenant.day.sends",
                "window_start": at,
                "level": 80,
                "raised_at": at,
            },
        )
        yield (
            "usage_holds",
            mine
            | {
                "id": side.id(number + 2),
                **USED,
                "function": "queue_send",
                "channel_id": side.id(20),
                "contact_id": contact,
                "user_id": side.owner,
                "epoch": 3,
                "seq": number,
                "admitted_at": at,
                "expires_at": LATER if at == NOW else LONG_AGO,
            },
        )
    for number, at in ((100, NOW), (101, LONG_AGO)):
        yield (
            "usage_ledger",
            mine
            | {
                "id": side.id(number),
                **USED,
                "function": "queue_send",
                "channel_id": side.id(20),
                "contact_id": contact,
                "user_id": side.owner,
                "hold_id": side.id(number + 2),
                "epoch": 3,
                "seq": number,
                "admitted_at": at,
                "used_at": at,
            },
        )
        yield (
            "strikes",
            mine
            | {
                "id": side.id(number + 10),
                "contact_id": contact,
                "rule": "override",
                "struck_at": at,
                "expires_at": LATER,
                "lifted_at": at if at == LONG_AGO else None,
            },
        )
        said = mine | {"purpose": "terms", "granted": True, "version": side.text("v"), "given_at": at}
        yield "consents", said | {"id": side.id(number + 20), "user_id": side.owner}
        yield "consents", said | {"id": side.id(number + 30), "contact_id": contact}
        yield (
            "audit_log",
            mine
            | {
                "id": side.id(number + 40),
                "user_id": side.owner,
                "action": "channel.connected",
                "subject_id": side.id(20),
                "done_at": at,
            },
        )
        yield (
            "erasure_ledger",
            mine
            | {"id": side.id(number + 50), "subject": "contact", "subject_id": side.id(number + 60), "erased_at": at},
        )
