"""The books of a budget as a signed-in person reaches them, with their own rights and without the secret key.

They can open what was never opened, be admitted in Postgres while the store is away, at full price and a few times a
minute, and no more: what such a call used is written into the ledger by cron_budgets, out of the store.
"""

from collections.abc import Mapping

from shared.abuse.admission import Alert, Usage, Want
from shared.abuse.windows import Windows
from shared.data.budget_rows import BudgetFacts, FallbackDecision, Opened
from shared.data.user_store import UserStore


class PersonBooks:
    """Of one of the person's tenants, during one request."""

    def __init__(self, tenant: str, store: UserStore) -> None:
        self._tenant = tenant
        self._store = store

    def facts(self) -> BudgetFacts:
        """As they are now."""
        return self._store.budget_facts(self._tenant)

    def open(self, tokens: tuple[str, str], provider: str, own: Windows, platform: Windows) -> Opened:
        """Only the first time; Unavailable afterwards, until the server has."""
        return self._store.open_budget(self._tenant, tokens, provider, own, platform)

    def record(self, usage: Usage, alerts: list[Alert]) -> None:
        """Nothing: the record waits in the store."""

    def admit(self, hold: str, want: Want, function: str, seconds: float, own: Windows) -> FallbackDecision:
        """In Postgres, charged at once and in full."""
        return self._store.admit_usage(self._tenant, hold, want.provider, function, want.meters, own)

    def settle(self, hold: str, used: Mapping[str, int]) -> int:
        """It was charged when it was admitted."""
        return 0
