"""How each function is called rightly, by the party whose ids it is given. A function without a row fails the run.

`changed` or `shown` says how a good call can be told: it changes something of the party's, or its answer shows it.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from psycopg.types.json import Jsonb

from tests.isolation.rows import EMBEDDING, LONG_AGO, NOW
from tests.isolation.sides import Side

Arguments = dict[str, Any]


class Call(NamedTuple):
    """`arguments(side)` of a good call; `does` tells how its success is seen."""

    arguments: Callable[[Side], Arguments]
    does: Literal["changes", "shows", "answers"]


def _item(side: Side) -> Arguments:
    return {
        "channel": "whatsapp",
        "channel_id": side.digits(20),
        "kind": "message",
        "key": side.text("a new effect"),
        "occurred_at": LONG_AGO,
        "item": {},
        "contact": {"id": side.text("contact 30"), "phone": None, "name": ""},
        "type": "text",
        "text": side.text("hello"),
        "provider_id": side.text("a new wamid"),
    }


def _tenant(side: Side, **rest: Any) -> Arguments:
    return {"p_tenant": side.tenant, **rest}


# Made at random by whoever asks, so that it is nobody's.
HOLD = "eeeeeeee-0000-4000-8000-000000000001"


def _opening(side: Side) -> Arguments:
    """The token is the one that opened the budget, so that a person may send it again."""
    return {
        "p_tenant_token": side.text("token"),
        "p_provider": "meta",
        "p_provider_token": None,
        "p_day": LONG_AGO,
        "p_month": LONG_AGO,
        "p_platform_day": LONG_AGO,
        "p_platform_month": LONG_AGO,
    }


def _replayed(side: Side) -> Arguments:
    return _tenant(side, p_what="turns", p_ids=[str(side.id(51))], p_from=None, p_to=None, p_channel=None, p_dry=False)


# Called with the server's secret key.
SERVER_CALLS: dict[str, Call] = {
    "admit_usage": Call(
        lambda s: _tenant(
            s,
            p_hold=HOLD,
            p_seconds=60,
            p_provider="meta",
            p_function="queue_send",
            p_scopes=Jsonb({"contact": str(s.id(30)), "channel": str(s.id(20))}),
            p_wants=Jsonb({"sends": [1, 1]}),
            p_day=NOW,
            p_month=NOW,
        ),
        "changes",
    ),
    "budget_facts": Call(lambda s: _tenant(s), "shows"),
    "budget_sums": Call(lambda s: _tenant(s, p_day=LONG_AGO, p_month=LONG_AGO), "answers"),
    "claim_outbox": Call(lambda s: _tenant(s, p_outbox=s.id(80), p_seconds=60), "changes"),
    "claim_turn": Call(lambda s: _tenant(s, p_conversation=s.id(40), p_seconds=60), "changes"),
    "connect_channel": Call(
        lambda s: _tenant(
            s,
            p_kind="instagram",
            p_external_id=s.digits(99),
            p_account_id=s.digits(98),
            p_display_name=s.text("new number"),
        ),
        "changes",
    ),
    "credentials": Call(lambda s: _tenant(s), "shows"),
    "deletion_status": Call(lambda s: {"p_code": f"{0:032x}"}, "answers"),
    "drop_tenant_keys": Call(lambda s: _tenant(s, p_below=2), "changes"),
    "expire_usage_holds": Call(lambda s: {}, "changes"),
    "keep_billing_event": Call(
        lambda s: {
            "p_provider": "paddle",
            "p_key": "event:new",
            "p_trusted": True,
            "p_facts": Jsonb({}),
            "p_item": Jsonb({}),
            "p_occurred_at": LONG_AGO,
        },
        "answers",
    ),
    "close_unconfirmed": Call(lambda s: {"p_seconds": 60}, "changes"),
    "dispatch_outbox": Call(lambda s: _tenant(s, p_outbox=s.id(83), p_fence=2), "changes"),
    "keep_credential": Call(
        lambda s: _tenant(
            s, p_channel=s.id(20), p_name="access_token", p_ciphertext=s.text("new ciphertext"), p_key_version=1
        ),
        "changes",
    ),
    "keep_deletion_request": Call(
        lambda s: {"p_kind": "deletion", "p_user": "somebody", "p_issued_at": LONG_AGO, "p_code": f"{9:032x}"},
        "answers",
    ),
    "keep_inbox": Call(lambda s: {"p_items": Jsonb([_item(s)])}, "changes"),
    "keep_tenant_key": Call(lambda s: _tenant(s, p_version=3, p_wrapped_key=s.text("third wrapped key")), "changes"),
    "open_budget": Call(lambda s: _tenant(s, **_opening(s) | {"p_tenant_token": s.text("new token")}), "changes"),
    "platform_counters": Call(
        lambda s: {
            "p_provider": "meta",
            "p_limits": Jsonb({"platform.day.sends": 5}),
            "p_day": LONG_AGO,
            "p_month": LONG_AGO,
        },
        "answers",
    ),
    "prune": Call(lambda s: {"p_limit": 100}, "changes"),
    "record_usage": Call(
        lambda s: _tenant(
            s,
            p_rows=Jsonb(
                [
                    {
                        "hold_id": HOLD,
                        "provider": "meta",
                        "function": "queue_send",
                        "channel_id": str(s.id(20)),
                        "contact_id": str(s.id(30)),
                        "sends": 1,
                        "epoch": 3,
                        "seq": 9,
                        "admitted_at": NOW,
                    }
                ]
            ),
            p_alerts=Jsonb([{"policy": "tenant.day.sends", "window_start": NOW, "level": 100}]),
        ),
        "changes",
    ),
    "reencrypt_credential": Call(
        lambda s: _tenant(
            s,
            p_channel=s.id(20),
            p_name="access_token",
            p_was=s.text("ciphertext"),
            p_ciphertext=s.text("new ciphertext"),
            p_key_version=1,
        ),
        "changes",
    ),
    "rewrap_tenant_key": Call(
        lambda s: _tenant(s, p_version=1, p_was=s.text("wrapped key"), p_wrapped_key=s.text("another wrapping")),
        "changes",
    ),
    "routes_of": Call(lambda s: {"p_items": Jsonb([_item(s)])}, "shows"),
    "search_knowledge_for_turn": Call(
        lambda s: _tenant(s, p_embedding=EMBEDDING, p_question="passage", p_limit=5), "shows"
    ),
    "channels_to_check": Call(lambda s: {"p_seconds": 60, "p_limit": 10}, "shows"),
    "channel_facts": Call(lambda s: _tenant(s, p_channel=s.id(20)), "shows"),
    "note_channel": Call(lambda s: _tenant(s, p_channel=s.id(20), p_health="good"), "changes"),
    "claim_media": Call(lambda s: _tenant(s, p_media=s.id(180), p_seconds=60), "changes"),
    "settle_media": Call(
        lambda s: _tenant(
            s,
            p_media=s.id(181),
            p_fence=2,
            p_state="kept",
            p_reason=None,
            p_media_type="image/png",
            p_bytes=5,
            p_reference="1234567",
        ),
        "changes",
    ),
    "claim_file": Call(lambda s: _tenant(s, p_file=s.id(72), p_seconds=60), "changes"),
    "settle_file": Call(
        lambda s: _tenant(
            s,
            p_file=s.id(73),
            p_fence=2,
            p_state="ready",
            p_reason=None,
            p_sha256="0" * 64,
            p_bytes=3,
            p_withheld=1,
            p_chunks=Jsonb([{"body": "a new passage", "embedding": EMBEDDING}]),
        ),
        "changes",
    ),
    "replay": Call(lambda s: _replayed(s), "changes"),
    "settle_outbox": Call(
        lambda s: _tenant(s, p_outbox=s.id(80), p_fence=2, p_result="sent", p_provider_id="w", p_error=None, p_delay=0),
        "changes",
    ),
    "settle_turn": Call(
        lambda s: _tenant(
            s,
            p_conversation=s.id(40),
            p_fence=3,
            p_outcomes=Jsonb({str(s.id(50)): "replied"}),
            p_reply=s.text("reply"),
            p_kind="text",
            p_sources=Jsonb([]),
            p_handled_by=None,
            p_judged=Jsonb({"filter_version": "2", "messages": {str(s.id(60)): "block"}, "reply": "allow"}),
        ),
        "changes",
    ),
    "keep_summary": Call(
        lambda s: _tenant(s, p_conversation=s.id(40), p_since=LONG_AGO, p_until=NOW, p_summary=s.text("summary")),
        "changes",
    ),
    "settle_usage": Call(lambda s: _tenant(s, p_hold=s.id(142), p_used=Jsonb({"sends": 1})), "changes"),
    "strike_contact": Call(lambda s: _tenant(s, p_message=s.id(50), p_rule="override"), "changes"),
    "sweep": Call(lambda s: {"p_seconds": 0}, "shows"),
    "tenant_keys": Call(lambda s: _tenant(s), "shows"),
    "tenants_with_keys": Call(lambda s: {"p_after": None, "p_limit": 100}, "shows"),
}

# Called by a signed-in person; row level security decides.
MEMBER_CALLS: dict[str, Call] = {
    "admit_my_usage": Call(
        lambda s: _tenant(
            s,
            p_hold=HOLD,
            p_provider="model",
            p_function="ai_chat",
            p_wants=Jsonb({"ai_tokens": [1, 1]}),
            p_day=NOW,
            p_month=NOW,
        ),
        "changes",
    ),
    "hand_over": Call(lambda s: _tenant(s, p_conversation=s.id(40), p_to="person"), "changes"),
    "lift_strikes": Call(lambda s: _tenant(s, p_contact=s.id(30)), "changes"),
    "my_budget_facts": Call(lambda s: _tenant(s), "shows"),
    "name_template": Call(
        lambda s: _tenant(s, p_channel=s.id(20), p_name="seguimos", p_language="es_AR", p_body=s.text("template")),
        "changes",
    ),
    "finish_media": Call(lambda s: _tenant(s, p_media=s.id(184)), "changes"),
    "offer_media": Call(
        lambda s: _tenant(
            s,
            p_conversation=s.id(40),
            p_key="picture-0007",
            p_kind="image",
            p_media_type="image/png",
            p_bytes=9,
            p_text=s.text("a person's words"),
        ),
        "changes",
    ),
    "offer_file": Call(
        lambda s: _tenant(s, p_name=s.text("a file.pdf"), p_media_type="application/pdf", p_bytes=9), "changes"
    ),
    "finish_upload": Call(lambda s: _tenant(s, p_file=s.id(74)), "changes"),
    "remove_file": Call(lambda s: _tenant(s, p_file=s.id(71)), "changes"),
    "replay_mine": Call(lambda s: _replayed(s), "changes"),
    "open_my_budget": Call(lambda s: _tenant(s, **_opening(s)), "answers"),
    "usage_by_day": Call(lambda s: _tenant(s, p_from="2000-01-01", p_to="2001-01-02"), "shows"),
    "write_as_person": Call(
        lambda s: _tenant(s, p_conversation=s.id(40), p_key="draft-0007", p_text=s.text("a person's words")), "changes"
    ),
    "replace_knowledge": Call(
        lambda s: _tenant(
            s,
            p_name=s.text("menu"),
            p_media_type="text/plain",
            p_bytes=3,
            p_sha256="0" * 64,
            p_object_key=f"{s.tenant}/x",
            p_chunks=Jsonb([{"body": s.text("new passage"), "embedding": EMBEDDING}]),
        ),
        "changes",
    ),
    "search_knowledge": Call(lambda s: _tenant(s, p_embedding=EMBEDDING, p_question="passage", p_limit=5), "shows"),
}

# Look across tenants by design and answer with ids only, or with what belongs to no tenant.
ACROSS_TENANTS = {
    "channels_to_check",
    "close_unconfirmed",
    "deletion_status",
    "expire_usage_holds",
    "keep_billing_event",
    "keep_deletion_request",
    "keep_inbox",
    "platform_counters",
    "prune",
    "routes_of",
    "sweep",
    "tenants_with_keys",
}
