"""What of a business's own limits is used, held and left at this moment, as the store counts it."""

from typing import NamedTuple

from shared.abuse.admission import budget_field, tenant_key
from shared.abuse.windows import windows
from shared.clock import Deadline
from shared.cloud.upstash import run
from shared.data.budget_rows import BudgetFacts


class Balance(NamedTuple):
    """One limit of the business as a whole, in whole units of its meter. `ends_at`: seconds since the epoch."""

    limit: str
    quota: int
    used: int
    held: int
    left: int
    ends_at: int


def balances(tenant: str, facts: BudgetFacts, now: float, deadline: Deadline) -> list[Balance]:
    """Every calendar limit of the tenant's own, in the order of their names. Raises StoreAway."""
    names = sorted(name for name in facts.limits if name.startswith("tenant.") and ".now." not in name)
    if not names:
        return []
    fields = [budget_field("tenant", "", *name.split(".")[1:]) for name in names]
    stored = run(["HMGET", tenant_key(tenant), *fields], deadline)
    own = windows(facts.time_zone, now)
    found = []
    for name, packed in zip(names, stored, strict=True):
        window = own.day if ".day." in name else own.month
        start, used, held, *_ = (int(part) for part in packed.split(" ")) if packed else (0, 0, 0)
        # A counter of a window that is over: nothing has been used in this one.
        used, held = (used, held) if start == window.start else (0, 0)
        quota = facts.limits[name]
        found.append(Balance(name, quota, used, held, max(0, quota - used - held), window.end // 1000))
    return found
