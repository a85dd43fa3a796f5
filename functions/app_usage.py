"""The console calls when an owner looks at what the business has used.

Nothing is written. The answer holds what was used on each day by channel and function, what of each limit is used, held
and left now, and which limits were nearly or wholly reached.
"""

from datetime import timedelta
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.abuse.balances import balances
from shared.data.fields import Day
from shared.data.user_store import UserStore
from shared.guard import Request, Response, guard, jwt

GUARD = guard(
    jwt(),
    methods=("POST",),
    body_limit=16 * 1024,
    seconds=10.0,
    rate=60,
    secrets=("UPSTASH_REDIS_REST_TOKEN",),
    writes=(),
    store_down="refuse",
)

LONGEST_PERIOD = timedelta(days=400)


class Period(BaseModel):
    """Whole days in the business's time zone, the last one included."""

    model_config = ConfigDict(extra="forbid")

    tenant: UUID
    first: Day = Field(alias="from")
    last: Day = Field(alias="to")

    @model_validator(mode="after")
    def is_in_order(self) -> Self:
        """The first day is not after the last, and there are at most 400."""
        if not timedelta() <= self.last - self.first <= LONGEST_PERIOD:
            raise ValueError("from is not after to, and at most 400 days before it")
        return self


@GUARD
def handler(request: Request) -> Response:
    """Read the ledger with the person's own rights, and the store for what is held now."""
    period = request.body(Period)
    tenant = str(period.tenant)
    store = UserStore(request.caller.token, request.deadline)
    store.require_owner(tenant, request.caller.user)
    facts = store.budget_facts(tenant)
    return Response(
        body={
            "days": store.usage_by_day(tenant, period.first, period.last),
            "limits": [balance._asdict() for balance in balances(tenant, facts, request.now, request.deadline)],
            "alerts": store.usage_alerts(tenant, period.first),
        }
    )
