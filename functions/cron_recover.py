"""A schedule calls every minute.

Conversations with an unanswered message and outbox rows that nobody holds go back to their queues. What was brought
back is counted in the answer.
"""

from shared.data import store
from shared.guard import Request, Response, cron, guard
from shared.messaging.wake import wake_sends, wake_turns

GUARD = guard(
    cron(),
    methods=("POST",),
    seconds=25.0,
    secrets=("CRON_SECRET", "SUPABASE_SECRET_KEY", "QUEUE_KEY"),
    writes=(),
    store_down="refuse",
)

# Older than any worker that is still at it.
LEFT_LYING_SECONDS = 120


@GUARD
def handler(request: Request) -> Response:
    """Sweep, wake."""
    swept = store.sweep(LEFT_LYING_SECONDS, request.deadline)
    cause = f"recover {int(request.now // 60)}"
    turns = wake_turns([(turn.tenant, turn.conversation) for turn in swept.turns], cause, request.deadline)
    sends = wake_sends([(send.tenant, send.outbox, send.conversation) for send in swept.sends], cause, request.deadline)
    return Response(body={"turns": turns, "sends": sends})
