"""A schedule calls every minute.

Holds that nobody settled are charged, what was used goes into the ledger, and a counter that is below the ledger is
lifted to it. What was charged, written and lifted is counted in the answer.
"""

from shared.abuse.upkeep import sweep_holds, tenants_in_store, tend
from shared.guard import Request, Response, cron, guard

GUARD = guard(
    cron(),
    seconds=25.0,
    secrets=("CRON_SECRET", "SUPABASE_SECRET_KEY", "UPSTASH_REDIS_REST_TOKEN"),
    writes=("usage_ledger", "usage_alerts", "usage_holds", "tenant_budgets", "provider_budgets"),
    store_down="refuse",
)

# Enough for one tenant, so that none is begun that the deadline would cut off.
LAST_TENANT_SECONDS = 4.0


@GUARD
def handler(request: Request) -> Response:
    """Charge what Postgres holds, then look after each tenant that the store knows."""
    counts = {"charged": sweep_holds(request.deadline), "expired": 0, "written": 0, "lifted": 0, "tenants": 0}
    left = False
    for tenant in tenants_in_store(request.deadline):
        if request.deadline.remaining() < LAST_TENANT_SECONDS:
            left = True
            break
        for name, count in tend(tenant, request.deadline).items():
            counts[name] += count
        counts["tenants"] += 1
    return Response(body={**counts, "left": left})
