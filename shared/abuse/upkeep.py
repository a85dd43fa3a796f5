"""Looking after the store between calls: holds that are over, records for the ledger, counters that fell behind.

Each tenant in turn, every minute. Whatever is interrupted is found again by the next run: rows of the ledger are
written once, and a record leaves the store only when its row is there.
"""

from collections.abc import Iterator
from typing import Any, get_args

from shared import clock, metrics
from shared.abuse.admission import (
    Alert,
    Provider,
    budget_field,
    holds_key,
    provider_key,
    script,
    seeding,
    tenant_key,
)
from shared.abuse.server_books import alert_of
from shared.abuse.windows import Windows, windows
from shared.clock import Deadline
from shared.cloud.upstash import run, run_script, skew
from shared.data import budgets
from shared.data.budget_rows import LedgerRow

SCANNED_AT_ONCE = 500
ROWS_AT_ONCE = 500
# A record is dropped only so long after its hold ended that no clock of ours can still think it open.
SETTLED_MARGIN_MS = 10_000
PREFIX = tenant_key("")
PROVIDERS: tuple[str, ...] = get_args(Provider)


def sweep_holds(deadline: Deadline) -> int:
    """Charge the holds that Postgres gave out while the store was away, and that are over."""
    return budgets.expire_usage_holds(deadline)


def tenants_in_store(deadline: Deadline) -> Iterator[str]:
    """Every tenant that the store knows, in no order, and each at least once."""
    cursor = "0"
    while True:
        cursor, keys = run(["SCAN", cursor, "MATCH", f"{PREFIX}*", "COUNT", str(SCANNED_AT_ONCE)], deadline)
        for key in keys:
            # The indexes of open holds have one part more.
            if ":" not in key.removeprefix(PREFIX):
                yield key.removeprefix(PREFIX)
        if str(cursor) == "0":
            return


def tend(tenant: str, deadline: Deadline) -> dict[str, int]:
    """One tenant: what was charged because nobody settled it, written into the ledger, lifted to the ledger."""
    key = tenant_key(tenant)
    expired = sum(_sweep(tenant, provider, deadline) for provider in PROVIDERS)
    fields = _read(key, deadline)
    if "i" in fields:
        _open(tenant, fields["i"], deadline)
        return {"expired": expired, "written": 0, "lifted": 0}
    written = _write(tenant, key, fields, deadline)
    return {"expired": expired, "written": written, "lifted": _lift(tenant, key, deadline)}


def _sweep(tenant: str, provider: str, deadline: Deadline) -> int:
    now = str(int((clock.now() + skew()) * 1000))
    keys = [tenant_key(tenant), holds_key(tenant, provider), provider_key(provider)]
    swept = 0
    while deadline.remaining() > 0:
        ended = int(run_script(script(), keys, ["sweep", now, provider], deadline)[1])
        swept += ended
        if ended == 0:
            break
    return swept


def _read(key: str, deadline: Deadline) -> dict[str, str]:
    flat: list[str] = run(["HGETALL", key], deadline)
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _open(tenant: str, token: str, deadline: Deadline) -> None:
    """A hash without a state is seeded, once it may be, so that nobody's call has to wait for it."""
    facts = budgets.budget_facts(tenant, deadline)
    own, platform = windows(facts.time_zone, clock.now()), windows("UTC", clock.now())
    opened = budgets.open_budget(tenant, (token, ""), PROVIDERS[0], own, platform, deadline)
    if opened.tenant is not None and opened.tenant.opens_in_ms == 0:
        run_script(script(), [tenant_key(tenant)], seeding(opened.tenant, own), deadline)


def _write(tenant: str, key: str, fields: dict[str, str], deadline: Deadline) -> int:
    """Records of holds that have ended, into the ledger; those that are old enough then leave the store."""
    now = int((clock.now() + skew()) * 1000)
    ended = [(name[2:], value) for name, value in fields.items() if name.startswith("h:") and value[:2] != "o "]
    alerts = [alert_of(alert) for alert in _alerts(fields)]
    written = 0
    for first in range(0, max(len(ended), 1), ROWS_AT_ONCE):
        batch = ended[first : first + ROWS_AT_ONCE]
        rows = [row for row in (_row(hold, packed) for hold, packed in batch) if row is not None]
        if rows or alerts:
            written += budgets.record_usage(tenant, rows, alerts, deadline)
        alerts = []
        old = [hold for hold, packed in batch if int(packed.split(" ", 2)[1]) <= now - SETTLED_MARGIN_MS]
        if old:
            run_script(script(), [key], ["forget", str(now - SETTLED_MARGIN_MS), *old], deadline)
    return written


def _row(hold: str, packed: str) -> LedgerRow | None:
    """A record as a row of the ledger. Its amounts stand in the order of the meters' names in its entries."""
    head, _, rest = packed.partition(" meters ")
    amounts = rest.partition("breakers")[0].strip()
    _, _, epoch, seq, admitted, about, *_ = head.split(" ")
    function, channel, contact, member, provider, *meters = about.split("/")
    used = [int(amount) for amount in amounts.split(" ")[1::2]]
    return LedgerRow(
        hold_id=hold,
        provider=provider,
        function=function,
        channel_id=channel or None,
        contact_id=contact or None,
        user_id=member or None,
        epoch=int(epoch),
        seq=int(seq),
        admitted_at=int(admitted) / 1000,
        **dict(zip(meters, used, strict=False)),
    )


def _alerts(fields: dict[str, str]) -> Iterator[Alert]:
    for name, value in fields.items():
        if name.startswith("u:"):
            _, scope, _, window, meter = name.split(":")
            start, _, _, level, _ = (int(part) for part in value.split(" "))
            # A contact's own limit is no news for the owner.
            if level and scope in ("tenant", "channel"):
                yield Alert(f"{scope}.{window}.{meter}", start, level)


def _lift(tenant: str, key: str, deadline: Deadline) -> int:
    """Never below the ledger: what Redis lost and the ledger has is counted again, and an alarm hears of it."""
    facts = budgets.budget_facts(tenant, deadline)
    own: Windows = windows(facts.time_zone, clock.now())
    arguments: list[str] = []
    for counter in budgets.budget_sums(tenant, own, deadline):
        start = own.day.start if counter.window == "day" else own.month.start
        field = budget_field(counter.scope, counter.id, counter.window, counter.meter)
        arguments += [field, str(start), str(counter.used)]
    if not arguments:
        return 0
    lifted: Any = run_script(script(), [key], ["raise", *arguments], deadline)
    metrics.note_drift(int(lifted[1]))
    return int(lifted[1])
