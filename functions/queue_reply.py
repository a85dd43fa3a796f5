"""The reply queue calls with a conversation that has unanswered messages, or with many, which are woken one by one.

One worker claims the conversation and gives each of its messages a verdict and an outcome, and the customer at most
one reply.
The reply goes to the outbox, and its id to the send queue.
"""

from shared import clock
from shared.data import store
from shared.guard import Request, Response, guard, queue
from shared.messaging.channels import fitted
from shared.messaging.memory import remember
from shared.messaging.turn import decide
from shared.messaging.wake import spread_turns, wake_media, wake_sends

GUARD = guard(
    queue("reply"),
    seconds=55.0,
    secrets=("QUEUE_KEY", "SUPABASE_SECRET_KEY", "AI_API_KEY", "UPSTASH_REDIS_REST_TOKEN"),
    consumes=("ai", "embedding"),
    rates=(("contact", 12, 60), ("tenant", 240, 60)),
    writes=("conversations", "inbox", "messages", "outbox", "usage_ledger", "usage_alerts"),
    store_down="degrade",
)

# Longer than the function may run, so that a claim ends only when its worker is gone.
CLAIM_SECONDS = 60


@GUARD
def handler(request: Request) -> Response:
    """Wait for the end of a burst, claim, decide, settle, wake, remember."""
    tenant = request.ids["tenant"]
    if "conversations" in request.ids:
        spread_turns(tenant, request.ids["conversations"].split(), request.ids["cause"], request.deadline)
        return Response(body={"outcome": "spread"})
    conversation = request.ids["conversation"]
    turn = store.claim_turn(tenant, conversation, CLAIM_SECONDS, request.deadline)
    while turn.state == "quiet":
        # The customer may be writing on: the queue delays no single message, so the worker waits. The database ends it.
        clock.wait(turn.wait)
        turn = store.claim_turn(tenant, conversation, CLAIM_SECONDS, request.deadline)
    if turn.state != "claimed":
        # busy: its messages have no outcome yet, so cron_recover brings the turn back.
        return Response(body={"outcome": turn.state})
    decision = decide(tenant, turn, request)
    outbox = store.settle_turn(
        tenant,
        conversation,
        turn.fence,
        decision.outcomes,
        decision.reply and fitted(decision.reply, turn.channel),
        decision.sources,
        decision.handled_by,
        request.deadline,
        kind=decision.kind,
        judged=decision.judged,
    )
    if outbox:
        wake_sends([(tenant, outbox, conversation)], outbox, request.deadline)
    if turn.media:
        wake_media([(tenant, one) for one in turn.media], "settled", request.deadline)
    if decision.outcome == "replied":
        remember(tenant, conversation, turn, request)
    return Response(body={"outcome": decision.outcome, "messages": len(turn.messages)})
