"""The books of a budget as the server keeps them, with the secret key."""

from collections.abc import Mapping

from shared.abuse.admission import Alert, Usage, Want
from shared.abuse.windows import Windows
from shared.clock import Deadline
from shared.data import budgets
from shared.data.budget_rows import BudgetFacts, FallbackDecision, LedgerAlert, LedgerRow, Opened


class ServerBooks:
    """Of one tenant, during one request."""

    def __init__(self, tenant: str, deadline: Deadline) -> None:
        self._tenant = tenant
        self._deadline = deadline

    def facts(self) -> BudgetFacts:
        """As they are now."""
        return budgets.budget_facts(self._tenant, self._deadline)

    def open(self, tokens: tuple[str, str], provider: str, own: Windows, platform: Windows) -> Opened:
        """Open whatever side has no state."""
        return budgets.open_budget(self._tenant, tokens, provider, own, platform, self._deadline)

    def record(self, usage: Usage, alerts: list[Alert]) -> None:
        """One row of the ledger, and the alerts that it caused."""
        budgets.record_usage(self._tenant, [row_of(usage)], [alert_of(alert) for alert in alerts], self._deadline)

    def admit(self, hold: str, want: Want, function: str, seconds: float, own: Windows) -> FallbackDecision:
        """In Postgres."""
        scopes = {"contact": want.contact, "member": want.member, "channel": want.channel}
        return budgets.admit_usage(
            self._tenant, hold, seconds, want.provider, function, scopes, want.meters, own, self._deadline
        )

    def settle(self, hold: str, used: Mapping[str, int]) -> int:
        """In Postgres; the overdraft."""
        return budgets.settle_usage(self._tenant, hold, used, self._deadline)


def row_of(usage: Usage) -> LedgerRow:
    """A hold's end as the ledger takes it."""
    want = usage.want
    return LedgerRow(
        hold_id=usage.hold,
        provider=want.provider,
        function=usage.function,
        channel_id=want.channel or None,
        contact_id=want.contact or None,
        user_id=want.member or None,
        epoch=usage.epoch,
        seq=usage.seq,
        admitted_at=usage.admitted_at,
        **usage.used,
    )


def alert_of(alert: Alert) -> LedgerAlert:
    """A budget that is nearly or wholly used, as it is written down once."""
    return LedgerAlert(policy=alert.policy, window_start=alert.start / 1000, level=alert.level)
