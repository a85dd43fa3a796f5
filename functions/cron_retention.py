"""A schedule calls every day.

What has been kept for as long as its table says is erased, a batch at a time. The answer counts the rows of each table,
and says whether something is left for the next day.
"""

from collections import Counter

from shared.data import store
from shared.guard import Request, Response, cron, guard

GUARD = guard(
    cron(),
    seconds=25.0,
    secrets=("CRON_SECRET", "SUPABASE_SECRET_KEY"),
    writes=(
        "inbox", "messages", "outbox", "contacts", "conversations", "usage_ledger", "strikes", "consents",
        "audit_log", "erasure_ledger", "billing_events", "deletion_requests",
    ),
    store_down="refuse",
)  # fmt: skip

# A batch is one transaction: short enough to hold no lock for long.
BATCH_ROWS = 1000
# Enough for a batch, so that none is begun that the deadline would cut off.
LAST_BATCH_SECONDS = 6.0


@GUARD
def handler(request: Request) -> Response:
    """Prune until nothing is old enough, or time is up."""
    erased: Counter[str] = Counter()
    while request.deadline.remaining() > LAST_BATCH_SECONDS:
        batch = store.prune(BATCH_ROWS, request.deadline)
        if not batch:
            return Response(body={"erased": erased, "left": False})
        erased.update(batch)
    return Response(body={"erased": erased, "left": True})
