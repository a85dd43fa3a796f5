"""Budgets as the server keeps them in the database: limits, epochs, the ledger, and admission while Redis is away.

All name their tenant, and raise as shared/data/database.py says. Windows come as (start, end) in milliseconds.
"""

from collections.abc import Mapping, Sequence

from pydantic import TypeAdapter

from shared.clock import Deadline
from shared.data.budget_rows import (
    BudgetFacts,
    Calendar,
    Counter,
    FallbackDecision,
    LedgerAlert,
    LedgerRow,
    Opened,
    moment,
    opening,
)
from shared.data.database import call

_counters = TypeAdapter(list[Counter])


def budget_facts(tenant: str, deadline: Deadline) -> BudgetFacts:
    """Limits, time zone and epochs, as they are now."""
    return BudgetFacts.model_validate(call("budget_facts", {"p_tenant": tenant}, deadline))


def open_budget(
    tenant: str, tokens: tuple[str, str], provider: str, own: Calendar, platform: Calendar, deadline: Deadline
) -> Opened:
    """Open what Redis has no state of: the tenant's token, the provider's, empty for a side that has one."""
    return Opened.model_validate(
        call("open_budget", opening(tenant, tokens, provider, own, platform), deadline),
    )


def budget_sums(tenant: str, own: Calendar, deadline: Deadline) -> list[Counter]:
    """What the ledger has in the windows that are running, of every limit."""
    arguments = {"p_tenant": tenant, "p_day": moment(own[0][0] / 1000), "p_month": moment(own[1][0] / 1000)}
    return _counters.validate_python(call("budget_sums", arguments, deadline))


def record_usage(tenant: str, rows: Sequence[LedgerRow], alerts: Sequence[LedgerAlert], deadline: Deadline) -> int:
    """Write ends of holds and alerts, each once: how many rows were new."""
    arguments = {
        "p_tenant": tenant,
        "p_rows": [row.model_dump() | {"admitted_at": moment(row.admitted_at)} for row in rows],
        "p_alerts": [alert.model_dump() | {"window_start": moment(alert.window_start)} for alert in alerts],
    }
    return int(call("record_usage", arguments, deadline))


def admit_usage(
    tenant: str,
    hold: str,
    seconds: float,
    provider: str,
    function: str,
    scopes: Mapping[str, str],
    wants: Mapping[str, tuple[int, int]],
    own: Calendar,
    deadline: Deadline,
) -> FallbackDecision:
    """Admit in Postgres for at most `seconds`. `scopes`: ids of contact, member and channel, empty for none."""
    arguments = {
        "p_tenant": tenant,
        "p_hold": hold,
        "p_seconds": int(seconds) + 1,
        "p_provider": provider,
        "p_function": function,
        "p_scopes": {scope: identity for scope, identity in scopes.items() if identity},
        "p_wants": dict(wants),
        "p_day": moment(own[0][0] / 1000),
        "p_month": moment(own[1][0] / 1000),
    }
    return FallbackDecision.model_validate(call("admit_usage", arguments, deadline))


def settle_usage(tenant: str, hold: str, used: Mapping[str, int], deadline: Deadline) -> int:
    """End a hold of Postgres: the overdraft. One that is not there any more was charged in full."""
    arguments = {"p_tenant": tenant, "p_hold": hold, "p_used": dict(used)}
    return int(call("settle_usage", arguments, deadline)["overdraft"])


def expire_usage_holds(deadline: Deadline) -> int:
    """Charge the holds of Postgres that nobody settled, of all tenants: how many."""
    return int(call("expire_usage_holds", {}, deadline))
