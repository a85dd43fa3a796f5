"""Meta calls for everything that happens on WhatsApp, Instagram and Messenger.

Every message and status of the body is kept, each once, before the answer. Meta gets the counts; a worker gets ids.
"""

import hashlib
import logging

from shared.data import inbox
from shared.guard import Request, Response, guard, hmac
from shared.messaging.meta_webhook import items_of
from shared.messaging.wake import wake_turns
from shared.settings import Setting, read_optional

log = logging.getLogger("portero")

GUARD = guard(
    hmac("meta"),
    methods=("GET", "POST"),
    body_limit=3 * 1024 * 1024,
    seconds=3.0,
    rate=6000,
    secrets=("META_APP_SECRET", "META_VERIFY_TOKEN", "SUPABASE_SECRET_KEY", "QUEUE_KEY"),
    writes=(
        "inbox",
        "contacts",
        "conversations",
        "messages",
        "outbox",
        "consents",
        "media",
    ),
    store_down="refuse",
)


@GUARD
def handler(request: Request) -> Response:
    """Keep, wake, answer. Without the database: 503, so that Meta comes again."""
    items = items_of(request.json_repaired(), request.now, read_optional(Setting.META_APP_ID))
    if not items:
        return Response(body={"kept": 0})
    kept = inbox.keep(items, request.deadline)
    if kept.unknown_channel:
        # Answered 200 all the same: Meta would repeat it for a week, and nobody here will ever know the number.
        log.warning("unknown channel", extra={"count": kept.unknown_channel})
    woken = wake_turns(kept.turns, hashlib.sha256(request.raw).hexdigest(), request.deadline)
    return Response(
        body={
            "kept": kept.kept,
            "duplicate": kept.duplicate,
            "unknown_channel": kept.unknown_channel,
            "woken": woken,
        }
    )
