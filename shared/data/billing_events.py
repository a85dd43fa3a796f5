"""Keeping what Mercado Pago and Paddle told. Light on purpose: this is all that their webhooks import of the store.

An event's key names its effect. `event:` and `signed:` keys are made of signed material, `digest:` of a signed body
without an id; `quarantine:` is for what nobody signed.
"""

import hashlib
import json
import logging
import math
import re
from datetime import datetime
from typing import Any

from shared import clock, metrics
from shared.clock import Deadline
from shared.data.database import call
from shared.data.storable import moment_of, repaired
from shared.errors import Refused

log = logging.getLogger("portero")

MAXIMUM_TEXT = 200
# Seconds. When the database has no more room for unverified rows, this process does not ask again for so long.
FULL_SECONDS = 600
HINTS = ("type", "topic", "action")

_EVENT_ID = re.compile(r"[A-Za-z0-9_-]{1,120}")

# The refusal of the database, and until when it counts (seconds since the epoch).
_full: tuple[str, float] = ("", 0.0)


def keep_mercadopago(
    facts: dict[str, str], query: dict[str, str], trusted: bool, arrived_at: float, deadline: Deadline
) -> bool:
    """Store a notification; False when it had been stored before. `arrived_at` in seconds since the epoch.

    A trusted one is named by the signed triple. An untrusted one is a question to Mercado Pago about one thing, so
    all that ask the same are one row, which each of them opens again. What the query calls it goes along as a hint.

    Raises Unavailable, and Refused for an untrusted one (`quarantine_day_full`, `quarantine_table_full`) when the
    database has no room for more of them. Nothing is stored then.
    """
    if not trusted:
        _refuse_while_full()
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
    answer = call("keep_billing_event", arguments, deadline)
    if "refused" in answer:
        _note_full(answer["refused"])
        _refuse_while_full()
    return bool(answer["new"])


def forget() -> None:
    """Ask the database again, as a fresh environment does."""
    global _full
    _full = ("", 0.0)


def _note_full(refusal: str) -> None:
    """Alert once; the refusals of the next ten minutes are counted by their name alone."""
    global _full
    _full = (refusal, clock.now() + FULL_SECONDS)
    log.error("quarantine is full", extra={"unverified": refusal})
    metrics.note_quarantine_full()


def _refuse_while_full() -> None:
    refusal, until = _full
    seconds = until - clock.now()
    # Further ahead it can only be because the clock went back.
    if not 0 < seconds <= FULL_SECONDS:
        return
    if refusal == "quarantine_day_full":
        raise Refused("quarantine_day_full", 429, retry_after=math.ceil(seconds))
    raise Refused("quarantine_table_full", 429, retry_after=math.ceil(seconds))


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
