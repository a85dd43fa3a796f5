"""Keeping what Mercado Pago and Paddle told. Light on purpose: this is all that their webhooks import of the store.

An event's key names its effect. `event:` and `signed:` keys are made of signed material, `digest:` of a signed body
without an id; `quarantine:` is for what nobody signed.
"""

import hashlib
import json
import re
from datetime import datetime
from typing import Any

from shared.clock import Deadline
from shared.data.database import call
from shared.data.storable import moment_of, repaired

MAXIMUM_TEXT = 200
HINTS = ("type", "topic", "action")

_EVENT_ID = re.compile(r"[A-Za-z0-9_-]{1,120}")


def keep_mercadopago(
    facts: dict[str, str], query: dict[str, str], trusted: bool, arrived_at: float, deadline: Deadline
) -> bool:
    """Keep a notification; False when it had been kept before. `arrived_at` in seconds since the epoch.

    A trusted one is named by the signed triple. An untrusted one is a question to Mercado Pago about one thing, so
    all that ask the same are one row, which each of them opens again. What the query calls it goes along as a hint.

    Raises Unavailable; nothing was kept then.
    """
    hints = {name: repaired(query[name][:MAXIMUM_TEXT]) for name in HINTS if name in query}
    if trusted:
        # An id may have been signed in lower case: its spelling must not make it another event.
        key = "signed:" + _digest(facts["data_id"].lower(), facts["request_id"], facts["ts"])
    else:
        key = "quarantine:" + _digest(facts["topic"], facts["data_id"])
    # When it happened, Mercado Pago's API will tell.
    return _keep("mercadopago", key, trusted, facts, hints, moment_of(None, arrived_at), deadline)


def keep_paddle(event: Any, raw: bytes, arrived_at: float, deadline: Deadline) -> bool:
    """Keep an event (the value of the verified body `raw`); False when it had been kept before.

    Paddle may deliver one event under several notification ids, so it is named by event_id.

    Raises Unavailable; nothing was kept then.
    """
    said = event if isinstance(event, dict) else {"value": event}
    names = ("event_id", "event_type", "notification_id")
    facts = {name: said[name][:MAXIMUM_TEXT] for name in names if isinstance(said.get(name), str)}
    event_id = facts.get("event_id", "")
    known = _EVENT_ID.fullmatch(event_id)
    key = f"event:{event_id}" if known else f"digest:{hashlib.sha256(raw).hexdigest()}"
    return _keep("paddle", key, True, facts, said, moment_of(said.get("occurred_at"), arrived_at), deadline)


def _keep(
    provider: str, key: str, trusted: bool, facts: dict[str, str], item: Any, moment: datetime, deadline: Deadline
) -> bool:
    arguments = {
        "p_provider": provider,
        "p_key": key,
        "p_trusted": trusted,
        "p_facts": facts,
        "p_item": item,
        "p_occurred_at": moment.isoformat(),
    }
    return bool(call("keep_billing_event", arguments, deadline)["new"])


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
