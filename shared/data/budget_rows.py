"""What is read of budgets, whoever reads it, apart from the module that holds the secret key."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel

# The names in admission.lua and in the limits of plans.
Reason = Literal[
    "stopped", "too_large", "rate", "breaker_open", "provider_busy", "concurrency", "budget_spent", "budget_held",
    "rebuilding", "store_away", "late",
]  # fmt: skip

# The day and the month, each as (start, end) in milliseconds since the epoch.
Calendar = tuple[tuple[int, int], tuple[int, int]]


class ProviderFacts(BaseModel):
    """A provider's limits for all businesses together, and the epoch of their counting."""

    version: int
    epoch: int
    limits: dict[str, int]


class BudgetFacts(BaseModel):
    """What an admission needs to know of a business; `limits` by `<scope>.<window>.<meter>`.

    `seq` is the greatest that the ledger has of this epoch: a store that is behind it has lost something.
    """

    tenant: str
    time_zone: str
    version: int
    epoch: int
    seq: int
    limits: dict[str, int]
    providers: dict[str, ProviderFacts]


class Counter(BaseModel):
    """What the ledger says was used of one limit, in the window that is running."""

    scope: str
    id: str
    window: Literal["day", "month"]
    meter: str
    used: int


class OpenedSide(BaseModel):
    """The epoch that a store without a state begins with, unless it has to wait first."""

    epoch: int
    version: int
    opens_in_ms: int
    stopped: list[str]
    counters: list[Counter]


class Opened(BaseModel):
    """The sides that were asked for."""

    tenant: OpenedSide | None
    provider: OpenedSide | None


class FallbackDecision(BaseModel):
    """The database's decision while the store is away. `retry_ms` is None where waiting does not help soon."""

    state: Literal["admitted", "denied"]
    granted: dict[str, int] = {}
    epoch: int = 0
    seq: int = 0
    reason: Reason = "late"
    policy: str = ""
    retry_ms: int | None = None


class LedgerRow(BaseModel):
    """A hold's end. `admitted_at` in seconds since the epoch."""

    hold_id: str
    provider: str
    function: str
    channel_id: str | None = None
    contact_id: str | None = None
    user_id: str | None = None
    ai_microdollars: int = 0
    ai_tokens: int = 0
    embedding_tokens: int = 0
    files: int = 0
    file_bytes: int = 0
    sends: int = 0
    epoch: int
    seq: int
    admitted_at: float


class LedgerAlert(BaseModel):
    """A limit that has reached `level` per cent. `window_start` in seconds since the epoch."""

    policy: str
    window_start: float
    level: int


def moment(seconds: float) -> str:
    """Seconds since the epoch as the database reads a time."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def opening(
    tenant: str, tokens: tuple[str, str], provider: str, own: Calendar, platform: Calendar
) -> dict[str, str | None]:
    """The arguments of open_budget, and of the same for a person."""
    return {
        "p_tenant": tenant,
        "p_tenant_token": tokens[0] or None,
        "p_provider": provider,
        "p_provider_token": tokens[1] or None,
        "p_day": moment(own[0][0] / 1000),
        "p_month": moment(own[1][0] / 1000),
        "p_platform_day": moment(platform[0][0] / 1000),
        "p_platform_month": moment(platform[1][0] / 1000),
    }
