"""A schedule calls every minute.

Conversations with an unanswered message, and outbox rows, files and media that nobody holds go back to their queues;
sends that no status tells of any more are given up. Each is counted in the answer.
"""

import logging

from shared.data import store
from shared.guard import Request, Response, cron, guard
from shared.messaging.wake import wake_files, wake_media, wake_sends, wake_turns

log = logging.getLogger("portero")

GUARD = guard(
    cron(),
    seconds=25.0,
    secrets=("CRON_SECRET", "SUPABASE_SECRET_KEY", "QUEUE_KEY"),
    writes=("outbox", "messages"),
    store_down="refuse",
)

# Older than any worker that is still at it.
LEFT_LYING_SECONDS = 120
# Statuses of a message that arrived come within seconds, and Meta repeats those that we could not take.
UNCONFIRMED_SECONDS = 3600


@GUARD
def handler(request: Request) -> Response:
    """Sweep, wake, give up."""
    swept = store.sweep(LEFT_LYING_SECONDS, request.deadline)
    cause = f"recover {int(request.now // 60)}"
    turns = wake_turns([(turn.tenant, turn.conversation) for turn in swept.turns], cause, request.deadline)
    sends = wake_sends([(send.tenant, send.outbox, send.conversation) for send in swept.sends], cause, request.deadline)
    files = wake_files([(file.tenant, file.file) for file in swept.files], cause, request.deadline)
    media = wake_media([(one.tenant, one.media) for one in swept.media], cause, request.deadline)
    given_up = store.close_unconfirmed(UNCONFIRMED_SECONDS, request.deadline)
    if given_up:
        log.warning("sends without a status", extra={"count": given_up})
    return Response(body={"turns": turns, "sends": sends, "files": files, "media": media, "given_up": given_up})
